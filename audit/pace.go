package audit

import (
	"context"
	"sync/atomic"
	"time"
)

// maxHold bounds how long a batch is held back to gather more entries.
const maxHold = 4 * time.Millisecond

// pace decides when the next batch begins. A batch costs about as much for one entry
// as for thirty, so it pays to let those come along who are about to write anyway:
// with 16 writers the log takes twice as many entries a second as without pace, and
// each costs a third less. How many are about is seen from the batch before: those
// it told, and those who kicked while it ran. When most of them have kicked again, or
// after twice the time that batch took, the next begins. One writer alone, and the
// first after a rest, never wait.
//
// Only Run uses a pace, except for kick.
type pace struct {
	kicks    atomic.Int64
	before   int64     // kicks when the last batch began
	expected int64     // how many were about then
	began    time.Time // of the last batch
	hold     time.Time // until when the next may be held back
}

// kick notes that an entry was committed.
func (p *pace) kick() { p.kicks.Add(1) }

// begin notes that a batch begins: whoever has kicked so far will be in it.
func (p *pace) begin(now time.Time) {
	p.before, p.began = p.kicks.Load(), now
}

// end notes that the batch has told n entries.
func (p *pace) end(now time.Time, n int) {
	p.expected = int64(n) + p.kicks.Load() - p.before
	p.hold = now.Add(min(2*now.Sub(p.began), maxHold))
}

// enough reports whether nine in ten of those expected have kicked.
func (p *pace) enough() bool {
	return 10*(p.kicks.Load()-p.before) >= 9*p.expected-9
}

// gather returns when the next batch should begin. woken receives after kicks.
func (p *pace) gather(ctx context.Context, now time.Time, woken <-chan struct{}) {
	if p.enough() || !now.Before(p.hold) {
		return
	}
	patience := time.NewTimer(p.hold.Sub(now))
	defer patience.Stop()
	for !p.enough() {
		select {
		case <-ctx.Done():
			return
		case <-patience.C:
			return
		case <-woken:
		}
	}
}
