package httpd_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"handover/internal/httpd"
)

// connected runs a bubble in which a hub answers GET /answer by handler, and gives use
// one connection to it.
func connected(t *testing.T, handler http.HandlerFunc, use func(t *testing.T, h *hub, c net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := newHub(httpd.Options{})
		h.router.HandleFunc("/answer", handler)
		public, stop := serving(t.Context(), h, nil)
		c, err := public.dial()
		if err != nil {
			t.Fatal(err)
		}
		use(t, h, c)
		_ = c.Close()
		if err := stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

const plainGet = "GET /answer HTTP/1.1\r\nHost: hub.example\r\n\r\n"

func TestAnAnswerNobodyTakesIsCutOff(t *testing.T) {
	for name, waits := range map[string]bool{"at once": false, "after a wait": true} {
		t.Run(name, func(t *testing.T) {
			var took time.Duration
			connected(t, func(w http.ResponseWriter, r *http.Request) {
				if waits {
					_, back, err := httpd.Wait(w, r)
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(5 * time.Minute)
					back()
				}
				start := time.Now()
				_, _ = w.Write(make([]byte, 1<<20))
				took = time.Since(start)
			}, func(t *testing.T, _ *hub, c net.Conn) {
				if _, err := io.WriteString(c, plainGet); err != nil {
					t.Error(err)
				}
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if took != 60*time.Second {
					t.Errorf("the hub tried for %v, want 60 s", took)
				}
			})
		})
	}
}

func TestAStreamMayWriteWhileItWaits(t *testing.T) {
	connected(t, func(w http.ResponseWriter, r *http.Request) {
		_, back, err := httpd.Wait(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		defer back()
		time.Sleep(5 * time.Minute)
		_, _ = io.WriteString(w, "something awaits")
		_ = http.NewResponseController(w).Flush()
	}, func(t *testing.T, _ *hub, c net.Conn) {
		if got := text(t, say(t, c, plainGet)); got != "something awaits" {
			t.Errorf("the stream said %q", got)
		}
	})
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	connected(t, func(http.ResponseWriter, *http.Request) {}, func(t *testing.T, _ *hub, c net.Conn) {
		say(t, c, plainGet)
		start := time.Now()
		if _, err := bufio.NewReader(c).ReadByte(); err != io.EOF {
			t.Errorf("reading on: %v", err)
		}
		if took := time.Since(start); took != 2*time.Minute {
			t.Errorf("closed after %v, want 2 min", took)
		}
	})
}

func TestHeadersHaveALimit(t *testing.T) {
	reached := func(http.ResponseWriter, *http.Request) { t.Error("the handler was reached") }
	connected(t, reached, func(t *testing.T, _ *hub, c net.Conn) {
		resp := say(t, c, "GET /answer HTTP/1.1\r\nHost: hub.example\r\nX-Long: "+strings.Repeat("x", 24<<10)+"\r\n\r\n")
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

func TestOptionsForTheServerIsAnsweredLikeAnyUnknownPath(t *testing.T) {
	connected(t, func(http.ResponseWriter, *http.Request) {}, func(t *testing.T, _ *hub, c net.Conn) {
		resp := say(t, c, "OPTIONS * HTTP/1.1\r\nHost: hub.example\r\n\r\n")
		if body := text(t, resp); resp.StatusCode != 404 || !strings.Contains(body, "no-such-path") {
			t.Errorf("%d %s", resp.StatusCode, body)
		}
	})
}

// net/http's own complaints quote what it saw; the log only says that there was one.
func TestComplaintsOfTheServerAreCountedNotQuoted(t *testing.T) {
	connected(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "3")
		w.WriteHeader(http.StatusOK)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "abc")
	}, func(t *testing.T, h *hub, c net.Conn) {
		say(t, c, plainGet)
		synctest.Wait()
		log := h.log.String()
		if !strings.Contains(log, "net/http complained") || strings.Contains(log, "superfluous") {
			t.Errorf("log:\n%s", log)
		}
		if status := h.last(t)["status"]; status != 200.0 {
			t.Errorf("the log says %v; the caller was told 200", status)
		}
	})
}
