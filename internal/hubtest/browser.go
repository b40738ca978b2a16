package hubtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// Permits says yes as the person, in the hub's own pages, to the system that has sent her
// to address, and returns where her browser goes then and what it brings there.
func (p *Person) Permits(t testing.TB, address string) (redirect string, answer url.Values) {
	t.Helper()
	asked, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, Issuer+"/oauth/authorize?") {
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
