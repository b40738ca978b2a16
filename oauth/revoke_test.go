package oauth

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/partners"
)

func TestARevokedTokenCountsNoMore(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	second := h.second(a)
	user := h.person(a, partners.Caseworker)
	own, given := h.token(a), h.lent(a, user, "referrals:send")
	sibling := answerOf(t, h.do(h.refreshing(a, given.Refresh).request(t))).Token

	for name, by := range map[string]agency{"another agency's system": b, "another system of the agency": second} {
		if w := h.about(by, revokePath, own); w.Code != http.StatusBadRequest || answerOf(t, w).Error != "invalid_grant" {
			t.Errorf("%s revokes an access token: %d %s", name, w.Code, w.Body)
		}
		if w := h.about(by, revokePath, given.Refresh); w.Code != http.StatusOK {
			t.Errorf("%s learns that a refresh token is one: %d %s", name, w.Code, w.Body)
		}
	}
	for _, token := range []string{own, given.Token, sibling} {
		if status := h.uses(a, token); status != http.StatusOK {
			t.Fatalf("after others tried to revoke it: %d", status)
		}
	}
	for range 2 {
		if w := h.about(a, revokePath, own); w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Errorf("revoked: %d %s", w.Code, w.Body)
		}
		if status := h.uses(a, own); status != http.StatusUnauthorized {
			t.Errorf("a revoked access token: %d", status)
		}
	}
	if status := h.uses(a, given.Token); status != http.StatusOK {
		t.Errorf("another token of the client: %d", status)
	}
	// Another spelling of the signature is the same token: it is known by its jti.
	if w := h.about(a, revokePath, given.Refresh); w.Code != http.StatusOK {
		t.Errorf("revoking a refresh token: %d %s", w.Code, w.Body)
	}
	for _, token := range []string{given.Token, sibling} {
		if status := h.uses(a, token); status != http.StatusUnauthorized {
			t.Errorf("an access token of a revoked grant: %d", status)
		}
	}
	if got := answerOf(t, h.do(h.refreshing(a, given.Refresh).request(t))); got.Error != "invalid_grant" {
		t.Errorf("a revoked refresh token: %+v", got)
	}
	for _, nothing := range []string{"x", strings.Repeat("A", 26), "e30.e30.e30", given.Refresh} {
		if w := h.about(a, revokePath, nothing); w.Code != http.StatusOK {
			t.Errorf("revoking what is no token: %d %s", w.Code, w.Body)
		}
	}
	if w := h.about(a, revokePath, ""); w.Code != http.StatusBadRequest {
		t.Errorf("revoking nothing: %d %s", w.Code, w.Body)
	}
	logged := map[string]int{"token.revoke": 2, "grant.revoke": 1}
	for act, want := range logged {
		if n := h.number(`SELECT count(*) FROM audit_entry WHERE act = $1`, act); n != want {
			t.Errorf("%d entries of %s, want %d", n, act, want)
		}
	}
	if e := h.refused; len(e) == 0 || e[len(e)-1].Reason != "revoke-token" {
		t.Errorf("logged %v", e)
	}
}

// TestARevocationThatFailedIsNoSuccess: the client must not throw away its copy of a
// token that still counts. fosite answers 200.
func TestARevocationThatFailedIsNoSuccess(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	token := h.token(a)
	h.exec(`ALTER TABLE oauth_revoked RENAME TO mislaid`)
	w := h.about(a, revokePath, token)
	h.exec(`ALTER TABLE mislaid RENAME TO oauth_revoked`)
	if got := answerOf(t, w); w.Code != http.StatusServiceUnavailable || got.Error != "temporarily_unavailable" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if status := h.uses(a, token); status != http.StatusOK {
		t.Errorf("a token whose revocation failed: %d", status)
	}
}

func TestIntrospectionSaysWhatTheGuardWould(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	second := h.second(a)
	user := h.person(a, partners.Manager)
	own, given := h.token(a), h.lent(a, user, "referrals:send services:write")
	says := func(by agency, token string) map[string]any {
		t.Helper()
		w := h.about(by, introspectPath, token)
		var said map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return said
	}
	claims := claimsOf(t, given.Token)
	want := map[string]any{"active": true, "iss": testIssuer, "aud": testIssuer, "sub": user, "client_id": a.client, "partner": "camden-outreach",
		"scope": "referrals:send services:write", "token_type": "DPoP", "iat": claims["iat"], "exp": claims["exp"], "jti": claims["jti"],
		"cnf": map[string]any{"jkt": a.dpop.Public().Thumbprint()}}
	if diff := cmp.Diff(want, says(a, given.Token)); diff != "" {
		t.Error(diff)
	}
	if said := says(second, own); said["active"] != true || said["sub"] != a.client {
		t.Errorf("another system of the agency is told %v", said)
	}
	h.exec(`UPDATE partner_user SET role = 'caseworker' WHERE id = $1`, user)
	if said := says(a, given.Token); said["scope"] != "referrals:send" {
		t.Errorf("after her role has changed: %v", said)
	}
	inactive := map[string]any{"active": false}
	nothing := map[string]struct {
		by    agency
		token string
	}{
		"another agency":     {b, own},
		"nonsense":           {a, "x"},
		"a refresh token":    {a, given.Refresh}, // trap: as an access token it would pass for active
		"a changed token":    {a, own[:len(own)-8] + "AAAAAAAA"},
		"a client assertion": {a, sign(t, "JWT", []byte(`{}`), a.auth)},
	}
	for name, row := range nothing {
		if diff := cmp.Diff(inactive, says(row.by, row.token)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
	h.exec(`UPDATE partner_user SET status = 'suspended' WHERE id = $1`, user)
	if diff := cmp.Diff(inactive, says(a, given.Token)); diff != "" {
		t.Errorf("of somebody suspended:\n%s", diff)
	}
	if w := h.about(a, revokePath, own); w.Code != http.StatusOK {
		t.Fatal(w.Body)
	}
	if diff := cmp.Diff(inactive, says(a, own)); diff != "" {
		t.Errorf("revoked:\n%s", diff)
	}
	h.exec(`UPDATE partner_key SET revoked_at = now() WHERE kid = $1`, second.auth.KeyID())
	if w := h.about(second, introspectPath, own); w.Code != http.StatusUnauthorized {
		t.Errorf("a client whose key is revoked is told %d %s", w.Code, w.Body)
	}
}

// TestEndpointsForClientsWantAClient: neither Basic nor a bearer token will do, which is
// all that fosite would look at.
func TestEndpointsForClientsWantAClient(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	token := h.token(a)
	for _, path := range []string{revokePath, introspectPath, pushPath} {
		for name, authorization := range map[string]string{"nothing": "", "Basic": "Basic eDp5", "Bearer": "Bearer " + token, "DPoP": "DPoP " + token} {
			k := h.ask(a)
			k.path, k.form = path, map[string][]string{"token": {token}}
			k.form.Set("client_assertion", "")
			k.edit = func(r *http.Request) {
				if authorization != "" {
					r.Header.Set("Authorization", authorization)
				}
			}
			if w := h.do(k.request(t)); w.Code != http.StatusUnauthorized || answerOf(t, w).Error != "invalid_client" {
				t.Errorf("%s with %s: %d %s", path, name, w.Code, w.Body)
			}
		}
	}
}
