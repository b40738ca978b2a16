package httpd_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/fault"
	"handover/internal/httpd"
)

// fails mounts a route that returns err and gets it.
func fails(err error) (*hub, *httptest.ResponseRecorder) {
	h := newHub(httpd.Options{})
	h.router.Handle("/v1/thing", httpd.Handle(func(http.ResponseWriter, *http.Request) error { return err }))
	return h, h.do(httptest.NewRequest(http.MethodGet, "/v1/thing", nil))
}

func TestEachKindHasItsStatus(t *testing.T) {
	for kind, want := range map[fault.Kind]int{
		fault.Invalid: 400, fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404,
		fault.NotAllowed: 405, fault.Conflict: 409, fault.TooLarge: 413, fault.Unsupported: 415,
		fault.Unprocessable: 422, fault.TooMany: 429, fault.Unavailable: 503, fault.Kind(99): 500,
	} {
		f := &fault.Fault{Kind: kind, Code: "some-code", Party: fault.Sender, Text: "Some sentence."}
		_, w := fails(f)
		problem(t, w, want, "some-code")
	}
}

func TestProblemSaysWhatWhoAndWhetherToRetry(t *testing.T) {
	f := &fault.Fault{Kind: fault.Unavailable, Code: "receipt-late", Party: fault.Hub, Text: "Wait, then repeat.", Retry: true}
	_, w := fails(fmt.Errorf("waiting: %w", f.With("section", "need")))
	p := problem(t, w, 503, "receipt-late")
	delete(p, "instance")
	want := map[string]any{
		"type": issuer + "/problems/receipt-late", "title": "Wait, then repeat.", "status": float64(503),
		"code": "receipt-late", "party": "hub", "retry": true, "section": "need",
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

func TestExtensionMemberCannotReplaceAMemberOfTheProblem(t *testing.T) {
	f := &fault.Fault{Kind: fault.Forbidden, Code: "firewall-x", Party: fault.Sender, Text: "No."}
	_, w := fails(f.With("code", "fine").With("status", "200").With("type", "about:blank").With("retry", "true"))
	p := problem(t, w, 403, "firewall-x")
	if p["retry"] != false {
		t.Errorf("retry = %v", p["retry"])
	}
}

func TestUnclassifiedErrorShowsNoneOfItsText(t *testing.T) {
	h, w := fails(fmt.Errorf("inserting referral: %w", errors.New(canary)))
	p := problem(t, w, 500, "internal")
	if p["party"] != "hub" || p["retry"] != true {
		t.Errorf("party = %v, retry = %v", p["party"], p["retry"])
	}
	if strings.Contains(w.Body.String()+fmt.Sprint(w.Header()), canary) {
		t.Error("the error's text reached the caller")
	}
	line := h.last(t)
	if line["error"] != "inserting referral: "+canary || line["level"] != "ERROR" {
		t.Errorf("log line = %v", line)
	}
	if strings.Contains(h.metrics(t), canary) {
		t.Error("the error's text reached the metrics")
	}
}

type sqlError struct{}

func (sqlError) Error() string    { return `ERROR: invalid input syntax for type uuid: "` + canary + `"` }
func (sqlError) SQLState() string { return "22P02" }

func TestDatabaseMessageIsReducedToItsState(t *testing.T) {
	h, _ := fails(fmt.Errorf("reading referral: %w", sqlError{}))
	if got, want := h.last(t)["error"], "reading referral: SQLSTATE 22P02"; got != want {
		t.Errorf("error = %q, want %q", got, want)
	}
}

func TestAnswersThatNeedAHeaderCarryIt(t *testing.T) {
	rows := []struct {
		kind         fault.Kind
		header, want string
	}{
		{fault.Unauthenticated, "WWW-Authenticate", `DPoP algs="ES256 EdDSA PS256"`},
		{fault.TooMany, "Retry-After", "1"},
		{fault.Unavailable, "Retry-After", "1"},
		{fault.Forbidden, "WWW-Authenticate", ""},
		{fault.Conflict, "Retry-After", ""},
	}
	for _, row := range rows {
		_, w := fails(&fault.Fault{Kind: row.kind, Code: "some-code", Party: fault.Sender, Text: "No."})
		if got := w.Header().Get(row.header); got != row.want {
			t.Errorf("kind %d: %s = %q, want %q", row.kind, row.header, got, row.want)
		}
	}
}

func TestHandlersOwnHeaderStays(t *testing.T) {
	h := newHub(httpd.Options{})
	h.router.Handle("/", httpd.Handle(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
		return &fault.Fault{Kind: fault.Unauthenticated, Code: "some-code"}
	}))
	w := h.do(httptest.NewRequest(http.MethodGet, "/", nil))
	if got := w.Header().Values("WWW-Authenticate"); len(got) != 1 || got[0] != `DPoP error="use_dpop_nonce"` {
		t.Errorf("WWW-Authenticate = %q", got)
	}
}

func TestFailureAfterPartOfTheAnswerCutsTheConnection(t *testing.T) {
	h := newHub(httpd.Options{})
	h.router.Handle("/", httpd.Handle(func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = w.Write([]byte(`{"half":`))
		return errors.New("the rest is missing")
	}))
	defer func() {
		if err, ok := recover().(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
			t.Errorf("recovered %v, want http.ErrAbortHandler", err)
		}
		if line := h.last(t); line["code"] != "internal" || line["level"] != "ERROR" {
			t.Errorf("log line = %v", line)
		}
	}()
	h.do(httptest.NewRequest(http.MethodGet, "/", nil))
	t.Error("the answer looks complete")
}

func TestACallerWhoLeftIsNobodysError(t *testing.T) {
	h := newHub(httpd.Options{})
	h.router.Handle("/", httpd.Handle(func(_ http.ResponseWriter, r *http.Request) error {
		return fmt.Errorf("reading inbox: %w", r.Context().Err())
	}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := h.do(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	line := h.last(t)
	if w.Code < 400 || line["level"] != "INFO" || line["code"] != "caller-gone" {
		t.Errorf("status %d, log line %v", w.Code, line)
	}
}

func TestProblemWithoutAServerIsStillAProblem(t *testing.T) {
	w := httptest.NewRecorder()
	httpd.Problem(w, httptest.NewRequest(http.MethodGet, "/", nil), httpd.ErrNoSuchPath)
	if w.Code != 404 || !strings.Contains(w.Body.String(), `"type":"/problems/no-such-path"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
