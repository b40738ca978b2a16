package httpd_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"handover/internal/httpd"
)

func TestUnknownPathAndWrongMethodAreProblems(t *testing.T) {
	h := newHub(httpd.Options{})
	ok := func(http.ResponseWriter, *http.Request) {}
	h.router.HandleFunc("/v1/referrals", ok).Methods(http.MethodPost)
	h.router.HandleFunc("/v1/referrals", ok).Methods(http.MethodGet)
	h.router.HandleFunc("/v1/referrals/{id}", ok).Methods(http.MethodGet)

	rows := []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/", 404, "no-such-path", ""},
		{"GET", "/v1/referrals/", 404, "no-such-path", ""},
		{"GET", "//v1/referrals", 404, "no-such-path", ""},
		{"GET", "/v1/../v1/referrals", 404, "no-such-path", ""},
		{"GET", "/v1/referrals/a%2Fb", 404, "no-such-path", ""},
		{"DELETE", "/v1/referrals", 405, "method-not-allowed", "GET, POST"},
		{"POST", "/v1/referrals/1", 405, "method-not-allowed", "GET"},
		{"HEAD", "/v1/referrals/1", 405, "method-not-allowed", "GET"},
		{"TRACE", "/v1/referrals/1", 405, "method-not-allowed", "GET"},
		{"INVENTED", "/v1/referrals/1", 405, "method-not-allowed", "GET"},
	}
	for _, row := range rows {
		w := h.do(httptest.NewRequest(row.method, row.path, nil))
		t.Run(row.method+" "+row.path, func(t *testing.T) {
			problem(t, w, row.status, row.code)
			if got := w.Header().Get("Allow"); got != row.allow {
				t.Errorf("Allow = %q, want %q", got, row.allow)
			}
		})
	}
}
