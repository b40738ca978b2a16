package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit/proof"
	"handover/internal/pg"
	"handover/oauth"
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

// browser is the address of a caseworker's browser: it says yes, or with answer=deny no,
// to whoever sends her to ?url=, and returns where she was sent afterwards.
func (r running) browser(t *testing.T, agency string) string {
	t.Helper()
	pool := r.owner(t)
	keys, err := openKeys(t.Context(), r.Config)
	if err != nil {
		t.Fatal(err)
	}
	server, err := oauth.New(oauth.Config{Issuer: r.Issuer, Keys: keys, Partners: partners.NewStore(pool, nil), Store: oauth.NewStore(pool),
		Count: func(string) {}, Refuse: func(context.Context, proof.Entry) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		sent, err := url.Parse(q.URL.Query().Get("url"))
		if err != nil {
			t.Error(err)
			return
		}
		client, request := sent.Query().Get("client_id"), sent.Query().Get("request_uri")
		location := server.Deny
		if q.URL.Query().Get("answer") != "deny" {
			her := r.person(t, pool, agency, partners.Caseworker)
			location = func(ctx context.Context, client, request string) (string, error) {
				return server.Permit(ctx, her, client, request)
			}
		}
		to, err := location(q.Context(), client, request)
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, to)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
