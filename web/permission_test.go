package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/web"
)

// authorization is the authorization server's side: one request, and what became of it.
type authorization struct {
	asking  web.Asking
	answers []string
}

const clientID, requestURI = "larkfield-housing.first", "urn:ietf:params:oauth:request_uri:abc"

var errNoRequest = errors.New("no such request")

func (a *authorization) Asked(_ context.Context, client, request string) (web.Asking, error) {
	if client != clientID || request != requestURI || len(a.answers) > 0 {
		return web.Asking{}, errNoRequest
	}
	return a.asking, nil
}

func (a *authorization) Permit(_ context.Context, c partners.Caller, client, request string) (string, error) {
	a.answers = append(a.answers, "permit "+c.User())
	return a.asking.RedirectOrigin + "/callback?code=x", nil
}

func (a *authorization) Deny(_ context.Context, client, request string) (string, error) {
	a.answers = append(a.answers, "deny")
	return a.asking.RedirectOrigin + "/callback?error=access_denied", nil
}

func asks(scopes ...partners.Scope) *authorization {
	return &authorization{asking: web.Asking{ClientName: "Larkfield casework", Partner: "larkfield-housing", Scopes: scopes, RedirectOrigin: "https://casework.example"}}
}

var wanted = "/oauth/authorize?" + url.Values{"client_id": {clientID}, "request_uri": {requestURI}}.Encode()

func answer(t *testing.T, b *hubtest.Browser, said string) hubtest.Answer {
	t.Helper()
	return b.Form(t, "/oauth/authorize", url.Values{"client_id": {clientID}, "request_uri": {requestURI}, "answer": {said}})
}

func TestShePermitsOrNot(t *testing.T) {
	t.Parallel()
	for said, row := range map[string]struct{ answer, location string }{
		"allow": {"permit ", "https://casework.example/callback?code=x"},
		"deny":  {"deny", "https://casework.example/callback?error=access_denied"},
		"":      {"deny", "https://casework.example/callback?error=access_denied"},
		"Allow": {"deny", "https://casework.example/callback?error=access_denied"},
	} {
		server := asks(partners.ReferralsReceive, partners.PartnerAdmin)
		h := hubtest.Listening(t, server)
		a := h.Agency(t, "larkfield-housing", partners.Housing)
		u, b := h.Person(t, a.ID, "Ayo Example", partners.Caseworker)
		page := b.Get(t, wanted)
		text := string(page.Body)
		if page.Status != 200 || !strings.Contains(text, "<strong>Larkfield casework</strong>, a system of Agency larkfield-housing") ||
			!strings.Contains(text, "read and answer the referrals") || strings.Contains(text, "manage your agency") || !strings.Contains(text, "more than your role has") {
			t.Fatalf("%d %s", page.Status, text)
		}
		if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://casework.example;") {
			t.Errorf("its policy is %s", csp)
		}
		if len(server.answers) != 0 {
			t.Fatal("it was decided before she was asked")
		}
		got := answer(t, b, said)
		if row.answer == "permit " {
			row.answer += u.ID
		}
		if got.Status != 303 || got.Header.Get("Location") != row.location || len(server.answers) != 1 || server.answers[0] != row.answer {
			t.Errorf("%q: %d to %s, %q", said, got.Status, got.Header.Get("Location"), server.answers)
		}
		if again := b.Get(t, wanted); again.Status != 404 || !strings.Contains(string(again.Body), "Start again from the system you came from") {
			t.Errorf("a request that was answered: %d %s", again.Status, again.Body)
		}
	}
}

// TestNobodyElsePermits: not a person of another agency, not a role without the rights, not
// another site's page, not who is signed out.
func TestNobodyElsePermits(t *testing.T) {
	t.Parallel()
	server := asks(partners.ReferralsReceive)
	h := hubtest.Listening(t, server)
	a, other := h.Agency(t, "larkfield-housing", partners.Housing), h.Agency(t, "rosewell-women", partners.VAWGService)
	_, stranger := h.Person(t, other.ID, "Cora Example", partners.Caseworker)
	_, auditor := h.Person(t, a.ID, "Audrey Example", partners.Auditor)
	_, own := h.Person(t, a.ID, "Ayo Example", partners.Caseworker)
	for name, row := range map[string]struct {
		who  *hubtest.Browser
		said string
	}{
		"another agency's person": {stranger, "belongs to another agency than yours"},
		"an auditor":              {auditor, "what your role does not let you do"},
	} {
		for _, got := range []hubtest.Answer{row.who.Get(t, wanted), answer(t, row.who, "allow"), answer(t, row.who, "deny")} {
			if got.Status != 403 || !strings.Contains(string(got.Body), row.said) || got.Header.Get("Location") != "" {
				t.Errorf("%s: %d %s", name, got.Status, got.Body)
			}
		}
	}
	r := own.Request(t, http.MethodPost, "/oauth/authorize", "application/x-www-form-urlencoded",
		[]byte(url.Values{"client_id": {clientID}, "request_uri": {requestURI}, "answer": {"allow"}}.Encode()))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := own.Send(r); got.Status != 403 {
		t.Errorf("another site's page permits: %d", got.Status)
	}
	if got := h.Browser().Get(t, wanted); got.Status != 303 || got.Header.Get("Location") != "/sign-in?next="+url.QueryEscape(wanted) {
		t.Errorf("signed out: %d %s", got.Status, got.Header.Get("Location"))
	}
	if len(server.answers) != 0 {
		t.Errorf("decided: %q", server.answers)
	}
	if got := own.Get(t, "/oauth/authorize?client_id=x&request_uri=y"); got.Status != 404 {
		t.Errorf("a request that is none: %d", got.Status)
	}
	if !strings.Contains(string(hubtest.Value[[]byte](t, h, `SELECT body FROM audit_entry WHERE outcome = 'permission-other-agency' LIMIT 1`)), `"partner":"rosewell-women"`) {
		t.Error("the refusal is not logged as hers")
	}
}

// TestARedirectAddsNothingToThePolicy: what a system wrote is an origin, or left out.
func TestARedirectAddsNothingToThePolicy(t *testing.T) {
	t.Parallel()
	server := asks(partners.ReferralsReceive)
	h := hubtest.Listening(t, server)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, b := h.Person(t, a.ID, "Ayo Example", partners.Caseworker)
	for origin, want := range map[string]string{
		"http://127.0.0.1:4711":                   "form-action 'self' http://127.0.0.1:4711; ",
		"https://a.example; script-src *":         "form-action 'self'; ",
		"https://a.example *":                     "form-action 'self'; ",
		"https://*.example":                       "form-action 'self'; ",
		"https://a.example,https://b.example":     "form-action 'self'; ",
		"javascript:alert(1)":                     "form-action 'self'; ",
		"":                                        "form-action 'self'; ",
		"https://a.example/path?x; script-src 'x": "form-action 'self' https://a.example; ",
	} {
		server.asking.RedirectOrigin = origin
		if csp := b.Get(t, wanted).Header.Get("Content-Security-Policy"); !strings.Contains(csp, want) || strings.Count(csp, "script-src") != 1 {
			t.Errorf("%q: %s", origin, csp)
		}
	}
}

// TestPermissionInARealBrowser: Chromium follows the answer to the system, which it would
// not do if the policy did not name it.
func TestPermissionInARealBrowser(t *testing.T) {
	t.Parallel()
	system := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><title>System</title><p id="back">` + r.URL.RawQuery))
	}))
	t.Cleanup(system.Close)
	server := asks(partners.ReferralsSend, partners.ReferralsReceive, partners.ConsentsWrite)
	server.asking.RedirectOrigin = system.URL
	h := hubtest.Listening(t, server)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
	b := open(t, h)
	b.visit("/join#"+code, "#join-make")
	b.click("#join-make", "dl")
	b.click("header button", "#sign-in")
	b.visit(wanted, "#sign-in") // she comes from the system, and is signed out
	b.click("#sign-in", ".choices")
	b.inspect("permission")
	b.click("button[value=allow]", "#back")
	if text := b.text(); text != "code=x" {
		t.Errorf("the system is told %q", text)
	}
	b.visit(wanted, "main a[href='/account']")
	b.inspect("permission-over")
	b.clean()
}
