package web_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
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

// tab is a real browser with a device that has passkeys.
type tab struct {
	ctx context.Context
	t   *testing.T
	hub *hubtest.Hub

	mu     sync.Mutex
	faults []string // what the console says is wrong: errors, and reports of the policies
	bodies []string // what was posted
}

// open starts Chromium with an empty profile and a virtual authenticator: internal, with
// discoverable credentials, that verifies its user.
func open(t *testing.T, h *hubtest.Hub) *tab {
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
	b := &tab{t: t, hub: h}
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
	call(b, log.Enable, cdp.Empty{})
	call(b, network.Enable, network.EnableParams{MaxPostDataSize: &whole})
	call(b, webauthn.Enable, webauthn.EnableParams{})
	call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21,
		Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true, HasUserVerification: true, IsUserVerified: true,
		AutomaticPresenceSimulation: true, HasPrf: true}})
	b.size(390, 844)
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
func (b *tab) listen(event any) {
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
	case *network.EventRequestWillBeSent:
		for _, part := range e.Request.PostDataEntries {
			b.bodies = append(b.bodies, string(part.Bytes))
		}
	}
}

// do runs actions, or ends the test with what the page shows.
func (b *tab) do(doing string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	get(b, doing, chromedp.Steps(actions...))
}

// get runs an action and returns what it gives, or ends the test with what the page shows.
func get[T any](b *tab, doing string, action chromedp.Action[T]) T {
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

func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	return get(b, command.Method, func(ctx context.Context, t *chromedp.Target) (R, error) {
		return chromedp.Call(ctx, command, params)
	})
}

func (b *tab) visit(path, appears string) {
	b.t.Helper()
	b.do("opening "+path, chromedp.Navigate(b.hub.URL()+path), chromedp.WaitVisible(chromedp.CSS(appears)))
}

// click clicks and waits for what appears.
func (b *tab) click(what, appears string) {
	b.t.Helper()
	b.do("clicking "+what+" until "+appears, chromedp.Click(chromedp.CSS(what)), chromedp.WaitVisible(chromedp.CSS(appears)))
}

func (b *tab) size(width, height int64) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 800})
}

func (b *tab) at() string {
	b.t.Helper()
	return strings.TrimPrefix(get(b, "asking where", chromedp.Location()), b.hub.URL())
}

func (b *tab) text() string {
	b.t.Helper()
	return get(b, "reading", chromedp.Text(chromedp.CSS("body")))
}

func eval[T any](b *tab, script string) T {
	b.t.Helper()
	return get(b, "asking "+script, chromedp.Evaluate[T](script))
}

// inspect holds the page that is open to what every page must keep: nothing sideways at
// any width, no violation of WCAG 2.2 AA, a title that names nobody. With HUB_SHOTS set to a
// folder it leaves pictures there.
func (b *tab) inspect(name string) {
	b.t.Helper()
	for _, width := range []int64{320, 1280, 390} {
		b.size(width, 844)
		if over := eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
			b.t.Errorf("%s at %d px is %d px too wide", name, width, over)
		}
		b.shoot(name, width)
	}
	if title := eval[string](b, `document.title`); !strings.HasSuffix(title, " – Handover") || strings.Contains(title, "Example") {
		b.t.Errorf("%s: its title is %q", name, title)
	}
	for _, v := range b.violations() {
		b.t.Errorf("%s: %s", name, v)
	}
}

// violations asks axe-core.
func (b *tab) violations() []string {
	b.t.Helper()
	axe, err := os.ReadFile("../internal/interop/node_modules/axe-core/axe.min.js")
	if err != nil {
		b.t.Fatalf("%v (run npm ci in internal/interop first; make test does)", err)
	}
	b.do("reading axe", func(ctx context.Context, t *chromedp.Target) (v chromedp.Void, err error) {
		_, err = chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: string(axe)})
		return v, err
	})
	found := get(b, "asking axe", chromedp.Evaluate[string](`axe.run(document, {
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], rules: {"target-size": {enabled: true}},
	}).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.help + " " + v.nodes.map(n => n.html).join(" ; "))))`, chromedp.EvalAwaitPromise))
	var all []string
	if err := json.Unmarshal([]byte(found), &all); err != nil {
		b.t.Fatal(err)
	}
	return all
}

func (b *tab) shoot(name string, width int64) {
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	png := get(b, "taking a picture", chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(dir, name+"-"+map[int64]string{320: "320", 390: "390", 1280: "1280"}[width]+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// clean fails the test if the console has reported anything so far.
func (b *tab) clean() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Errorf("the console reports %s", f)
	}
}

// posted is all that was posted so far.
func (b *tab) posted() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.bodies, "\n")
}

// cookie is the value of a cookie.
func (b *tab) cookie(name string) string {
	b.t.Helper()
	for _, c := range call(b, network.GetCookies, network.GetCookiesParams{URLs: []string{b.hub.URL()}}).Cookies {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}
