package agency_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/partners"
)

var secret = regexp.MustCompile(`<p class="govuk-body" id="secret"><code class="handover-code">([^<]*)</code>`)

// TestATokenForASystemIsShownOnce: it is good for her agency, and sent twice the page makes one.
func TestATokenForASystemIsShownOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	const path = "/agency/systems/add"
	var before string
	for range 2 { // a second token, another day
		sent := form(shown(t, admin, path), nil)
		got := admin.Form(t, path, sent)
		m := secret.FindStringSubmatch(string(got.Body))
		if got.Status != http.StatusOK || m == nil || m[1] == before || got.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v %s", got.Status, got.Header, got.Body)
		}
		before = m[1]
		if of, err := h.Registry.InvitedBy(t.Context(), m[1]); err != nil || of != a.ID {
			t.Errorf("the token is of %q: %v", of, err)
		}
		led(t, admin.Form(t, path, sent), "/agency/systems?done=already")
		for _, elsewhere := range []string{path, "/agency/systems?done=already", "/agency"} {
			if strings.Contains(shown(t, admin, elsewhere), m[1]) {
				t.Errorf("%s shows the token", elsewhere)
			}
		}
		if strings.Contains(bodies(t, h), m[1]) {
			t.Error("the log has the token")
		}
	}
	has(t, shown(t, admin, "/agency/systems"), "has not been used")
	has(t, shown(t, admin, "/agency"), "2 tokens for new systems have not been used yet")
}

// TestASystemIsSuspendedAndLetInAgain, and another agency's is not there.
func TestASystemIsSuspendedAndLetInAgain(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	a, other := h.Agency(t, "larkfield-housing", partners.Housing), h.Agency(t, "rosewood", partners.Housing)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	at := "/agency/systems/" + a.Client
	has(t, shown(t, admin, at), "What it can do by itself", "Send referrals, and write to the agency that has them", "What it can do as somebody who lets it", "Manage your agency’s people, keys and systems")
	has(t, shown(t, admin, at+"/suspend"), "the only system of your agency")
	a.Get(t, "/v1/partners") // it has its token
	led(t, admin.Form(t, at+"/suspend", nil), at+"?done=suspend")
	if got := a.Get(t, "/v1/partners"); got.Status != http.StatusUnauthorized {
		t.Errorf("a suspended system is answered %d", got.Status)
	}
	if got := admin.Form(t, at+"/suspend", nil); got.Status != http.StatusConflict {
		t.Errorf("suspended twice: %d", got.Status)
	}
	if e := last(t, h); e.Act != "refused" || e.Outcome != "standing-not-possible" || e.Target != a.Client {
		t.Errorf("logged %+v", e)
	}
	has(t, shown(t, admin, at+"?done=suspend"), "Its next request is refused", "Let it take part again")
	led(t, admin.Form(t, at+"/resume", nil), at+"?done=resume")
	for _, id := range []string{other.Client, "nobody.abcde"} {
		for _, path := range []string{"", "/suspend", "/resume"} {
			if got := admin.Get(t, "/agency/systems/"+id+path); got.Status != http.StatusNotFound || strings.Contains(string(got.Body), id) {
				t.Errorf("%s%s: %d %s", id, path, got.Status, got.Body)
			}
		}
		if got := admin.Form(t, "/agency/systems/"+id+"/suspend", nil); got.Status != http.StatusNotFound {
			t.Errorf("%s is suspended: %d", id, got.Status)
		}
	}
	if got := other.Get(t, "/v1/partners"); got.Status != http.StatusOK {
		t.Errorf("the other agency's system: %d", got.Status)
	}
}

// TestAKeyIsRevokedWithWhatItTouchedBeforeAndAfter.
func TestAKeyIsRevokedWithWhatItTouchedBeforeAndAfter(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	p := h.Pair(t, partners.Housing)
	s := p.Sent(t)
	_, admin := h.Joined(t, p.From.ID, "Ada Example", partners.Administrator)
	_, boss := h.Joined(t, p.To.ID, "Eve Example", partners.Administrator)
	kid := p.From.Signing.KeyID()
	at, reference := "/agency/keys/"+kid, ids.Reference(s.Digest)

	list := shown(t, admin, "/agency/keys")
	has(t, list, "Your agency holds its own keys", "handover keys rotate", "Signs what your agency sends", "Opens what is sent to your agency", "Shows the hub that a system is yours",
		"key "+kid[:8], "In use", "One key alone opens what is sent to your agency")
	index := hubtest.Value[string](t, h, `SELECT l.idx::text FROM partner_key_change c JOIN audit_leaf l ON l.entry = c.log_entry WHERE c.kid = $1`, kid)
	has(t, shown(t, admin, at), kid, "Brought a public key", "It vouches for itself", "Change 1 of", "Entry "+index+" of the log")

	has(t, shown(t, admin, at+"/revoke"), reference, "receiver-1", p.Consent.ID, "It signed a step of this referral")
	for name, row := range map[string]struct {
		chosen url.Values
		status int
		text   string
	}{
		"no reason":        {nil, 422, "Choose why"},
		"another reason":   {url.Values{"reason": {"because"}}, 422, "Choose why"},
		"not needed, last": {url.Values{"reason": {"retired"}}, 409, partners.ErrLastKey.Text},
	} {
		if got := admin.Form(t, at+"/revoke", row.chosen); got.Status != row.status || !strings.Contains(string(got.Body), row.text) {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if e := last(t, h); e.Act != "key.touched" && e.Act != "key.signed" && (e.Act != "refused" || e.Target != kid) {
		t.Errorf("logged %+v", e)
	}
	for _, path := range []string{"", "/touched", "/revoke"} {
		if got := boss.Get(t, at+path); got.Status != http.StatusNotFound || strings.Contains(string(got.Body), reference) {
			t.Errorf("another agency's administrator at %s: %d %s", path, got.Status, got.Body)
		}
	}
	if got := boss.Form(t, at+"/revoke", url.Values{"reason": {"lost"}}); got.Status != http.StatusNotFound {
		t.Errorf("another agency's administrator revokes: %d", got.Status)
	}
	led(t, admin.Form(t, at+"/revoke", url.Values{"reason": {"compromised"}}), at+"/touched?done=revoke")
	has(t, shown(t, admin, at+"/touched?done=revoke"), "The key was revoked", reference, "receiver-1", p.Consent.ID)
	has(t, shown(t, admin, at), "Revoked a public key", "Somebody else may have it", "See what it signed and opens")
	has(t, shown(t, admin, "/agency"), "No key signs for your agency now")
	if got := admin.Form(t, at+"/revoke", url.Values{"reason": {"lost"}}); got.Status != http.StatusConflict {
		t.Errorf("revoked twice: %d", got.Status)
	}
	if page := shown(t, admin, at+"/revoke"); strings.Contains(page, "<form method=\"post\" novalidate>") {
		t.Error("a revoked key can be revoked")
	}
}

// TestAManagedAgencyIsToldThatTheHubHoldsItsKeys.
func TestAManagedAgencyIsToldThatTheHubHoldsItsKeys(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Managed(t, "larkfield-housing", partners.Housing)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	has(t, shown(t, admin, "/agency"), "The hub holds your agency’s keys", "Your agency offers no service now")
	has(t, shown(t, admin, "/agency/keys"), "The hub holds it.", "hub partner renew larkfield-housing")
	has(t, shown(t, admin, "/agency/systems"), "Your agency has no system of its own")
	h.Exec(t, `UPDATE partner_key SET not_after = now() + interval '50 days'`)
	has(t, shown(t, admin, "/agency"), "A key ends on", "no other takes its place")
	has(t, shown(t, admin, "/agency/keys"), "Ends soon")
}
