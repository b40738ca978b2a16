package overrides_test

import (
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/web/webtest"
)

func tick(b *webtest.Tab, field string, values ...string) {
	for _, v := range values {
		b.Click(`input[name="`+field+`"][value="`+v+`"]`, "main")
	}
}

// TestAWorkerProposesAndAManagerDecides, each on a phone; what the manager decides she first
// proves to be herself.
func TestAWorkerProposesAndAManagerDecides(t *testing.T) {
	t.Parallel()
	r := rigAt(t, hubtest.Listening(t))
	doubt := r.doubtful(t, r.caller)
	at := "/overrides/new/" + r.refused(t)
	b := webtest.Open(t, r.hub)
	b.As(r.worker)
	b.NoScript()
	b.Visit(at, ".moj-interruption-card")
	b.Inspect("override-card")
	b.Click(".moj-interruption-card a.govuk-button", `input[name="override-reason"]`)
	b.Inspect("override-why")
	tick(b, "override-reason", "serious-crime")
	tick(b, "override-at-risk", "herself")
	tick(b, "override-sections", "need")
	tick(b, "override-emergency", "yes")
	b.Click("main form button", "textarea")
	b.Inspect("override-need")
	b.Click("main form button", ".govuk-error-summary")
	for _, box := range []string{"override-necessity", "override-minimum", "override-danger"} {
		b.Fill("#"+box, "He says that he kills her tonight")
	}
	b.Click("main form button", `input[name="override-told"]`)
	b.Inspect("override-told")
	tick(b, "override-told", "unsafe")
	tick(b, "override-review", "1")
	b.Click("main form button", ".govuk-warning-text")
	b.Inspect("override-check")
	b.Click(`a[href$="/basis"]`, "main select")
	b.Inspect("override-basis")
	b.Click("main form button", ".govuk-warning-text")
	b.Click("main form button", ".govuk-notification-banner")
	b.Inspect("override")
	id := strings.TrimPrefix(strings.SplitN(b.At(), "?", 2)[0], "/overrides/")

	m := webtest.Open(t, r.hub)
	m.As(r.manager)
	m.Visit("/reviews", ".govuk-summary-card")
	m.Inspect("reviews")
	m.Click(".govuk-summary-card__title a", `a[href$="/decide"]`)
	m.Click(`main form button`, "dl + p + p + h2, dl ~ dl")
	m.Inspect("override-read")
	m.Click(`a[href$="/decide"]`, "#read button")
	m.Inspect("override-decide-closed")
	m.Click("#read button", `input[name="answer"]`)
	m.Inspect("override-decide")
	m.Click("main form button", ".govuk-error-summary")
	tick(m, "answer", "approved")
	m.Click("main form button", ".govuk-notification-banner")
	m.Click(`a[href$="/review"]`, "#read button")
	m.Click("#read button", `input[value="ended"]`)
	m.Inspect("override-review")
	m.Visit("/reviews/"+doubt, "main form button")
	m.Inspect("doubt")
	m.Click("main form button", `input[name="decision"]`)
	m.Inspect("doubt-opened")
	tick(m, "decision", "refused")
	m.Click("main form button", ".govuk-notification-banner")
	if state := hubtest.Value[string](t, r.hub, `SELECT decision FROM consent_override_state WHERE id = $1`, id); state != "approved" {
		t.Errorf("it is %s", state)
	}
	m.Clean()
}
