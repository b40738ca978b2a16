package referral

import (
	"context"
	"runtime"
	"testing"
)

// TestAPanicEndsItsOwnRequestsAndNotTheHub has the storing of a group panic, as a
// mistake in it or in a library under it would.
func TestAPanicEndsItsOwnRequestsAndNotTheHub(t *testing.T) {
	t.Parallel()
	var line intake
	fails := func(context.Context, []*arrival) { panic("a mistake") }
	works := func(_ context.Context, group []*arrival) {
		for _, a := range group {
			a.stored = true
		}
	}
	for range 3 {
		a := &arrival{}
		if err := line.join(t.Context(), a, fails); err != nil || a.panic != "a mistake" {
			t.Errorf("the caller meets %v and %v, want the panic", err, a.panic)
		}
	}
	a := &arrival{}
	if err := line.join(t.Context(), a, works); err != nil || !a.stored || a.panic != nil {
		t.Errorf("the next request: %v, %+v", err, a)
	}
	left := func() int {
		line.mu.Lock()
		defer line.mu.Unlock()
		return len(line.lines)
	}
	for left() != 0 { // its goroutine gives it up a moment later
		runtime.Gosched()
	}

	caught := &arrival{}
	func() {
		defer caught.catch()
		panic("a mistake")
	}()
	if caught.panic != "a mistake" || caught.err == nil {
		t.Errorf("the packet keeps %v and %v, so it would be stored", caught.panic, caught.err)
	}
}
