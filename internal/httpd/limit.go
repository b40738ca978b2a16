package httpd

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// limit bounds how many requests are worked on and how many only wait. Beyond
// it callers get 503 at once: a queue without an end would take memory from
// those already being served, and answer them all too late.
type limit struct {
	working    atomic.Int64
	waiting    atomic.Int64
	maxWorking int64
	maxWaiting int64
	drain      context.Context //nolint:containedctx // the server's life, not a request's: it ends when the hub begins to stop
	begin      context.CancelFunc
	writeTime  time.Duration
	now        func() time.Time

	network func(*http.Request) string // where a request comes from; nil: no network has a share
	mu      sync.Mutex
	shares  map[string]int64 // what is worked on for each network
}

// share is the part of all work that one network may have: else a few hundred connections
// from one address, each sending a byte now and then, would shut out everybody.
const share = 4

// takes takes a place among the working, and reports whether the hub and the network's
// share had room.
func (l *limit) takes(network string) bool {
	if l.working.Add(1) > l.maxWorking {
		l.working.Add(-1)
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.network != nil && l.shares[network] >= max(1, l.maxWorking/share) {
		l.working.Add(-1)
		return false
	}
	l.shares[network]++
	return true
}

// comesBack takes a place without asking: who was let in once is not thrown out half-way.
// The excess is at most the number that wait, and newcomers pay for it.
func (l *limit) comesBack(network string) {
	l.working.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shares[network]++
}

// gives gives a place back.
func (l *limit) gives(network string) {
	l.working.Add(-1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.shares[network]--; l.shares[network] == 0 {
		delete(l.shares, network)
	}
}

// within answers ErrBusy when the hub works on all it can, or on all that it does for the
// network that the request comes from. Probes pass: a hub that
// is busy must not be restarted for it.
func (l *limit) within(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isProbe(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		network := ""
		if l.network != nil {
			network = l.network(r)
		}
		if !l.takes(network) {
			w.Header().Set("Connection", "close") // let a balancer choose another hub
			Problem(w, r, ErrBusy)
			return
		}
		x := exchangeFrom(r.Context())
		if x != nil {
			x.network = network
		}
		defer func() {
			if x != nil && x.back != nil {
				x.back() // also when the handler panicked while it waited
			}
			l.gives(network)
		}()
		next.ServeHTTP(w, r)
	})
}

// Wait is for a handler that has nothing to do until something happens (a long
// poll, a stream). It gives back the request's place among the working, so that
// those who wait cannot shut out those who send, or refuses with ErrBusy when too
// many wait already. The handler waits on the returned context, which ends when
// the caller leaves or the hub begins to stop, and calls back before it works on.
// back also gives the answer its full time to be written; calling it twice is
// harmless.
func Wait(w http.ResponseWriter, r *http.Request) (ctx context.Context, back func(), err error) {
	x := exchangeFrom(r.Context())
	if x == nil || x.limit == nil {
		return r.Context(), func() {}, nil
	}
	if x.back != nil {
		x.back() // one wait at a time
	}
	l := x.limit
	if l.waiting.Add(1) > l.maxWaiting {
		l.waiting.Add(-1)
		return nil, nil, ErrBusy
	}
	l.gives(x.network)
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{}) // not every writer has deadlines; then nothing needs lifting

	ctx, cancel := context.WithCancel(r.Context())
	forget := context.AfterFunc(l.drain, cancel)
	x.back = sync.OnceFunc(func() {
		forget()
		cancel()
		l.waiting.Add(-1)
		l.comesBack(x.network)
		_ = rc.SetWriteDeadline(l.now().Add(l.writeTime))
	})
	return ctx, x.back, nil
}
