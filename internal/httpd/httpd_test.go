package httpd_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"handover/internal/httpd"
)

const issuer = "https://hub.example"

// hub is a server under test with its log and metrics in sight.
type hub struct {
	*httpd.Server
	router   *mux.Router
	log      *logBuffer
	registry *prometheus.Registry
}

func newHub(o httpd.Options) *hub {
	h := &hub{router: httpd.Router(), log: &logBuffer{}, registry: prometheus.NewRegistry()}
	if o.Issuer == "" {
		o.Issuer = issuer
	}
	o.Log = slog.New(slog.NewJSONHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Registry = h.registry
	h.Server = httpd.New(o)
	h.Mount(h.router)
	return h
}

// do sends r through the whole public chain.
func (h *hub) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.Public(h.router).ServeHTTP(w, r)
	return w
}

// metrics is everything a scrape would show.
func (h *hub) metrics(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.Private().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET /metrics = %d", w.Code)
	}
	return w.Body.String()
}

// lines are the log's lines, decoded.
func (h *hub) lines(t *testing.T) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for line := range strings.Lines(h.log.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("log line is not JSON: %v", err)
		}
		lines = append(lines, m)
	}
	return lines
}

// last is the newest log line.
func (h *hub) last(t *testing.T) map[string]any {
	t.Helper()
	lines := h.lines(t)
	if len(lines) == 0 {
		t.Fatal("nothing was logged")
	}
	return lines[len(lines)-1]
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// problem checks that w is a well-formed problem of this status and code, and
// returns its members.
func problem(t *testing.T, w *httptest.ResponseRecorder, status int, code string) map[string]any {
	t.Helper()
	if w.Code != status {
		t.Errorf("status = %d, want %d; body %s", w.Code, status, w.Body)
	}
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("Content-Type = %q", got)
	}
	var p map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatalf("body is not JSON: %v: %s", err, w.Body)
	}
	if p["code"] != code {
		t.Errorf("code = %v, want %q", p["code"], code)
	}
	if p["status"] != float64(w.Code) {
		t.Errorf("member status = %v, status line says %d", p["status"], w.Code)
	}
	if want := issuer + "/problems/" + code; p["type"] != want {
		t.Errorf("type = %v, want %q", p["type"], want)
	}
	uuid, _ := strings.CutPrefix(p["instance"].(string), "urn:uuid:")
	if !uuidv7.MatchString(uuid) || uuid != w.Header().Get("X-Request-Id") {
		t.Errorf("instance = %v, X-Request-Id = %q", p["instance"], w.Header().Get("X-Request-Id"))
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("a problem may be cached: %q", w.Header().Get("Cache-Control"))
	}
	return p
}

var uuidv7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
