package send_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/managed"
)

// proposed has the worker propose to share without her agreement, and puts it under the draft.
func (d *desk) proposed(t *testing.T, draft string, sections ...string) string {
	t.Helper()
	now := d.hub.Now().Unix()
	p := managed.Proposal{Claims: record.OverrideClaims{ID: newID(), Subject: hubtest.Subject(), Purpose: "protect-from-harm", Recipient: string(d.to.ID), Sections: sections,
		Agreement: "refused", Reason: "child-at-risk", AtRisk: []string{"child"}, Told: "no", NotTold: "unsafe", Bases: record.Bases{{Article6: "d"}},
		Gate: record.Gate{Pathway: "none"}, ValidFrom: now, Expires: now + 3600, ReviewAt: now + 1800},
		Texts: map[string]string{"necessity": canary, "minimum": canary, "at-risk": canary}}
	if _, err := d.hub.Desk.Propose(t.Context(), d.caller, p); err != nil {
		t.Fatal(err)
	}
	d.answer(t, draft, "override", p.Claims.ID)
	return p.Claims.ID
}

// TestSharingWithoutHerAgreementStopsAtACard, once a manager has approved it, and before that at
// the page to check.
func TestSharingWithoutHerAgreementStopsAtACard(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := d.begun(t)
	d.post(t, draft+"/find", form("purpose", "protect-from-harm", "area", hubtest.Area))
	id := d.proposed(t, draft, "need")
	waits := d.get(t, draft+"/check")
	if !strings.Contains(text([]byte(waits)), "A manager of your agency has to approve it first.") || strings.Contains(waits, draft+"/warning") || strings.Contains(waits, draft+`/send"`) {
		t.Errorf("before it is approved: %s", text([]byte(waits)))
	}
	if a := d.browser.Form(t, draft+"/send", nil); a.Status != http.StatusUnprocessableEntity || !strings.Contains(string(a.Body), "/overrides/"+id) {
		t.Errorf("sent before it is approved: %d %s", a.Status, text(a.Body))
	}
	manager := d.hub.Person(t, d.agency.ID, partners.Manager)
	if _, err := d.hub.Desk.Decide(t.Context(), manager.Caller(t), id, newID(), record.Approved); err != nil {
		t.Fatal(err)
	}
	check := d.get(t, draft+"/check")
	if !strings.Contains(check, draft+"/warning") || strings.Contains(check, `action="`+draft+`/send"`) || !strings.Contains(text([]byte(check)), "does not cover it") {
		t.Errorf("the page to check: %s", text([]byte(check)))
	}
	if card := d.get(t, draft+"/warning"); !strings.Contains(text([]byte(card)), "You are sharing without her agreement") || !strings.Contains(card, `action="`+draft+`/send"`) {
		t.Errorf("the card: %s", text([]byte(card)))
	}
	if tasks := text([]byte(d.get(t, draft))); !strings.Contains(tasks, "Without her agreement") {
		t.Errorf("the task list: %s", tasks)
	}
	sent := strings.TrimPrefix(d.post(t, draft+"/send", nil), "/send/sent/")
	if got := hubtest.Column[string](t, d.hub, `SELECT p.override_id || ' ' || s.name FROM packet p JOIN section s ON s.packet = p.seq WHERE p.digest = $1`, sent); len(got) != 1 || got[0] != id+" need" {
		t.Errorf("sent on %v", got)
	}
}

// TestWhoIsInDangerIsToldOf999, however soon she is said to need an answer.
func TestWhoIsInDangerIsToldOf999(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := d.begun(t)
	d.agrees(t, draft, nil, "safe-contact", "need")
	if page := d.get(t, draft+"/check"); strings.Contains(page, draft+"/warning") {
		t.Error("a card before what is routine")
	}
	d.post(t, draft+"/about/risk/danger", form("risk__immediate_danger", "yes"))
	if page := d.get(t, draft+"/check"); !strings.Contains(page, draft+"/warning") {
		t.Error("no card, and she is in danger")
	}
	if card := text([]byte(d.get(t, draft+"/warning"))); !strings.Contains(card, "call 999 before you go on") || !strings.Contains(card, "within 2 working days") {
		t.Errorf("the card says %s", card)
	}
}

// TestAnAnswerThatIsStillOnItsWayIsNoRefusal: the proof comes late, and another try finds what
// was sent.
func TestAnAnswerThatIsStillOnItsWayIsNoRefusal(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := d.begun(t)
	d.agrees(t, draft, nil, "safe-contact", "need")
	d.hub.Desk.Wait = 300 * time.Millisecond
	d.hub.StopLog()
	a := d.browser.Form(t, draft+"/send", nil)
	if a.Status != http.StatusServiceUnavailable || !strings.Contains(string(a.Body), `action="`+draft+`/send"`) || !strings.Contains(text(a.Body), "sent once, however often you press") {
		t.Errorf("%d %s", a.Status, text(a.Body))
	}
	other := d.hub.Another(t) // whose log goes on
	again := hubtest.NewBrowser(hubtest.Issuer, other.Do)
	again.Cookies = d.browser.Cookies
	if a := again.Form(t, draft+"/send", nil); a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/send/sent/") {
		t.Errorf("another try: %d %s", a.Status, text(a.Body))
	}
	if n := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM referral`); n != 1 {
		t.Errorf("%d referrals", n)
	}
}

// TestAServiceIsFoundByAnybodySignedIn, and what is looked for stands in no address.
func TestAServiceIsFoundByAnybodySignedIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	d.hub.Offer(t, d.to, func(s *partners.Service) {
		s.Name, s.Capacity, s.Wait, s.WomenOnly, s.AcceptsNoRecourse, s.SelfReferral = "A second", "waiting-list", "one-to-three-months", true, true, true
	})
	d.hub.Offer(t, d.to, func(s *partners.Service) { s.Name, s.Capacity = "A third", "paused" })
	d.hub.Offer(t, d.to, func(s *partners.Service) { s.Name, s.Areas = "A fourth", []string{"E08000003"} })
	if a := d.hub.Browser().Get(t, "/services"); a.Status != http.StatusSeeOther {
		t.Errorf("a stranger is answered %d", a.Status)
	}
	d.get(t, "/services")
	a := d.browser.Form(t, "/services", form("purpose", "advocacy", "area", hubtest.Area))
	shown := text(a.Body)
	for _, says := range []string{"3 found", "Has room", "Has a waiting list: 1 to 3 months", "Takes nobody now", "For women only", "no recourse to public funds", "go there herself", "Agency harbour, specialist women's services"} {
		if !strings.Contains(shown, says) {
			t.Errorf("it does not say %q: %s", says, shown)
		}
	}
	if strings.Index(shown, "Has room") > strings.Index(shown, "A second") || strings.Index(shown, "A second") > strings.Index(shown, "A third") {
		t.Errorf("those that have room do not come first: %s", shown)
	}
	if a := d.browser.Form(t, "/services", form("purpose", "advocacy", "area__other", "e08000003")); !strings.Contains(text(a.Body), "A fourth") {
		t.Errorf("in Manchester: %s", text(a.Body))
	}
	if a := d.browser.Form(t, "/services", form("purpose", "advocacy", "area", "E09000001")); !strings.Contains(text(a.Body), "None found") {
		t.Errorf("in the City: %s", text(a.Body))
	}
	d.wrong(t, "/services", form(), "Choose what kind of help she needs")
}
