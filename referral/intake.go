package referral

import (
	"time"

	"handover/internal/gather"
)

// How requests of one partner share a transaction (docs/decisions/0005). Each partner
// has a line of its own: none waits behind another.
const (
	groupMost = 64               // packets of a group
	groupTime = 20 * time.Second // for a group, whoever of its callers has left
)

// newIntake returns the lines of requests, which s.receive serves. A packet under the
// same id as another of its group waits for the next: it must find that one stored.
func newIntake(s *Store) *gather.Lines[*arrival] {
	return &gather.Lines[*arrival]{
		Most: groupMost, Within: groupTime,
		Key:   func(a *arrival) string { return a.claims().Issuer },
		Apart: func(a, b *arrival) bool { return a.claims().ID == b.claims().ID },
		Do:    s.receive,
	}
}
