package webtest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// The widths at which pages are looked at: the narrowest phone, the phone of most, a desk.
const (
	narrow = 320
	phone  = 390
	desk   = 1280
)

// height is that of a phone.
const height = 844

// Inspect holds the page that is open to what every page must keep: no violation of WCAG 2.2
// AA and nothing sideways at any width, at 400 % zoom, and in forced colours; everything that can be
// used is reached by keyboard alone, and shows that it is; a title that names nobody; HTML without a
// mistake. With HUB_SHOTS set it leaves a picture of the page at 390 px.
func (b *Tab) Inspect(name string) {
	b.t.Helper()
	if b.noScript { // what looks at the page is script; the page's own has not run, and does not now
		b.script(true)
		defer b.script(false)
	}
	for _, width := range []int64{desk, phone, narrow} {
		b.Size(width, height)
		b.fits(name, strconv.FormatInt(width, 10)+" px")
		if width != narrow && !thorough() { // axe takes most of the time, and finds the same at every width of most pages
			continue
		}
		for _, v := range b.violations() {
			b.t.Errorf("%s at %d px: %s", name, width, v)
		}
	}
	if thorough() {
		b.zoomed(name)
		b.forced(name)
	}
	b.Size(phone, height)
	b.shoot(name)
	if thorough() {
		b.reachable(name)
	}
	if title := Eval[string](b, `document.title`); !strings.HasSuffix(title, " – Handover") || strings.Contains(title, "Example") || strings.Contains(title, "Sample") {
		b.t.Errorf("%s: its title is %q", name, title)
	}
	b.keepHTML(name)
}

// thorough reports whether pages are to be looked at in every way.
func thorough() bool { return os.Getenv("HUB_THOROUGH") == "1" }

func (b *Tab) fits(name, how string) {
	b.t.Helper()
	if over := Eval[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); over > 0 {
		b.t.Errorf("%s at %s is %d px too wide", name, how, over)
	}
}

// zoomed looks at the page of a desk at 400 % (WCAG 1.4.10): 320 by 256 px are left.
func (b *Tab) zoomed(name string) {
	b.t.Helper()
	Call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: desk / 4, Height: 256, DeviceScaleFactor: 4})
	b.fits(name, "400 %")
	if covered := Eval[string](b, `[...document.querySelectorAll("body *")].filter(e => ["fixed", "sticky"].includes(getComputedStyle(e).position) && e.offsetHeight > 128).map(e => e.className).join()`); covered != "" {
		b.t.Errorf("%s at 400 %%: %s covers half the screen", name, covered)
	}
}

// forced looks at the page in the colours of who needs her own (Windows' high contrast): what
// is only told by a background has no edge there.
func (b *Tab) forced(name string) {
	b.t.Helper()
	b.Size(phone, height)
	Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}}})
	defer Call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: ""}}})
	b.fits(name, "forced colours")
	lost := Eval[string](b, `[...document.querySelectorAll(".govuk-button, .govuk-tag, input:not([type=hidden]), textarea, select")].filter(e => {
		if (!e.offsetParent || e.matches("[type=radio], [type=checkbox]")) return false;
		const s = getComputedStyle(e);
		return !["Top", "Right", "Bottom", "Left"].some(side => parseFloat(s["border" + side + "Width"]) > 0) && s.textDecorationLine === "none" && parseFloat(s.outlineWidth) === 0 && !e.matches(".govuk-tag");
	}).map(e => e.outerHTML.slice(0, 80)).join(" ; ")`)
	if lost != "" {
		b.t.Errorf("%s in forced colours: nothing shows the edge of %s", name, lost)
	}
}

// reachable goes through the page with the Tab key alone: everything that can be used is
// met, and shows that it has the focus.
func (b *Tab) reachable(name string) {
	b.t.Helper()
	const usable = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")].filter(e =>
		!e.disabled && e.checkVisibility({visibilityProperty: true}) && !e.closest("dialog:not([open])"))`
	// Of a group of radios the key meets one; what is checked, or else the first.
	count := Eval[int](b, `(() => { document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute("tabindex");
		const groups = new Set(); window.__unmet = new Set(`+usable+`.filter(e => {
			if (e.type !== "radio") return true;
			const of = e.name; if (groups.has(of)) return false; groups.add(of); return true; }).map(e => e.type === "radio" ? e.name : e));
		return window.__unmet.size; })()`)
	for range count { // and not one more: the focus would leave the page
		b.Press("\t")
		problem := Eval[string](b, `(() => { const e = document.activeElement; if (!e || e === document.body) return "";
			window.__unmet.delete(e.type === "radio" ? e.name : e);
			if (!e.matches(":focus-visible")) return "";
			const shown = [e, e.nextElementSibling, e.querySelector(".govuk-details__summary-text")].filter(Boolean).some(x => [getComputedStyle(x), getComputedStyle(x, "::before")].some(s =>
				s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 1 || s.boxShadow !== "none" || s.backgroundColor === "rgb(255, 221, 0)"));
			return shown ? "" : e.outerHTML.slice(0, 100); })()`)
		if problem != "" {
			b.t.Errorf("%s: nothing shows that this has the focus: %s", name, problem)
		}
	}
	Eval[bool](b, `(document.activeElement.blur(), window.scrollTo(0, 0), true)`)
	if unmet := Eval[string](b, `[...window.__unmet].filter(e => !e.checkVisibility || e.checkVisibility({visibilityProperty: true})).map(e => e.outerHTML ? e.outerHTML.slice(0, 100) : "radios " + e).join(" ; ")`); unmet != "" {
		b.t.Errorf("%s: by keyboard alone nobody reaches %s", name, unmet)
	}
}

// violations asks axe-core.
func (b *Tab) violations() []string {
	b.t.Helper()
	if !Eval[bool](b, `"axe" in window`) {
		axe, err := os.ReadFile(filepath.Join(modules(b.t), "axe-core", "axe.min.js"))
		if err != nil {
			b.t.Fatalf("%v (run npm ci in internal/interop first; make test does)", err)
		}
		b.Do("reading axe", func(ctx context.Context, _ *chromedp.Target) (v chromedp.Void, err error) {
			_, err = chromedp.Call(ctx, runtime.Evaluate, runtime.EvaluateParams{Expression: string(axe)})
			return v, err
		})
	}
	// The skip link of Exit this page stands outside all landmarks by design.
	found := Get(b, "asking axe", chromedp.Evaluate[string](`axe.run({exclude: [".govuk-js-exit-this-page-skiplink"]}, {
		runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], rules: {"target-size": {enabled: true}},
	}).then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.help + " " + v.nodes.map(n => n.html).join(" ; "))))`, chromedp.EvalAwaitPromise))
	var all []string
	if err := json.Unmarshal([]byte(found), &all); err != nil {
		b.t.Fatal(err)
	}
	return all
}

func (b *Tab) shoot(name string) {
	dir := os.Getenv("HUB_SHOTS")
	if dir == "" {
		return
	}
	png := Get(b, "taking a picture", chromedp.FullScreenshot(100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
