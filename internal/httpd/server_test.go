package httpd_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"handover/internal/httpd"
)

// pipes is a listener without a network, so that time in a test can be the
// bubble's own: a slow sender costs the test nothing.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// dial returns the caller's end of a new connection, or fails when the hub no
// longer accepts.
func (p *pipes) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// serving runs h in the bubble until the returned stop, which gives Serve's verdict.
func serving(ctx context.Context, h *hub, private net.Listener) (*pipes, func() error) {
	ctx, cancel := context.WithCancel(ctx)
	public := newPipes()
	verdict := make(chan error, 1)
	go func() { verdict <- h.Serve(ctx, public, private, h.router) }()
	return public, func() error { cancel(); return <-verdict }
}

// say writes raw bytes and reads the answer.
func say(t *testing.T, c net.Conn, raw string) *http.Response {
	t.Helper()
	go func() { _, _ = io.WriteString(c, raw) }()
	return hear(t, c)
}

func hear(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the body: %v", err)
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const head = "POST /v1/notes HTTP/1.1\r\nHost: hub.example\r\nContent-Type: application/json\r\n"

func TestASlowBodyIsRefusedWhenItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := reads()
		public, stop := serving(t.Context(), h, nil)
		c, err := public.dial()
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		var sender sync.WaitGroup
		sender.Go(func() { // a byte every two seconds: never idle, never done
			_, _ = io.WriteString(c, head+"Content-Length: 40\r\n\r\n")
			for range 40 {
				if _, err := io.WriteString(c, " "); err != nil {
					return
				}
				time.Sleep(2 * time.Second)
			}
		})
		resp := hear(t, c)
		if body := text(t, resp); resp.StatusCode != 400 || !strings.Contains(body, `"code":"body-too-slow"`) || !strings.Contains(body, `"retry":true`) {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		if !resp.Close {
			t.Error("the slow connection stays open")
		}
		if took := time.Since(start); took != 20*time.Second {
			t.Errorf("refused after %v, want 20 s", took)
		}
		_ = c.Close()
		sender.Wait()
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestABodyCutShortIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := reads()
		public, stop := serving(t.Context(), h, nil)
		for name, rest := range map[string]string{
			"broken chunk": "Transfer-Encoding: chunked\r\n\r\nnot a length\r\n",
			"long chunk":   "Transfer-Encoding: chunked\r\n\r\n5\r\n{}   and more",
		} {
			c, err := public.dial()
			if err != nil {
				t.Fatal(err)
			}
			resp := say(t, c, head+rest)
			if body := text(t, resp); resp.StatusCode != 400 || !strings.Contains(body, `"code":"body-incomplete"`) {
				t.Errorf("%s: %d %s", name, resp.StatusCode, body)
			}
			_ = c.Close()
		}
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestHeadersThatTrickleInAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		public, stop := serving(t.Context(), reads(), nil)
		c, err := public.dial()
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		go func() { _, _ = io.WriteString(c, "GET /livez HTTP/1.1\r\nHost: hub") }()
		_, _ = io.ReadAll(c)
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("cut after %v, want 5 s", took)
		}
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestTheBodysDeadlineDoesNotEndAWaitingRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(httpd.Options{})
		h.router.Handle("/v1/notes", httpd.Handle(func(w http.ResponseWriter, r *http.Request) error {
			if _, err := httpd.Decode[note](w, r, bodyLimit); err != nil {
				return err
			}
			ctx, back, err := httpd.Wait(w, r)
			if err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return errors.New("the wait was cut off")
			case <-time.After(5 * time.Minute): // longer than every deadline of a connection
			}
			back()
			httpd.JSON(w, http.StatusOK, "patience")
			return nil
		}))
		public, stop := serving(t.Context(), h, nil)
		c, err := public.dial()
		if err != nil {
			t.Fatal(err)
		}
		resp := say(t, c, head+"Content-Length: 10\r\n\r\n"+`{"to":"a"}`)
		if body := text(t, resp); resp.StatusCode != 200 || body != `"patience"` {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
		_ = c.Close()
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestStoppingEndsTheWaitingAndFinishesTheWorking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(httpd.Options{})
		waiting := h.blocking("/wait", func(w http.ResponseWriter, r *http.Request) error {
			ctx, back, err := httpd.Wait(w, r)
			if err != nil {
				return err
			}
			<-ctx.Done()
			back()
			if r.Context().Err() != nil {
				return r.Context().Err()
			}
			httpd.JSON(w, http.StatusOK, "nothing yet")
			return nil
		})
		working := h.blocking("/work", func(w http.ResponseWriter, _ *http.Request) error {
			time.Sleep(10 * time.Second)
			httpd.JSON(w, http.StatusOK, "done")
			return nil
		})
		public, stop := serving(t.Context(), h, nil)
		answers := map[string]chan string{"/wait": make(chan string, 1), "/work": make(chan string, 1)}
		for path, answer := range answers {
			c, err := public.dial()
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				resp := say(t, c, "GET "+path+" HTTP/1.1\r\nHost: hub.example\r\n\r\n")
				answer <- text(t, resp)
				_ = c.Close()
			}()
		}
		<-waiting
		<-working
		start := time.Now()
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
		if took := time.Since(start); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("stopped after %v, want the 10 s of the request under way", took)
		}
		if got := <-answers["/work"]; got != `"done"` {
			t.Errorf("work under way was answered %s", got)
		}
		if got := <-answers["/wait"]; got != `"nothing yet"` {
			t.Errorf("the waiting request was answered %s", got)
		}
		if _, err := public.dial(); err == nil {
			t.Error("a stopped hub accepts connections")
		}
	})
}

func TestStoppingCutsOffWhatOutlastsTheGraceTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(httpd.Options{Grace: 3 * time.Second})
		entered := h.blocking("/stuck", func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return r.Context().Err()
		})
		public, stop := serving(t.Context(), h, nil)
		c, err := public.dial()
		if err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(c, "GET /stuck HTTP/1.1\r\nHost: hub.example\r\n\r\n") }()
		<-entered
		start := time.Now()
		if err := stop(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Serve = %v, want it to say that requests were cut off", err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("stopped after %v, want 3 s", took)
		}
	})
}

func TestMetricsAndProfilesAreOnThePrivateListenerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(httpd.Options{})
		private := newPipes()
		public, stop := serving(t.Context(), h, private)
		for _, row := range []struct {
			path            string
			public, private int
		}{
			{"/metrics", 404, 200},
			{"/debug/pprof/", 404, 200},
			{"/debug/pprof/goroutine?debug=1", 404, 200},
			{"/debug/pprof/cmdline", 404, 200},
			{"/livez", 200, 200},
			{"/readyz", 200, 200},
			{"/v1/referrals", 404, 404},
		} {
			for listener, want := range map[*pipes]int{public: row.public, private: row.private} {
				c, err := listener.dial()
				if err != nil {
					t.Fatal(err)
				}
				if got := say(t, c, "GET "+row.path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").StatusCode; got != want {
					t.Errorf("%s: %d, want %d (public listener: %v)", row.path, got, want, listener == public)
				}
				_ = c.Close()
			}
		}
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestReadinessIsAskedAtMostOnceASecond(t *testing.T) {
	now := time.Date(2026, 11, 3, 9, 0, 0, 0, time.UTC)
	asked, answer := 0, error(nil)
	h := newHub(httpd.Options{
		Now: func() time.Time { return now },
		Ready: func(context.Context) error {
			asked++
			return answer
		},
	})
	for range 50 {
		if got := get(h, "/readyz").Code; got != 200 {
			t.Fatalf("ready hub: %d", got)
		}
	}
	if asked != 1 {
		t.Errorf("50 probes asked the database %d times", asked)
	}
	answer = fmt.Errorf("pinging the database: %w", errors.New(canary))
	if got := get(h, "/readyz").Code; got != 200 {
		t.Errorf("within the second: %d", got)
	}
	for range 3 {
		now = now.Add(time.Second)
		w := get(h, "/readyz")
		problem(t, w, 503, "hub-not-ready")
		if strings.Contains(w.Body.String(), canary) {
			t.Error("the probe says why to strangers")
		}
	}
	if got := strings.Count(h.log.String(), `"not ready"`); got != 1 {
		t.Errorf("the reason was logged %d times, want once", got)
	}
	now, answer = now.Add(time.Second), nil
	if got := get(h, "/readyz").Code; got != 200 {
		t.Errorf("recovered hub: %d", got)
	}
}

func TestAStoppingHubIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(httpd.Options{})
		_, stop := serving(t.Context(), h, nil)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		problem(t, get(h, "/readyz"), 503, "hub-not-ready")
	})
}

func TestABrokenListenerEndsServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(httpd.Options{})
		closed := newPipes()
		_ = closed.Close()
		if err := h.Serve(t.Context(), newPipes(), closed, h.router); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Serve = %v, want net.ErrClosed", err)
		}
	})
}
