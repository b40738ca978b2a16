package send_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// TestSheSaysYesToAPart: what she did not agree to is left out, and the page says so.
func TestSheSaysYesToAPart(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := d.begun(t)
	d.post(t, draft+"/about/health/what", form("health__summary", canary+" is diabetic"))
	d.post(t, draft+"/about/risk/danger", form("risk__summary", canary+" is followed"))
	if got := d.answers(t, draft)["sections"]; !slices.Equal(got, []string{"safe-contact", "need", "risk", "health"}) {
		t.Errorf("she is asked about %v", got)
	}
	d.agrees(t, draft, func(c *record.Claims) { c.Withheld = []string{"risk"} }, "safe-contact", "need", "risk")
	check := text([]byte(d.get(t, draft+"/check")))
	if strings.Contains(check, "diabetic") || strings.Contains(check, "followed") || strings.Count(check, "She has not agreed to this part.") != 2 {
		t.Errorf("the page to check says %s", check)
	}
	sent := strings.TrimPrefix(d.post(t, draft+"/send", nil), "/send/sent/")
	names := hubtest.Column[string](t, d.hub, `SELECT s.name FROM section s JOIN packet p ON p.seq = s.packet WHERE p.digest = $1 ORDER BY 1`, sent)
	if !slices.Equal(names, []string{"need", "safe-contact"}) {
		t.Errorf("%v were sent", names)
	}
	// And her agency's copies hold what was written.
	var need struct {
		Summary string `json:"summary"`
	}
	opened, err := d.hub.Desk.Open(t.Context(), d.caller, sent, opening("need", "safe-contact"))
	if err != nil {
		t.Fatal(err)
	}
	decode(t, opened.Content["need"], &need)
	if need.Summary != canary || len(opened.Unfit) > 0 || opened.Stale {
		t.Errorf("the copy says %s, %+v", opened.Content["need"], opened.Unfit)
	}
}

// TestNothingIsSentButWhatSheHasLookedAt: what changes between the last page and her tap, in another
// window or at another agency, is shown to her again before it goes, or does not go.
func TestNothingIsSentButWhatSheHasLookedAt(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := d.begun(t)
	d.agrees(t, draft, nil, "safe-contact", "need")
	seen := func() string {
		found := regexp.MustCompile(`name="seen" value="([^"]+)"`).FindStringSubmatch(d.get(t, draft+"/check"))
		if found == nil {
			t.Fatal("the page does not say what it shows")
		}
		return found[1]
	}
	first := seen()
	if first != seen() {
		t.Error("looked at twice, it is not the same")
	}
	d.post(t, draft+"/about/need/what", form("need__summary", "something else", "need__safe_tonight", "no"))
	if at := d.post(t, draft+"/send", form("seen", first)); at != draft+"/check?done=changed" {
		t.Errorf("written anew in another window, it leads to %s", at)
	}
	if page := text([]byte(d.get(t, draft+"/check?done=changed"))); !strings.Contains(page, "Nothing was sent: something of this has changed") || !strings.Contains(page, "something else") {
		t.Errorf("she is shown %s", page)
	}
	second := seen()
	d.hub.Exec(t, `UPDATE agreement SET sections = array_remove(sections, 'safe-contact')`)
	if at := d.post(t, draft+"/send", form("seen", second)); at != draft+"/check?done=changed" {
		t.Errorf("covered no more in part, it leads to %s", at)
	}
	if n := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM referral`); n != 0 {
		t.Errorf("%d are sent", n)
	}
	d.post(t, draft+"/send", form("seen", seen()))
	if n := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM referral`); n != 1 {
		t.Errorf("%d are sent", n)
	}
}

// TestWhatMayNotGoIsNotAsked: the firewall's reasons stand on the page, and no address gets past
// them.
func TestWhatMayNotGoIsNotAsked(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.Housing)
	d.hub.Exec(t, `DELETE FROM agreement`)
	d.hub.Agree(t, d.agency, d.to, func(a *partners.Agreement) {
		a.Sections = slices.DeleteFunc(a.Sections, func(s string) bool { return s == "history" })
	})
	draft := d.begun(t)
	page := d.get(t, draft)
	for _, says := range []string{"Health: Use access-needs", "Immigration: Eligibility is a coded answer in housing.", "What happened before: The agreement between your agencies does not cover it."} {
		if !strings.Contains(text([]byte(page)), says) {
			t.Errorf("the task list does not say %q:\n%s", says, text([]byte(page)))
		}
	}
	for _, section := range []string{"health", "immigration", "justice", "history", "nothing"} {
		if strings.Contains(page, draft+"/about/"+section+`"`) {
			t.Errorf("the task list leads to %s", section)
		}
		for _, a := range []hubtest.Answer{d.browser.Get(t, draft+"/about/"+section), d.browser.Get(t, draft+"/about/"+section+"/what"), d.browser.Form(t, draft+"/about/"+section+"/what", form("health__summary", canary))} {
			if a.Status != http.StatusNotFound {
				t.Errorf("%s answers %d", section, a.Status)
			}
		}
	}
	// Written for an agency that may have it, then sent to one that may not: it stays here.
	d.answer(t, draft, "health.summary", canary+" is diabetic")
	d.agrees(t, draft, nil, "safe-contact", "need", "health")
	if check := text([]byte(d.get(t, draft+"/check"))); !strings.Contains(check, "It may not go to Agency harbour.") || strings.Contains(check, "diabetic") {
		t.Errorf("the page to check says %s", check)
	}
	d.post(t, draft+"/send", nil)
	if n := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM section WHERE name = 'health'`); n != 0 {
		t.Error("health was sent to a housing team")
	}
}

// TestPoliceAreToldOfHerWorkerAlone.
func TestPoliceAreToldOfHerWorkerAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.Police)
	draft := strings.TrimSuffix(d.post(t, "/send", form("adult", "yes")), "/find")
	d.post(t, draft+"/find", form("purpose", "protect-from-harm", "area", hubtest.Area))
	d.post(t, draft+"/choose", form("service", d.service))
	d.post(t, draft+"/urgency", form("urgency", "urgent"))
	page := d.get(t, draft+"/about/safe-contact/how")
	if strings.Contains(page, `value="call"`) || !strings.Contains(page, `value="via-worker"`) || !strings.Contains(text([]byte(page)), "This goes to the police.") {
		t.Errorf("it asks %s", text([]byte(page)))
	}
	d.post(t, draft+"/about/safe-contact/how", form("safe-contact__channel", "via-worker", "safe-contact__last_confirmed", "today"))
	if a := d.browser.Get(t, draft+"/about/safe-contact/trusted"); a.Status != http.StatusNotFound {
		t.Errorf("who else may be told is asked: %d", a.Status)
	}
	// What was written before it was to go to police stays here.
	d.answer(t, draft, "safe-contact.trusted_contact.called", canary)
	d.post(t, draft+"/about/need/what", form())
	d.agrees(t, draft, func(c *record.Claims) { c.Purpose, c.Recipients = "protect-from-harm", []string{"category:police"} }, "safe-contact", "need")
	if check := text([]byte(d.get(t, draft+"/check"))); !strings.Contains(check, "They are police.") || strings.Contains(check, canary) {
		t.Errorf("the page to check says %s", check)
	}
	sent := strings.TrimPrefix(d.post(t, draft+"/send", nil), "/send/sent/")
	opened, err := d.hub.Desk.Open(t.Context(), d.caller, sent, opening("safe-contact"))
	if err != nil || strings.Contains(string(opened.Content["safe-contact"]), canary) {
		t.Errorf("sent to police: %s %v", opened.Content["safe-contact"], err)
	}
}

// TestWhatIsWrongIsToldWhereItIsWritten, and what was typed is kept on the page.
func TestWhatIsWrongIsToldWhereItIsWritten(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := strings.TrimSuffix(d.post(t, "/send", form("adult", "yes")), "/find")
	d.wrong(t, draft+"/find", form("purpose", "everything"), "Choose what kind of help she needs", "Choose a borough")
	d.wrong(t, draft+"/find", form("purpose", "housing", "area__other", "E99"), "Enter the authority’s code")
	d.post(t, draft+"/find", form("purpose", "advocacy", "area", hubtest.Area))
	d.wrong(t, draft+"/choose", form("service", newID()), "Choose a service")
	d.post(t, draft+"/choose", form("service", d.service))
	d.wrong(t, draft+"/urgency", form("urgency", "soon"), "Choose how soon")
	d.post(t, draft+"/urgency", form("urgency", "urgent"))
	how := draft + "/about/safe-contact/how"
	d.wrong(t, how, form(), "Choose how she may be reached", "Enter the day on which she last said so, or today")
	d.wrong(t, how, form("safe-contact__channel", "call", "safe-contact__last_confirmed", "today"), "Enter a telephone number")
	d.wrong(t, how, form("safe-contact__channel", "via-worker", "safe-contact__number", "ring ring", "safe-contact__last_confirmed", "1 January 2020"), "Enter a telephone number", "more than 14 days ago")
	d.wrong(t, how, form("safe-contact__channel", "none", "safe-contact__last_confirmed", "1 January 2099"), "not in the future")
	d.wrong(t, how, form("safe-contact__channel", "none", "safe-contact__last_confirmed", "a while ago"), "Enter a day, as 26 11 2026")
	d.post(t, how, form("safe-contact__channel", "none", "safe-contact__last_confirmed", "today"))
	d.wrong(t, draft+"/about/need/what", form("need__summary", strings.Repeat("x", 4001)), "Use at most 4000 characters")
	d.post(t, draft+"/about/need/what", form())
	harm := draft + "/about/risk/harm"
	d.wrong(t, harm, form("risk__harms__0__type", "cuckooing", "risk__harms__0__detail", canary), "Choose an answer")
	for page, fields := range map[string]url.Values{
		"identity/number": form("identity__nhs_number", "9990000019"), "identity/birth": form("identity__date_of_birth", "when she was young"), "contact/phone": form("contact__email", "nobody"),
		"housing/household": form("housing__household__adults", "many"), "location/where": form("location__area__other", "E99"), "immigration/status": form("immigration__nationality", "Narnia"),
	} {
		a := d.browser.Form(t, draft+"/about/"+page, fields)
		if a.Status != http.StatusUnprocessableEntity || !strings.Contains(text(a.Body), "Enter ") {
			t.Errorf("%s: %d %s", page, a.Status, text(a.Body))
		}
		for name, values := range fields {
			if !strings.Contains(string(a.Body), `href="#`+name+`"`) || !strings.Contains(strings.ToLower(string(a.Body)), strings.ToLower(values[0])) {
				t.Errorf("%s does not lead to %s, or does not keep what was typed", page, name)
			}
		}
	}
	if n := hubtest.Value[int](t, d.hub, `SELECT count(*) FROM packet`); n != 0 {
		t.Errorf("%d packets", n)
	}
}

func TestItemsAreAddedChangedAndTakenOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := d.begun(t)
	feared := draft + "/about/risk/feared"
	if at := d.post(t, feared, form("risk__feared__0__called", "Ash", "another", "yes")); at != feared {
		t.Errorf("another is asked for at %s", at)
	}
	if page := d.get(t, feared); !strings.Contains(page, `name="risk__feared__1__called"`) || !strings.Contains(text([]byte(page)), "Ash") {
		t.Error("the second is not asked for beside the first")
	}
	d.post(t, feared, form("risk__feared__1__called", "Birch", "risk__feared__1__why", "follows her"))
	d.post(t, feared+"?item=0", form("risk__feared__0__called", "Ashley"))
	section := text([]byte(d.get(t, draft+"/about/risk")))
	if !strings.Contains(section, "Ashley Birch, follows her") {
		t.Errorf("the section says %s", section)
	}
	d.post(t, feared+"?item=0", form("remove", "yes"))
	if got := d.answers(t, draft); got["risk.feared.0.called"][0] != "Birch" || got["risk.feared.1.called"] != nil {
		t.Errorf("left %v", got)
	}
	d.post(t, draft+"/about/risk", form())
	for question := range d.answers(t, draft) {
		if strings.HasPrefix(question, "risk.") {
			t.Errorf("the section was taken out, and %s is there", question)
		}
	}
}

// TestAnotherAgencyIsAnotherQuestionToHer: what she agreed to does not follow to whom it was not
// said.
func TestAnotherAgencyIsAnotherQuestionToHer(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	second := d.hub.Agency(t, "willow", partners.VAWGService)
	other := d.hub.Offer(t, second)
	d.hub.Agree(t, d.agency, second)
	unagreed := d.hub.Offer(t, d.hub.Agency(t, "far-away", partners.VAWGService))
	paused := d.hub.Offer(t, second, func(s *partners.Service) { s.Capacity = "paused" })
	draft := d.begun(t)
	d.agrees(t, draft, nil, "safe-contact", "need")
	d.post(t, draft+"/choose", form("service", d.service))
	if d.answers(t, draft)["consent"] == nil {
		t.Error("the same agency again, and she has to be asked again")
	}
	for _, id := range []string{unagreed, paused, newID()} {
		d.wrong(t, draft+"/choose", form("service", id), "Choose a service", "Your agency has no agreement with them", "Takes nobody now")
	}
	if at := d.post(t, draft+"/choose", form("service", other)); at != draft+"/consent" || d.answers(t, draft)["consent"] != nil {
		t.Errorf("to another agency it leads to %s", at)
	}
	d.agrees(t, draft, func(c *record.Claims) { c.Recipients = []string{"willow"} }, "safe-contact", "need")
	d.post(t, draft+"/find", form("purpose", "benefits", "area", hubtest.Area))
	if d.answers(t, draft)["consent"] != nil {
		t.Error("for something else, and she is not asked again")
	}
	if a := d.browser.Get(t, draft+"/check"); a.Status != http.StatusSeeOther || a.Header.Get("Location") != draft+"/consent" {
		t.Errorf("to check leads to %s", a.Header.Get("Location"))
	}
	if a := d.browser.Form(t, draft+"/send", nil); a.Status != http.StatusSeeOther || a.Header.Get("Location") != draft+"/consent" {
		t.Errorf("to send leads to %s", a.Header.Get("Location"))
	}
}

// TestADutyToReferNeedsAName: the page to check says what is missing before the desk refuses it.
func TestADutyToReferNeedsAName(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.Housing)
	draft := d.begun(t)
	d.post(t, draft+"/find", form("purpose", "duty-to-refer", "area", hubtest.Area))
	d.post(t, draft+"/choose", form("service", d.service))
	d.agrees(t, draft, func(c *record.Claims) {
		c.Purpose, c.Gate = "duty-to-refer", record.Gate{Pathway: "duty-to-refer", Agreements: []string{"referral", "contact-details", "authority"}, Authority: hubtest.Area}
	}, "safe-contact", "need", "identity")
	page := d.get(t, draft+"/check")
	if strings.Contains(page, `action="`+draft+`/send"`) || !strings.Contains(text([]byte(page)), "A name is missing") {
		t.Errorf("it can be sent without a name: %s", text([]byte(page)))
	}
	d.post(t, draft+"/about/identity/name", form("identity__known_as", canary))
	if page := d.get(t, draft+"/check"); !strings.Contains(page, `action="`+draft+`/send"`) || !strings.Contains(text([]byte(page)), "no application as homeless") {
		t.Errorf("it cannot be sent: %s", text([]byte(page)))
	}
	d.get(t, d.post(t, draft+"/send", nil))
}

// TestWhatWasDeclinedIsSentOn: to another agency, on another yes of hers.
func TestWhatWasDeclinedIsSentOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, partners.VAWGService)
	draft := d.begun(t)
	d.agrees(t, draft, nil, "safe-contact", "need")
	first := strings.TrimPrefix(d.post(t, draft+"/send", nil), "/send/sent/")
	if a := d.browser.Form(t, "/send", form("from", first)); a.Status != http.StatusConflict {
		t.Errorf("while it is open: %d", a.Status)
	}
	if a := d.browser.Form(t, "/send", form("from", strings.Repeat("A", 43))); a.Status != http.StatusNotFound {
		t.Errorf("one that is not there: %d", a.Status)
	}
	second := d.hub.Agency(t, "willow", partners.VAWGService)
	other := d.hub.Offer(t, second)
	d.hub.Agree(t, d.agency, second)
	points := d.to.Event(d.agency, packet.Redirect, first, first)
	points.Service = other
	d.to.Sent(t, points.Seal(t))
	if page := d.get(t, "/referrals/"+first); !strings.Contains(page, `<input type="hidden" name="from" value="`+first+`">`) {
		t.Error("its page does not offer to send it on")
	}
	again := strings.TrimSuffix(d.post(t, "/send", form("from", first)), "/find")
	if got := d.answers(t, again); got["onward_from"][0] != first || got["purpose"][0] != "advocacy" || got["need.summary"] != nil {
		t.Errorf("it begins with %v", got)
	}
	if page := d.get(t, again+"/choose"); !strings.Contains(page, `value="`+other+`" checked`) {
		t.Error("the service that they pointed to is not the one that is chosen")
	}
	d.post(t, again+"/choose", form("service", other))
	d.post(t, again+"/about/safe-contact/how", form("safe-contact__channel", "none", "safe-contact__last_confirmed", "today"))
	d.post(t, again+"/about/need/what", form())
	d.agrees(t, again, func(c *record.Claims) { c.Recipients = []string{"willow"} }, "safe-contact", "need")
	d.get(t, d.post(t, again+"/send", nil))
}
