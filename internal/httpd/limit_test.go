package httpd_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"handover/internal/httpd"
)

// blocking mounts a route at path that runs step once a request, and tells entered.
func (h *hub) blocking(path string, step func(w http.ResponseWriter, r *http.Request) error) (entered chan struct{}) {
	entered = make(chan struct{}, 100)
	h.router.Handle(path, httpd.Handle(func(w http.ResponseWriter, r *http.Request) error {
		entered <- struct{}{}
		return step(w, r)
	}))
	return entered
}

func get(h *hub, path string) *httptest.ResponseRecorder {
	return h.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func TestABusyHubSaysSoAtOnceAndRecovers(t *testing.T) {
	const limit = 3
	h := newHub(httpd.Options{MaxInFlight: limit})
	release := make(chan struct{})
	entered := h.blocking("/work", func(http.ResponseWriter, *http.Request) error { <-release; return nil })

	var wg sync.WaitGroup
	for range limit {
		wg.Go(func() { get(h, "/work") })
		<-entered
	}
	w := get(h, "/work")
	p := problem(t, w, 503, "hub-busy")
	if p["retry"] != true || w.Header().Get("Retry-After") == "" {
		t.Errorf("retry = %v, Retry-After = %q", p["retry"], w.Header().Get("Retry-After"))
	}
	for _, probe := range []string{"/livez", "/readyz"} {
		if got := get(h, probe).Code; got != 200 {
			t.Errorf("a busy hub answers %s with %d: it would be restarted for it", probe, got)
		}
	}
	if line := h.lines(t)[0]; line["code"] != "hub-busy" || line["route"] != "none" {
		t.Errorf("log line = %v", line)
	}
	close(release)
	wg.Wait()
	if got := get(h, "/work").Code; got != 200 {
		t.Errorf("after the rush: %d", got)
	}
	if m := h.metrics(t); !strings.Contains(m, `handover_http_problems_total{code="hub-busy"} 1`) {
		t.Errorf("no metric would alert:\n%s", m)
	}
}

// TestOneNetworkCannotShutOutOthers: it has a quarter of the work, and who only waits has
// none of it.
func TestOneNetworkCannotShutOutOthers(t *testing.T) {
	h := newHub(httpd.Options{MaxInFlight: 8, MaxWaiting: 2, Network: func(r *http.Request) string { return r.Header.Get("From") }})
	from := func(network, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("From", network)
		return h.do(r)
	}
	release, come := make(chan struct{}), make(chan struct{})
	working := h.blocking("/work", func(http.ResponseWriter, *http.Request) error { <-release; return nil })
	waits := make(chan struct{})
	h.blocking("/wait", func(w http.ResponseWriter, r *http.Request) error {
		_, back, err := httpd.Wait(w, r)
		if err != nil {
			return err
		}
		waits <- struct{}{}
		<-come
		back()
		return nil
	})
	var wg sync.WaitGroup
	wg.Go(func() { from("greedy", "/wait") })
	<-waits
	for range 2 {
		wg.Go(func() { from("greedy", "/work") })
		<-working
	}
	problem(t, from("greedy", "/work"), 503, "hub-busy")
	if got := from("another", "/livez").Code; got != 200 {
		t.Errorf("a probe: %d", got)
	}
	wg.Go(func() { from("another", "/work") })
	<-working
	close(come)
	close(release)
	wg.Wait()
	if got := from("greedy", "/work").Code; got != 200 {
		t.Errorf("afterwards: %d", got)
	}
}

func TestThoseWhoWaitDoNotShutOutThoseWhoSend(t *testing.T) {
	h := newHub(httpd.Options{MaxInFlight: 1, MaxWaiting: 2})
	release := make(chan struct{})
	waiting := make(chan struct{}, 2)
	h.blocking("/poll", func(w http.ResponseWriter, r *http.Request) error {
		_, back, err := httpd.Wait(w, r)
		if err != nil {
			return err
		}
		waiting <- struct{}{}
		<-release
		back()
		back() // harmless
		return nil
	})
	h.blocking("/work", func(http.ResponseWriter, *http.Request) error { return nil })

	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { get(h, "/poll") })
		<-waiting
	}
	if got := get(h, "/work").Code; got != 200 {
		t.Errorf("two waiting requests shut out a third: %d", got)
	}
	problem(t, get(h, "/poll"), 503, "hub-busy")
	close(release)
	wg.Wait()

	// Every place is free again, and no more than there were: one works, one is refused.
	hold := make(chan struct{})
	entered := h.blocking("/hold", func(http.ResponseWriter, *http.Request) error { <-hold; return nil })
	wg.Go(func() { get(h, "/hold") })
	<-entered
	problem(t, get(h, "/work"), 503, "hub-busy")
	close(hold)
	wg.Wait()
}

func TestAPanicWhileWaitingLosesNoPlace(t *testing.T) {
	h := newHub(httpd.Options{MaxInFlight: 1, MaxWaiting: 1})
	h.blocking("/poll", func(w http.ResponseWriter, r *http.Request) error {
		if _, _, err := httpd.Wait(w, r); err != nil {
			return err
		}
		panic("while waiting")
	})
	for range 3 {
		problem(t, get(h, "/poll"), 500, "internal")
	}
	hold := make(chan struct{})
	entered := h.blocking("/hold", func(http.ResponseWriter, *http.Request) error { <-hold; return nil })
	var wg sync.WaitGroup
	wg.Go(func() { get(h, "/hold") })
	<-entered
	problem(t, get(h, "/poll"), 503, "hub-busy") // not one place too many
	close(hold)
	wg.Wait()
}

func TestWaitingTwiceTakesOnePlace(t *testing.T) {
	h := newHub(httpd.Options{MaxInFlight: 1, MaxWaiting: 1})
	h.blocking("/poll", func(w http.ResponseWriter, r *http.Request) error {
		for range 2 {
			if _, _, err := httpd.Wait(w, r); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		if got := get(h, "/poll").Code; got != 200 {
			t.Errorf("second wait: %d", got)
		}
	}
}

func TestWaitWithoutAServerJustWaits(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	ctx, back, err := httpd.Wait(httptest.NewRecorder(), r)
	if err != nil || ctx != r.Context() {
		t.Errorf("ctx %v, err %v", ctx, err)
	}
	back()
}
