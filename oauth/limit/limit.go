// Package limit bounds how often somebody may ask, and says so in the RateLimit fields
// of the answer (draft-ietf-httpapi-ratelimit-headers). A hub keeps its buckets in memory
// and for itself: several hubs allow several times as much, and a restart forgets.
//
// limit.go is the buckets and what is said of them; origin.go is where a request comes
// from.
package limit

import (
	"container/list"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter gives each key a token bucket, and remembers at most a fixed number of keys:
// past it the one not seen for longest is forgotten, so a caller who comes under ever new
// names cannot fill the memory.
type Limiter struct {
	policy string // the RateLimit-Policy of every verdict
	name   string
	rate   rate.Limit
	burst  int
	size   int
	now    func() time.Time

	mu      sync.Mutex // guards both, which always hold the same buckets
	buckets map[string]*list.Element
	recent  *list.List // of *bucket, newest first
}

type bucket struct {
	key     string
	limiter *rate.Limiter
}

// keys is how many keys one limiter remembers: some 3 MB.
const keys = 10_000

// New returns a limiter of so many requests a second, with a burst of ten seconds' worth.
// name says in the answer which limit it is: address, client or user. rate.Inf is no limit.
func New(name string, r rate.Limit, now func() time.Time) *Limiter {
	l := &Limiter{name: name, rate: r, burst: max(1, int(min(10*r, 1e6))), size: keys, now: now,
		buckets: map[string]*list.Element{}, recent: list.New()}
	l.policy = fmt.Sprintf(`"%s";q=%d;w=%d`, name, l.burst, l.seconds(float64(l.burst)))
	return l
}

// Verdict is the answer to one request. The zero value allows, and says nothing.
type Verdict struct {
	limiter *Limiter
	left    float64 // tokens left in the bucket; negative when it is refused
}

// Allow takes one token from the key's bucket, or refuses because it is empty.
func (l *Limiter) Allow(key string) Verdict {
	if l.rate == rate.Inf {
		return Verdict{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.buckets[key]
	if !ok {
		if l.recent.Len() >= l.size {
			oldest := l.recent.Back()
			delete(l.buckets, l.recent.Remove(oldest).(*bucket).key)
		}
		e = l.recent.PushFront(&bucket{key: key, limiter: rate.NewLimiter(l.rate, l.burst)})
		l.buckets[key] = e
	}
	l.recent.MoveToFront(e)
	now, b := l.now(), e.Value.(*bucket).limiter
	if !b.AllowN(now, 1) {
		return Verdict{l, b.TokensAt(now) - 1}
	}
	return Verdict{l, b.TokensAt(now)}
}

// seconds is how long the limiter needs to give so many tokens, in whole seconds.
func (l *Limiter) seconds(tokens float64) int {
	return int(math.Ceil(max(0, tokens) / float64(l.rate)))
}

// Refused reports whether the request is over the limit.
func (v Verdict) Refused() bool { return v.left < 0 }

// Write sets RateLimit and RateLimit-Policy, and of a refusal Retry-After. Of several
// limits the one written last is told: write those that allow first.
func (v Verdict) Write(h http.Header) {
	if v.limiter == nil {
		return
	}
	h.Set("RateLimit-Policy", v.limiter.policy)
	if v.Refused() {
		wait := strconv.Itoa(max(1, v.limiter.seconds(-v.left)))
		h.Set("RateLimit", `"`+v.limiter.name+`";r=0;t=`+wait)
		h.Set("Retry-After", wait)
		return
	}
	full := v.limiter.seconds(float64(v.limiter.burst) - v.left)
	h.Set("RateLimit", `"`+v.limiter.name+`";r=`+strconv.Itoa(int(v.left))+`;t=`+strconv.Itoa(full))
}
