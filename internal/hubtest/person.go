package hubtest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"handover/partners"
)

// Person is somebody who works at an agency and may act for it.
type Person struct {
	ID      string
	Partner partners.ID
	Role    partners.Role
	Proved  time.Time // when she last proved who she is; zero: at this moment

	hub *Hub
}

// Person makes somebody who takes part, behind the hub's back.
func (h *Hub) Person(t testing.TB, partner partners.ID, role partners.Role) *Person {
	t.Helper()
	p := &Person{ID: uuid.NewString(), Partner: partner, Role: role, hub: h}
	h.Exec(t, `
		INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
		VALUES ($1, $2, 'A worker', $3, 'active', now(), (SELECT id FROM audit_entry LIMIT 1))`, p.ID, string(partner), string(role))
	return p
}

// admit is the person as the stores see her, or nil if she may not act now.
func (p *Person) admit(t testing.TB) *partners.Caller {
	t.Helper()
	proved := p.Proved
	if proved.IsZero() {
		proved = p.hub.Now()
	}
	callers, err := p.hub.Registry.Admit(t.Context(), []partners.Bearer{{User: p.ID, Proved: proved}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return callers[0]
}

// Caller is the person as the stores see her; she must be one who may act.
func (p *Person) Caller(t testing.TB) partners.Caller {
	t.Helper()
	c := p.admit(t)
	if c == nil {
		t.Fatalf("a person of %s may not act", p.Partner)
	}
	return *c
}

// Do makes the call as the person, past the guard, which knows tokens: it is given the
// caller that the guard would have found, or none when she may not act.
func (p *Person) Do(t testing.TB, c Call) Answer {
	t.Helper()
	r := httptest.NewRequest(c.Method, Issuer+c.Path, bytes.NewReader(c.Body)).WithContext(t.Context())
	if c.Type != "" {
		r.Header.Set("Content-Type", c.Type)
	}
	if caller := p.admit(t); caller != nil {
		r = r.WithContext(partners.WithCaller(r.Context(), *caller))
	}
	return p.hub.serve(p.hub.behind, r)
}

// Get reads an address as the person.
func (p *Person) Get(t testing.TB, path string) Answer {
	t.Helper()
	return p.Do(t, Call{Method: http.MethodGet, Path: path})
}
