package agreements_test

import (
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/web/webtest"
)

// TestAnAgreementIsProposedAndSignedOnTwoPhones is the whole way in a real browser: from the first
// question to the end of what both signed.
func TestAnAgreementIsProposedAndSignedOnTwoPhones(t *testing.T) {
	t.Parallel()
	h := hubtest.Listening(t)
	s := newScene(t, h)
	ours, theirs := webtest.Open(t, h), webtest.Open(t, h)
	ours.As(s.ours)
	theirs.As(s.theirs)

	ours.Visit(root, "h1")
	ours.Inspect("agreements-none")
	ours.Click("main a.govuk-button", "#other")
	ours.Inspect("agreements-propose-who")
	ours.Fill("#other", "rosewood")
	ours.Click("main form button", "#send-purposes")
	ours.Click("main form button", "#receive-purposes") // nothing
	ours.Click("main form button", "[role=alert]")      // neither
	ours.Inspect("agreements-propose-nothing")
	for _, box := range []string{"housing", "need", "safe-contact"} {
		ours.Click("input[type=checkbox][value="+box+"]", "h1")
	}
	ours.Click("main form button", "#months")
	ours.Inspect("agreements-propose-until")
	ours.Click("input[name=months][value='12']", "h1")
	ours.Click("input[name=review][value='6']", "h1")
	ours.Click("main form button", "[name=go]")
	ours.Inspect("agreements-propose-check")
	ours.Click("[name=go][value=sends]", "#send-purposes")
	for _, box := range []string{"housing", "need"} {
		ours.Click("input[type=checkbox][value="+box+"]", "h1")
	}
	ours.Inspect("agreements-propose-sends")
	ours.Click("main form button", "#receive-purposes")
	ours.Click("main form button", "#months")
	ours.Click("main form button", "[name=go]")
	ours.Click("main form > button.govuk-button", ".moj-timeline")
	ours.Inspect("agreement-proposed")

	theirs.Visit(root, ".handover-card")
	theirs.Inspect("agreements-waiting")
	theirs.Click(".handover-card a", ".moj-timeline")
	theirs.Click("a[href$='/sign']", "#confirm")
	theirs.Inspect("agreement-sign")
	theirs.Click("main form button", "[role=alert]")
	theirs.Click("#confirm", "h1")
	theirs.Click("main form button", ".govuk-notification-banner")
	if text := theirs.Text(); !strings.Contains(text, "In force") {
		t.Errorf("signed, it says: %s", text)
	}
	theirs.Inspect("agreement-in-force")
	theirs.Click("a[href$='/end']", ".govuk-warning-text")
	theirs.Inspect("agreement-end")
	theirs.Click("main form button", ".govuk-notification-banner")
	theirs.Visit(root, "details")
	theirs.Inspect("agreements-over")

	refused := proposedWithoutScript(t, ours)
	theirs.Visit(refused+"/refuse", "#reason")
	theirs.Inspect("agreement-refuse")
	theirs.Click("#reason", "h1")
	theirs.Click("main form button", ".govuk-notification-banner")

	_, worker := h.Joined(t, s.to.ID, "Ayo Example", partners.Caseworker)
	theirs.As(worker)
	theirs.Visit(refused, ".moj-timeline")
	theirs.Inspect("agreement-read")
	ours.Clean()
	theirs.Clean()
	for _, at := range append(ours.Visited(), theirs.Visited()...) {
		if strings.Contains(at, "housing") || strings.Contains(at, "need") || strings.Contains(at, "rosewood") {
			t.Errorf("an address says what is agreed: %s", at)
		}
	}
}

// proposedWithoutScript proposes what she may send, with JavaScript off, and returns its address.
func proposedWithoutScript(t *testing.T, b *webtest.Tab) string {
	t.Helper()
	b.NoScript()
	b.Visit(root+"/propose", "#other")
	b.Fill("#other", "rosewood")
	b.Click("main form button", "#send-purposes")
	for _, box := range []string{"housing", "need"} {
		b.Click("input[type=checkbox][value="+box+"]", "h1")
	}
	b.Click("main form button", "#receive-purposes")
	b.Click("main form button", "#months")
	b.Click("input[name=months][value='12']", "h1")
	b.Click("input[name=review][value='6']", "h1")
	b.Click("main form button", "[name=go]")
	b.Click("main form > button.govuk-button", ".moj-timeline")
	at, _, _ := strings.Cut(b.At(), "?")
	if !strings.HasPrefix(at, root+"/") {
		t.Fatalf("she is at %s", at)
	}
	return at
}
