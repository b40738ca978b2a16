// Command hub wires everything.
package main

import (
	"fmt"
	"os"
	"time"

	_ "github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/spf13/cobra"

	_ "handover/oauth"
	_ "handover/web"
)

func main() { fmt.Println(time.Now(), os.Args) }
