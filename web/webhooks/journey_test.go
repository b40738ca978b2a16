package webhooks_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/web/webtest"
)

// TestAnAdministratorAddsAWebhookInARealBrowser, on a phone and with JavaScript off, and sees each page
// that there is.
func TestAnAdministratorAddsAWebhookInARealBrowser(t *testing.T) {
	t.Parallel()
	h := hubtest.Listening(t)
	_, ada := h.Joined(t, h.Agency(t, "larkfield-housing", partners.Housing).ID, "Ada Example", partners.Administrator)
	address, told, status := server(t)
	b := webtest.Open(t, h)
	b.As(ada)
	b.Visit(list, ".govuk-inset-text")
	b.Inspect("webhooks-none")
	b.Visit(list+"/add", "#address")
	b.Inspect("webhook-add")
	b.NoScript()
	b.Fill("#address", "http://hooks.agency.example/")
	b.Click("main form button", ".govuk-error-summary")
	b.Fill("#address", address)
	b.Click("main form button", "#secret")
	if shown := b.Text(); !secret.MatchString(shown) {
		t.Errorf("no secret is shown: %s", shown)
	}
	b.Click("main a.govuk-button", "main form button")
	at, _, _ := strings.Cut(b.At(), "?")
	b.Click("main form button", ".govuk-notification-banner")
	tell(t, h)
	status.Store(http.StatusBadGateway)
	b.Visit(at, ".handover-cards")
	b.Click("main form button", ".govuk-notification-banner")
	tell(t, h)
	b.Visit(at, ".handover-card--late, .govuk-tag--yellow")
	if shown := b.Text(); told.Load() != 2 || !strings.Contains(shown, "It answered 502.") || !strings.Contains(shown, "It answered 200.") {
		t.Errorf("told %d times: %s", told.Load(), shown)
	}
	// With JavaScript again: what looks at pages needs it.
	webtest.Call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
	b.Visit(at, ".handover-cards")
	b.Inspect("webhook")
	b.Visit(list, ".handover-cards")
	b.Inspect("webhooks")
	b.Visit(at+"/new-secret", "main form button")
	b.Click("main form button", "#secret")
	b.Inspect("webhook-secret")
	b.Visit(at+"/remove", "main form button")
	b.Inspect("webhook-remove")
	b.Click("main form button", ".govuk-notification-banner")
	if b.At() != list+"?done=remove" {
		t.Errorf("at %s", b.At())
	}
	b.Clean()
}
