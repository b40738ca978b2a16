package signin_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// between is somebody between the hub and the provider, who changes what the token
// endpoint is asked and answers.
type between struct {
	http.RoundTripper
	ask    func(*http.Request)
	answer func(idToken string) string
}

func (b between) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/token") {
		return b.RoundTripper.RoundTrip(r)
	}
	if b.ask != nil {
		r = r.Clone(r.Context())
		b.ask(r)
	}
	a, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = a.Body.Close() }()
	var said map[string]any
	if err := json.NewDecoder(a.Body).Decode(&said); err != nil {
		return nil, err
	}
	if id, ok := said["id_token"].(string); ok && b.answer != nil {
		said["id_token"] = b.answer(id)
	}
	body, err := json.Marshal(said)
	if err != nil {
		return nil, err
	}
	a.Body, a.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	a.Header.Del("Content-Length")
	return a, nil
}

// segment changes one part of a JWS, which is a JSON object.
func segment(t *testing.T, part, member string, value any) string {
	t.Helper()
	var object map[string]any
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil || json.Unmarshal(raw, &object) != nil {
		t.Fatalf("not a JWS part: %q", part)
	}
	object[member] = value
	return c64(jsonBody(t, object))
}

// TestAnIDTokenIsTheProvidersOwnAndForThisHub: whoever sits between the two, or has a
// provider give a token to another client, signs nobody in.
func TestAnIDTokenIsTheProvidersOwnAndForThisHub(t *testing.T) {
	t.Parallel()
	i := startIDP(t)
	own := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	parts := func(id string) (header, payload, signature string) {
		p := strings.SplitN(id, ".", 3)
		return p[0], p[1], p[2]
	}
	for name, row := range map[string]struct {
		forge func(id string) string
		in    bool
	}{
		"as it was": {func(id string) string { return id }, true},
		"of another person": {func(id string) string {
			header, payload, signature := parts(id)
			return header + "." + segment(t, payload, "sub", "bea") + "." + signature
		}, false},
		"unsigned": {func(id string) string {
			header, payload, _ := parts(id)
			return segment(t, header, "alg", "none") + "." + payload + "."
		}, false},
		"signed with the client's secret": {func(id string) string {
			header, payload, _ := parts(id)
			signed := segment(t, header, "alg", "HS256") + "." + payload
			mac := hmac.New(sha256.New, []byte(clientSecret))
			_, _ = mac.Write([]byte(signed))
			return signed + "." + c64(mac.Sum(nil))
		}, false},
		"signed with another key": {func(id string) string {
			header, payload, _ := parts(id)
			signed := segment(t, header, "alg", "ES256") + "." + payload
			digest := sha256.Sum256([]byte(signed))
			r, s, err := ecdsa.Sign(rand.Reader, own, digest[:])
			if err != nil {
				t.Error(err)
			}
			both := make([]byte, 64)
			r.FillBytes(both[:32])
			s.FillBytes(both[32:])
			return signed + "." + c64(both)
		}, false},
		"none": {func(string) string { return "" }, false},
	} {
		client := *i.client
		client.Transport = between{RoundTripper: i.client.Transport, answer: row.forge}
		h := hubtest.Trusting(t, &client)
		i.set(t, h, h.Agency(t, "larkfield-housing", partners.Housing).ID)
		b := h.Browser()
		if got := back(t, b, i.visit(t, leave(t, b, toIDP), withMFA("ayo"))); b.SignedIn(t) != row.in {
			t.Errorf("an ID token, %s: %d", name, got.Status)
		}
	}

	client := *i.client
	client.Transport = between{RoundTripper: i.client.Transport, ask: func(r *http.Request) {
		r.SetBasicAuth("handover", url.QueryEscape(clientSecret))
	}}
	h := hubtest.Trusting(t, &client)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	i.set(t, h, a.ID)
	h.Exec(t, `UPDATE oauth_provider SET client_id = 'another'`)
	b := h.Browser()
	location := strings.Replace(leave(t, b, toIDP), "client_id=another", "client_id=handover", 1)
	if got := back(t, b, i.visit(t, location, withMFA("ayo"))); got.Status != 401 || b.SignedIn(t) {
		t.Errorf("an ID token for another client: %d %s", got.Status, got.Body)
	}
	counted(t, h, "provider-token") // and not for something else
}
