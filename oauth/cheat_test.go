package oauth

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/keys/jose"
)

// TestEveryWayToCheatATokenRequest is a row for each. by says who the refusal is
// put down to: nobody is counted, somebody is logged.
func TestEveryWayToCheatATokenRequest(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	used := h.ask(a)
	if w := h.do(used.request(t)); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	for _, tt := range []struct {
		name   string
		change func(*ask)
		status int
		error  string
		reason string
		known  bool
	}{
		{"unknown client", func(k *ask) { k.assertion = k.assertion.but("iss", "nobody.aaaaa").but("sub", "nobody.aaaaa") }, 401, "invalid_client", "client-signature", false},
		{"another client's name", func(k *ask) { k.assertion = k.assertion.but("iss", b.client).but("sub", b.client) }, 401, "invalid_client", "client-signature", false},
		{"another key under her kid", func(k *ask) { k.key = renamed(t, newKey(t, jose.ES256), a.auth.KeyID()) }, 401, "invalid_client", "client-signature", false},
		{"a key of her own making", func(k *ask) { k.key = newKey(t, jose.EdDSA) }, 401, "invalid_client", "client-signature", false},
		{"an RSA key of her own making", func(k *ask) { k.key = newKey(t, jose.PS256) }, 401, "invalid_client", "client-signature", false},
		{"an RSA key under her kid", func(k *ask) { k.key = renamed(t, newKey(t, jose.PS256), a.auth.KeyID()) }, 401, "invalid_client", "client-signature", false},
		{"client id with a NUL", func(k *ask) { k.assertion = k.assertion.but("sub", "a\x00b") }, 401, "invalid_client", "client-assertion-form", false},
		{"client_id of another", func(k *ask) { k.form.Set("client_id", b.client) }, 401, "invalid_client", "client-id", false},
		{"no assertion", func(k *ask) { k.form.Set("client_assertion", "") }, 401, "invalid_client", "client-method", false},
		{"another assertion type", func(k *ask) {
			k.form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer")
		}, 401, "invalid_client", "client-method", false},
		{"a secret beside it", func(k *ask) { k.form.Set("client_secret", "x") }, 401, "invalid_client", "client-method", false},
		{"a password beside it", func(k *ask) { k.edit = func(r *http.Request) { r.SetBasicAuth(a.client, "x") } }, 401, "invalid_client", "client-method", false},
		{"a proof for an assertion", func(k *ask) { k.form.Set("client_assertion", signProof(t, a.auth, k.assertion.bytes(t))) }, 401, "invalid_client", "client-assertion-form", false},
		{"an access token's typ", func(k *ask) { k.typ = "at+jwt" }, 401, "invalid_client", "client-assertion-form", false},
		{"assertion without signature", func(k *ask) { k.form.Set("client_assertion", "eyJhbGciOiJub25lIn0.e30.") }, 401, "invalid_client", "client-assertion-form", false},

		{"other audience", func(k *ask) { k.assertion = k.assertion.but("aud", "https://staging.example") }, 401, "invalid_client", "client-assertion-audience", true},
		{"audience in a list", func(k *ask) { k.assertion = k.assertion.but("aud", []string{testIssuer}) }, 401, "invalid_client", "client-assertion-audience", true},
		{"expired assertion", func(k *ask) {
			k.assertion = k.assertion.but("iat", h.clock.in(-5*time.Minute)).but("exp", h.clock.in(-2*time.Minute))
		}, 401, "invalid_client", "client-assertion-time", true},
		{"assertion for ten years", func(k *ask) { k.assertion = k.assertion.but("exp", h.clock.in(87600*time.Hour)) }, 401, "invalid_client", "client-assertion-time", true},
		{"other issuer", func(k *ask) { k.assertion = k.assertion.but("iss", b.client) }, 401, "invalid_client", "client-assertion-issuer", true},
		{"no jti", func(k *ask) { k.assertion = k.assertion.but("jti", nil) }, 401, "invalid_client", "client-assertion-id", true},
		{"replayed assertion", func(k *ask) { k.assertion = used.assertion }, 401, "invalid_client", "client-assertion-used", true},

		{"no proof", func(k *ask) { k.proof = nil }, 400, "invalid_dpop_proof", "proof-count", true},
		{"two proofs", func(k *ask) {
			k.edit = func(r *http.Request) { r.Header.Add("DPoP", r.Header.Get("DPoP")) }
		}, 400, "invalid_dpop_proof", "proof-count", true},
		{"proof for another address", func(k *ask) { k.proof = k.proof.but("htu", testIssuer+guarded) }, 400, "invalid_dpop_proof", "proof-uri", true},
		{"proof for another method", func(k *ask) { k.proof = k.proof.but("htm", "GET") }, 400, "invalid_dpop_proof", "proof-method", true},
		{"old proof", func(k *ask) { k.proof = k.proof.but("iat", h.clock.in(-61*time.Second)) }, 400, "invalid_dpop_proof", "proof-time", true},
		{"replayed proof", func(k *ask) { k.proof = used.proof }, 400, "invalid_dpop_proof", "proof-used", true},

		{"a scope that she may not have", func(k *ask) { k.form.Set("scope", "referrals:send hub:admin") }, 400, "invalid_scope", "token-scope", true},
		{"a scope in capitals", func(k *ask) { k.form.Set("scope", "AUDIT:READ") }, 400, "invalid_scope", "token-scope", true},
		{"all scopes by a star", func(k *ask) { k.form.Set("scope", "*") }, 400, "invalid_scope", "token-scope", true},
		{"an audience below the issuer", func(k *ask) { k.form.Set("audience", testIssuer+"/v1") }, 400, "invalid_request", "token-request", true},
		{"another resource", func(k *ask) { k.form.Set("resource", "https://staging.example") }, 400, "invalid_target", "token-target", false},
		{"a resource below the issuer", func(k *ask) { k.form.Set("resource", testIssuer+"/v1") }, 400, "invalid_target", "token-target", false},

		{"unknown grant", func(k *ask) { k.form.Set("grant_type", "urn:example:grant") }, 400, "unsupported_grant_type", "token-grant", false},
		{"password grant", func(k *ask) { k.form.Set("grant_type", "password") }, 400, "unsupported_grant_type", "token-grant", false},
		{"two grants in one", func(k *ask) { k.form.Set("grant_type", "client_credentials refresh_token") }, 400, "unsupported_grant_type", "token-grant", false},
		{"no grant", func(k *ask) { k.form.Del("grant_type") }, 400, "unsupported_grant_type", "token-grant", false},
		{"a parameter twice", func(k *ask) { k.form.Add("scope", "audit:read"); k.form.Add("scope", "audit:read") }, 400, "invalid_request", "token-repeated", false},
		{"the grant twice", func(k *ask) { k.form.Add("grant_type", "client_credentials") }, 400, "invalid_request", "token-repeated", false},
		{"parameters in the address", func(k *ask) { k.edit = func(r *http.Request) { r.URL.RawQuery = "scope=audit:read" } }, 400, "invalid_request", "token-query", false},
		{"too large", func(k *ask) { k.form.Set("foo", strings.Repeat("x", maxForm)) }, 413, "invalid_request", "token-body-too-large", false},
		{"JSON", func(k *ask) { k.edit = header("Content-Type", "application/json") }, 400, "invalid_request", "token-unsupported-media-type", false},
		{"no media type", func(k *ask) { k.edit = header("Content-Type") }, 400, "invalid_request", "token-unsupported-media-type", false},
		{"form that cannot be read", func(k *ask) { k.edit = func(r *http.Request) { *r = *withBody(r, "grant_type=%zz") } }, 400, "invalid_request", "token-form", false},
		{"empty form", func(k *ask) { k.edit = func(r *http.Request) { *r = *withBody(r, "") } }, 400, "unsupported_grant_type", "token-grant", false},
		{"multipart", func(k *ask) { k.edit = func(r *http.Request) { *r = *asMultipart(t, k) } }, 400, "invalid_request", "token-unsupported-media-type", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h.counts, h.refused = map[string]int{}, nil
			k := h.ask(a)
			tt.change(k)
			w := h.do(k.request(t))
			delete(h.counts, "token-scheme") // the guard, which stands before this too, has seen a password
			got := answerOf(t, w)
			if w.Code != tt.status || got.Error != tt.error || got.Token != "" {
				t.Errorf("got %d %+v", w.Code, got)
			}
			if strings.Contains(got.Hint, "OAuth 2.0") || strings.Contains(w.Body.String(), "hint") {
				t.Errorf("fosite's own words are sent: %s", w.Body)
			}
			if w.Code == http.StatusUnauthorized && w.Header().Get("WWW-Authenticate") == "" {
				t.Error("401 without a challenge")
			}
			if w.Header().Get("Cache-Control") != "no-store" {
				t.Error("the refusal may be cached")
			}
			wantCounts, wantLog := map[string]int{tt.reason: 1}, []proof.Entry(nil)
			if tt.known {
				wantCounts = map[string]int{}
				wantLog = []proof.Entry{{Act: "refused", Partner: string(a.partner), Client: a.client, Target: "access-token",
					Outcome: strings.ReplaceAll(tt.error, "_", "-"), Reason: tt.reason}}
			}
			if diff := cmp.Diff(wantCounts, h.counts) + cmp.Diff(wantLog, h.refused); diff != "" {
				t.Error(diff)
			}
		})
	}
	if h.log.Len() != 0 {
		t.Errorf("refusals are in the hub's own log: %s", h.log.String())
	}
	h.counts, h.refused = map[string]int{}, nil
	h.token(a) // none of it has done her any harm
}

// renamed returns the key under another kid.
func renamed(t testing.TB, key jose.PrivateKey, kid string) jose.PrivateKey {
	t.Helper()
	again, err := jose.ParsePrivateKey([]byte(strings.Replace(string(key.JWK()), key.KeyID(), kid, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func withBody(r *http.Request, body string) *http.Request {
	again := httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(body))
	again.Header = r.Header
	return again
}

// asMultipart makes the same request in multipart/form-data.
func asMultipart(t testing.TB, k *ask) *http.Request {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, values := range k.form {
		if err := form.WriteField(name, values[0]); err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, testIssuer+tokenPath, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("DPoP", signProof(t, k.dpop, k.proof.bytes(t)))
	return r
}
