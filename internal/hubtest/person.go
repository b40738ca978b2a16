package hubtest

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/partners"
)

// Person is somebody who works at an agency and may act for it.
type Person struct {
	ID      string
	Partner partners.ID
	Role    partners.Role
	Proved  time.Time // when she last proved who she is; zero: at this moment

	hub  *Hub
	desk *Agency
	mu   sync.Mutex
	held struct {
		token  string
		role   partners.Role
		proved time.Time
	}
}

// Person makes somebody who takes part, behind the hub's back.
func (h *Hub) Person(t testing.TB, partner partners.ID, role partners.Role) *Person {
	t.Helper()
	p := &Person{ID: uuid.NewString(), Partner: partner, Role: role, hub: h, desk: h.desk(t, partner)}
	h.logged(t, proof.Entry{Act: "user.arrive", Partner: string(partner), User: p.ID, Reason: string(role)}, `
		INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
		VALUES ($2, $3, 'A worker', $4, 'active', now(), $1)`, p.ID, string(partner), string(role))
	p.Token(t)
	return p
}

// desk is the system through which the people of an agency act: another than its first,
// so that a test may do to that one what it likes. It is made behind the hub's back.
func (h *Hub) desk(t testing.TB, partner partners.ID) *Agency {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if d := h.desks[partner]; d != nil {
		return d
	}
	d := &Agency{ID: partner, Client: string(partner) + ".desk", Auth: Key(t, partners.Authentication), DPoP: Key(t, partners.Authentication),
		hub: h, tokens: map[string]string{}}
	h.logged(t, proof.Entry{Act: "client.register", Partner: string(partner), Client: d.Client, Target: d.Client}, `
		INSERT INTO partner_client (id, partner, name, scopes, grant_types, redirect_uris, active, since, log_entry)
		VALUES ($2, $3, 'Desk', $4, '{client_credentials,authorization_code,refresh_token}', $5, true, now(), $1)`,
		d.Client, string(partner), partners.PeopleScopes(), []string{partners.LoopbackRedirect})
	h.register(t, d)
	h.desks[partner] = d
	return d
}

// admit is the person as the stores see her when she has proved who she is at that time,
// or nil if she may not act now.
func (p *Person) admit(t testing.TB, proved time.Time) *partners.Caller {
	t.Helper()
	callers, err := p.hub.Registry.Admit(t.Context(), []partners.Bearer{{User: p.ID, Proved: proved}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return callers[0]
}

// proof is when she has last proved who she is.
func (p *Person) proof() time.Time {
	if p.Proved.IsZero() {
		return p.hub.Now()
	}
	return p.Proved
}

// Caller is the person as the stores see her; she must be one who may act.
func (p *Person) Caller(t testing.TB) partners.Caller {
	t.Helper()
	c := p.admit(t, p.proof())
	if c == nil {
		t.Fatalf("a person of %s may not act", p.Partner)
	}
	return *c
}

// Token gets an access token with which her agency's desk acts for the person,
// with all the rights of her role, through the authorization code flow; or "" if she may
// not act now. The same token is given again while role and proof are the same.
func (p *Person) Token(t testing.TB) string {
	t.Helper()
	c := p.admit(t, p.proof())
	if c == nil {
		return p.held.token // what she has from before
	}
	sameProof := p.Proved.IsZero() || p.Proved.Equal(p.held.proved)
	if p.held.token != "" && sameProof && p.held.role == c.Role() && p.admit(t, p.held.proved) != nil {
		return p.held.token
	}
	uri, verifier := p.desk.Push(t, nil)
	location, err := p.hub.authorization.Permit(t.Context(), *c, p.desk.Client, uri)
	if err != nil {
		t.Fatal(err)
	}
	answer := must(url.Parse(location)).Query()
	var given struct {
		Token string `json:"access_token"`
	}
	p.desk.post(t, "/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {answer.Get("code")},
		"redirect_uri": {partners.LoopbackRedirect}, "code_verifier": {verifier}}).Into(t, http.StatusOK, &given)
	p.held.token, p.held.role, p.held.proved = given.Token, c.Role(), c.Proved()
	return given.Token
}

// Desk is the system through which she acts.
func (p *Person) Desk() *Agency { return p.desk }

// Do makes the call as the person, with her token and a fresh proof; without either, if
// she may not act and has none from before.
func (p *Person) Do(t testing.TB, c Call) Answer {
	t.Helper()
	p.mu.Lock()
	token := p.Token(t)
	p.mu.Unlock()
	return p.desk.call(t, c, token)
}

// Get reads an address as the person.
func (p *Person) Get(t testing.TB, path string) Answer {
	t.Helper()
	return p.Do(t, Call{Method: http.MethodGet, Path: path})
}

// Permits says yes as the person, in the hub's own pages, to the system that has sent her
// to address, and returns where her browser goes then and what it brings there.
func (p *Person) Permits(t testing.TB, address string) (redirect string, answer url.Values) {
	t.Helper()
	asked, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, p.hub.issuer+"/oauth/authorize?") {
		t.Fatalf("she is sent to %s (%v)", address, err)
	}
	location, err := p.hub.authorization.Permit(t.Context(), p.Caller(t), asked.Query().Get("client_id"), asked.Query().Get("request_uri"))
	if err != nil {
		t.Fatal(err)
	}
	redirect, query, _ := strings.Cut(location, "?")
	if answer, err = url.ParseQuery(query); err != nil {
		t.Fatal(err)
	}
	return redirect, answer
}
