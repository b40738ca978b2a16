package send_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/web/webtest"
)

// walker is somebody on her phone, who counts the pages that she is shown.
type walker struct {
	*webtest.Tab
	t     *testing.T
	pages int
}

// next sends the form of the page and waits for the next, which is looked at the first time.
func (w *walker) next(appears, name string) {
	w.t.Helper()
	was := w.At()
	w.Click(`main form button`, appears)
	if w.At() == was {
		w.t.Fatalf("it leads nowhere from %s: %s", was, w.Text())
	}
	w.shown(name)
}

// shown counts a page.
func (w *walker) shown(name string) {
	w.t.Helper()
	w.pages++
	if name != "" {
		w.Inspect(name)
	}
}

// choose chooses an answer.
func (w *walker) choose(question, answer string) {
	w.t.Helper()
	at := `input[name="` + question + `"][value="` + answer + `"]`
	w.Click(at, at)
}

const most = 12 // pages of a minimal referral, the first and the last among them

// TestJourneyAMinimalReferralInTwelvePages: on a phone, with JavaScript off, from "Send a referral"
// to what is shown when it is sent, her agreement among it.
func TestJourneyAMinimalReferralInTwelvePages(t *testing.T) {
	t.Parallel()
	d := deskAt(t, hubtest.Listening(t), partners.VAWGService)
	tab := webtest.Open(t, d.hub)
	tab.As(d.browser)
	tab.NoScript()
	w := &walker{Tab: tab, t: t}
	w.Visit("/send", `#adult`)
	w.shown("send-start")
	w.choose("adult", "yes")
	w.next(`#purpose`, "send-find")
	w.Fill(`#purpose`, "advocacy")
	w.Fill(`#area`, hubtest.Area)
	w.next(`#service`, "send-choose")
	w.choose("service", d.service)
	w.next(`input[name="urgency"]`, "send-urgency")
	w.choose("urgency", "urgent")
	w.next(`input[name="safe-contact__channel"]`, "send-safe-contact")
	w.choose("safe-contact__channel", "via-worker")
	w.Fill(`#safe-contact__number`, "020 7946 0000")
	w.Fill(`#safe-contact__last_confirmed`, "today")
	w.next(`#need__summary`, "send-need")
	w.Fill(`#need__summary`, canary+" wants somebody to come along")
	w.next(`input[name="consent-agreement"]`, "")
	w.choose("consent-agreement", "agreed")
	w.choose("consent-sections", "safe-contact")
	w.choose("consent-sections", "need")
	w.next(`input[name="consent-alone"]`, "")
	for question, answer := range map[string]string{"consent-method": "verbal-in-person", "consent-alone": "yes", "consent-coercion": "none",
		"consent-interpreter": "none", "consent-capacity": "presumed"} {
		w.choose(question, answer)
	}
	w.next(`input[name="consent-until"]`, "")
	w.next(`a[href$="/consent/words"]`, "")
	w.next(`form[action$="/send"]`, "send-check")
	if shown := w.Text(); !strings.Contains(shown, canary) || !strings.Contains(shown, "What she said about sharing is recorded.") || !strings.Contains(shown, "Not even the hub can open it") {
		t.Errorf("the page to check says %s", shown)
	}
	w.next(`.govuk-panel--confirmation`, "send-sent")
	if w.pages > most {
		t.Errorf("%d pages were shown, want %d at most", w.pages, most)
	}
	tab.Clean()
	for _, address := range tab.Visited() {
		for _, says := range []string{canary, "advocacy", "harbour", "7946"} {
			if strings.Contains(address, says) {
				t.Errorf("the address %s says %s", address, says)
			}
		}
	}
}

// to goes by the Tab key to what is wanted.
func (w *walker) to(what string) {
	w.t.Helper()
	for range 120 {
		if webtest.Eval[bool](w.Tab, `document.activeElement.matches('`+what+`')`) {
			return
		}
		w.Press("\t")
	}
	w.t.Fatalf("by the Tab key nobody comes to %s at %s: %s", what, w.At(), w.Text())
}

// enter presses the form's first button, and waits for the next page.
func (w *walker) enter(appears string) {
	w.t.Helper()
	w.to(`main form button`)
	w.Press("\r")
	w.Do("waiting for "+appears, chromedp.WaitVisible(chromedp.CSS(appears)))
}

// TestJourneyByKeyboardInAnEmergency: the card comes before it is sent, and 999 before everything.
func TestJourneyByKeyboardInAnEmergency(t *testing.T) {
	t.Parallel()
	d := deskAt(t, hubtest.Listening(t), partners.VAWGService)
	tab := webtest.Open(t, d.hub)
	tab.As(d.browser)
	w := &walker{Tab: tab, t: t}
	w.Visit("/send", `#adult`)
	w.to(`#adult`)
	w.Press(" ")
	w.enter(`#purpose`)
	w.to(`#purpose`)
	w.Press("Someone")
	w.to(`#area`)
	w.Press("Camden")
	w.enter(`#service`)
	w.to(`#service`)
	w.Press(" ")
	w.enter(`#urgency`)
	w.to(`#urgency`)
	w.Press(" ")
	w.enter(`#safe-contact__channel`)
	w.to(`#safe-contact__channel`)
	w.Press(" ")
	w.enter(`.govuk-error-summary`)
	tab.Inspect("send-mistake")
	w.to(`#safe-contact__number`)
	w.Press("07700 900123")
	w.to(`#safe-contact__last_confirmed`)
	w.Press("today")
	w.enter(`#need__summary`)
	w.enter(`input[name="consent-agreement"]`)
	draft := strings.TrimSuffix(tab.At(), "/consent")
	d.agrees(t, draft, nil, "safe-contact", "need")
	w.restOfPages(d, draft)
	w.Visit(draft+"/check", `a[href*="/warning?"]`)
	w.to(`a[href*="/warning?"]`)
	w.Press("\r")
	w.Do("waiting for the card", chromedp.WaitVisible(chromedp.CSS(`.moj-interruption-card`)))
	if shown := w.Text(); !strings.Contains(shown, "call 999 before you go on") {
		t.Errorf("the card says %s", shown)
	}
	tab.Inspect("send-warning")
	w.enter(`.govuk-panel--confirmation`)
	tab.Clean()
}

// restOfPages looks at the pages that the shortest way does not touch.
func (w *walker) restOfPages(d *desk, draft string) {
	w.t.Helper()
	for _, page := range []struct{ path, appears, name string }{
		{draft, `.govuk-task-list`, "send-tasks"}, {draft + "/about/risk", `.govuk-summary-list`, "send-section"},
		{draft + "/about/risk/feared", `#risk__feared__0__called`, "send-question-list"}, {draft + "/about/access-needs/language", `input[type="checkbox"]`, "send-question-checkboxes"},
		{draft + "/about/housing/authority", `#housing__authority`, "send-question-authority"}, {draft + "/about/identity/birth", `#identity__date_of_birth`, "send-question-one"},
		{"/send", `a[href="` + draft + `"]`, "send-drafts"}, {draft + "/delete", `.govuk-button--warning`, "send-delete"}, {"/send/under-18", `h1`, "send-under-18"},
	} {
		w.Visit(page.path, page.appears)
		w.Inspect(page.name)
	}
	w.Visit("/services", `#purpose`)
	w.Fill(`#purpose`, "advocacy")
	w.Fill(`#area`, hubtest.Area)
	w.Click(`main form button`, `.handover-card`)
	w.Inspect("services")
	d.hub.Exec(w.t, `UPDATE service SET capacity = 'paused'`)
	w.Visit(draft+"/choose", `.handover-card`)
	w.Inspect("send-choose-none")
	d.hub.Exec(w.t, `UPDATE service SET capacity = 'open'`)
	_, own := d.hub.Joined(w.t, d.to.ID, "Bea Sample", partners.Caseworker)
	other := webtest.Open(w.t, d.hub)
	other.As(own)
	other.Visit("/send", `h1`)
	other.Inspect("send-own-keys")
	other.Clean()
}
