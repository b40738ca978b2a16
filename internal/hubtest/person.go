package hubtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
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

// Permits says yes as the person, in the hub's own pages, to the system that has sent her
// to address, and returns what her browser brings back to it, and where.
func (p *Person) Permits(t testing.TB, address string) (redirect string, answer url.Values) {
	t.Helper()
	asked, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, Issuer+"/oauth/authorize?") {
		t.Fatalf("she is sent to %s (%v)", address, err)
	}
	location, err := p.hub.OAuth.Permit(t.Context(), p.Caller(t), asked.Query().Get("client_id"), asked.Query().Get("request_uri"))
	if err != nil {
		t.Fatal(err)
	}
	redirect, query, _ := strings.Cut(location, "?")
	if answer, err = url.ParseQuery(query); err != nil {
		t.Fatal(err)
	}
	return redirect, answer
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

// HTTP is a client whose every connection ends in the hub.
func (h *Hub) HTTP() *http.Client { return &http.Client{Transport: inProcess{h}} }

type inProcess struct{ hub *Hub }

// RoundTrip is http.RoundTripper's.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	served := httptest.NewRequest(r.Method, r.URL.String(), r.Body).WithContext(r.Context())
	served.Header = r.Header.Clone()
	a := p.hub.Do(served)
	a.Header.Set("Date", p.hub.Now().UTC().Format(http.TimeFormat)) // as every server does
	return &http.Response{StatusCode: a.Status, Header: a.Header, Body: io.NopCloser(bytes.NewReader(a.Body)), Request: r}, nil
}

// Get reads an address as the person.
func (p *Person) Get(t testing.TB, path string) Answer {
	t.Helper()
	return p.Do(t, Call{Method: http.MethodGet, Path: path})
}
