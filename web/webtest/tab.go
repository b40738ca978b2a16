// Package webtest drives the hub's pages in a real browser, as a person with a phone does, and
// holds each page that it is shown to what every page must keep.
//
// tab.go is the browser; inspect.go is what is asked of a page, validate.go of its HTML as it
// was sent. With HUB_SHOTS set to a folder, every page that is inspected leaves a picture there
// (make screenshots). With HUB_THOROUGH=1 each is inspected at every width and in every
// mode (make e2e); without, axe-core is asked at the narrowest alone.
package webtest

import (
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"handover/internal/hubtest"
)

// patience is how long a page may take, on a machine that does much else.
const patience = 60 * time.Second

// Tab is a real browser with a device that has passkeys.
type Tab struct {
	ctx context.Context
	t   *testing.T
	hub *hubtest.Hub

	mu       sync.Mutex
	faults   []string          // what the console says is wrong: errors, and reports of the policies
	bodies   []string          // what was posted
	paths    []string          // where it went, with every query
	document network.RequestID // of the page that is open

	html     string // the folder of pages to validate; "" before the first
	noScript bool   // JavaScript is off
}

// Open starts Chromium with an empty profile and a virtual authenticator: internal, with
// discoverable credentials, that verifies its user.
func Open(t *testing.T, h *hubtest.Hub) *Tab {
	t.Helper()
	program := chromium()
	if program == "" {
		t.Fatal("Chromium was not found: run deploy/dev/tools.sh, as make test does")
	}
	options := []chromedp.ExecAllocatorOption{chromedp.ExecPath(program), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(patience)}
	allocated, stop := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(stop)
	b := &Tab{t: t, hub: h}
	ctx, cancel := chromedp.NewContext(allocated, chromedp.WithListener(b.listen))
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until it has ended
		cancel()
	})
	b.ctx = ctx
	if err := chromedp.Do(ctx); err != nil { // the first context is the browser's life
		t.Fatalf("starting Chromium: %v", err)
	}
	whole := int64(1 << 20)
	Call(b, log.Enable, cdp.Empty{})
	Call(b, network.Enable, network.EnableParams{MaxPostDataSize: &whole})
	Call(b, webauthn.Enable, webauthn.EnableParams{})
	Call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21,
		Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true, IsUserVerified: true,
		AutomaticPresenceSimulation: true, HasPrf: true}})
	b.Size(390, 844)
	return b
}

func chromium() string {
	for _, program := range []string{"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"} {
		if _, err := os.Stat(program); err == nil {
			return program
		}
	}
	return ""
}

// listen notes what the browser reports: every error of the console and of the policies.
// Answers that refuse are no errors of the page.
func (b *Tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Source != log.EntrySourceNetwork && e.Entry.Level != log.EntryLevelVerbose && e.Entry.Level != log.EntryLevelInfo {
			b.faults = append(b.faults, string(e.Entry.Source)+": "+e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.faults = append(b.faults, "console")
		}
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			b.document = e.RequestID
		}
	case *network.EventRequestWillBeSent:
		b.paths = append(b.paths, e.Request.URL)
		for _, part := range e.Request.PostDataEntries {
			b.bodies = append(b.bodies, string(part.Bytes))
		}
	}
}

// Do runs actions, or ends the test with what the page shows.
func (b *Tab) Do(doing string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	Get(b, doing, chromedp.Steps(actions...))
}

// Get runs an action and returns what it gives, or ends the test with what the page shows.
func Get[T any](b *Tab, doing string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		again, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		defer cancel()
		at, _ := chromedp.Run(again, chromedp.Location())
		text, _ := chromedp.Run(again, chromedp.Text(chromedp.CSS("body")))
		b.t.Fatalf("%s: %v\nat %s:\n%s", doing, err, at, text)
	}
	return v
}

// Call calls the browser (Chrome DevTools Protocol).
func Call[P, R any](b *Tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	return Get(b, command.Method, func(ctx context.Context, t *chromedp.Target) (R, error) {
		return chromedp.Call(ctx, command, params)
	})
}

// Visit opens an address and waits for what appears.
func (b *Tab) Visit(path, appears string) {
	b.t.Helper()
	b.Do("opening "+path, chromedp.Navigate(b.hub.URL()+path), chromedp.WaitVisible(chromedp.CSS(appears)))
}

// Click clicks and waits for what appears.
func (b *Tab) Click(what, appears string) {
	b.t.Helper()
	b.Do("clicking "+what+" until "+appears, chromedp.Click(chromedp.CSS(what)), chromedp.WaitVisible(chromedp.CSS(appears)))
}

// Fill writes into an input.
func (b *Tab) Fill(what, text string) {
	b.t.Helper()
	b.Do("filling in "+what, chromedp.SetValue(chromedp.CSS(what), text))
}

// Press presses keys, as of a keyboard.
func (b *Tab) Press(keys string) {
	b.t.Helper()
	b.Do("pressing a key", chromedp.KeyEvent(keys))
}

// As signs the person in who is signed in in browser.
func (b *Tab) As(browser *hubtest.Browser) {
	b.t.Helper()
	for _, c := range browser.Cookies {
		Call(b, network.SetCookie, network.SetCookieParams{Name: c.Name, Value: c.Value, URL: b.hub.URL(), Path: "/", Secure: new(true), HTTPOnly: new(true)})
	}
}

// NoScript turns JavaScript off.
func (b *Tab) NoScript() {
	b.t.Helper()
	b.noScript = true
	b.script(false)
}

func (b *Tab) script(on bool) {
	b.t.Helper()
	Call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
}

// Size sets the size of the screen.
func (b *Tab) Size(width, height int64) {
	b.t.Helper()
	Call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 800})
}

// At is the path and query of the page that is open.
func (b *Tab) At() string {
	b.t.Helper()
	return strings.TrimPrefix(Get(b, "asking where", chromedp.Location()), b.hub.URL())
}

// Text is what can be read on the page.
func (b *Tab) Text() string {
	b.t.Helper()
	return Get(b, "reading", chromedp.Text(chromedp.CSS("body")))
}

// Eval asks the page by a script.
func Eval[T any](b *Tab, script string) T {
	b.t.Helper()
	return Get(b, "asking "+script, chromedp.Evaluate[T](script))
}

// Clean fails the test if the console has reported anything so far.
func (b *Tab) Clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Errorf("the console reports %s", f)
	}
}

// Visited lists every address that was asked for so far, with its query.
func (b *Tab) Visited() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.paths)
}

// Posted is all that was posted so far.
func (b *Tab) Posted() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.bodies, "\n")
}

// Cookie is the value of a cookie.
func (b *Tab) Cookie(name string) string {
	b.t.Helper()
	for _, c := range Call(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.hub.URL()}}).Cookies {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
