package consents_test

import (
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/web/webtest"
)

// tick ticks boxes and radios by the value that they stand for.
func tick(b *webtest.Tab, field string, values ...string) {
	for _, v := range values {
		b.Click(`input[name="`+field+`"][value="`+v+`"]`, "main")
	}
}

// TestAWorkerAsksHerOnAPhone: a partial yes on four pages, without JavaScript, and what her
// worker can do with it afterwards, to the moment at which she takes it back.
func TestAWorkerAsksHerOnAPhone(t *testing.T) {
	t.Parallel()
	r := rigAt(t, hubtest.Listening(t))
	at := "/send/" + r.draft(t) + "/consent"
	b := webtest.Open(t, r.hub)
	b.As(r.worker)
	b.NoScript()
	b.Visit(at, ".govuk-inset-text")
	b.Inspect("consent-told")
	b.Click("main form button", ".govuk-error-summary")
	b.Inspect("consent-told-error")
	tick(b, "consent-sections", "need", "safe-contact", "risk")
	tick(b, "consent-back", "yes")
	tick(b, "consent-agreement", "agreed")
	b.Click("main form button", `input[name="consent-coercion"]`)
	b.Inspect("consent-how")
	for field, value := range map[string]string{"consent-method": "verbal-in-person", "consent-alone": "yes", "consent-coercion": "none", "consent-interpreter": "none"} {
		tick(b, field, value)
	}
	b.Click("main form button", "textarea")
	b.Inspect("consent-words")
	b.Fill("textarea", "Yes to the housing people. Not my health.")
	tick(b, "never-kinds", "category:police")
	b.Click("main form button", ".govuk-summary-list")
	b.Inspect("consent-check")
	b.Click(`a[href$="/basis"]`, "main select")
	b.Inspect("consent-basis")
	b.Click("main form button", ".govuk-summary-list")
	b.Click("main form button", ".govuk-notification-banner")
	if where := b.At(); where != strings.TrimSuffix(at, "/consent")+"?done=consent" {
		t.Fatalf("after her yes her worker is at %s", where)
	}
	b.Visit("/consents", ".govuk-summary-card")
	b.Inspect("consents")
	b.Click(`a[href="/consents?tab=ending"]`, ".moj-sub-navigation")
	b.Inspect("consents-ending")
	b.Visit("/consents", ".govuk-summary-card")
	b.Click(".govuk-summary-card__title a", `form[action$="/words"]`)
	b.Inspect("consent")
	b.Click(`form[action$="/words"] button`, `dl + h2`)
	b.Inspect("consent-opened")
	b.Click(`a[href^="/nevers/new/"]`, "main select")
	b.Inspect("never-new")
	tick(b, "never-kinds", "category:housing")
	b.Click("main form button", ".govuk-summary-card")
	b.Inspect("nevers")
	b.Click(`a[href$="/lift"]`, "main form")
	b.Inspect("never-lift")
	b.Click("main form button", ".govuk-notification-banner")
	b.Visit("/consents", ".govuk-summary-card")
	b.Click(".govuk-summary-card__title a", `form[action$="/words"]`)
	b.Click(`a[href$="/withdraw"]`, "main form")
	b.Inspect("consent-withdraw")
	b.Click("main form button", ".govuk-notification-banner")
	b.Inspect("consent-holders")
	for _, visited := range b.Visited() {
		if strings.Contains(visited, "police") || strings.Contains(visited, "health") || strings.Contains(visited, "housing") {
			t.Errorf("an address says what it is about: %s", visited)
		}
	}
}

// TestAWorkerRecordsWhatWasNoYes: a no, a yes in doubt, a decision made for her, and no
// question at all.
func TestAWorkerRecordsWhatWasNoYes(t *testing.T) {
	t.Parallel()
	r := rigAt(t, hubtest.Listening(t))
	b := webtest.Open(t, r.hub)
	b.As(r.worker)
	how := func(coercion, page string) {
		for field, value := range map[string]string{"consent-alone": "no", "consent-coercion": coercion, "consent-interpreter": "none"} {
			tick(b, field, value)
		}
		b.Click("main form button", page)
	}
	no := "/send/" + r.draft(t) + "/consent"
	b.Visit(no, ".govuk-inset-text")
	tick(b, "consent-agreement", "refused")
	b.Click("main form button", `input[name="consent-method"]`)
	tick(b, "consent-method", "verbal-phone")
	how("none", "textarea")
	b.Inspect("consent-words-no")
	b.Click("main form button", ".govuk-summary-list")
	b.Inspect("consent-check-no")
	b.Click("main form button", `form[action$="/again"]`)
	b.Inspect("consent-recorded-no")
	decided := "/send/" + r.draft(t) + "/consent"
	b.Visit(decided, ".govuk-inset-text")
	tick(b, "consent-agreement", "lacks-capacity-best-interests")
	b.Click("main form button", `input[name="consent-alone"]`)
	how("none", "textarea")
	b.Inspect("consent-capacity")
	b.Click("main form button", ".govuk-error-summary")
	doubt := "/send/" + r.draft(t) + "/consent"
	b.Visit(doubt, ".govuk-inset-text")
	tick(b, "consent-sections", "need")
	tick(b, "consent-agreement", "agreed")
	b.Click("main form button", `input[name="consent-method"]`)
	tick(b, "consent-method", "verbal-phone")
	how("suspected", "textarea")
	b.Click("main form button", ".govuk-warning-text")
	b.Click("main form button", `form[action$="/again"]`)
	b.Inspect("consent-recorded-doubt")
	if text := b.Text(); !strings.Contains(text, "Mel Sample") {
		t.Errorf("her worker is not told who decides: %s", text)
	}
	unasked := "/send/" + r.draft(t) + "/consent"
	b.Visit(unasked, ".govuk-inset-text")
	tick(b, "consent-agreement", "not-asked")
	b.Click("main form button", `input[value="not-asked-unsafe"]`)
	b.Inspect("consent-not-asked")
	tick(b, "consent-agreement", "not-asked-unsafe")
	b.Click("main form button", ".govuk-summary-list")
	b.Click("main form button", `form[action$="/again"]`)
	b.Clean()
}
