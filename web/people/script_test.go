package people_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"handover/partners"
	"handover/web/webtest"
)

// TestThePageHidesAndEndsItself: one press takes everything off the screen and out of the
// document; who does nothing for long is warned, may stay, and is otherwise sent away.
func TestThePageHidesAndEndsItself(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, browser := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	b := webtest.Open(t, h)
	b.As(browser)
	webtest.Call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `const now = Date.now; window.later = 0; Date.now = () => now() + window.later * 60000`})
	b.Visit("/account", "dl")

	b.Click("[data-hide-now]", ".handover-curtain")
	whole := webtest.Eval[string](b, `document.body.outerHTML + document.title`)
	if strings.Contains(whole, "Ayo") || strings.Contains(whole, "larkfield") || !strings.HasSuffix(whole, "Handover") {
		t.Errorf("what was hidden is still there: %s", whole)
	}
	b.Click(".handover-curtain a", "dl")

	webtest.Eval[bool](b, `(window.later = 29, true)`)
	b.Do("waiting for the warning", chromedp.WaitVisible(chromedp.CSS("#session-ends button")))
	b.Click("#session-ends button", "body:has(#session-ends:not([open]))")
	if !slices.Contains(b.Visited(), h.URL()+"/session") {
		t.Error("she stays without asking the hub")
	}
	webtest.Eval[bool](b, `(window.later = 60, true)`)
	b.Do("waiting to be sent away", chromedp.WaitVisible(chromedp.CSS("#sign-in")))
	b.Clean()
}
