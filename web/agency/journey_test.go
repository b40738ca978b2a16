package agency_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
	"handover/web/webtest"
)

// linkOf is the link that the page shows.
func linkOf(b *webtest.Tab) string {
	return webtest.Eval[string](b, `document.querySelector("#secret").innerText`)
}

// gone fails if the secret can be read anywhere in the page that is open, its title or address.
func gone(t *testing.T, b *webtest.Tab, secret, when string) {
	t.Helper()
	if strings.Contains(webtest.Eval[string](b, `document.documentElement.outerHTML + document.title + location.href`), secret) {
		t.Errorf("%s the secret is there", when)
	}
}

// TestAnAdministratorLetsAColleagueInAndOutAgain, on a phone, without JavaScript but where she
// proves that it is she.
func TestAnAdministratorLetsAColleagueInAndOutAgain(t *testing.T) {
	t.Parallel()
	h := hubtest.Listening(t)
	p := h.Pair(t, partners.Housing)
	_, code := h.Employed(t, p.From.ID, "Ada Example", partners.Administrator)
	b := webtest.Open(t, h)
	b.Visit("/join#"+code, "#join-make")
	b.Click("#join-make", "dl")
	stale(t, h)
	b.Visit("/agency", "main dl")
	b.Inspect("agency")
	b.Click("a[href='/agency/people']", "a[href='/agency/people/add']")
	b.Inspect("agency-people")
	b.Click("a[href='/agency/people/add']", "#step-up")
	b.Click("#step-up", "#name") // and back to where she wanted to go
	if at := b.At(); at != "/agency/people/add" {
		t.Fatalf("after she has proved who she is she is at %s", at)
	}
	b.NoScript()
	b.Click("main button", ".govuk-error-summary")
	b.Inspect("agency-people-add-error")
	b.Fill("#name", "Zoë Example")
	b.Click("#role", "main button")
	b.Click("main button", ".govuk-summary-list")
	b.Inspect("agency-people-check")
	b.Click("main button", "#secret")
	b.Inspect("agency-link")
	link := linkOf(b)
	_, secret, _ := strings.Cut(link, "#")
	if !strings.HasPrefix(link, h.URL()+"/join#") || len(secret) != 26 {
		t.Fatalf("the link is %q", link)
	}
	if text := b.Text(); strings.Count(text, secret) != 1 || strings.Contains(webtest.Eval[string](b, `document.title + location.href`), secret) {
		t.Error("the code is more than once on the page, or in its title or address")
	}
	b.Click("main a.govuk-button", "dl")
	gone(t, b, secret, "on the next page")
	b.Do("going back", func(ctx context.Context, t *chromedp.Target) (v chromedp.Void, err error) {
		_, err = chromedp.NavigateBack()(ctx, t)
		if err != nil && strings.Contains(err.Error(), "ERR_CACHE_MISS") {
			err = nil // the browser has not kept the page
		}
		return v, err
	})
	gone(t, b, secret, "after going back")
	webtest.Call(b, page.Reload, page.ReloadParams{}) // which sends the form once more
	b.Do("waiting for what comes of it", chromedp.WaitVisible(chromedp.CSS("dl")))
	if at := b.At(); !strings.HasSuffix(at, "?done=already") {
		t.Errorf("the form that was sent twice leads to %s", at)
	}
	gone(t, b, secret, "after sending the form once more")
	b.Visit("/agency/people", ".handover-card")
	gone(t, b, secret, "after asking for the page again")
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM partner_user WHERE name = 'Zoë Example'`); n != 1 {
		t.Errorf("%d people were added", n)
	}
	if strings.Contains(strings.Join(b.Visited(), "\n"), secret) || strings.Contains(bodies(t, h), secret) {
		t.Error("the code is in an address, or in the log")
	}

	u, _ := h.Joined(t, p.From.ID, "Ayo Example", partners.Caseworker)
	s := p.Request().Seal(t, func(d *hubtest.Draft) { d.Act = u.ID })
	p.From.Sent(t, s)
	b.Visit("/agency/people/"+u.ID, "dl")
	b.Inspect("agency-person")
	for act, button := range map[string]string{"role": "#role", "link": "form", "sign-out": "form"} {
		b.Visit("/agency/people/"+u.ID+"/"+act, button)
		b.Inspect("agency-person-" + act)
	}
	b.Visit("/agency/people/"+u.ID+"/suspend", ".handover-card")
	b.Inspect("agency-person-suspend")
	b.Click("main form button", ".govuk-notification-banner")
	b.Inspect("agency-person-suspended")
	if text := b.Text(); !strings.Contains(text, "They were suspended") || !strings.Contains(text, "Let in again") {
		t.Errorf("after suspending: %s", text)
	}
	for path, name := range map[string]string{"resume": "resume", "remove": "remove"} {
		b.Visit("/agency/people/"+u.ID+"/"+path, "form")
		b.Inspect("agency-person-" + name)
	}
	b.Clean()
}

// TestAnAdministratorLooksAfterSystemsKeysAndServices, as a person with a keyboard alone could.
func TestAnAdministratorLooksAfterSystemsKeysAndServices(t *testing.T) {
	t.Parallel()
	h := hubtest.Listening(t)
	p := h.Pair(t, partners.Housing)
	s := p.Sent(t)
	p.Step(t, p.To, packet.Receive, s.Digest, s.Digest)
	_, admin := h.Joined(t, p.To.ID, "Ada Example", partners.Administrator)
	b := webtest.Open(t, h)
	b.As(admin)
	b.NoScript()
	b.Visit("/agency/systems", ".handover-card")
	b.Inspect("agency-systems")
	b.Click(".handover-card a", "dl")
	b.Inspect("agency-system")
	b.Click("a[href$='/suspend']", "form")
	b.Inspect("agency-system-suspend")
	b.Visit("/agency/systems/add", "form")
	b.Inspect("agency-system-add")
	b.Click("main form button", "#secret")
	b.Inspect("agency-system-token")
	secret := linkOf(b)
	b.Click("main a.govuk-button", ".govuk-inset-text")
	gone(t, b, secret, "on the next page")

	b.Visit("/agency/keys", ".handover-card")
	b.Inspect("agency-keys")
	at := "/agency/keys/" + p.To.Sealing.KeyID()
	b.Visit(at, ".moj-timeline")
	b.Inspect("agency-key")
	b.Click("a[href$='/revoke']", "#reason")
	b.Inspect("agency-key-revoke")
	b.Click("main form button", ".govuk-error-summary")
	b.Inspect("agency-key-revoke-error")
	b.Click("#reason-2", "main form button")
	b.Click("main form button", ".govuk-notification-banner")
	b.Inspect("agency-key-touched")
	b.Visit(at, ".moj-timeline")
	b.Inspect("agency-key-revoked")

	b.Visit("/agency/services", ".handover-card")
	b.Inspect("agency-services")
	b.Visit("/agency/services/add", "#name")
	b.Click("main form > button", ".govuk-error-summary")
	b.Inspect("agency-service-add-error")
	b.Fill("#name", "Beds for women")
	for _, tick := range []string{"#purposes", "#areas", "#facts", "#now"} {
		b.Click(tick, "#now")
	}
	b.Click("main form > button", "dl")
	b.Inspect("agency-service-check")
	b.Click("main form > button", ".govuk-notification-banner")
	b.Inspect("agency-services-added")
	b.Click(".handover-card:first-child a[href$='/capacity']", "button[name=now]") // the first tap
	b.Inspect("agency-service-capacity")
	b.Click("button[value=paused]", ".govuk-notification-banner") // the second
	if text := b.Text(); !strings.Contains(text, "Not taking referrals for now") {
		t.Errorf("after two taps: %s", text)
	}
	b.Click(".handover-card:first-child a[href$='/change']", "#status")
	b.Inspect("agency-service-change")
	b.Clean()
}
