package oauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/strict"
	"handover/keys/jose"
	"handover/partners"
)

func TestATokenSaysWhoMayUseIt(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	w := h.do(h.ask(a).request(t))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("the token may be cached")
	}
	got := answerOf(t, w)
	want := tokenAnswer{Token: got.Token, Type: "DPoP", ExpiresIn: 600,
		Scope: "referrals:send referrals:receive consents:write services:write audit:read"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	signed, err := jose.ParseSigned(got.Token, maxToken, "at+jwt")
	if err != nil {
		t.Fatal(err)
	}
	public, err := h.keys.Public(t.Context(), accessTokenKey)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify(public[0])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := strict.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	now := float64(h.clock.now().Unix())
	if id, _ := c["jti"].(string); len(id) < 20 {
		t.Errorf("jti is %v", c["jti"])
	}
	delete(c, "jti")
	wantClaims := map[string]any{
		"iss": testIssuer, "aud": testIssuer, "sub": a.client, "client_id": a.client, "partner": "camden-outreach",
		"auth_key": a.auth.KeyID(), "scope": want.Scope, "iat": now, "exp": now + 600,
		"cnf": map[string]any{"jkt": a.dpop.Public().Thumbprint()},
	}
	if diff := cmp.Diff(wantClaims, c); diff != "" {
		t.Error(diff)
	}
}

func TestWhatATokenRequestMayLookLike(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	for name, change := range map[string]func(*ask){
		"client_id beside the assertion": func(k *ask) { k.form.Set("client_id", a.client) },
		"typ JWT":                        func(k *ask) { k.typ = "JWT" },
		"typ client-authentication+jwt":  func(k *ask) { k.typ = "client-authentication+jwt" },
		"the issuer as resource":         func(k *ask) { k.form.Set("resource", testIssuer) },
		"the issuer as audience":         func(k *ask) { k.form.Set("audience", testIssuer) },
		"an empty scope":                 func(k *ask) { k.form.Set("scope", "") },
		"a parameter that nobody knows":  func(k *ask) { k.form.Set("foo", "bar") },
		"a charset":                      func(k *ask) { k.edit = header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8") },
		"an Ed25519 proof":               func(k *ask) { k.dpop = newKey(t, jose.EdDSA) },
		"an RSA proof":                   func(k *ask) { k.dpop = newKey(t, jose.PS256) },
	} {
		k := h.ask(a)
		change(k)
		if w := h.do(k.request(t)); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	k := h.ask(a)
	k.form.Set("scope", "audit:read referrals:send")
	if got := answerOf(t, h.do(k.request(t))); got.Scope != "referrals:send audit:read" {
		t.Errorf("asked for two scopes, got %q", got.Scope)
	}
}

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func TestStrangersAllGetTheSameAnswer(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, gone := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	if err := partners.NewStore(h.db.Owner, nil).Suspend(t.Context(), gone.partner); err != nil {
		t.Fatal(err)
	}
	unknown := a
	unknown.client = "nobody.aaaaa"
	wrongKey := a
	wrongKey.auth = newKey(t, jose.ES256)
	stolenName := a
	stolenName.auth = renamed(t, newKey(t, jose.ES256), a.auth.KeyID())
	var first *httptest.ResponseRecorder
	for i, who := range []agency{unknown, wrongKey, stolenName, gone} {
		w := h.do(h.ask(who).request(t))
		if w.Code != http.StatusUnauthorized {
			t.Fatalf("%d: %d %s", i, w.Code, w.Body)
		}
		if first == nil {
			first = w
		}
		if diff := cmp.Diff(first.Body.String(), w.Body.String()) + cmp.Diff(first.Header(), w.Header()); diff != "" {
			t.Errorf("stranger %d is answered differently:\n%s", i, diff)
		}
	}
	if h.counts["client-signature"] != 3 || len(h.refused) != 1 || h.refused[0].Reason != "client-inactive" {
		t.Errorf("counted %v, logged %+v", h.counts, h.refused)
	}
}

// TestAStrangerCostsOneSignature: without the decoy an unknown client would be
// answered in a tenth of the time that a wrong signature takes.
func TestAStrangerCostsOneSignature(t *testing.T) {
	t.Parallel()
	d, err := newDecoys()
	if err != nil {
		t.Fatal(err)
	}
	for alg := range strings.FieldsSeq(algorithms) {
		alg := jose.Algorithm(alg)
		key := newKey(t, alg)
		signed, err := jose.ParseAssertion(sign(t, "JWT", []byte(`{"sub":"nobody"}`), key), maxAssertion)
		if err != nil {
			t.Fatal(err)
		}
		decoy, err := d.key(alg, signed.KeyID())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(decoy); !errors.Is(err, jose.ErrSignature) {
			t.Errorf("%s: the decoy is not verified by: %v", alg, err)
		}
	}
}

func TestAMistakeBurnsNoJTI(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	wrong := h.ask(a)
	id := wrong.assertion["jti"]
	wrong.assertion = wrong.assertion.but("aud", "https://staging.example")
	if w := h.do(wrong.request(t)); w.Code != http.StatusUnauthorized {
		t.Fatal(w.Body)
	}
	badProof := h.ask(a)
	badProof.assertion = badProof.assertion.but("jti", id)
	badProof.proof = badProof.proof.but("htm", "GET")
	if w := h.do(badProof.request(t)); w.Code != http.StatusBadRequest {
		t.Fatal(w.Body)
	}
	if n := h.number(`SELECT count(*) FROM oauth_assertion`) + h.number(`SELECT count(*) FROM oauth_proof`); n != 0 {
		t.Errorf("%d things were marked as used", n)
	}
	for _, who := range []agency{a, b} { // each client has its own jti
		right := h.ask(who)
		right.assertion = right.assertion.but("jti", id)
		if w := h.do(right.request(t)); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", who.client, w.Code, w.Body)
		}
	}
}

func TestWithoutDatabaseKeysOrLogTheAnswerIs503(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*hub, *ask){
		"registry": func(h *hub, _ *ask) { h.exec(`ALTER TABLE partner_client RENAME TO hidden`) },
		"memory":   func(h *hub, _ *ask) { h.exec(`ALTER TABLE oauth_assertion RENAME TO hidden`) },
		"log": func(h *hub, k *ask) {
			h.noLog = errors.New("the log is away")
			k.assertion = k.assertion.but("aud", "https://staging.example")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHub(t)
			k := h.ask(h.enrol("camden-outreach"))
			stop(h, k)
			w := h.do(k.request(t))
			if got := answerOf(t, w); w.Code != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" {
				t.Errorf("got %d %+v", w.Code, got)
			}
			if w.Header().Get("Retry-After") == "" {
				t.Error("the caller is not told when to come again")
			}
			if h.log.Len() == 0 {
				t.Error("the operator is not told")
			}
		})
	}
	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		h := newHub(t, func(c *Config) { c.Keys = &memoryKeys{err: errors.New("the key store is away")} })
		w := h.do(h.ask(h.enrol("camden-outreach")).request(t))
		if got := answerOf(t, w); w.Code != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" {
			t.Errorf("got %d %+v", w.Code, got)
		}
	})
}

func TestTokenRequestsAreLimitedBeforeAnySignature(t *testing.T) {
	t.Parallel()
	h := newHub(t, func(c *Config) { c.Rates.TokenAddress, c.Rates.TokenClient = 1, 0.2 })
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	status := func(who agency, from string) int {
		t.Helper()
		k := h.ask(who)
		k.edit = func(r *http.Request) { r.RemoteAddr = from }
		w := h.do(k.request(t))
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
		return w.Code
	}
	for i := range 2 {
		if got := status(a, "192.0.2.1:1"); got != http.StatusOK {
			t.Fatalf("request %d: %d", i, got)
		}
	}
	forged := a
	forged.auth = renamed(t, newKey(t, jose.ES256), a.auth.KeyID())
	if got := status(forged, "192.0.2.1:1"); got != http.StatusTooManyRequests {
		t.Errorf("a signature was looked at beyond the client's limit: %d", got)
	}
	if got := status(b, "192.0.2.1:1"); got != http.StatusOK {
		t.Errorf("one client's requests count for another: %d", got)
	}
	if got := status(a, "192.0.2.2:1"); got != http.StatusOK {
		t.Errorf("a client was shut out from another network: %d", got)
	}
	for range 10 {
		status(b, "192.0.2.1:1")
	}
	if got := status(agency{client: "someone.bbbbb", auth: a.auth, dpop: a.dpop}, "192.0.2.1:1"); got != http.StatusTooManyRequests {
		t.Errorf("a network has no limit: %d", got)
	}
}

func TestEachKeyOfAClientCountsOnItsOwn(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	first := h.enrol("camden-outreach")
	second := first
	second.auth = newKey(t, jose.PS256)
	jwk, err := second.auth.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	h.exec(`INSERT INTO partner_key (partner, kid, use, client, jwk, thumbprint, not_before, not_after, log_entry)
		SELECT partner, $2, use, client, $3, $2, not_before, not_after, log_entry FROM partner_key WHERE kid = $1`,
		first.auth.KeyID(), second.auth.KeyID(), string(jwk))
	tokens := map[string]string{"first": h.token(first), "second": h.token(second)}
	h.exec(`UPDATE partner_key SET revoked_at = now() WHERE kid = $1`, first.auth.KeyID())
	for name, want := range map[string]int{"first": http.StatusUnauthorized, "second": http.StatusOK} {
		if w := h.do(h.call(first, tokens[name]).request(t)); w.Code != want {
			t.Errorf("the token of the %s key: %d", name, w.Code)
		}
	}
}

func TestMetadataNamesWhatIsOfferedAndNothingElse(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	w := h.do(httptest.NewRequest(http.MethodGet, testIssuer+metadataPath, nil))
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	algs, byKey := []any{"ES256", "EdDSA", "PS256"}, []any{"private_key_jwt"}
	want := map[string]any{
		"issuer": testIssuer, "authorization_endpoint": testIssuer + "/oauth/authorize", "token_endpoint": testIssuer + "/oauth/token",
		"pushed_authorization_request_endpoint": testIssuer + "/oauth/par", "require_pushed_authorization_requests": true,
		"revocation_endpoint": testIssuer + "/oauth/revoke", "introspection_endpoint": testIssuer + "/oauth/introspect",
		"jwks_uri": testIssuer + "/oauth/jwks.json", "registration_endpoint": testIssuer + "/oauth/register",
		"scopes_supported": []any{"referrals:send", "referrals:receive", "consents:write", "consents:override", "services:write",
			"audit:read", "partner:admin"},
		"response_types_supported": []any{"code"}, "response_modes_supported": []any{"query"},
		"grant_types_supported":                                    []any{"client_credentials", "authorization_code", "refresh_token"},
		"code_challenge_methods_supported":                         []any{"S256"},
		"authorization_response_iss_parameter_supported":           true,
		"token_endpoint_auth_methods_supported":                    byKey,
		"token_endpoint_auth_signing_alg_values_supported":         algs,
		"revocation_endpoint_auth_methods_supported":               byKey,
		"revocation_endpoint_auth_signing_alg_values_supported":    algs,
		"introspection_endpoint_auth_methods_supported":            byKey,
		"introspection_endpoint_auth_signing_alg_values_supported": algs,
		"dpop_signing_alg_values_supported":                        algs,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if c := w.Header().Get("Cache-Control"); c != "public, max-age=300" {
		t.Errorf("Cache-Control: %s", c)
	}
}

func TestARotatedKeyOverlapsTheOneBefore(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	before := h.token(a)
	if _, err := h.keys.Rotate(t.Context(), accessTokenKey, jose.ES256); err != nil {
		t.Fatal(err)
	}
	h.clock.advance(keyringLife)
	h.token(a) // the hub sees the new key
	h.clock.advance(published)
	after := h.token(a)
	for name, token := range map[string]string{"before": before, "after": after} {
		if w := h.do(h.call(a, token).request(t)); w.Code != http.StatusOK {
			t.Errorf("the token from %s the rotation: %d %s", name, w.Code, w.Body)
		}
	}
	h.clock.advance(keyringLife)
	w := h.do(httptest.NewRequest(http.MethodGet, testIssuer+jwksPath, nil))
	var set struct {
		Keys []jose.PublicKey `json:"keys"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%s: %v", w.Body, err)
	}
	for i, token := range []string{after, before} {
		signed, err := jose.ParseSigned(token, maxToken, accessType)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(set.Keys[i]); err != nil {
			t.Errorf("published key %d does not verify its token: %v", i, err)
		}
	}
	if c := w.Header().Get("Cache-Control"); c != "public, max-age=300" {
		t.Errorf("Cache-Control: %s", c)
	}
	if strings.Contains(w.Body.String(), `"d"`) {
		t.Error("a private part is published")
	}
}
