package httpd_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/httpd"
)

// canary stands for anything a caller sends: a name, a token, a need.
const canary = "CANARY-7f3a"

// seeded is a request with the canary in every place a caller can write to.
func seeded(method, path string) *http.Request {
	r := httptest.NewRequest(method, path+"?name="+canary, strings.NewReader(`{"`+canary+`":"`+canary+`"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "DPoP "+canary)
	r.Header.Set("X-Request-Id", canary)
	r.Header.Set(canary, canary)
	r.Header.Set("User-Agent", canary)
	r.Header.Set("Cookie", canary+"="+canary)
	r.Host = canary + ".example"
	r.RemoteAddr = canary + ":1"
	return r
}

// TestNothingACallerSendsIsRepeated walks every way a request can end, with the
// canary everywhere in it, and looks for the canary in answer, log and metrics.
func TestNothingACallerSendsIsRepeated(t *testing.T) {
	h := newHub(httpd.Options{})
	read := func(w http.ResponseWriter, r *http.Request) error {
		_, err := httpd.Decode[struct{}](w, r, 100)
		return err
	}
	h.router.Handle("/v1/referrals/{id}", httpd.Handle(read)).Methods(http.MethodPost)
	h.router.Handle("/v1/annotated/{id}", httpd.Handle(func(_ http.ResponseWriter, r *http.Request) error {
		httpd.Annotate(r.Context(), httpd.Partner, canary+" Jane")
		httpd.Annotate(r.Context(), httpd.Client, "Zoë-"+canary)
		return nil
	}))
	h.router.Handle("/v1/panics/{id}", httpd.Handle(func(http.ResponseWriter, *http.Request) error {
		panic("about " + canary)
	}))
	h.router.Handle("/v1/broken/{id}", httpd.Handle(func(http.ResponseWriter, *http.Request) error {
		return sqlError{}
	}))
	h.router.Handle("/v1/unencodable/{id}", httpd.Handle(func(w http.ResponseWriter, _ *http.Request) error {
		httpd.JSON(w, http.StatusOK, map[string]any{"f": func() {}, "v": canary})
		return nil
	}))

	for _, request := range []struct{ method, path string }{
		{"POST", "/v1/referrals/" + canary},
		{"GET", "/v1/referrals/" + canary},
		{canary, "/v1/referrals/" + canary},
		{"GET", "/" + canary},
		{"GET", "//" + canary + "/../" + canary},
		{"POST", "/v1/annotated/" + canary},
		{"POST", "/v1/panics/" + canary},
		{"POST", "/v1/broken/" + canary},
		{"POST", "/v1/unencodable/" + canary},
	} {
		w := h.do(seeded(request.method, request.path))
		if answer := w.Body.String() + fmt.Sprint(w.Header()); strings.Contains(answer, canary) {
			t.Errorf("%s %s: the answer repeats what was sent: %s", request.method, request.path, answer)
		}
		if w.Code >= 300 && w.Code < 400 {
			t.Errorf("%s %s: redirected to %q", request.method, request.path, w.Header().Get("Location"))
		}
	}
	if got := len(h.lines(t)); got != 9 {
		t.Errorf("%d log lines for 9 requests", got)
	}
	if strings.Contains(h.log.String(), canary) {
		t.Errorf("the log repeats what was sent:\n%s", h.log)
	}
	if m := h.metrics(t); strings.Contains(m, canary) || !strings.Contains(m, "/v1/referrals/{id}") {
		t.Errorf("metrics repeat what was sent, or show no route:\n%s", m)
	}
}

func TestOneLineARequestFromAClosedListOfAttributes(t *testing.T) {
	h := newHub(httpd.Options{})
	h.router.Handle("/v1/referrals/{id}", httpd.Handle(func(w http.ResponseWriter, r *http.Request) error {
		httpd.Annotate(r.Context(), httpd.Partner, "camden-outreach")
		httpd.Annotate(r.Context(), httpd.Client, "camden-outreach.k3f9q")
		httpd.Annotate(r.Context(), httpd.Key(99), "nowhere")
		if httpd.RequestID(r.Context()) != w.Header().Get("X-Request-Id") {
			t.Error("RequestID differs from the header")
		}
		httpd.JSON(w, http.StatusCreated, map[string]string{"a": "b"})
		return nil
	}))
	h.do(httptest.NewRequest(http.MethodPost, "/v1/referrals/77", nil))

	lines := h.lines(t)
	if len(lines) != 1 {
		t.Fatalf("%d lines, want 1", len(lines))
	}
	line := lines[0]
	for _, varying := range []string{"time", "request", "took"} {
		if _, ok := line[varying]; !ok {
			t.Errorf("no attribute %q", varying)
		}
		delete(line, varying)
	}
	want := map[string]any{
		"level": "INFO", "msg": "request", "method": "POST", "route": "/v1/referrals/{id}", "status": 201.0,
		"bytes": float64(len(`{"a":"b"}`)), "partner": "camden-outreach", "client": "camden-outreach.k3f9q",
	}
	if diff := cmp.Diff(want, line); diff != "" {
		t.Errorf("log line (-want +got):\n%s", diff)
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	want := map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"Content-Security-Policy":   "default-src 'none'; frame-ancestors 'none'",
		"Strict-Transport-Security": "max-age=63072000",
	}
	h := newHub(httpd.Options{})
	h.router.HandleFunc("/fine", func(http.ResponseWriter, *http.Request) {})
	h.router.HandleFunc("/panics", func(http.ResponseWriter, *http.Request) { panic(1) })
	for _, path := range []string{"/fine", "/panics", "/absent", "/livez"} {
		got := h.do(httptest.NewRequest(http.MethodGet, path, nil)).Header()
		for name, value := range want {
			if got.Get(name) != value {
				t.Errorf("%s: %s = %q, want %q", path, name, got.Get(name), value)
			}
		}
	}
	plain := newHub(httpd.Options{Issuer: "http://localhost:8080"})
	if got := plain.do(httptest.NewRequest(http.MethodGet, "/livez", nil)).Header().Get("Strict-Transport-Security"); got != "" {
		t.Errorf("a hub without TLS sends HSTS: %q", got)
	}
}

func TestPanicIsABlandProblem(t *testing.T) {
	for name, value := range map[string]any{
		"panic of type string":              "about " + canary,
		"panic of type *errors.errorString": errors.New(canary),
		"panic of type struct {}":           struct{}{},
	} {
		h := newHub(httpd.Options{})
		h.router.HandleFunc("/", func(http.ResponseWriter, *http.Request) { panic(value) })
		problem(t, h.do(httptest.NewRequest(http.MethodGet, "/", nil)), 500, "internal")
		line := h.last(t)
		if line["error"] != name || !strings.Contains(fmt.Sprint(line["stack"]), "observe_test.go") {
			t.Errorf("log line = %v, want error %q and a stack", line, name)
		}
	}
	h := newHub(httpd.Options{})
	h.router.HandleFunc("/", func(http.ResponseWriter, *http.Request) {
		var s []int
		_ = s[len(canary)]
	})
	problem(t, h.do(httptest.NewRequest(http.MethodGet, "/", nil)), 500, "internal")
	if got := fmt.Sprint(h.last(t)["error"]); !strings.HasPrefix(got, "panic: runtime error: index out of range") {
		t.Errorf("error = %q", got)
	}
}

func TestAbortedAnswerStaysAborted(t *testing.T) {
	h := newHub(httpd.Options{})
	h.router.HandleFunc("/", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Error("the abort was swallowed")
		}
		if len(h.lines(t)) != 1 {
			t.Error("an aborted request left no line")
		}
	}()
	h.do(httptest.NewRequest(http.MethodGet, "/", nil))
}

func TestUnencodableAnswerIsABlandProblem(t *testing.T) {
	h := newHub(httpd.Options{})
	h.router.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		httpd.JSON(w, http.StatusOK, map[string]any{"f": func() {}})
	})
	problem(t, h.do(httptest.NewRequest(http.MethodGet, "/", nil)), 500, "internal")
	if h.last(t)["error"] == nil {
		t.Error("the cause was not logged")
	}
}

func TestJSONKeepsTheHandlersMediaType(t *testing.T) {
	h := newHub(httpd.Options{})
	const receipt = "application/vnd.handover.receipt+json"
	h.router.HandleFunc("/receipt", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", receipt)
		httpd.JSON(w, http.StatusOK, map[string]int{"b": 1, "a": 2})
	})
	w := h.do(httptest.NewRequest(http.MethodGet, "/receipt", nil))
	if w.Header().Get("Content-Type") != receipt || w.Body.String() != `{"a":2,"b":1}` {
		t.Errorf("%q %s", w.Header().Get("Content-Type"), w.Body)
	}
}

func TestRequestIDsAreUniqueAndOrderedByTime(t *testing.T) {
	h := newHub(httpd.Options{})
	seen := map[string]bool{}
	var stamps []string
	for range 100 {
		id := h.do(httptest.NewRequest(http.MethodGet, "/livez", nil)).Header().Get("X-Request-Id")
		if !uuidv7.MatchString(id) || seen[id] {
			t.Fatalf("id %q is no fresh UUIDv7", id)
		}
		seen[id] = true
		stamps = append(stamps, id[:13])
	}
	if !slices.IsSorted(stamps) {
		t.Error("the ids' milliseconds go backwards")
	}
}

func TestMetricsCountByTemplateStatusAndCode(t *testing.T) {
	h := newHub(httpd.Options{})
	h.router.Handle("/v1/referrals/{id}", httpd.Handle(func(http.ResponseWriter, *http.Request) error {
		return httpd.ErrJSON
	})).Methods(http.MethodPost)
	for _, id := range []string{"1", "2", "3"} {
		h.do(httptest.NewRequest(http.MethodPost, "/v1/referrals/"+id, nil))
	}
	h.do(httptest.NewRequest(http.MethodGet, "/v1/referrals/1", nil))
	h.do(httptest.NewRequest(http.MethodGet, "/nothing", nil))
	m := h.metrics(t)
	for _, want := range []string{
		`handover_http_requests_total{method="POST",route="/v1/referrals/{id}",status="400"} 3`,
		`handover_http_requests_total{method="GET",route="/v1/referrals/{id}",status="405"} 1`,
		`handover_http_requests_total{method="GET",route="none",status="404"} 1`,
		`handover_http_problems_total{code="malformed-json"} 3`,
		`handover_http_request_seconds_count{route="/v1/referrals/{id}"} 4`,
		`handover_http_in_flight 0`,
	} {
		if !strings.Contains(m, want+"\n") {
			t.Errorf("metrics lack %s\n%s", want, m)
		}
	}
}

func TestAnnotateOutsideARequestDoesNothing(t *testing.T) {
	httpd.Annotate(context.Background(), httpd.Partner, "camden-outreach")
	if got := httpd.RequestID(t.Context()); got != "" {
		t.Errorf("RequestID = %q", got)
	}
}

func TestTheRecorderPassesFlushAndDeadlinesThrough(t *testing.T) {
	h := newHub(httpd.Options{})
	h.router.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "one")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("Flush: %v", err)
		}
	})
	w := h.do(httptest.NewRequest(http.MethodGet, "/", nil))
	if !w.Flushed {
		t.Error("not flushed")
	}
	if got := slices.Sorted(maps.Keys(w.Header())); slices.Contains(got, "Server") {
		t.Errorf("the answer names its server: %v", got)
	}
}
