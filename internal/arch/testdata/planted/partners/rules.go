package partners

import (
	"fmt"
	"log"
	"log/slog"
	_ "net/http" // want seam
	"os"
	clock "time"

	_ "github.com/gorilla/mux"                  // want seam
	_ "github.com/lestrrat-go/jwx/v2/jwt"       // want seam
	_ "github.com/ory/fosite"                   // want seam
	_ "github.com/prometheus/client_golang/api" // want seam
	_ "github.com/spf13/cobra"                  // want seam
	_ "github.com/stretchr/testify/assert"      // want seam
	_ "math/rand/v2"                            // want seam
	. "strings"                                 // want dot-import

	_ "handover/consent"         // want arrow
	_ "handover/internal/pgtest" // want arrow
	_ "handover/referral/packet" // want arrow
)

func init() { // want init
	fmt.Println(os.Getenv("HOME")) // want call call
	log.Fatal(ToUpper("no"))       // want call
	slog.Info("to the default")    // want call
	println("to standard error")   // want call
}

var began = clock.Now() // want call

var clockNow = clock.Now // want call

func took() clock.Duration { return clock.Since(began) } // want call
