package partners

import (
	"fmt"
	_ "net/http"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5"
	_ "github.com/ory/fosite" // want seam

	_ "handover/client"
	_ "handover/internal/pgtest"
	_ "handover/referral" // want arrow
	_ "handover/web"      // want arrow
)

func TestTime(t *testing.T) { fmt.Println(time.Now()) }
