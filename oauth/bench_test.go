package oauth

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"handover/keys/jose"
)

// cpu is the processor time of this process so far; PostgreSQL's is its own.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measure reports the processor time of work beside the time that passed.
func measure(b *testing.B, work func()) {
	b.Helper()
	before := cpu(b)
	b.ResetTimer()
	work()
	b.StopTimer()
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkVerify is what one signature costs, to compare the others with.
func BenchmarkVerify(b *testing.B) {
	key := newKey(b, jose.ES256)
	token := sign(b, "JWT", []byte(`{"sub":"camden-outreach.abcde"}`), key)
	measure(b, func() {
		for range b.N {
			signed, err := jose.ParseSigned(token, maxToken, "JWT")
			if err != nil {
				b.Fatal(err)
			}
			if _, err := signed.Verify(key.Public()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkTokenRequest is one token request: two signatures verified, one made, two
// round trips to the database, one of them durable.
func BenchmarkTokenRequest(b *testing.B) {
	h := newHub(b)
	a := h.enrol("camden-outreach")
	requests := make([]*http.Request, b.N)
	for i := range requests {
		requests[i] = h.ask(a).request(b)
	}
	measure(b, func() { h.all(b, requests) })
}

// BenchmarkGuard is what the guard adds to a request: one signature verified, one
// round trip to the database, not durable.
func BenchmarkGuard(b *testing.B) {
	h := newHub(b)
	a := h.enrol("camden-outreach")
	token := h.token(a)
	requests := make([]*http.Request, b.N)
	for i := range requests {
		requests[i] = h.call(a, token).request(b)
	}
	measure(b, func() { h.all(b, requests) })
}

func (h *hub) all(b *testing.B, requests []*http.Request) {
	b.Helper()
	for _, r := range requests {
		if w := h.do(r); w.Code != http.StatusOK {
			b.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}
