package main

import (
	"errors"
	"fmt"
	"os"

	"handover/audit"
	"handover/audit/proof"
)

// completeWitnesses reads the policy of witnesses. A policy that cannot be met is a
// mistake: every receipt would wait for nothing.
func (c *Config) completeWitnesses() error {
	if c.WitnessPolicyFile == "" {
		return nil
	}
	text, err := os.ReadFile(c.WitnessPolicyFile)
	if err != nil {
		return fmt.Errorf("HUB_WITNESS_POLICY: %w", reason(err))
	}
	if c.witnesses, err = proof.ParsePolicy(string(text)); err != nil {
		return fmt.Errorf("HUB_WITNESS_POLICY: %w (docs/witness.md shows one)", err)
	}
	for _, w := range c.witnesses.Witnesses() {
		if w.URL == "" {
			continue
		}
		if err := audit.CheckWitnessURL(w.URL); err != nil {
			return fmt.Errorf("HUB_WITNESS_POLICY: witness %s: %w", w.Name, err)
		}
	}
	if !audit.CanBeMet(c.witnesses) {
		return errors.New("HUB_WITNESS_POLICY: its quorum asks for no witness, or for more than have a URL")
	}
	return nil
}
