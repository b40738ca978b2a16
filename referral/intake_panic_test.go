package referral

import "testing"

// TestAPanicWhileJudgingIsItsOwnPackets: a mistake that one packet brings to light does
// not refuse those that came with it.
func TestAPanicWhileJudgingIsItsOwnPackets(t *testing.T) {
	t.Parallel()
	a := &arrival{}
	func() {
		defer a.catch()
		panic("a mistake")
	}()
	if a.panic != "a mistake" || a.err == nil {
		t.Errorf("the packet keeps %v and %v, so it would be stored", a.panic, a.err)
	}
}
