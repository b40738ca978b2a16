package oauth

import (
	"container/list"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiter gives each key a token bucket, and remembers at most a fixed number of
// keys: past it the one not seen for longest is forgotten, so a caller who comes
// under ever new names cannot fill the memory.
type limiter struct {
	rate  rate.Limit
	burst int
	size  int
	now   func() time.Time

	mu      sync.Mutex // guards both, which always hold the same buckets
	buckets map[string]*list.Element
	recent  *list.List // of *bucket, newest first
}

type bucket struct {
	key     string
	limiter *rate.Limiter
}

// limiterSize is how many keys one limiter remembers: some 3 MB.
const limiterSize = 10_000

func newLimiter(r rate.Limit, burst int, now func() time.Time) *limiter {
	return &limiter{rate: r, burst: burst, size: limiterSize, now: now,
		buckets: map[string]*list.Element{}, recent: list.New()}
}

// allow takes one token from the key's bucket, or reports that it is empty.
func (l *limiter) allow(key string) bool {
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
	return e.Value.(*bucket).limiter.AllowN(l.now(), 1)
}

// remoteNetwork is where a connection comes from: an IPv4 address, or the /64 of an
// IPv6 one, which is what one customer is given and can number as she likes.
func remoteNetwork(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
