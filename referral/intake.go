package referral

import (
	"context"
	"slices"
	"sync"
	"time"
)

// intake gathers the requests of one partner that arrive while another group of hers
// is being stored, so that they share a transaction: one commit, one reading of keys,
// agreement and consents for all of them. Alone, a request waits for nobody. Each
// partner has a line of its own: none waits behind another.
type intake struct {
	mu    sync.Mutex
	lines map[string]*line
}

// line is the queue of one partner.
type line struct {
	waiting []waiter
	running int // groups on their way
}

type waiter struct {
	*arrival
	done chan struct{}
}

const (
	groupMost  = 64               // packets of a group
	groupsMost = 2                // groups of one partner at once
	groupTime  = 20 * time.Second // for a group, whoever of its callers has left
)

// join has a stored by receive, in a group, and returns when it has been; or ctx's
// error when the caller leaves before. Then the packet may be stored all the same,
// and is found when its bytes are sent again.
func (i *intake) join(ctx context.Context, a *arrival, receive func(context.Context, []*arrival)) error {
	w := waiter{a, make(chan struct{})}
	issuer := a.claims().Issuer
	i.mu.Lock()
	if i.lines == nil {
		i.lines = map[string]*line{}
	}
	l := i.lines[issuer]
	if l == nil {
		l = &line{}
		i.lines[issuer] = l
	}
	l.waiting = append(l.waiting, w)
	if l.running < groupsMost {
		l.running++
		go i.drain(context.WithoutCancel(ctx), issuer, l, receive)
	}
	i.mu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain stores group after group until the line is empty.
func (i *intake) drain(ctx context.Context, issuer string, l *line, receive func(context.Context, []*arrival)) {
	for {
		group := i.take(issuer, l)
		if group == nil {
			return
		}
		arrivals := make([]*arrival, len(group))
		for n, w := range group {
			arrivals[n] = w.arrival
		}
		together(ctx, arrivals, receive)
		for _, w := range group {
			close(w.done)
		}
	}
}

// together stores one group. A panic is given to all of its callers to meet, and the
// line goes on.
func together(ctx context.Context, group []*arrival, receive func(context.Context, []*arrival)) {
	ctx, cancel := context.WithTimeout(ctx, groupTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			for _, a := range group {
				a.panic = p
			}
		}
	}()
	receive(ctx, group)
}

// take returns the next group of a line, or nil after giving up its place. A packet
// under the same id as another of the group waits for the next: it must find that one
// stored.
func (i *intake) take(issuer string, l *line) []waiter {
	i.mu.Lock()
	defer i.mu.Unlock()
	var group, rest []waiter
	for _, w := range l.waiting {
		same := slices.ContainsFunc(group, func(g waiter) bool { return g.claims().ID == w.claims().ID })
		if same || len(group) == groupMost {
			rest = append(rest, w)
		} else {
			group = append(group, w)
		}
	}
	l.waiting = rest
	if group == nil {
		if l.running--; l.running == 0 {
			delete(i.lines, issuer)
		}
	}
	return group
}
