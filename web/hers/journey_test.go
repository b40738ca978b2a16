package hers_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"handover/internal/hubtest"
	"handover/web/webtest"
)

// gone waits until the browser has left the hub, wherever it got to without a network.
func gone(t *testing.T, b *webtest.Tab) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		for _, visited := range b.Visited() {
			if strings.HasPrefix(visited, "https://www.bbc.co.uk/weather") {
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("she has not left: %v", b.Visited())
		}
	}
}

// TestSheLooksOnHerWorkersPhone: what is shared, stop, and out, by the button and by Shift three
// times; afterwards the browser has forgotten who was signed in, and Back shows how to sign in.
func TestSheLooksOnHerWorkersPhone(t *testing.T) {
	t.Parallel()
	r := newRig(t, hubtest.Listening(t))
	if a := r.to.Open(t, r.referral, "", "need"); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	b := webtest.Open(t, r.hub)
	b.As(r.worker)
	b.Visit("/hers/"+r.referral, ".govuk-exit-this-page")
	b.Inspect("hers-safety")
	b.Click("main a.govuk-button", `a[href$="/stop"]`)
	b.Inspect("hers")
	b.Click(`a[href$="/stop"]`, "main form")
	b.Inspect("hers-stop")
	b.Click("main form button", "main ul")
	b.Inspect("hers-stopped")
	b.Clean()
	if b.Cookie("__Host-session") == "" && b.Cookie("session") == "" {
		t.Fatal("nobody is signed in")
	}
	for range 3 {
		for _, half := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
			webtest.Call(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: half, Key: "Shift", Code: "ShiftLeft", WindowsVirtualKeyCode: 16, Location: 1})
		}
	}
	gone(t, b)
	for _, name := range []string{"__Host-session", "session"} {
		if b.Cookie(name) != "" {
			t.Errorf("the cookie %s is there still", name)
		}
	}
	if r.worker.SignedIn(t) {
		t.Error("the session goes on at the hub")
	}
	b.Do("going back", func(ctx context.Context, t *chromedp.Target) (v chromedp.Void, err error) {
		for range 50 { // while the browser is about to show that there is no network
			if v, err = chromedp.NavigateBack()(ctx, t); err == nil || ctx.Err() != nil {
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
		return v, err
	}, chromedp.WaitVisible(chromedp.CSS("main")))
	if at := b.At(); !strings.HasPrefix(at, "/sign-in?") {
		t.Errorf("going back shows %s", at)
	}
}

// TestTheButtonLeavesWithoutScript, on any phone.
func TestTheButtonLeavesWithoutScript(t *testing.T) {
	t.Parallel()
	r := newRig(t, hubtest.Listening(t))
	b := webtest.Open(t, r.hub)
	b.As(r.worker)
	b.NoScript()
	b.Visit("/hers/"+r.consent+"?safe=yes", ".govuk-exit-this-page")
	b.Do("leaving", chromedp.Click(chromedp.CSS(".govuk-exit-this-page__button")))
	gone(t, b)
	if r.worker.SignedIn(t) {
		t.Error("the session goes on at the hub")
	}
}

// TestAPageOfHersLeavesByItself when nobody has touched it for as long as a session lasts: it may
// lie on a table by then.
func TestAPageOfHersLeavesByItself(t *testing.T) {
	t.Parallel()
	r := newRig(t, hubtest.Listening(t))
	b := webtest.Open(t, r.hub)
	b.As(r.worker)
	webtest.Call(b, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: `const now = Date.now; window.later = 0; Date.now = () => now() + window.later * 60000`})
	b.Visit("/hers/"+r.referral, ".govuk-exit-this-page")
	webtest.Eval[bool](b, `(window.later = 31, true)`)
	gone(t, b)
	if r.worker.SignedIn(t) {
		t.Error("the session goes on at the hub")
	}
}
