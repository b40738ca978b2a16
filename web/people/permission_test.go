package people_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/web/webtest"
)

// asked has the agency's system ask for scopes and returns where it sends the person.
func asked(t *testing.T, a *hubtest.Agency, redirect string, scopes string) url.Values {
	t.Helper()
	uri, _ := a.Push(t, url.Values{"redirect_uri": {redirect}, "scope": {scopes}, "state": {"one"}})
	return url.Values{"client_id": {a.Client}, "request_uri": {uri}}
}

const redirect = "http://127.0.0.1:4711/callback"

func answer(t *testing.T, b *hubtest.Browser, asked url.Values, said string) hubtest.Answer {
	t.Helper()
	return b.Form(t, "/oauth/authorize", url.Values{"client_id": asked["client_id"], "request_uri": asked["request_uri"], "answer": {said}})
}

func TestShePermitsOrNot(t *testing.T) {
	t.Parallel()
	h := hubtest.Listening(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	for said, want := range map[string]string{"allow": "code", "deny": "error", "": "error", "Allow": "error"} {
		request := asked(t, a, redirect, "referrals:receive partner:admin")
		page := b.Get(t, "/oauth/authorize?"+request.Encode())
		text := string(page.Body)
		if page.Status != 200 || !strings.Contains(text, "<strong>First system</strong>, a system of Agency larkfield-housing") ||
			!strings.Contains(text, "read and answer the referrals") || strings.Contains(text, "manage your agency") || !strings.Contains(text, "more than your role has") || !strings.Contains(text, "for 12 hours") {
			t.Fatalf("%d %s", page.Status, text)
		}
		if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' http://127.0.0.1:4711;") {
			t.Errorf("its policy is %s", csp)
		}
		got := answer(t, b, request, said)
		to, err := url.Parse(got.Header.Get("Location"))
		if err != nil || got.Status != 303 || !strings.HasPrefix(to.String(), redirect+"?") || !to.Query().Has(want) || to.Query().Get("state") != "one" ||
			to.Query().Get("iss") != h.URL() || want == "error" && to.Query().Get("error") != "access_denied" {
			t.Errorf("%q: %d to %s", said, got.Status, to)
		}
		if again := b.Get(t, "/oauth/authorize?"+request.Encode()); again.Status != 404 || !strings.Contains(string(again.Body), "Start again from the system that you came from") {
			t.Errorf("a request that was answered: %d %s", again.Status, again.Body)
		}
	}
}

// TestNobodyElsePermits: not a person of another agency, not a role without the rights, not
// another site's page, not who is signed out.
func TestNobodyElsePermits(t *testing.T) {
	t.Parallel()
	h := hubtest.Listening(t)
	a, other := h.Agency(t, "larkfield-housing", partners.Housing), h.Agency(t, "rosewell-women", partners.VAWGService)
	_, stranger := h.Joined(t, other.ID, "Cora Example", partners.Caseworker)
	_, auditor := h.Joined(t, a.ID, "Audrey Example", partners.Auditor)
	_, own := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	request := asked(t, a, redirect, "referrals:receive")
	page := "/oauth/authorize?" + request.Encode()
	for name, row := range map[string]struct {
		who  *hubtest.Browser
		said string
	}{
		"another agency's person": {stranger, "belongs to another agency than yours"},
		"an auditor":              {auditor, "what your role does not let you do"},
	} {
		for _, got := range []hubtest.Answer{row.who.Get(t, page), answer(t, row.who, request, "allow"), answer(t, row.who, request, "deny")} {
			if got.Status != 403 || !strings.Contains(string(got.Body), row.said) || got.Header.Get("Location") != "" {
				t.Errorf("%s: %d %s", name, got.Status, got.Body)
			}
		}
	}
	r := own.Request(t, http.MethodPost, "/oauth/authorize", "application/x-www-form-urlencoded",
		[]byte(request.Encode()+"&answer=allow"))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := own.Send(r); got.Status != 403 {
		t.Errorf("another site's page permits: %d", got.Status)
	}
	if got := h.Browser().Get(t, page); got.Status != 303 || got.Header.Get("Location") != "/sign-in?next="+url.QueryEscape(page) {
		t.Errorf("signed out: %d %s", got.Status, got.Header.Get("Location"))
	}
	if got := own.Get(t, "/oauth/authorize?client_id=x&request_uri=y"); got.Status != 404 {
		t.Errorf("a request that is none: %d", got.Status)
	}
	if !strings.Contains(string(hubtest.Value[[]byte](t, h, `SELECT body FROM audit_entry WHERE outcome = 'authorization-other-agency' LIMIT 1`)), `"partner":"rosewell-women"`) {
		t.Error("the refusal is not logged as hers")
	}
	if got := own.Get(t, page); got.Status != 200 {
		t.Errorf("after all that the request cannot be answered: %d", got.Status)
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
	h := hubtest.Listening(t)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	_, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
	b := webtest.Open(t, h)
	b.Visit("/join#"+code, "#join-make")
	b.Click("#join-make", "header form button")
	b.Visit("/account", "dl")
	b.Click("header form button", "#sign-in")
	request := asked(t, a, system.URL+"/callback", "referrals:send referrals:receive consents:write")
	wanted := "/oauth/authorize?" + request.Encode()
	b.Visit(wanted, "#sign-in") // she comes from the system, and is signed out
	b.Click("#sign-in", ".govuk-button-group")
	b.Inspect("permission")
	b.Click("button[value=allow]", "#back")
	if text := b.Text(); !strings.Contains(text, "code=") || !strings.Contains(text, "state=one") {
		t.Errorf("the system is told %q", text)
	}
	b.Visit(wanted, "main a[href='/']")
	b.Inspect("permission-over")
	b.Clean()
}
