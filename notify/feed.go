package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"handover/partners"
)

// Feed wakes whoever listens when something has happened to a referral of a partner, on
// whichever hub. It follows the log by its places, once in Pause for all who listen and not at
// all while nobody does: what a hub accepts costs no announcement, which would take half as
// long again as giving the entry its place.
type Feed struct {
	Pause time.Duration // between two looks; default a second

	store  *logReader
	logger *slog.Logger

	mu        sync.Mutex
	listeners map[partners.ID]map[chan struct{}]bool
	after     int64 // the place in the log up to which all is told; beginning before the first look
}

// beginning is the place of a feed that has not looked since somebody listens.
const beginning = -1

// Subscribe returns a channel on which there is something to take when something may have
// happened to a referral of the partner since it was last taken from, and what ends it. A
// signal says no more than: look. Many things that happen at once are one signal.
func (f *Feed) Subscribe(partner partners.ID) (news <-chan struct{}, end func()) {
	ch := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listeners[partner] == nil {
		f.listeners[partner] = map[chan struct{}]bool{}
	}
	f.listeners[partner][ch] = true
	return ch, sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners[partner], ch)
		if len(f.listeners[partner]) == 0 {
			delete(f.listeners, partner)
		}
		if len(f.listeners) == 0 {
			f.after = beginning
		}
	})
}

// Run follows the log until ctx ends. What it cannot read for a while it tells afterwards.
func (f *Feed) Run(ctx context.Context) error {
	tick := time.NewTicker(f.Pause)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := f.look(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			f.logger.LogAttrs(ctx, slog.LevelError, "following the log for those who listen", slog.Any("err", err))
		}
		failing = err != nil
	}
}

// look tells what has happened since it last looked. When it looks for the first time since
// somebody listens, it tells everybody: what happened between the two is not lost.
func (f *Feed) look(ctx context.Context) error {
	after, anybody := f.place()
	if !anybody {
		return nil
	}
	if after == beginning {
		head, err := f.store.head(ctx)
		if err != nil {
			return err
		}
		f.tell(head, nil, true)
		return nil
	}
	for {
		n, err := f.store.news(ctx, after)
		if err != nil {
			return err
		}
		if n.upto == after {
			return nil
		}
		f.tell(n.upto, n.concerned, false)
		after = n.upto
	}
}

func (f *Feed) place() (after int64, anybody bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.after, len(f.listeners) > 0
}

// tell wakes the listeners of the partners, or all, and notes how far it has told.
func (f *Feed) tell(upto int64, concerned []partners.ID, all bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.listeners) == 0 {
		return // the last has left meanwhile: the next begins anew
	}
	f.after = upto
	if all {
		for partner := range f.listeners {
			concerned = append(concerned, partner)
		}
	}
	for _, partner := range concerned {
		for ch := range f.listeners[partner] {
			select {
			case ch <- struct{}{}:
			default: // it has not taken the last one yet
			}
		}
	}
}
