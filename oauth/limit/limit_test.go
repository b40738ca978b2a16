package limit

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func TestTheLimiterIsFairAndBounded(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(1_800_000_000, 0)}
	l := New("client", 0.3, c.now)
	l.size = 2
	for i, want := range []bool{true, true, true, false, false} {
		if l.Allow("a").Refused() == want {
			t.Errorf("request %d of a", i)
		}
	}
	if l.Allow("b").Refused() {
		t.Error("a's requests count for b")
	}
	c.t = c.t.Add(4 * time.Second)
	if l.Allow("a").Refused() || !l.Allow("a").Refused() {
		t.Error("four seconds are not worth one request")
	}
	l.Allow("c")
	if len(l.buckets) != 2 || l.recent.Len() != 2 {
		t.Errorf("%d keys are remembered", len(l.buckets))
	}
	if !l.Allow("a").Refused() {
		t.Error("the key seen last was forgotten")
	}
}

func TestAVerdictSaysWhatIsLeftAndWhenToComeBack(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(1_800_000_000, 0)}
	l := New("client", 0.3, c.now)
	for i, want := range []map[string]string{
		{"RateLimit": `"client";r=2;t=4`, "Retry-After": ""},
		{"RateLimit": `"client";r=1;t=7`, "Retry-After": ""},
		{"RateLimit": `"client";r=0;t=10`, "Retry-After": ""},
		{"RateLimit": `"client";r=0;t=4`, "Retry-After": "4"},
	} {
		h := http.Header{}
		l.Allow("a").Write(h)
		for name, value := range want {
			if h.Get(name) != value {
				t.Errorf("answer %d: %s is %q, want %q", i, name, h.Get(name), value)
			}
		}
		if h.Get("RateLimit-Policy") != `"client";q=3;w=10` {
			t.Errorf("answer %d: the policy is %q", i, h.Get("RateLimit-Policy"))
		}
	}
	// Whoever waits as long as she was told is let in.
	c.t = c.t.Add(4 * time.Second)
	if l.Allow("a").Refused() {
		t.Error("Retry-After is too short")
	}
}

func TestNoLimitSaysNothing(t *testing.T) {
	t.Parallel()
	l := New("client", rate.Inf, time.Now)
	h := http.Header{}
	v := l.Allow("a")
	if v.Write(h); v.Refused() || len(h) != 0 || len(l.buckets) != 0 {
		t.Errorf("%v, %v", v, h)
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	direct := Origin{}
	behind := Origin{Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/28"), netip.MustParsePrefix("2001:db8:ffff::/64")}}
	for _, row := range []struct {
		name      string
		o         Origin
		from      string
		forwarded []string
		want      string
	}{
		{"IPv4", direct, "192.0.2.7:4711", nil, "192.0.2.7"},
		{"IPv4 in IPv6", direct, "[::ffff:192.0.2.7]:4711", nil, "192.0.2.7"},
		{"IPv6", direct, "[2001:db8:1:2:3:4:5:6]:4711", nil, "2001:db8:1:2::/64"},
		{"with a zone", direct, "[2001:db8:1:2:ffff::1%eth0]:11", nil, "2001:db8:1:2::/64"},
		{"a socket", direct, "@", nil, "@"},
		{"a header nobody asked for", direct, "192.0.2.7:1", []string{"198.51.100.1"}, "192.0.2.7"},
		{"through the proxy", behind, "192.0.2.7:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"through two proxies", behind, "192.0.2.7:1", []string{"198.51.100.1, 192.0.2.8"}, "198.51.100.1"},
		{"through two, two fields", behind, "192.0.2.7:1", []string{"198.51.100.1", "192.0.2.8"}, "198.51.100.1"},
		{"a caller who writes the header herself", behind, "192.0.2.7:1", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		{"a caller who names the proxy", behind, "192.0.2.7:1", []string{"192.0.2.8, 198.51.100.1"}, "198.51.100.1"},
		{"past the proxy", behind, "198.51.100.1:1", []string{"203.0.113.9"}, "198.51.100.1"},
		{"the proxy itself", behind, "192.0.2.7:1", nil, "192.0.2.7"},
		{"nonsense", behind, "192.0.2.7:1", []string{"a, b"}, "192.0.2.7"},
		{"IPv6 through an IPv6 proxy", behind, "[2001:db8:ffff::1]:1", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"},
	} {
		got := row.o.Network(&http.Request{RemoteAddr: row.from, Header: http.Header{"X-Forwarded-For": row.forwarded}})
		if got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
}
