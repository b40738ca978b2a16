package web_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"handover/internal/hubtest"
	"handover/oauth/signin"
	"handover/partners"
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
	b := open(t, h)

	b.visit("/join#"+code, "#join-make")
	if at := b.at(); at != "/join" {
		t.Errorf("the code stays in the address: %s", at)
	}
	if text := b.text(); !strings.Contains(text, "Ayo Example") {
		t.Errorf("the page does not say whose link it is: %s", text)
	}
	b.inspect("join")
	b.click("#join-make", "dl")
	if text := b.text(); b.at() != "/account" || !strings.Contains(text, "Ayo Example") || !strings.Contains(text, "Caseworker.") ||
		!strings.Contains(text, "Chrome on Linux") && !strings.Contains(text, "Chrome on Android") {
		t.Errorf("at %s:\n%s", b.at(), text)
	}
	b.inspect("account")

	b.click("header button", "#sign-in")
	b.inspect("sign-in")
	b.click("#sign-in", "dl")

	// The device has a passkey of hers already, and says so.
	b.click("#add-passkey", "#problem")
	if focus, title := eval[string](b, `document.activeElement.id`), eval[string](b, `document.title`); focus != "problem" || !strings.HasPrefix(title, "Error: ") {
		t.Errorf("the problem is not told: focus on %q, title %q", focus, title)
	}
	b.inspect("problem")

	h.Exec(t, `UPDATE oauth_session SET proved_at = now() - interval '16 minutes' WHERE user_id = $1`, u.ID)
	before := b.cookie("__Host-session")
	b.visit("/account", "dl")
	b.click("main a[href^='/step-up']", "#step-up")
	b.inspect("step-up")
	b.click("#step-up", "dl")
	if b.at() != "/account" || b.cookie("__Host-session") == before || opens(t, h, before) {
		t.Error("a step-up leaves the cookie as it was")
	}

	old := b.cookie("__Host-session")
	s, err := h.SignIn.Session(admin.Request(t, http.MethodGet, "/account", "", nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Registry.SignOut(t.Context(), s.Caller, u.ID); err != nil {
		t.Fatal(err)
	}
	b.visit("/account", "#sign-in")
	if at := b.at(); at != "/sign-in?next=%2Faccount" || opens(t, h, old) {
		t.Errorf("after she was signed out the page is %s; the old cookie opens it: %v", at, opens(t, h, old))
	}
	b.clean()
	if posted := b.posted(); strings.Contains(posted, "clientExtensionResults") || strings.Contains(posted, "prf") || !strings.Contains(posted, "attestationObject") {
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
	lost, found := open(t, h), open(t, h)
	lost.visit("/join#"+code, "#join-make")
	lost.click("#join-make", "dl")

	code, err := h.Operator.Reissue(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	h.Exec(t, `UPDATE user_link SET recovers = true WHERE user_id = $1 AND used_at IS NULL`, u.ID)
	found.visit("/join#"+code, "#join-recovers")
	found.inspect("join-recovers")
	found.click("#join-make", "#notices")
	found.inspect("account-notice")
	found.click(".notices button", "main:not(:has(.notices)) dl")
	if strings.Contains(found.text(), "was reset") {
		t.Error("a notice stays after she has read it")
	}

	lost.visit("/account", "#sign-in")
	lost.click("#sign-in", "#problem")
	if text := lost.text(); !strings.Contains(text, "You could not be signed in.") {
		t.Errorf("the lost phone is told: %s", text)
	}
	found.visit("/join#"+code, "#problem")
	found.inspect("link-used")
	found.visit("/join", "#problem")
	lost.clean()
	found.clean()
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
	b := open(t, h)
	b.visit("/sign-in/larkfield-housing?next=/step-up", "#sign-in")
	if to := eval[string](b, `document.querySelector("a.button").getAttribute("href")`); to != "/sign-in/larkfield-housing/provider?next=%2Fstep-up" {
		t.Errorf("the way to the provider is %s", to)
	}
	b.inspect("sign-in-agency")
	b.clean()
}

// TestThePagesWorkWithoutScript as far as they can, and say where they cannot.
func TestThePagesWorkWithoutScript(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
	b := open(t, h)
	b.visit("/join#"+code, "#join-make")
	b.click("#join-make", "dl")
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.visit("/account", "noscript")
	if text := b.text(); !strings.Contains(text, "turn JavaScript on") || !strings.Contains(text, "Where you are signed in") {
		t.Errorf("%s", text)
	}
	b.click("main form[action$='/end'] button", "#sign-in ~ noscript p")
	if text := b.text(); !strings.HasPrefix(b.at(), "/sign-in") || !strings.Contains(text, "Passkeys need JavaScript") {
		t.Errorf("at %s: %s", b.at(), text)
	}
	b.visit("/join", "noscript p")
	b.clean()
}
