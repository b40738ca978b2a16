package client

import (
	"context"
	"fmt"
	"slices"

	"handover/audit/proof"
)

// prove verifies a receipt of the hub with the pinned log key, and that its entry
// says what was asked for: expected has the members that must be equal; empty ones
// are not compared. A hub could otherwise answer one step with the perfectly good
// receipt of another.
func (c *Client) prove(ctx context.Context, r Receipt, expected proof.Entry) error {
	entry, err := c.verified(ctx, r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	if differs := difference(entry, expected); differs != "" {
		return fmt.Errorf("%w: the receipt is of something else, by its %s", ErrProof, differs)
	}
	return nil
}

// difference names the first member in which entry is not as expected, or "".
func difference(entry, expected proof.Entry) string {
	for _, m := range []struct{ name, got, want string }{
		{"act", entry.Act, expected.Act},
		{"partner", entry.Partner, expected.Partner},
		{"client", entry.Client, expected.Client},
		{"other partner", entry.Other, expected.Other},
		{"referral", entry.Referral, expected.Referral},
		{"event", entry.Event, expected.Event},
		{"envelope", entry.Envelope, expected.Envelope},
		{"state", entry.State, expected.State},
		{"consent", entry.Consent, expected.Consent},
		{"override", entry.Override, expected.Override},
		{"digest", entry.Digest, expected.Digest},
		{"reason", entry.Reason, expected.Reason},
		{"target", entry.Target, expected.Target},
	} {
		if m.want != "" && m.got != m.want {
			return m.name
		}
	}
	if entry.Subject != "" && expected.Subject != "" && entry.Subject != expected.Subject { // entries name her since they may; earlier ones do not
		return "subject"
	}
	if expected.Sections != nil && !slices.Equal(entry.Sections, expected.Sections) {
		return "sections"
	}
	return ""
}
