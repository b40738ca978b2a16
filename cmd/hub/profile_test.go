package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"handover/audit/proof"
	"handover/internal/pg"
	"handover/oauth"
	"handover/partners"
)

// TestOtherClientsRunTheWholeProfile drives every part of it with two libraries that we
// did not write.
func TestOtherClientsRunTheWholeProfile(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"profile-oauth4webapi", "profile-openid-client"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			r := startHub(t, slog.DiscardHandler)
			for _, id := range []string{"node-outreach", "node-housing"} {
				r.operator(t, "partner", "add", id, "--name", "Sample agency", "--category", "housing", "--area", "E09000007")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			node := exec.CommandContext(ctx, "node", script+".mjs")
			node.Dir = "../../internal/interop"
			node.Env = append(node.Environ(), "HUB="+r.Issuer, "BROWSER="+r.browser(t),
				"CODE="+r.operator(t, "invite", "node-outreach"), "CODE_OTHER="+r.operator(t, "invite", "node-housing"))
			out, err := node.CombinedOutput()
			if err != nil {
				t.Fatalf("%v (run npm ci in internal/interop first; make test does)\n%s", err, out)
			}
			if !strings.Contains(string(out), "the whole profile, and what it refuses") {
				t.Errorf("the script did not come to its end:\n%s", out)
			}
		})
	}
}

func (r running) browser(t *testing.T) string {
	t.Helper()
	pool, err := pg.Open(t.Context(), r.address, "", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	store, err := openKeys(t.Context(), r.Config)
	if err != nil {
		t.Fatal(err)
	}
	registry := partners.NewStore(pool, nil)
	server, err := oauth.New(oauth.Config{Issuer: r.Issuer, Keys: store, Partners: registry, Store: oauth.NewStore(pool),
		Count: func(string) {}, Refuse: func(context.Context, proof.Entry) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var user string
		err := pool.QueryRow(q.Context(), `
		INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
		VALUES (gen_random_uuid(), 'node-outreach', 'Somebody', 'caseworker', 'active', now(), (SELECT id FROM audit_entry LIMIT 1)) RETURNING id::text`).Scan(&user)
		if err != nil {
			t.Error(err)
		}
		callers, err := registry.Admit(q.Context(), []partners.Bearer{{User: user, Proved: time.Now()}}, nil)
		if err != nil || callers[0] == nil {
			t.Error(err)
			return
		}
		u, _ := url.Parse(q.URL.Query().Get("url"))
		c, uri := u.Query().Get("client_id"), u.Query().Get("request_uri")
		var l string
		if q.URL.Query().Get("answer") == "deny" {
			l, err = server.Deny(q.Context(), c, uri)
		} else {
			l, err = server.Permit(q.Context(), *callers[0], c, uri)
		}
		if err != nil {
			t.Error(err)
		}
		io.WriteString(w, l)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
