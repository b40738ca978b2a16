package agency_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

var join = regexp.MustCompile(hubtest.Issuer + `/join#([a-z0-9]{26})`)

// added goes through the pages that add a person, and returns the link's code and the last form.
func added(t *testing.T, b *hubtest.Browser, name, role string) (code string, sent url.Values) {
	t.Helper()
	const path = "/agency/people/add"
	check := b.Form(t, path, form(shown(t, b, path), url.Values{"name": {name}, "role": {role}}))
	has(t, string(check.Body), "Check who you are adding", name)
	sent = form(string(check.Body), nil)
	a := b.Form(t, path, sent)
	m := join.FindStringSubmatch(string(a.Body))
	if a.Status != http.StatusOK || m == nil || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("added: %d %v %s", a.Status, a.Header, a.Body)
	}
	return m[1], sent
}

// TestAPersonIsAddedAndHerLinkIsShownOnce: the code is on one page and nowhere else, and who sends
// the page twice has added one person.
func TestAPersonIsAddedAndHerLinkIsShownOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	code, sent := added(t, admin, "Zoë Example", "caseworker")
	id := sent.Get("id")
	if e := last(t, h); e.Act != "user.add" || e.Target != id || e.Reason != "caseworker" {
		t.Errorf("logged %+v", e)
	}
	logged := h.Logged(t)
	led(t, admin.Form(t, "/agency/people/add", sent), "/agency/people/"+id+"?done=already")
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM partner_user`); n != 2 || h.Logged(t) != logged {
		t.Errorf("sent twice: %d people", n)
	}
	for _, path := range []string{"/agency/people/" + id + "?done=already", "/agency/people", "/agency/people/add", "/agency", "/agency/people/" + id + "/link"} {
		if page := shown(t, admin, path); strings.Contains(page, code) {
			t.Errorf("%s shows the code again", path)
		}
	}
	has(t, shown(t, admin, "/agency/people/"+id+"?done=already"), "Zoë Example", "Their link was shown once", "Has a link that was not used yet")
	has(t, shown(t, admin, "/agency"), "1 link has not been used yet", "one administrator")
	if said := bodies(t, h); strings.Contains(said, code) || strings.Contains(said, "Zoë") {
		t.Error("the log has the code, or her name")
	}
	b := h.Browser()
	if a := b.Join(t, code); a.Status != http.StatusOK || !b.SignedIn(t) {
		t.Errorf("she joins: %d %s", a.Status, a.Body)
	}
	has(t, shown(t, admin, "/agency/people"), "Has one passkey", "Last proved who they are on")
}

// TestWhatIsTypedWrongIsAskedAgain and nothing of it is in the address, nor done.
func TestWhatIsTypedWrongIsAskedAgain(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	content := h.Content(t)
	for name, chosen := range map[string]url.Values{
		"no name": {"role": {"manager"}}, "no role": {"name": {"Zoë Example"}}, "an unknown role": {"name": {"Zoë Example"}, "role": {"operator"}},
		"a long name": {"name": {strings.Repeat("a", 81)}, "role": {"manager"}}, "a name that turns": {"name": {"Zo\u202eë"}, "role": {"manager"}},
		"wrong at last": {"name": {""}, "role": {"manager"}, "sure": {"yes"}},
	} {
		chosen.Set("id", uuid.NewString())
		got := admin.Form(t, "/agency/people/add", chosen)
		if got.Status != http.StatusUnprocessableEntity || !strings.Contains(string(got.Body), "<title>Error: Add a person") || !strings.Contains(string(got.Body), chosen.Get("id")) {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	if after := h.Content(t); len(content) == 0 || content["partner_user"] != after["partner_user"] {
		t.Error("somebody was added")
	}
}

// TestAnAdministratorChangesHowAColleagueStands, act by act.
func TestAnAdministratorChangesHowAColleagueStands(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	at := "/agency/people/" + u.ID
	for _, step := range []struct {
		act      string
		chosen   url.Values
		logged   string
		says     string
		signedIn bool
	}{
		{"role", url.Values{"role": {"manager"}}, "user.role", "Their role was changed", true},
		{"sign-out", nil, "user.signout-all", "They were signed out everywhere", false},
		{"suspend", nil, "user.suspend", "They were suspended", false},
		{"resume", nil, "user.resume", "They can sign in again", false},
		{"remove", nil, "user.remove", "They were removed", false},
	} {
		page := shown(t, admin, at+"/"+step.act)
		has(t, page, "Ayo Example")
		led(t, admin.Form(t, at+"/"+step.act, form(page, step.chosen)), at+"?done="+step.act)
		if e := last(t, h); e.Act != step.logged || e.Target != u.ID {
			t.Errorf("%s is logged as %+v", step.act, e)
		}
		has(t, shown(t, admin, at+"?done="+step.act), step.says)
		if b.SignedIn(t) != step.signedIn {
			t.Errorf("after %s she is signed in: %v", step.act, !step.signedIn)
		}
	}
	has(t, shown(t, admin, at), "They have left")
	if page := shown(t, admin, at); strings.Contains(page, "What you can do") {
		t.Error("something can be done about who has left")
	}
}

// TestANewLinkIsMadeOnceForALostPhone.
func TestANewLinkIsMadeOnceForALostPhone(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	u, lost := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	path := "/agency/people/" + u.ID + "/link"
	page := shown(t, admin, path)
	has(t, page, "the passkeys from before stop working")
	sent := form(page, nil)
	got := admin.Form(t, path, sent)
	m := join.FindStringSubmatch(string(got.Body))
	if got.Status != http.StatusOK || m == nil {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	led(t, admin.Form(t, path, sent), "/agency/people/"+u.ID+"?done=link")
	found := h.Browser()
	if a := found.Join(t, m[1]); a.Status != http.StatusOK || lost.SignedIn(t) {
		t.Errorf("the link that was shown: %d %s", a.Status, a.Body)
	}
	led(t, admin.Form(t, path, sent), "/agency/people/"+u.ID+"?done=link") // and after it was used
}

// TestWhatALeaverHoldsIsShownFirst by its reference, with nothing of the woman.
func TestWhatALeaverHoldsIsShownFirst(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	_, admin := h.Joined(t, p.From.ID, "Ada Example", partners.Administrator)
	u, _ := h.Joined(t, p.From.ID, "Ayo Example", partners.Caseworker)
	s := p.Request().Seal(t, func(d *hubtest.Draft) { d.Act = u.ID })
	p.From.Sent(t, s)
	reference := regexp.MustCompile(`R-[0-9A-Z]{4}-[0-9A-Z]{4}`)
	for _, act := range []string{"suspend", "remove"} {
		page := shown(t, admin, "/agency/people/"+u.ID+"/"+act)
		if reference.FindString(page) == "" || strings.Contains(page, p.Service) || strings.Contains(page, p.Consent.Subject) {
			t.Errorf("%s shows %s", act, page)
		}
		if e := last(t, h); e.Act != "referral.held" || e.Target != u.ID {
			t.Errorf("logged %+v", e)
		}
	}
	p.Step(t, p.To, packet.Decline, s.Digest, s.Digest)
	has(t, shown(t, admin, "/agency/people/"+u.ID+"/remove"), "They hold no open referral")
}

// TestWhatAnAdministratorMayNotDoToPeople has a row for each: on the page there is no button, and
// what is sent all the same is refused, recorded and changes nothing.
func TestWhatAnAdministratorMayNotDoToPeople(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a, other := h.Agency(t, "larkfield-housing", partners.Housing), h.Agency(t, "rosewood", partners.Housing)
	me, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	u, _ := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	theirs, _ := h.Joined(t, other.ID, "Eve Example", partners.Caseworker)
	h.Exec(t, `UPDATE partner_user SET status = 'suspended' WHERE id = $1`, u.ID)
	const notThere = "There is nothing here that you may see."
	for _, row := range []struct {
		name, user, act string
		chosen          url.Values
		status          int
		text, code      string
		target          bool
	}{
		{"the last administrator suspends herself", me.ID, "suspend", nil, 409, "last active administrator", "last-administrator", true},
		{"the last administrator removes herself", me.ID, "remove", nil, 409, "last active administrator", "last-administrator", true},
		{"her own role", me.ID, "role", url.Values{"role": {"manager"}}, 409, "Nobody changes her own role", "own-role", true},
		{"her own way back in", me.ID, "link", url.Values{"last": {""}}, 403, "Nobody makes a way back in for herself", "own-recovery", true},
		{"who is suspended already", u.ID, "suspend", nil, 409, "not possible from where she", "standing-not-possible", true},
		{"a link for who is suspended", u.ID, "link", url.Values{"last": {""}}, 409, "not possible from where she", "standing-not-possible", true},
		{"another agency's person", theirs.ID, "suspend", nil, 404, notThere, "not-found", false},
		{"another agency's person's role", theirs.ID, "role", url.Values{"role": {"manager"}}, 404, notThere, "not-found", false},
		{"another agency's person's link", theirs.ID, "link", url.Values{"last": {""}}, 404, notThere, "not-found", false},
		{"nobody", uuid.NewString(), "remove", nil, 404, notThere, "not-found", false},
		{"what is no id", "x", "sign-out", nil, 404, notThere, "not-found", false},
	} {
		path := "/agency/people/" + row.user + "/" + row.act
		if page := string(admin.Get(t, path).Body); row.code != "standing-not-possible" && strings.Contains(page, `<form method="post" novalidate>`) {
			t.Errorf("%s: there is a button", row.name)
		}
		content := h.Content(t)
		got := admin.Form(t, path, row.chosen)
		if got.Status != row.status || !strings.Contains(string(got.Body), row.text) {
			t.Errorf("%s: %d %s, want %d %q", row.name, got.Status, got.Body, row.status, row.text)
		}
		if e := last(t, h); e.Act != "refused" || e.Outcome != row.code || e.User != me.ID || (e.Target == row.user) != row.target {
			t.Errorf("%s is logged as %+v", row.name, e)
		}
		for table, rows := range h.Content(t) {
			if content[table] != rows {
				t.Errorf("%s: left something in %s", row.name, table)
			}
		}
	}
	for _, id := range []string{theirs.ID, uuid.NewString()} {
		if got := admin.Get(t, "/agency/people/"+id); got.Status != 404 || !strings.Contains(string(got.Body), notThere) {
			t.Errorf("a person who is not hers: %d %s", got.Status, got.Body)
		}
	}
}

// TestActsWantAProofOfAMomentAgo, and lead back to their page.
func TestActsWantAProofOfAMomentAgo(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	u, _ := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	at := "/agency/people/" + u.ID
	kid := a.Signing.KeyID()
	service := h.Offer(t, a)
	paths := []string{"/agency/people/add", at + "/role", at + "/link", at + "/suspend", at + "/resume", at + "/remove", at + "/sign-out", "/agency/systems/add",
		"/agency/systems/" + a.Client + "/suspend", "/agency/systems/" + a.Client + "/resume", "/agency/keys/" + kid + "/revoke", "/agency/services/add", "/agency/services/" + service + "/change"}
	stale(t, h)
	content := h.Content(t)
	for _, path := range paths {
		next := "/step-up?next=" + url.QueryEscape(path)
		led(t, admin.Get(t, path), next)
		led(t, admin.Form(t, path, url.Values{"sure": {"yes"}, "reason": {"lost"}, "role": {"auditor"}}), next)
	}
	for table, rows := range h.Content(t) {
		if content[table] != rows {
			t.Errorf("something was done in %s", table)
		}
	}
	for _, path := range []string{"/agency", "/agency/people", at, "/agency/systems", "/agency/keys", "/agency/keys/" + kid, "/agency/services"} {
		shown(t, admin, path) // to look needs none
	}
	led(t, admin.Form(t, "/agency/services/"+service+"/capacity", url.Values{"now": {"paused"}}), "/agency/services?done=capacity") // nor this
	if got := admin.StepUp(t); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	shown(t, admin, at+"/suspend")
}
