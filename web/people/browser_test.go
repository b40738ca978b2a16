package people_test

import (
	"net/http"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/webtest"
)

// scene is a hub that browsers can use, with one agency.
func scene(t *testing.T) (*hubtest.Hub, *hubtest.Agency) {
	t.Helper()
	h := hubtest.Listening(t)
	return h, h.Agency(t, "larkfield-housing", partners.Housing)
}

// TestAPersonInARealBrowser goes her whole way: link, passkey, account, signing out and in,
// proving again, being signed out by her administrator.
func TestAPersonInARealBrowser(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	u, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
	b := webtest.Open(t, h)

	b.Visit("/join#"+code, "#join-make")
	if at := b.At(); at != "/join" {
		t.Errorf("the code stays in the address: %s", at)
	}
	if text := b.Text(); !strings.Contains(text, "Ayo Example") {
		t.Errorf("the page does not say whose link it is: %s", text)
	}
	b.Inspect("join")
	b.Click("#join-make", "header form button")
	b.Visit("/account", "dl")
	if text := b.Text(); b.At() != "/account" || !strings.Contains(text, "Ayo Example") || !strings.Contains(text, "Caseworker.") ||
		!strings.Contains(text, "Chrome on Linux") && !strings.Contains(text, "Chrome on Android") {
		t.Errorf("at %s:\n%s", b.At(), text)
	}
	b.Inspect("account")

	b.Click("header form button", "#sign-in")
	b.Inspect("sign-in")
	b.Click("#sign-in", "header form button")
	b.Visit("/account", "dl")

	// The device has a passkey of hers already, and says so.
	b.Click("#add-passkey", "#problem")
	if focus, title := webtest.Eval[string](b, `document.activeElement.id`), webtest.Eval[string](b, `document.title`); focus != "problem" || !strings.HasPrefix(title, "Error: ") {
		t.Errorf("the problem is not told: focus on %q, title %q", focus, title)
	}
	b.Inspect("problem")

	h.Exec(t, `UPDATE oauth_session SET proved_at = now() - interval '16 minutes' WHERE user_id = $1`, u.ID)
	before := b.Cookie("__Host-session")
	b.Visit("/account", "dl")
	b.Click("main a[href^='/step-up']", "#step-up")
	b.Inspect("step-up")
	b.Click("#step-up", "dl")
	if b.At() != "/account" || b.Cookie("__Host-session") == before || opens(t, h, before) {
		t.Error("a step-up leaves the cookie as it was")
	}

	old := b.Cookie("__Host-session")
	s, err := h.SignIn.Session(admin.Request(t, http.MethodGet, "/account", "", nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Registry.SignOut(t.Context(), s.Caller, u.ID); err != nil {
		t.Fatal(err)
	}
	b.Visit("/account", "#sign-in")
	if at := b.At(); at != "/sign-in?next=%2Faccount" || opens(t, h, old) {
		t.Errorf("after she was signed out the page is %s; the old cookie opens it: %v", at, opens(t, h, old))
	}
	b.Clean()
	if posted := b.Posted(); strings.Contains(posted, "clientExtensionResults") || strings.Contains(posted, "prf") || !strings.Contains(posted, "attestationObject") {
		t.Errorf("posted: %s", posted)
	}
}

// opens reports whether the account page opens with that session's cookie.
func opens(t *testing.T, h *hubtest.Hub, session string) bool {
	t.Helper()
	b := h.Browser()
	b.Cookies["s"] = &http.Cookie{Name: "__Host-session", Value: session}
	return b.SignedIn(t)
}

// TestALinkThatRecoversInARealBrowser: she has lost her phone, and makes a passkey on
// another device; the phone is signed out and its passkey is refused.
func TestALinkThatRecoversInARealBrowser(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	u, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
	lost, found := webtest.Open(t, h), webtest.Open(t, h)
	lost.Visit("/join#"+code, "#join-make")
	lost.Click("#join-make", "header form button")
	lost.Visit("/account", "dl")

	code, err := h.Operator.Reissue(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.Exec(t, `UPDATE user_link SET recovers = true WHERE user_id = $1 AND used_at IS NULL`, u.ID)
	found.Visit("/join#"+code, "#join-recovers")
	found.Inspect("join-recovers")
	found.Click("#join-make", "header form button")
	found.Visit("/account", "#notices")
	found.Inspect("account-notice")
	found.Click(".notices button", "main:not(:has(.notices)) dl")
	if strings.Contains(found.Text(), "was reset") {
		t.Error("a notice stays after she has read it")
	}

	lost.Visit("/account", "#sign-in")
	lost.Click("#sign-in", "#problem")
	if text := lost.Text(); !strings.Contains(text, "You could not be signed in.") {
		t.Errorf("the lost phone is told: %s", text)
	}
	found.Visit("/join#"+code, "#problem")
	found.Inspect("link-used")
	found.Visit("/join", "#problem")
	lost.Clean()
	found.Clean()
}

// TestAnAgencysOwnPage offers its provider, and the passkey besides.
func TestAnAgencysOwnPage(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	err := signin.NewStore(h.DB.Owner).SetProvider(t.Context(), h.Keys(), signin.Provider{Partner: a.ID, Issuer: "https://login.example", ClientID: "handover",
		Domains: []string{"larkfield.example"}, Claim: "groups", Roles: map[string]partners.Role{"staff": partners.Caseworker}}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	b := webtest.Open(t, h)
	b.Visit("/sign-in/larkfield-housing?next=/step-up", "#sign-in")
	if to := webtest.Eval[string](b, `document.querySelector("main a.govuk-button").getAttribute("href")`); to != "/sign-in/larkfield-housing/provider?next=%2Fstep-up" {
		t.Errorf("the way to the provider is %s", to)
	}
	b.Inspect("sign-in-agency")
	b.Clean()
}

// TestThePagesWorkWithoutScript as far as they can, and say where they cannot.
func TestThePagesWorkWithoutScript(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
	b := webtest.Open(t, h)
	b.Visit("/join#"+code, "#join-make")
	b.Click("#join-make", "header form button")
	b.Visit("/account", "dl")
	b.NoScript()
	b.Visit("/account", "noscript")
	if text := b.Text(); !strings.Contains(text, "turn JavaScript on") || !strings.Contains(text, "Where you are signed in") {
		t.Errorf("%s", text)
	}
	b.Click("main form[action$='/end'] button", "#sign-in ~ noscript p")
	if text := b.Text(); !strings.HasPrefix(b.At(), "/sign-in") || !strings.Contains(text, "Passkeys need JavaScript") {
		t.Errorf("at %s: %s", b.At(), text)
	}
	b.Visit("/join", "noscript p")
	b.Clean()
}

// TestWhatAnybodyMayRead is inspected like every other page.
func TestWhatAnybodyMayRead(t *testing.T) {
	t.Parallel()
	h, _ := scene(t)
	b := webtest.Open(t, h)
	for _, page := range []string{"help", "accessibility"} {
		b.Visit("/"+page, "main h1")
		b.Inspect(page)
	}
	b.Clean()
}
