package hubtest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
)

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
