package audit

import (
	"fmt"
	"os"
	"testing"
)

// TestMain is the victim when a test starts this binary as one.
func TestMain(m *testing.M) {
	if does := os.Getenv(victimDoes); does != "" {
		if err := beVictim(does, os.Getenv(victimAt)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	if log := os.Getenv(witnessOf); log != "" {
		if err := beWitness(log, os.Args[1], os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
