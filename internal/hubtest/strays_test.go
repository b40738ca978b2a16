package hubtest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// TestWhatNoRouteTakesIsRecordedToo: what a caller is refused by the log's own routes, and where
// no route is at all, is in the log like every refusal; strangers are counted.
func TestWhatNoRouteTakesIsRecordedToo(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	a.Get(t, "/v1/directory") // it has its token
	for _, row := range []struct {
		method, path, code string
		status             int
	}{
		{http.MethodGet, "/v1/nowhere", "no-such-path", http.StatusNotFound},
		{http.MethodGet, "/v1/referrals/../log", "no-such-path", http.StatusNotFound},
		{http.MethodDelete, "/v1/log/tile/0/000", "method-not-allowed", http.StatusMethodNotAllowed},
		{http.MethodGet, "/v1/log/tile/0/x999/999", "no-such-entry", http.StatusNotFound},
		{http.MethodGet, "/v1/log/tile/9/000", "no-such-entry", http.StatusNotFound},
		{http.MethodGet, "/v1/log/proof?entry=nobody", "log-query-invalid", http.StatusBadRequest},
		{http.MethodGet, "/v1/log/proof?entry=01980000-0000-7000-8000-000000000000", "no-such-entry", http.StatusNotFound},
	} {
		logged := h.Logged(t)
		answer := a.Do(t, hubtest.Call{Method: row.method, Path: row.path})
		if answer.Status != row.status || answer.Problem().Code != row.code {
			t.Errorf("%s %s: %d %s", row.method, row.path, answer.Status, answer.Body)
		}
		e := h.Entries(t, logged)
		if len(e) != 1 || e[0].Act != "refused" || e[0].Outcome != row.code || e[0].Partner != "rosewood" || e[0].Client != a.Client {
			t.Errorf("%s %s is logged as %+v", row.method, row.path, e)
		}
	}
	logged := h.Logged(t)
	if answer := h.Do(httptest.NewRequest(http.MethodGet, hubtest.Issuer+"/wp-login.php", nil)); answer.Status != http.StatusNotFound {
		t.Errorf("a stranger is answered %d", answer.Status)
	}
	if e := h.Entries(t, logged); len(e) != 0 {
		t.Errorf("a stranger fills the log: %+v", e)
	}
}
