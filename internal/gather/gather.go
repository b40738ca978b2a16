// Package gather lets requests that arrive together share a transaction. Most of what
// a transaction costs (its commit, its round trips, the start of each statement) is
// the same for one row and for fifty.
//
// It waits for nobody: whoever comes alone is served at once, and a group is what
// arrived while another was on its way. So it costs nothing at rest, and the busier
// the hub is the less each request costs.
package gather

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Lines are queues that groups are taken from: one for each key, so that nobody waits
// behind another key's. All fields are set before the first Join.
type Lines[T any] struct {
	Most   int               // items of a group at the most
	Within time.Duration     // for a group, whoever of its callers has left
	Key    func(T) string    // nil: all share one line
	Apart  func(a, b T) bool // whether b must not be in a group with a; nil: any may

	// Do serves a group and leaves in each item what became of it. The groups of a line
	// are served one after the other: two at once would be smaller and cost more.
	Do func(context.Context, []T)

	mu    sync.Mutex
	lines map[string]*line[T]
}

// line is the queue of one key. It is there while anybody waits or is served.
type line[T any] struct{ waiting []*waiter[T] }

type waiter[T any] struct {
	item  T
	done  chan struct{}
	panic any // what Do ended with, for each caller of the group to meet
}

// Join has item served in a group and returns when it has been; or returns ctx's
// error when the caller leaves before, and then the item may be served all the same. A
// caller that finds nobody before it serves the group, and stays for that. If Do panics,
// Join does.
func (l *Lines[T]) Join(ctx context.Context, item T) error {
	w := &waiter[T]{item: item, done: make(chan struct{})}
	key := ""
	if l.Key != nil {
		key = l.Key(item)
	}
	if q := l.enter(key, w); q != nil {
		l.lead(context.WithoutCancel(ctx), key, q)
	} else {
		select {
		case <-w.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if w.panic != nil {
		panic(w.panic)
	}
	return nil
}

// enter puts w into the line of key, and returns the line if it is new: then it is the
// caller's to serve.
func (l *Lines[T]) enter(key string, w *waiter[T]) *line[T] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == nil {
		l.lines = map[string]*line[T]{}
	}
	q, found := l.lines[key]
	if !found {
		q = &line[T]{}
		l.lines[key] = q
	}
	q.waiting = append(q.waiting, w)
	if found {
		return nil
	}
	return q
}

// lead serves the first group of a new line, which its caller is in: who comes alone needs
// no other goroutine, and waking one costs more than some of what is done here. Whoever has
// come meanwhile is served by another, so that the caller may go.
func (l *Lines[T]) lead(ctx context.Context, key string, q *line[T]) {
	l.serve(ctx, l.take(key, q))
	if group := l.take(key, q); group != nil {
		go l.drain(ctx, key, q, group)
	}
}

// drain serves group after group until nobody waits.
func (l *Lines[T]) drain(ctx context.Context, key string, q *line[T], group []*waiter[T]) {
	for ; group != nil; group = l.take(key, q) {
		l.serve(ctx, group)
	}
}

// serve has one group served. A panic is given to its callers to meet, and the line
// goes on: it is not for whoever happens to serve it, and in a goroutine of its own it would
// end the process, and everybody else's requests.
func (l *Lines[T]) serve(ctx context.Context, group []*waiter[T]) {
	ctx, cancel := context.WithTimeout(ctx, l.Within)
	defer cancel()
	defer func() {
		p := recover()
		for _, w := range group {
			w.panic = p
			close(w.done)
		}
	}()
	items := make([]T, len(group))
	for i, w := range group {
		items[i] = w.item
	}
	l.Do(ctx, items)
}

// take returns the next group of a line, or nil after giving up the line. Who must
// stay apart from one of the group waits for the next. It lets those run first who can:
// requests that are just being read are then in the group.
func (l *Lines[T]) take(key string, q *line[T]) []*waiter[T] {
	runtime.Gosched()
	l.mu.Lock()
	defer l.mu.Unlock()
	var group, rest []*waiter[T]
	for _, w := range q.waiting {
		apart := l.Apart != nil && slices.ContainsFunc(group, func(g *waiter[T]) bool { return l.Apart(g.item, w.item) })
		if apart || len(group) == l.Most {
			rest = append(rest, w)
		} else {
			group = append(group, w)
		}
	}
	q.waiting = rest
	if group == nil {
		delete(l.lines, key)
	}
	return group
}
