package referral

import "testing"

// TestAPanicWhileJudgingIsItsOwnPackets: a mistake that one packet brings to light is
// met by its own caller, and does not refuse those that came with it.
func TestAPanicWhileJudgingIsItsOwnPackets(t *testing.T) {
	t.Parallel()
	a := &arrival{}
	(&Store{}).decideOne(nil, a) // nothing was looked up: judging it panics
	if a.panic == nil || a.err == nil {
		t.Errorf("the packet keeps %v and %v, so it would be stored", a.panic, a.err)
	}
}
