package audit

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// paced returns a pace after a batch of n entries that took d, during which others
// kicked.
func paced(n, others int, d time.Duration) *pace {
	p := &pace{}
	for range n {
		p.kick()
	}
	p.begin(time.Now())
	for range others {
		p.kick()
	}
	time.Sleep(d) // of the bubble's clock
	p.end(time.Now(), n)
	return p
}

// held returns how long gather waits when somebody kicks each millisecond, up to
// arriving kicks.
func held(ctx context.Context, p *pace, arriving int) time.Duration {
	woken := make(chan struct{}, 1)
	go func() {
		for range arriving {
			time.Sleep(time.Millisecond)
			p.kick()
			select {
			case woken <- struct{}{}:
			default:
			}
		}
	}()
	start := time.Now()
	p.gather(ctx, start, woken)
	return time.Since(start)
}

func TestABatchWaitsForThoseWhoAreAboutAndNoLonger(t *testing.T) {
	const ms = time.Millisecond
	for _, row := range []struct {
		name     string
		n        int           // told by the batch before
		others   int           // kicked while it ran
		took     time.Duration // it took
		rest     time.Duration // since then
		arriving int
		want     time.Duration
	}{
		{"one writer alone", 1, 0, 1 * ms, 0, 0, 0},
		{"everybody has kicked already", 0, 16, 1 * ms, 0, 0, 0},
		{"two writers, the other is on her way", 2, 1, 1 * ms, 0, 5, 1 * ms},
		{"four of eight come back in time", 4, 4, 5 * ms, 0, 9, 3 * ms},
		{"nobody comes back", 8, 8, 1 * ms, 0, 0, 2 * ms},
		{"nobody comes back after a long batch", 8, 8, 90 * ms, 0, 0, 4 * ms},
		{"too few come back", 50, 5, 90 * ms, 0, 60, 4 * ms},
		{"after a rest", 50, 5, 1 * ms, 3 * ms, 0, 0},
		{"the first of all", 0, 0, 0, 0, 0, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := paced(row.n, row.others, row.took)
			time.Sleep(row.rest)
			if got := held(t.Context(), p, row.arriving); got != row.want {
				t.Errorf("%s: held back %v, want %v", row.name, got, row.want)
			}
			time.Sleep(time.Second) // for those still to arrive
		})
	}
}

func TestHoldingBackEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := paced(16, 0, 50*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if got := held(ctx, p, 0); got != time.Millisecond {
			t.Errorf("held back %v after the context ended", got-time.Millisecond)
		}
	})
}
