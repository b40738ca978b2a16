package hubtest_test

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/internal/hubtest"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral/packet"
)

// walker is one kind of caller on the walk: a system, or a person in one role who acts
// through one, of the agency whose things are asked for or of another.
type walker struct {
	name   string
	own    bool
	scopes []partners.Scope
	token  string
	key    jose.PrivateKey // that the token is bound to

	revoked, suspended string // tokens of others like her
}

// walkers are the kinds of caller of one agency.
func walkers(t *testing.T, h *hubtest.Hub, a *hubtest.Agency, own bool) []walker {
	t.Helper()
	gone := h.Agency(t, a.ID+"-gone", a.Category)
	system := walker{name: "a system", own: own, scopes: partners.SystemScopes(), token: a.Token(t), key: a.DPoP,
		revoked: a.Token(t, partners.SystemScopes()...), suspended: gone.Token(t)}
	a.Revoke(t, system.revoked)
	if err := h.Operator.Suspend(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	all := []walker{system}
	for _, role := range partners.Roles() {
		p, other, stopped := h.Person(t, a.ID, role), h.Person(t, a.ID, role), h.Person(t, a.ID, role)
		w := walker{name: "somebody who is " + string(role), own: own, scopes: role.Scopes(), token: p.Token(t), key: p.Desk().DPoP,
			revoked: other.Token(t), suspended: stopped.Token(t)}
		p.Desk().Revoke(t, w.revoked)
		h.Exec(t, `UPDATE partner_user SET status = 'suspended' WHERE id = $1`, stopped.ID)
		all = append(all, w)
	}
	if !own {
		for i := range all {
			all[i].name += " of another agency"
		}
	}
	return all
}

// ways are the credentials that must open nothing, each with one thing wrong.
func (w walker) ways(t *testing.T, h *hubtest.Hub) map[string]func(*http.Request) {
	t.Helper()
	stranger := hubtest.Key(t, partners.Authentication)
	with := func(scheme, token, proven string, key jose.PrivateKey) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", scheme+" "+token)
			h.Prove(r, proven, key)
		}
	}
	changed := func(claim string, value any) func(*http.Request) {
		token := h.Resign(t, w.token, claim, value)
		return with("DPoP", token, token, w.key)
	}
	return map[string]func(*http.Request){
		"no token":                    func(*http.Request) {},
		"a cookie":                    func(r *http.Request) { r.Header.Set("Cookie", "__Host-session="+rand.Text()) },
		"the token as bearer":         func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+w.token) },
		"the token as bearer, proven": with("Bearer", w.token, w.token, w.key),
		"the token without a proof":   func(r *http.Request) { r.Header.Set("Authorization", "DPoP "+w.token) },
		"a proof by another key":      with("DPoP", w.token, w.token, stranger),
		"a proof for another token":   with("DPoP", w.token, w.revoked, w.key),
		"an expired token":            changed("exp", time.Now().Add(-time.Second).Unix()),
		"a token for elsewhere":       changed("aud", "https://elsewhere.example"),
		"a token from elsewhere":      changed("iss", "https://elsewhere.example"),
		"a token bound to nobody":     changed("cnf", map[string]any{"jkt": ""}),
		"a revoked token":             with("DPoP", w.revoked, w.revoked, w.key),
		"a token of who is suspended": func(r *http.Request) {
			r.Header.Set("Authorization", "DPoP "+w.suspended)
			h.Prove(r, w.suspended, w.key)
		},
	}
}

// admits reports whether the route is for a caller with those scopes who is the sender
// of the referral asked for.
func (r route) admits(scopes []partners.Scope) bool {
	if r.who[0] == "public" || r.who[0] == "any" {
		return true
	}
	if r.path == "/v1/referrals" || r.opens() { // of what was sent
		return slices.Contains(scopes, partners.ReferralsSend)
	}
	return slices.ContainsFunc(scopes, func(s partners.Scope) bool { return slices.Contains(r.who, string(s)) })
}

// opens reports whether the route gives out what is sealed: to the sender her own copies.
func (r route) opens() bool {
	return r.path == "/v1/referrals/{referral}/open" || strings.HasPrefix(r.path, "/v1/referrals/{referral}/attachments/")
}

// send makes the call with those credentials.
func send(t *testing.T, h *hubtest.Hub, c hubtest.Call, credentials func(*http.Request)) hubtest.Answer {
	t.Helper()
	r := httptest.NewRequest(c.Method, hubtest.Issuer+c.Path, bytes.NewReader(c.Body)).WithContext(t.Context())
	if c.Type != "" {
		r.Header.Set("Content-Type", c.Type)
	}
	credentials(r)
	return h.Do(r)
}

// TestEveryRouteToEveryCallerByEveryWay walks all routes that are not public, as a system
// and in every role, of the agency itself and of another, with the right credentials and
// with every kind of wrong ones. Wrong credentials open nothing, whoever had the right
// ones; a role opens what its scopes do; and of another agency's things nobody learns
// that they are there.
func TestEveryRouteToEveryCallerByEveryWay(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p, third := h.Pair(t, partners.BoroughOutreach), h.Agency(t, "the-third", partners.VAWGService)
	d, a := p.Request().Attach(t, "attachment-1", "need", []byte("a letter"))
	p.From.PutAll(t, a)
	s := d.Seal(t)
	p.From.Sent(t, s)
	victim := h.Person(t, p.From.ID, partners.Caseworker)
	there := map[string]string{"partner": string(p.From.ID), "consent": p.Consent.ID, "override": overridden(t, h, p), "agreement": proposed(t, h, p), "request": inquired(t, h, p.From), "recall": recalled(t, h, p), "referral": s.Digest, "tile": "0/000.p/1",
		"user": victim.ID, "client": "idle.system", "kid": p.From.Signing.KeyID(), "service": h.Offer(t, p.From),
		"webhook": webhook(t, h, p.From.ID), "delivery": hubtest.Value[string](t, h, `SELECT entry::text FROM webhook_delivery`)}
	h.Exec(t, `INSERT INTO partner_client SELECT 'idle.system', partner, scopes, true, log_entry, name, grant_types, redirect_uris, since
		FROM partner_client WHERE id = $1`, p.From.Client)
	hers := []string{p.Consent.ID, there["override"], there["agreement"], there["request"], there["recall"], there["webhook"], s.Digest, victim.ID}
	all := append(walkers(t, h, third, false), walkers(t, h, p.From, true)...)
	for _, r := range ofAPI() {
		if r.who[0] == "public" {
			continue
		}
		c, content := r.call(there), h.Content(t)
		for _, w := range all {
			for name, credentials := range w.ways(t, h) {
				if a := send(t, h, c, credentials); a.Status != http.StatusUnauthorized || a.Problem().Code != "unauthenticated" {
					t.Errorf("%s, %s, %s: %d %s, want 401 unauthenticated", r, w.name, name, a.Status, a.Body)
				}
			}
		}
		if diff := cmp.Diff(content, h.Content(t)); diff != "" {
			t.Errorf("%s: wrong credentials left something behind:\n%s", r, diff)
		}
	}
	for _, w := range all {
		for _, r := range ofAPI() {
			if r.who[0] != "public" {
				w.walk(t, h, r, there, hers)
			}
		}
	}
}

// webhook is one of the agency, with a message that it has been sent.
func webhook(t *testing.T, h *hubtest.Hub, of partners.ID) (id string) {
	t.Helper()
	id = uuid.NewString()
	h.Exec(t, `INSERT INTO webhook (id, partner, url, events, state, since, rest_until, log_entry)
		VALUES ($1, $2, 'https://hooks.example/', '{referral.received}', 'active', now(), now(), (SELECT id FROM audit_entry LIMIT 1))`, id, string(of))
	h.Exec(t, `INSERT INTO webhook_secret (id, webhook, partner, wrapped, made_at, log_entry)
		SELECT gen_random_uuid(), id, partner, 'wrapped', now(), log_entry FROM webhook WHERE id = $1`, id)
	h.Exec(t, `INSERT INTO webhook_delivery (webhook, entry, partner, place, event, at, about, name, state, made_at, next_at, tried_at)
		SELECT id, log_entry, partner, 0, 'test', now(), 'webhook', id::text, 'delivered', now(), now(), now() FROM webhook WHERE id = $1`, id)
	return id
}

// recalled is what the pair's sender is asked, since a woman took back a consent on which a
// referral was accepted.
func recalled(t *testing.T, h *hubtest.Hub, p hubtest.Pair) string {
	t.Helper()
	c := p.From.Record(t, hubtest.Subject(), p.Named())
	s := p.From.Request(p.To, p.Service, c).Seal(t)
	p.From.Sent(t, s)
	p.To.Sent(t, p.To.Event(p.From, packet.Accept, s.Digest, s.Digest).Seal(t))
	p.From.Withdraw(t, c)
	if err := h.Aftermath.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	return hubtest.Value[string](t, h, `SELECT id::text FROM recall WHERE partner = $1`, string(p.From.ID))
}

// walk asks one route with the right credentials.
func (w walker) walk(t *testing.T, h *hubtest.Hub, r route, there map[string]string, hers []string) {
	t.Helper()
	content := h.Content(t)
	a := send(t, h, r.call(there), func(q *http.Request) { q.Header.Set("Authorization", "DPoP "+w.token); h.Prove(q, w.token, w.key) })
	code := a.Problem().Code
	switch {
	case !r.admits(w.scopes):
		if a.Status != http.StatusForbidden || code != "insufficient-scope" {
			t.Errorf("%s, %s: %d %s, want 403 insufficient-scope", r, w.name, a.Status, a.Body)
		}
	case w.own && (a.Status == http.StatusUnauthorized || a.Status == http.StatusNotFound || code == "insufficient-scope"):
		t.Errorf("%s, %s: %d %s, and it is hers to use", r, w.name, a.Status, a.Body)
	case r.managed() && code != "person-needed" && code != "not-managed" && code != "envelope-claim":
		t.Errorf("%s, %s: %d %s, and her agency holds its own keys", r, w.name, a.Status, a.Body)
	case !w.own && r.names() && !r.managed() && a.Status != http.StatusNotFound && a.Status != http.StatusUnprocessableEntity && a.Status != http.StatusBadRequest:
		t.Errorf("%s, %s: %d %s, want 404", r, w.name, a.Status, a.Body)
	}
	if a.Status >= 500 {
		t.Errorf("%s, %s: %d %s", r, w.name, a.Status, a.Body)
	}
	if w.own && r.admits(w.scopes) {
		return
	}
	for _, id := range hers {
		if strings.Contains(string(a.Body), id) {
			t.Errorf("%s, %s: is told of %s: %s", r, w.name, id, a.Body)
		}
	}
	if after := h.Content(t); !w.own && !cmp.Equal(mine(content), mine(after)) || !r.admits(w.scopes) && !cmp.Equal(content, after) {
		t.Errorf("%s, %s: left something behind:\n%s", r, w.name, cmp.Diff(content, after))
	}
}

// managed reports whether the route is one where the hub acts for people of agencies whose
// keys it holds. It answers everybody else before it looks at what they ask about.
func (r route) managed() bool { return strings.HasPrefix(r.path, "/v1/managed/") }

// names reports whether the route is about one thing of an agency's own.
func (r route) names() bool {
	return strings.Contains(r.path, "{request}") || strings.Contains(r.path, "{consent}") || strings.Contains(r.path, "{override}") || strings.Contains(r.path, "{agreement}") || strings.Contains(r.path, "{recall}") || strings.Contains(r.path, "{referral}") || strings.Contains(r.path, "{user}") ||
		strings.Contains(r.path, "{service}") || strings.Contains(r.path, "{client}") || strings.Contains(r.path, "{kid}") ||
		strings.Contains(r.path, "{webhook}")
}

// mine leaves out of what the tables hold those that another agency may fill for itself.
func mine(content map[string]string) map[string]string {
	left := map[string]string{}
	for table, rows := range content {
		if table != "client_invitation" && table != "custody_move" {
			left[table] = rows
		}
	}
	return left
}
