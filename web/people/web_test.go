package people_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// TestEveryPageCarriesTheHeaders, whatever it answers: a page, the way to another, a
// mistake.
func TestEveryPageCarriesTheHeaders(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
			"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
		"Cross-Origin-Opener-Policy": "same-origin", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
	}
	for name, got := range map[string]hubtest.Answer{
		"sign-in": h.Browser().Get(t, "/sign-in"), "join": h.Browser().Get(t, "/join"), "account": b.Get(t, "/account"), "step-up": b.Get(t, "/step-up"),
		"to sign in": h.Browser().Get(t, "/account"), "start": h.Browser().Get(t, "/"), "mistake": b.Form(t, "/account/sessions/x/end", nil),
	} {
		for header, value := range want {
			if got.Header.Get(header) != value {
				t.Errorf("%s: %s is %q", name, header, got.Header.Get(header))
			}
		}
		if p := got.Header.Get("Permissions-Policy"); !strings.HasPrefix(p, "publickey-credentials-get=(self), publickey-credentials-create=(self), ") {
			t.Errorf("%s: Permissions-Policy is %q", name, p)
		}
	}
}

// TestPagesHaveNothingInline: no style, script or handler in the markup, and a language.
func TestPagesHaveNothingInline(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, b := h.Joined(t, a.ID, "Ayo <script>alert(1)</script>", partners.Caseworker)
	inline := regexp.MustCompile(`(?i)<style|\son[a-z]+=|\sstyle=|javascript:|<script(>|[^>]*>[^<])|https?://`)
	for _, path := range []string{"/sign-in", "/join", "/account", "/step-up"} {
		page := string(b.Get(t, path).Body)
		if found := inline.FindString(page); found != "" || !strings.Contains(page, `<html lang="en-GB" `) {
			t.Errorf("%s has %q", path, found)
		}
	}
}

// TestThePlainSignInPageTellsNobodyWhoTakesPart.
func TestThePlainSignInPageTellsNobodyWhoTakesPart(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Agency(t, "larkfield-housing", partners.Housing)
	plain := string(h.Browser().Get(t, "/sign-in").Body)
	for _, path := range []string{"/sign-in/larkfield-housing", "/sign-in/nobody-here", "/sign-in/x'%22"} {
		if got := h.Browser().Get(t, path); got.Status != 200 || string(got.Body) != plain {
			t.Errorf("%s: %d, and another page than the plain one", path, got.Status)
		}
	}
}

// TestStaticFilesAreKeptForEverUnderTheirOwnName.
func TestStaticFilesAreKeptForEverUnderTheirOwnName(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	page := string(h.Browser().Get(t, "/sign-in").Body)
	found := regexp.MustCompile(`/static/(hub|app|people|icon)\.[0-9a-f]{16}\.(css|js|svg)`).FindAllString(page, -1)
	if len(found) != 4 {
		t.Fatalf("the page names %q", found)
	}
	for _, path := range found {
		got := h.Browser().Get(t, path)
		if got.Status != 200 || got.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, got.Status, got.Header)
		}
		for _, plain := range []string{strings.Replace(path, path[len(path)-8:len(path)-4], "0000", 1), "/static/hub.css", "/static/people.js"} {
			if got := h.Browser().Get(t, plain); got.Status != http.StatusNotFound {
				t.Errorf("%s: %d", plain, got.Status)
			}
		}
	}
}
