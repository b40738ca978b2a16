package hubtest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestAnExchangeThatTheDocumentDoesNotDescribeIsNoticed spoils good exchanges in one
// thing each.
func TestAnExchangeThatTheDocumentDoesNotDescribeIsNoticed(t *testing.T) {
	t.Parallel()
	const problem = `{"type":"https://hub.example/problems/x","title":"X.","status":404,"instance":"urn:uuid:1","code":"x","party":"sender","retry":false}`
	list := func(of string) string { return `{"partners":[` + of + `]}` }
	const partner = `{"id":"a","name":"A","category":"housing","areas":[],"status":"active","since":"2026-01-02T03:04:05Z"}`
	for _, row := range []struct {
		name, method, path, sent string
		status                   int
		kind, body               string
		fits                     bool
	}{
		{"a good list", "GET", "/v1/partners", "", 200, "application/json", list(partner), true},
		{"a good problem", "GET", "/v1/partners", "", 404, "application/problem+json", problem, true},
		{"a list that is none", "GET", "/v1/partners", "", 200, "application/json", `{"partners":"none"}`, false},
		{"a member missing", "GET", "/v1/partners", "", 200, "application/json", list(`{"id":"a"}`), false},
		{"a suspended partner", "GET", "/v1/partners", "", 200, "application/json", list(`{"id":"a","name":"A","category":"housing","areas":[],"status":"suspended","since":"2026-01-02T03:04:05Z"}`), false},
		{"another type", "GET", "/v1/partners", "", 200, "text/html", list(partner), false},
		{"no JSON", "GET", "/v1/partners", "", 200, "application/json", "partners", false},
		{"a status that is not described", "GET", "/v1/partners", "", 202, "application/json", list(partner), false},
		{"a problem of another status", "GET", "/v1/partners", "", 403, "application/problem+json", problem, false},
		{"a problem without a code", "GET", "/v1/partners", "", 404, "application/problem+json", `{"status":404}`, false},
		{"401 without a challenge", "GET", "/v1/partners", "", 401, "application/problem+json",
			`{"type":"https://hub.example/problems/x","title":"X.","status":401,"instance":"urn:uuid:1","code":"x","party":"sender","retry":false}`, false},
		{"an address that is not described", "GET", "/v1/secrets", "", 200, "application/json", `{}`, false},
		{"an address that is not there", "GET", "/v1/secrets", "", 404, "application/problem+json", problem, true},
		{"a method that is not described", "DELETE", "/v1/partners", "", 200, "application/json", `{}`, false},
		{"a query that is not described", "GET", "/v1/inbox?limit=1000", "", 200, "application/json", `{"referrals":[]}`, false},
		{"a body that is not described", "POST", "/v1/enrol", `{"code":"x"}`, 201, "application/json",
			`{"partner":"a","client_id":"a.b","scopes":[],"issuer":"https://hub.example"}`, false},
	} {
		r := httptest.NewRequest(row.method, Issuer+row.path, nil)
		if row.sent != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		header := http.Header{"Content-Type": {row.kind}, "Cache-Control": {"no-store"}}
		err := fits(r, []byte(row.sent), Answer{Status: row.status, Header: header, Body: []byte(row.body)})
		if (err == nil) != row.fits {
			t.Errorf("%s: %v, want it to fit: %v", row.name, err, row.fits)
		}
	}
}
