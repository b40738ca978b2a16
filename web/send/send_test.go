package send_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/partners"
)

func TestAReferralIsWrittenCheckedAndSent(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	if page := d.get(t, "/send"); !strings.Contains(text([]byte(page)), "call 999") {
		t.Error("the first page does not say to call 999 in danger")
	}
	draft := d.begun(t)
	d.get(t, draft)
	d.agrees(t, draft, nil, "safe-contact", "need")
	check := text([]byte(d.get(t, draft+"/check")))
	for _, says := range []string{"Agency harbour: the people who are signed in there", "holds its own keys", "not the police", canary, "+442079460000", "Ayo Example", "Someone on her side", "Camden"} {
		if !strings.Contains(check, says) {
			t.Errorf("the page to check does not say %q:\n%s", says, check)
		}
	}
	sent := d.post(t, draft+"/send", nil)
	done := text([]byte(d.get(t, sent)))
	for _, says := range []string{"Referral sent", "R-", "They must open it by ", "Agency harbour"} {
		if !strings.Contains(done, says) {
			t.Errorf("what is shown at last does not say %q:\n%s", says, done)
		}
	}
	if again := d.browser.Form(t, draft+"/send", nil); again.Status != http.StatusSeeOther || again.Header.Get("Location") != sent {
		t.Errorf("a second tap: %d %s", again.Status, again.Header.Get("Location"))
	}
	if n := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM referral`); n != 1 {
		t.Errorf("%d referrals were sent", n)
	}
	if n := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM draft`); n != 0 {
		t.Error("the draft is still there")
	}
	for _, address := range d.visited {
		if strings.Contains(address, canary) || strings.Contains(address, "advocacy") || strings.Contains(address, "harbour") {
			t.Errorf("the address %s says something about her", address)
		}
	}
	d.hub.Reconciles(t)
}

// TestTwoTapsAtTheSameMomentAreOneReferral.
func TestTwoTapsAtTheSameMomentAreOneReferral(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := d.begun(t)
	d.agrees(t, draft, nil, "safe-contact", "need")
	requests := []*http.Request{}
	for range 2 {
		requests = append(requests, d.browser.Request(t, http.MethodPost, draft+"/send", "application/x-www-form-urlencoded", nil))
	}
	answers := hubtest.Together(2, func(i int) hubtest.Answer { return d.hub.Do(requests[i]) })
	for _, a := range answers {
		if a.Status != http.StatusSeeOther || a.Header.Get("Location") != answers[0].Header.Get("Location") {
			t.Errorf("answered %d %s: %s", a.Status, a.Header.Get("Location"), text(a.Body))
		}
	}
	if n := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM referral`); n != 1 {
		t.Errorf("%d referrals were sent", n)
	}
}

// TestNobodyElseSeesADraft, nor the page of one: not there and not hers look the same.
func TestNobodyElseSeesADraft(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := d.begun(t)
	d.agrees(t, draft, nil, "safe-contact", "need")
	_, colleague := d.hub.Joined(t, d.agency.ID, "A Colleague", partners.Manager)
	elsewhere := d.hub.Managed(t, "elm-lane", partners.PrimaryCare)
	_, stranger := d.hub.Joined(t, elsewhere.ID, "A Stranger", partners.Caseworker)
	_, admin := d.hub.Joined(t, d.agency.ID, "An Admin", partners.Administrator)
	_, auditor := d.hub.Joined(t, d.agency.ID, "An Auditor", partners.Auditor)
	pages := []string{"", "/delete", "/find", "/choose", "/urgency", "/check", "/warning", "/about/need", "/about/need/what"}
	posts := []string{"/delete", "/find", "/choose", "/urgency", "/send", "/about/need", "/about/need/what"}
	for name, b := range map[string]*hubtest.Browser{"a colleague": colleague, "another agency's": stranger, "an administrator": admin, "an auditor": auditor, "nobody": d.hub.Browser()} {
		want := http.StatusNotFound
		if name == "nobody" {
			want = http.StatusSeeOther
		}
		answers := map[string]hubtest.Answer{}
		for _, page := range pages {
			answers["GET "+page] = b.Get(t, draft+page)
		}
		for _, page := range posts {
			answers["POST "+page] = b.Form(t, draft+page, url.Values{})
		}
		for page, a := range answers {
			if a.Status != want || strings.Contains(string(a.Body), canary) || want == http.StatusSeeOther && !strings.HasPrefix(a.Header.Get("Location"), "/sign-in") {
				t.Errorf("%s: %s answers %d: %s", name, page, a.Status, text(a.Body))
			}
		}
	}
	for name, b := range map[string]*hubtest.Browser{"an administrator": admin, "an auditor": auditor} {
		if a := b.Get(t, "/send"); a.Status != http.StatusNotFound {
			t.Errorf("%s: /send answers %d", name, a.Status)
		}
		if a := b.Get(t, "/services"); a.Status != http.StatusOK {
			t.Errorf("%s: /services answers %d", name, a.Status)
		}
	}
	if d.answers(t, draft)["need.summary"][0] != canary {
		t.Error("the draft is not as it was")
	}
	sent := d.post(t, draft+"/send", nil)
	for name, b := range map[string]*hubtest.Browser{"another agency's": stranger, "an administrator": admin, "an auditor": auditor} {
		if a := b.Get(t, sent); a.Status != http.StatusNotFound {
			t.Errorf("%s: what was sent answers %d", name, a.Status)
		}
	}
}

// TestWhoIsAChildIsNotReferred: the page says to whom instead, and nothing is begun.
func TestWhoIsAChildIsNotReferred(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	d.wrong(t, "/send", form(), "Say whether she is 18 or over")
	at := d.post(t, "/send", form("adult", "no"))
	if says := text([]byte(d.get(t, at))); !strings.Contains(says, "children’s social care") {
		t.Errorf("it says %s", says)
	}
	if n := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM draft`); n != 0 {
		t.Error("a draft was begun")
	}
}

// TestAnAgencyWithItsOwnKeysIsToldHowToSend.
func TestAnAgencyWithItsOwnKeysIsToldHowToSend(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	_, b := d.hub.Joined(t, d.to.ID, "Bea Sample", partners.Caseworker)
	a := b.Get(t, "/send")
	if says := text(a.Body); a.Status != http.StatusOK || !strings.Contains(says, "handover send") || strings.Contains(says, "18 or over") {
		t.Errorf("%d %s", a.Status, says)
	}
	if a := b.Form(t, "/send", form("adult", "yes")); a.Status != http.StatusConflict {
		t.Errorf("beginning one all the same: %d", a.Status)
	}
	if a := b.Form(t, "/services", form("purpose", "housing", "area", hubtest.Area)); a.Status != http.StatusOK || !strings.Contains(text(a.Body), "your own agency’s") {
		t.Errorf("looking for a service: %d %s", a.Status, text(a.Body))
	}
}

func TestADraftIsListedAndDeleted(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	at := d.post(t, "/send", form("adult", "yes"))
	draft := strings.TrimSuffix(at, "/find")
	if at := d.post(t, at, form("purpose", "housing", "later", "yes")); at != "/send?done=kept" {
		t.Errorf("later leads to %s", at)
	}
	if page := d.get(t, "/send?done=kept"); !strings.Contains(page, `href="`+draft+`"`) || !strings.Contains(page, "Your draft is saved.") {
		t.Error("the draft is not on the first page")
	}
	d.get(t, draft+"/delete")
	d.get(t, d.post(t, draft+"/delete", nil))
	if a := d.browser.Get(t, draft); a.Status != http.StatusNotFound {
		t.Errorf("afterwards it answers %d", a.Status)
	}
	if a := d.browser.Get(t, draft+"/delete"); a.Status != http.StatusNotFound {
		t.Errorf("deleting it again: %d", a.Status)
	}
}

// TestARefusalOfTheDeskKeepsTheDraftAndIsLogged, and leads to the page that mends it.
func TestARefusalOfTheDeskKeepsTheDraftAndIsLogged(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := d.begun(t)
	d.agrees(t, draft, nil, "safe-contact", "need")
	refused := func(name, code, leads, says string) {
		t.Helper()
		before := d.hub.Logged(t)
		a := d.browser.Form(t, draft+"/send", nil)
		if a.Status != http.StatusUnprocessableEntity || !strings.Contains(text(a.Body), says) || !strings.Contains(string(a.Body), `href="`+leads+`"`) {
			t.Errorf("%s: %d does not lead to %s:\n%s", name, a.Status, leads, text(a.Body))
		}
		if strings.Contains(string(a.Body), canary) {
			t.Errorf("%s: the page shows what was written", name)
		}
		logged := false
		for _, e := range d.hub.Entries(t, before) {
			logged = logged || e.Act == proof.Refused && e.Outcome == code && e.User == d.worker.ID && e.Event == "request"
		}
		if !logged {
			t.Errorf("%s is not logged", name)
		}
		if d.answers(t, draft)["need.summary"][0] != canary {
			t.Errorf("%s: the draft is not as it was", name)
		}
	}
	d.hub.Exec(t, `UPDATE agreement SET sections = '{need}'`)
	d.answer(t, draft, "area", "E09000001")
	refused("another area", "service-unavailable-for-referral", draft+"/choose", "They take no referrals for this now")
	d.answer(t, draft, "area", hubtest.Area)
	d.hub.Exec(t, `UPDATE service SET capacity = 'paused'`)
	refused("a service that closed", "service-unavailable-for-referral", draft+"/choose", "They take no referrals for this now")
	d.hub.Exec(t, `UPDATE service SET capacity = 'open'`)
	d.answer(t, draft, "purpose", "housing")
	refused("another purpose", "not-covered", draft+"/consent/recorded", "does not cover this")
	d.answer(t, draft, "purpose", "advocacy")
	d.answer(t, draft, "identity.date_of_birth", "2015")
	d.hub.Exec(t, `UPDATE agreement SET sections = '{need,identity,safe-contact}'`)
	d.agrees(t, draft, nil, "safe-contact", "need", "identity")
	refused("a child", "under-eighteen", "/send/under-18", "under 18")
	d.answer(t, draft, "identity.date_of_birth", "31 June 1990")
	refused("a day that is none", "section-unfit", draft+"/about/identity/birth", "missing or cannot be read")
	d.answer(t, draft, "identity.date_of_birth", "1990")
	if _, err := d.hub.Desk.Withdraw(t.Context(), d.caller, d.answers(t, draft)["consent"][0], newID()); err != nil {
		t.Fatal(err)
	}
	refused("what she took back", "consent-withdrawn", draft+"/consent/recorded", "taken her agreement back")
	if n := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM packet`); n != 0 {
		t.Errorf("%d packets were stored", n)
	}
}
