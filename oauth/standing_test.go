package oauth

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"handover/partners"
)

// TestAPersonsStandingCountsAtOnce changes it in every way, after the token was given.
func TestAPersonsStandingCountsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	for _, change := range []string{
		`UPDATE partner_user SET status = 'suspended' WHERE id = $1`,
		`UPDATE partner_user SET status = 'removed' WHERE id = $1`,
		`UPDATE partner_user SET signed_out_at = now() WHERE id = $1`,
	} {
		user := h.person(a, partners.Caseworker)
		given := h.lent(a, user, "referrals:send")
		if status := h.uses(a, given.Token); status != http.StatusOK {
			t.Fatalf("before: %d", status)
		}
		h.clock.t = time.Now().Truncate(time.Second) // what she proves from here on is later than the database's now
		h.exec(change, user)
		if status := h.uses(a, given.Token); status != http.StatusUnauthorized {
			t.Errorf("%s: her token still counts: %d", change, status)
		}
		if got := answerOf(t, h.do(h.refreshing(a, given.Refresh).request(t))); got.Error != "invalid_grant" {
			t.Errorf("%s: her grant can be refreshed: %+v", change, got)
		}
	}
	user := h.person(a, partners.Manager)
	given := h.lent(a, user, "referrals:send services:write")
	h.exec(`UPDATE partner_user SET role = 'caseworker' WHERE id = $1`, user)
	w := h.do(h.call(a, given.Token).request(t))
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "services:write") || !strings.Contains(w.Body.String(), "referrals:send") {
		t.Errorf("with another role: %d %s", w.Code, w.Body)
	}
	if got := answerOf(t, h.do(h.refreshing(a, given.Refresh).request(t))); got.Scope != "referrals:send" {
		t.Errorf("refreshed with another role: %+v", got)
	}
}

func TestScopesOfPeopleAreInNoSystemsToken(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	for _, scope := range partners.Scopes() {
		k := h.ask(a)
		k.form.Set("scope", string(scope))
		got := answerOf(t, h.do(k.request(t)))
		if slices.Contains(partners.SystemScopes(), scope) != (got.Scope == string(scope)) {
			t.Errorf("%s: %+v", scope, got)
		}
	}
}

// TestAClientHasTheGrantsItIsRegisteredForAndNoOthers, whatever code or token it holds.
func TestAClientHasTheGrantsItIsRegisteredForAndNoOthers(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a := h.enrol("camden-outreach")
	user := h.person(a, partners.Caseworker)
	may := func(grants string) {
		h.exec(`UPDATE partner_client SET grant_types = $1::text[] WHERE id = $2`, grants, a.client)
	}
	code, given := h.code(a, user, nil), h.lent(a, user, "referrals:send")
	may("{client_credentials}")
	for name, k := range map[string]*ask{"a code": h.redeeming(a, code), "a refresh token": h.refreshing(a, given.Refresh)} {
		if got := answerOf(t, h.do(k.request(t))); got.Error != "unauthorized_client" {
			t.Errorf("%s is redeemed: %+v", name, got)
		}
	}
	may("{authorization_code,refresh_token}")
	if got := answerOf(t, h.do(h.ask(a).request(t))); got.Error != "unauthorized_client" {
		t.Errorf("a token for itself: %+v", got)
	}
	may("{authorization_code}")
	if got := answerOf(t, h.do(h.redeeming(a, code).request(t))); got.Token == "" || got.Refresh != "" {
		t.Errorf("without refresh_token it is given %+v", got)
	}
}

// TestATokenForAnotherAgencysPersonAdmitsNobody, should one ever be made.
func TestATokenForAnotherAgencysPersonAdmitsNobody(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, b := h.enrol("camden-outreach"), h.enrol("hackney-housing")
	hers := h.person(b, partners.Caseworker)
	callers, err := partners.NewStore(h.db.Hub, nil).Admit(t.Context(), []partners.Bearer{
		{Client: a.client, User: hers, Proved: h.clock.now(), Granted: partners.Scopes()},
		{Client: b.client, User: hers, Proved: h.clock.now(), Granted: partners.Scopes()},
		{}, {User: "nobody", Proved: h.clock.now()}}, nil)
	if err != nil || callers[0] != nil || callers[1] == nil || callers[2] != nil || callers[3] != nil {
		t.Errorf("%v %v", callers, err)
	}
}
