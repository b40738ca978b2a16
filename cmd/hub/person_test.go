package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"handover/internal/hubtest"
	"handover/internal/pg"
	"handover/partners"
)

// owner is a pool of the database's owner.
func (r running) owner(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pg.Open(t.Context(), r.address, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// person is somebody of the agency, in the hub's own pages, who has just signed in.
func (r running) person(t *testing.T, pool *pgxpool.Pool, agency string, role partners.Role) partners.Caller {
	t.Helper()
	var user string
	err := pool.QueryRow(t.Context(), `
		INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
		VALUES (gen_random_uuid(), $1, 'Somebody', $2, 'active', now(), (SELECT id FROM audit_entry LIMIT 1)) RETURNING id::text`,
		agency, role).Scan(&user)
	if err != nil {
		t.Fatal(err)
	}
	callers, err := partners.NewStore(pool, nil).Admit(t.Context(), []partners.Bearer{{User: user, Proved: time.Now()}}, nil)
	if err != nil || callers[0] == nil {
		t.Fatal(callers, err)
	}
	return *callers[0]
}

// initialToken is the setting with which a new system of example-agency registers.
func (r running) initialToken(t *testing.T) string {
	t.Helper()
	r.join(t, "example-agency", "housing")
	pool := r.owner(t)
	token, _, err := partners.NewStore(pool, nil).InviteSystem(t.Context(), r.person(t, pool, "example-agency", partners.Administrator))
	if err != nil {
		t.Fatal(err)
	}
	return "INITIAL_TOKEN=" + token
}

// browser is the address of a caseworker's browser, in which she has signed in: it says
// yes, or with answer=deny no, to whoever sends her to ?url=, and returns where she was
// sent afterwards.
func (r running) browser(t *testing.T, agency string) string {
	t.Helper()
	var her *hubtest.Browser
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		sent, err := url.Parse(q.URL.Query().Get("url"))
		if err != nil {
			t.Error(err)
			return
		}
		if her == nil { // the agency may have enrolled just before
			link := r.operator(t, "user", "add", agency, "--name", "Ayo Example", "--role", "caseworker")
			her = hubtest.NewBrowser(r.Issuer, overHTTP(t, http.DefaultTransport))
			her.Join(t, codeOf(link))
		}
		if page := her.Get(t, sent.RequestURI()); page.Status != http.StatusOK {
			t.Errorf("the permission page: %d %s", page.Status, page.Body)
		}
		answer := "allow"
		if q.URL.Query().Get("answer") == "deny" {
			answer = "deny"
		}
		done := her.Form(t, "/oauth/authorize", url.Values{"client_id": sent.Query()["client_id"], "request_uri": sent.Query()["request_uri"], "answer": {answer}})
		_, _ = io.WriteString(w, done.Header.Get("Location"))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// codeOf is the code of a one-time link in what the operator's command has printed.
func codeOf(printed string) string {
	_, after, _ := strings.Cut(printed, "/join#")
	code, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(code)
}

// overHTTP sends a request to a hub that listens, and follows no redirect.
func overHTTP(t *testing.T, way http.RoundTripper) func(*http.Request) hubtest.Answer {
	client := &http.Client{Transport: way, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(r *http.Request) hubtest.Answer {
		r.RequestURI = "" // of a server
		answer, err := client.Do(r.WithContext(context.WithoutCancel(t.Context())))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return hubtest.Answer{Status: answer.StatusCode, Header: answer.Header, Body: body}
	}
}
