// Package pgtest is for tests, and may look at the clock.
package pgtest

import (
	"os"
	"time"

	_ "handover/internal/pg"
)

var (
	Start = time.Now()
	Dir   = os.Getenv("DIR")
)
