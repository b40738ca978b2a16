package oauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners"
)

func TestAPersonLetsASystemActForHer(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	user := h.person(a, partners.Caseworker)
	uri := h.pushed(a, url.Values{"scope": {"referrals:send services:write"}, "response_mode": {"query"}})

	asked, err := h.server.Asked(t.Context(), a.client, uri)
	want := Asking{ClientName: "First system", Partner: a.partner, Scopes: []partners.Scope{"referrals:send", "services:write"}, RedirectOrigin: "http://127.0.0.1:4711"}
	if diff := cmp.Diff(want, asked); diff != "" || err != nil {
		t.Errorf("what she is asked: %v\n%s", err, diff)
	}
	location, err := h.server.Permit(t.Context(), h.caller(user), a.client, uri)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := url.Parse(location); err != nil || u.Query().Get("state") != "a state" || u.Query().Has("error") {
		t.Errorf("the answer is %s", location)
	}
	given := answerOf(t, h.do(h.redeeming(a, codeOf(t.Fatalf, location)).request(t)))
	if given.Type != "DPoP" || given.ExpiresIn != 600 || given.Scope != "referrals:send" || given.Refresh == "" {
		t.Fatalf("given %+v: want what both the system asks for and her role has", given)
	}
	w := h.do(h.call(a, given.Token).request(t))
	var said map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"partner": "camden-outreach", "client": a.client, "user": user, "role": "caseworker",
		"scopes": []any{"referrals:send"}}, said); diff != "" {
		t.Errorf("the caller:\n%s", diff)
	}
	again := answerOf(t, h.do(h.refreshing(a, given.Refresh).request(t)))
	if again.Token == "" || again.Token == given.Token || again.Refresh != "" || again.Scope != given.Scope {
		t.Errorf("the refresh gave %+v: want a new access token, and no other refresh token", again)
	}
	if n := h.number(`SELECT count(*) FROM audit_entry WHERE act = 'grant.permit'`); n != 1 {
		t.Errorf("%d entries say that she said yes", n)
	}
	if kept := h.number(`SELECT count(*) FROM oauth_grant g WHERE g::text LIKE '%' || $1 || '%' OR g::text LIKE '%' || $2 || '%'`, given.Refresh, strings.TrimPrefix(uri, requestPrefix)); kept != 0 {
		t.Error("a secret is in the database as it was given out")
	}
}

// TestEveryWayToCheatAtAPush is a row for each; all are refused before a person is asked.
func TestEveryWayToCheatAtAPush(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	system := h.second(a)
	h.exec(`UPDATE partner_client SET grant_types = '{client_credentials}' WHERE id = $1`, system.client)
	for _, tt := range []struct {
		name   string
		by     agency
		change func(*ask)
		status int
		error  string
	}{
		{"no challenge", a, func(k *ask) { k.form.Del("code_challenge") }, 400, "invalid_request"},
		{"plain challenge", a, func(k *ask) { k.form.Set("code_challenge_method", "plain") }, 400, "invalid_request"},
		{"no method, which would be plain", a, func(k *ask) { k.form.Del("code_challenge_method") }, 400, "invalid_request"},
		{"a challenge that is none", a, func(k *ask) { k.form.Set("code_challenge", "short") }, 400, "invalid_request"},
		{"no redirect_uri", a, func(k *ask) { k.form.Del("redirect_uri") }, 400, "invalid_request"},
		{"a redirect_uri of elsewhere", a, func(k *ask) { k.form.Set("redirect_uri", "https://evil.example/callback") }, 400, "invalid_request"},
		{"a redirect_uri below the registered one", a, func(k *ask) { k.form.Set("redirect_uri", testRedirect+"/x") }, 400, "invalid_request"},
		{"a redirect_uri on this machine by name", a, func(k *ask) { k.form.Set("redirect_uri", "http://localhost:4711/callback") }, 400, "invalid_request"},
		{"another response type", a, func(k *ask) { k.form.Set("response_type", "token") }, 400, "unsupported_response_type"},
		{"no response type", a, func(k *ask) { k.form.Del("response_type") }, 400, "unsupported_response_type"},
		{"an answer by a form that her browser posts", a, func(k *ask) { k.form.Set("response_mode", "form_post") }, 400, "invalid_request"},
		{"an answer in a fragment", a, func(k *ask) { k.form.Set("response_mode", "fragment") }, 400, "invalid_request"},
		{"a request object", a, func(k *ask) { k.form.Set("request", "e30.e30.") }, 400, "invalid_request"},
		{"a request_uri", a, func(k *ask) { k.form.Set("request_uri", "https://evil.example/request") }, 400, "invalid_request"},
		{"an unknown scope", a, func(k *ask) { k.form.Set("scope", "everything") }, 400, "invalid_scope"},
		{"the hub's own scope", a, func(k *ask) { k.form.Set("scope", "hub:admin") }, 400, "invalid_scope"},
		{"a scope in capitals", a, func(k *ask) { k.form.Set("scope", "REFERRALS:SEND") }, 400, "invalid_scope"},
		{"another resource", a, func(k *ask) { k.form.Set("resource", "https://other.example") }, 400, "invalid_target"},
		{"a state that would be two lines", a, func(k *ask) { k.form.Set("state", "a\r\nb") }, 400, "invalid_request"},
		{"a state without end", a, func(k *ask) { k.form.Set("state", strings.Repeat("s", 513)) }, 400, "invalid_request"},
		{"a key that is no thumbprint", a, func(k *ask) { k.form.Set("dpop_jkt", "x") }, 400, "invalid_request"},
		{"a proof of another key than dpop_jkt", a, func(k *ask) {
			k.form.Set("dpop_jkt", newKey(t, jose.ES256).Public().Thumbprint())
			k.proof = claims{"jti": "1", "htm": "POST", "htu": testIssuer + pushPath, "iat": h.clock.in(0), "nonce": h.nonce()}
		}, 400, "invalid_dpop_proof"},
		{"a proof without a nonce", a, func(k *ask) {
			k.proof = claims{"jti": "2", "htm": "POST", "htu": testIssuer + pushPath, "iat": h.clock.in(0)}
		}, 400, "use_dpop_nonce"},
		{"a system that acts for nobody", system, func(*ask) {}, 400, "unauthorized_client"},
		{"no client authentication", a, func(k *ask) { k.form.Set("client_assertion", "") }, 401, "invalid_client"},
		{"Basic beside it, in another's name", b, func(k *ask) {
			k.form.Set("client_id", a.client)
			k.edit = func(r *http.Request) { r.SetBasicAuth(b.client, "x") }
		}, 401, "invalid_client"},
		{"another's client_id in the form", b, func(k *ask) { k.form.Set("client_id", a.client) }, 401, "invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := h.asking(tt.by, nil)
			tt.change(k)
			w := h.do(k.request(t))
			if got := answerOf(t, w); w.Code != tt.status || got.Error != tt.error {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.error)
			}
			if strings.Contains(w.Body.String(), "OAuth 2.0") {
				t.Errorf("fosite's own words are sent: %s", w.Body)
			}
		})
	}
	if n := h.number(`SELECT count(*) FROM oauth_grant`); n != 0 {
		t.Errorf("%d refused requests are kept", n)
	}
}

// TestWhatABrowserBringsAddsNothing: of the front channel only client_id and request_uri
// count, both must be right, and neither a wrong one nor a look uses the request up.
func TestWhatABrowserBringsAddsNothing(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	hers, theirs := h.person(a, partners.Caseworker), h.person(b, partners.Caseworker)
	uri := h.pushed(a, nil)
	ctx := t.Context()
	for range 2 {
		for _, wrong := range [][2]string{{b.client, uri}, {"nobody", uri}, {"", uri}, {a.client, ""}, {a.client, uri + "x"},
			{a.client, requestPrefix}, {a.client, "https://evil.example/request"}, {a.client, uri + "&code_challenge=x"}, {a.client + "\x00", uri}} {
			if _, err := h.server.Asked(ctx, wrong[0], wrong[1]); !errors.Is(err, ErrAsking) {
				t.Errorf("%q: %v", wrong, err)
			}
			if _, err := h.server.Permit(ctx, h.caller(hers), wrong[0], wrong[1]); !errors.Is(err, ErrAsking) {
				t.Errorf("permitting %q: %v", wrong, err)
			}
			if _, err := h.server.Deny(ctx, h.caller(hers), wrong[0], wrong[1]); !errors.Is(err, ErrAsking) {
				t.Errorf("denying %q: %v", wrong, err)
			}
		}
		if _, err := h.server.Permit(ctx, h.caller(theirs), a.client, uri); !errors.Is(err, ErrOtherAgency) {
			t.Errorf("somebody of another agency: %v", err)
		}
		if _, err := h.server.Asked(ctx, a.client, uri); err != nil {
			t.Errorf("the request was used up: %v", err)
		}
	}
	lent := h.lent(a, hers, "referrals:send")
	callers, err := h.server.partners.Admit(ctx, []partners.Bearer{{Client: a.client, User: hers, Proved: h.clock.now(), Granted: partners.Scopes()}}, nil)
	if err != nil || callers[0] == nil || lent.Token == "" {
		t.Fatal(err)
	}
	if _, err := h.server.Permit(ctx, *callers[0], a.client, uri); !errors.Is(err, ErrOtherAgency) {
		t.Errorf("a system that acts for her gives itself more: %v", err)
	}
	h.exec(`UPDATE oauth_grant SET request_expires_at = now() WHERE code_digest IS NULL`)
	if _, err := h.server.Permit(ctx, h.caller(hers), a.client, uri); !errors.Is(err, ErrAsking) {
		t.Errorf("a request out of date: %v", err)
	}
	denied := h.pushed(a, nil)
	location, err := h.server.Deny(ctx, h.caller(hers), a.client, denied)
	u, _ := url.Parse(location)
	if err != nil || u.Query().Get("error") != "access_denied" || u.Query().Get("iss") != testIssuer || u.Query().Get("state") != "a state" {
		t.Errorf("denied: %s %v", location, err)
	}
	if n := h.number(`SELECT count(*) FROM audit_entry WHERE act = 'grant.deny' AND partner = $1`, a.partner); n != 1 {
		t.Errorf("her no is logged %d times", n)
	}
	if _, err := h.server.Permit(ctx, h.caller(hers), a.client, denied); !errors.Is(err, ErrAsking) {
		t.Errorf("a request that was denied: %v", err)
	}
	auditor := h.person(a, partners.Auditor)
	location, err = h.server.Permit(ctx, h.caller(auditor), a.client, h.pushed(a, nil))
	if u, _ := url.Parse(location); err != nil || u.Query().Get("error") != "invalid_scope" || u.Query().Has("code") {
		t.Errorf("somebody without any of the rights: %s %v", location, err)
	}
}

// TestEveryWayToCheatARedemption tries each on one code, which then still counts.
func TestEveryWayToCheatARedemption(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	second := h.second(a)
	user := h.person(a, partners.Caseworker)
	bound := newKey(t, jose.ES256)
	code := h.code(a, user, url.Values{"dpop_jkt": {bound.Public().Thumbprint()}})
	for _, tt := range []struct {
		name   string
		by     agency
		change func(*ask)
		error  string
	}{
		{"a wrong verifier", a, func(k *ask) { k.form.Set("code_verifier", strings.Repeat("w", 64)) }, "invalid_grant"},
		{"no verifier, after a wrong one", a, func(k *ask) { k.form.Del("code_verifier") }, "invalid_request"},
		{"an empty verifier", a, func(k *ask) { k.form.Set("code_verifier", "") }, "invalid_request"},
		{"the challenge as verifier", a, func(k *ask) { k.form.Set("code_verifier", ids.Digest(testVerifier)) }, "invalid_grant"},
		{"another redirect_uri", a, func(k *ask) { k.form.Set("redirect_uri", "http://127.0.0.1:4712/callback") }, "invalid_grant"},
		{"no redirect_uri", a, func(k *ask) { k.form.Del("redirect_uri") }, "invalid_request"},
		{"no code", a, func(k *ask) { k.form.Del("code") }, "invalid_request"},
		{"another code", a, func(k *ask) { k.form.Set("code", strings.Repeat("A", 26)) }, "invalid_grant"},
		{"a code in small letters", a, func(k *ask) { k.form.Set("code", strings.ToLower(code)) }, "invalid_grant"},
		{"another agency's system", b, func(*ask) {}, "invalid_grant"},
		{"another system of the agency", second, func(*ask) {}, "invalid_grant"},
		{"another key than the pushed one", a, func(k *ask) { k.dpop = newKey(t, jose.ES256) }, "invalid_grant"},
		{"no proof", a, func(k *ask) { k.proof = nil }, "invalid_dpop_proof"},
		{"as a refresh token", a, func(k *ask) { k.form.Set("grant_type", refreshToken); k.form.Set("refresh_token", code) }, "invalid_grant"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := h.redeeming(tt.by, code)
			k.dpop = bound
			tt.change(k)
			w := h.do(k.request(t))
			if got := answerOf(t, w); w.Code != http.StatusBadRequest || got.Error != tt.error || got.Token != "" {
				t.Errorf("got %d %s, want 400 %s", w.Code, w.Body, tt.error)
			}
		})
	}
	k := h.redeeming(a, code)
	k.dpop = bound
	w := h.do(k.request(t))
	given := answerOf(t, w)
	if w.Code != http.StatusOK {
		t.Fatalf("none of it has used the code up, and yet: %d %s", w.Code, w.Body)
	}
	a.dpop = bound
	if status := h.uses(a, given.Token); status != http.StatusOK {
		t.Errorf("the token: %d", status)
	}
	// A second redemption shows that the code is in two hands: all that came of it ends.
	k = h.redeeming(a, code)
	if got := answerOf(t, h.do(k.request(t))); got.Error != "invalid_grant" {
		t.Errorf("the code again: %+v", got)
	}
	if status := h.uses(a, given.Token); status != http.StatusUnauthorized {
		t.Errorf("the access token of a code that was used twice: %d", status)
	}
	if got := answerOf(t, h.do(h.refreshing(a, given.Refresh).request(t))); got.Error != "invalid_grant" {
		t.Errorf("its refresh token: %+v", got)
	}
}

func TestACodeIsGoodForAMinute(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	code := h.code(a, h.person(a, partners.Caseworker), nil)
	if n := h.number(`SELECT count(*) FROM oauth_grant WHERE code_expires_at <= now() + interval '60 seconds'`); n != 1 {
		t.Error("a code lives longer than a minute")
	}
	h.exec(`UPDATE oauth_grant SET code_expires_at = now()`)
	if got := answerOf(t, h.do(h.redeeming(a, code).request(t))); got.Error != "invalid_grant" {
		t.Errorf("a code out of date: %+v", got)
	}
}

func TestARefreshIsBoundAndNarrows(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	second := h.second(a)
	user := h.person(a, partners.Manager)
	given := h.lent(a, user, "referrals:send consents:override")
	for _, tt := range []struct {
		name   string
		by     agency
		change func(*ask)
		error  string
	}{
		{"another key", a, func(k *ask) { k.dpop = newKey(t, jose.ES256) }, "invalid_grant"},
		{"another agency's system", b, func(k *ask) { k.dpop = a.dpop }, "invalid_grant"},
		{"another system of the agency", second, func(k *ask) { k.dpop = a.dpop }, "invalid_grant"},
		{"a scope that was not granted", a, func(k *ask) { k.form.Set("scope", "partner:admin") }, "invalid_scope"},
		{"nonsense as scope", a, func(k *ask) { k.form.Set("scope", "nothing.of.that") }, "invalid_scope"},
		{"another token", a, func(k *ask) { k.form.Set("refresh_token", "x") }, "invalid_grant"},
		{"no token", a, func(k *ask) { k.form.Del("refresh_token") }, "invalid_grant"},
		{"the access token", a, func(k *ask) { k.form.Set("refresh_token", given.Token) }, "invalid_grant"},
	} {
		k := h.refreshing(tt.by, given.Refresh)
		tt.change(k)
		if got := answerOf(t, h.do(k.request(t))); got.Error != tt.error || got.Token != "" {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.error)
		}
	}
	k := h.refreshing(a, given.Refresh)
	k.form.Set("scope", "referrals:send")
	if got := answerOf(t, h.do(k.request(t))); got.Scope != "referrals:send" {
		t.Errorf("narrowed: %+v", got)
	}
	h.clock.advance(2 * time.Second)
	first, again := claimsOf(t, given.Token), claimsOf(t, answerOf(t, h.do(h.refreshing(a, given.Refresh).request(t))).Token)
	if again["iat"] == first["iat"] || again["jti"] == first["jti"] || again["auth_time"] != first["auth_time"] {
		t.Errorf("first %v, then %v: want a new iat and jti, and when she proved who she is as it was", first, again)
	}
	h.exec(`UPDATE oauth_grant SET refresh_expires_at = now()`)
	if got := answerOf(t, h.do(h.refreshing(a, given.Refresh).request(t))); got.Error != "invalid_grant" {
		t.Errorf("out of date: %+v", got)
	}
}

func claimsOf(t testing.TB, token string) (c map[string]any) {
	t.Helper()
	signed, err := jose.ParseSigned(token, maxToken, accessType)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(signed.UnverifiedPayload(), &c); err != nil {
		t.Fatal(err)
	}
	return c
}
