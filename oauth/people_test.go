package oauth

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"handover/internal/ids"
	"handover/partners"
)

// testRedirect is where the test's own agencies wait for a code.
const testRedirect = "http://127.0.0.1:4711/callback"

// testVerifier is the PKCE verifier of every test that does not bend it.
var testVerifier = strings.Repeat("v", 64)

// person is somebody active who works at the agency.
func (h *hub) person(a agency, role partners.Role) (id string) {
	h.t.Helper()
	err := h.db.Owner.QueryRow(h.t.Context(), `
		INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
		VALUES (gen_random_uuid(), $1, 'Somebody', $2, 'active', now(), (SELECT id FROM audit_entry LIMIT 1)) RETURNING id::text`,
		a.partner, role).Scan(&id)
	if err != nil {
		h.t.Fatal(err)
	}
	return id
}

// caller is the person in the hub's own pages.
func (h *hub) caller(user string) partners.Caller {
	h.t.Helper()
	callers, err := partners.NewStore(h.db.Hub, nil).Admit(h.t.Context(), []partners.Bearer{{User: user, Proved: h.clock.now()}}, nil)
	if err != nil || callers[0] == nil {
		h.t.Fatal(callers, err)
	}
	return *callers[0]
}

// asking is a pushed request with which all is right, but for what form says.
func (h *hub) asking(a agency, form url.Values) *ask {
	k := h.ask(a)
	k.path, k.proof = pushPath, nil
	k.form = url.Values{"client_assertion_type": {assertionType}, "response_type": {"code"}, "redirect_uri": {testRedirect},
		"code_challenge": {ids.Digest(testVerifier)}, "code_challenge_method": {"S256"}, "state": {"a state"},
		"scope": {"referrals:send referrals:receive"}}
	maps.Copy(k.form, form)
	return k
}

// pushed pushes a request and returns its request_uri.
func (h *hub) pushed(a agency, form url.Values) string {
	h.t.Helper()
	w := h.do(h.asking(a, form).request(h.t))
	var given struct {
		URI string `json:"request_uri"`
		Exp int    `json:"expires_in"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &given); err != nil || w.Code != http.StatusCreated || given.URI == "" || given.Exp != 300 {
		h.t.Fatalf("pushed: %d %s\n%s", w.Code, w.Body, h.log.String())
	}
	return given.URI
}

// code pushes a request and has the person say yes to it.
func (h *hub) code(a agency, user string, form url.Values) string {
	h.t.Helper()
	location, err := h.server.Permit(h.t.Context(), h.caller(user), a.client, h.pushed(a, form))
	if err != nil {
		h.t.Fatal(err)
	}
	return codeOf(h.t.Fatalf, location)
}

func codeOf(fail func(string, ...any), location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Query().Get("iss") != testIssuer || u.Query().Get("code") == "" || !strings.HasPrefix(location, testRedirect+"?") {
		fail("the answer is %s", location)
	}
	return u.Query().Get("code")
}

// redeeming is a redemption with which all is right.
func (h *hub) redeeming(a agency, code string) *ask {
	k := h.ask(a)
	k.form = url.Values{"client_assertion_type": {assertionType}, "grant_type": {authorizationCode}, "code": {code},
		"redirect_uri": {testRedirect}, "code_verifier": {testVerifier}}
	return k
}

func (h *hub) refreshing(a agency, token string) *ask {
	k := h.ask(a)
	k.form = url.Values{"client_assertion_type": {assertionType}, "grant_type": {refreshToken}, "refresh_token": {token}}
	return k
}

// lent is the answer to a redemption of a fresh grant.
func (h *hub) lent(a agency, user string, scope string) tokenAnswer {
	h.t.Helper()
	w := h.do(h.redeeming(a, h.code(a, user, url.Values{"scope": {scope}})).request(h.t))
	if w.Code != http.StatusOK {
		h.t.Fatalf("no token: %d %s\n%s", w.Code, w.Body, h.log.String())
	}
	return answerOf(h.t, w)
}

// about is a request with a token in its form, to be revoked or introspected.
func (h *hub) about(a agency, path, token string) *httptest.ResponseRecorder {
	h.t.Helper()
	k := h.ask(a)
	k.path, k.proof = path, nil
	k.form = url.Values{"client_assertion_type": {assertionType}, "token": {token}}
	return h.do(k.request(h.t))
}

// uses calls the API with the token, and returns the status.
func (h *hub) uses(a agency, token string) int {
	h.t.Helper()
	return h.do(h.call(a, token).request(h.t)).Code
}

// second registers another system of the same agency, with keys of its own.
func (h *hub) second(a agency) agency {
	h.t.Helper()
	b := agency{partner: a.partner, client: string(a.partner) + "." + strings.ToLower(rand.Text()[:5]), auth: newKey(h.t, "ES256"), dpop: newKey(h.t, "ES256")}
	jwk, err := b.auth.Public().MarshalJSON()
	if err != nil {
		h.t.Fatal(err)
	}
	h.exec(`INSERT INTO partner_client SELECT $1, partner, scopes, active, log_entry, name, grant_types, redirect_uris, since FROM partner_client WHERE id = $2`, b.client, a.client)
	h.exec(`INSERT INTO partner_key (partner, kid, use, client, jwk, thumbprint, not_before, not_after, log_entry)
		SELECT partner, $1, 'authentication', $2, $3, $1, now(), now() + interval '1 day', log_entry FROM partner_client WHERE id = $4`,
		b.auth.KeyID(), b.client, string(jwk), a.client)
	return b
}
