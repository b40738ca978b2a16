package signin_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/hubtest"
	"handover/partners"
)

func TestAPersonJoinsSignsOutAndSignsInAgain(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	if !b.SignedIn(t) {
		t.Fatal("she is not signed in after joining")
	}
	if a := b.Form(t, "/sign-out", nil); a.Status != http.StatusSeeOther || b.SignedIn(t) {
		t.Fatalf("signing out: %d, signed in: %v", a.Status, b.SignedIn(t))
	}
	if a := b.SignIn(t); a.Status != http.StatusOK || !b.SignedIn(t) {
		t.Fatalf("signing in: %d %s", a.Status, a.Body)
	}
	var acts []string
	for _, e := range h.Entries(t, 0) {
		if e.User == u.ID {
			acts = append(acts, e.Act)
			if e.Partner != string(a.ID) {
				t.Errorf("%s is logged of %q", e.Act, e.Partner)
			}
		}
	}
	slices.Sort(acts) // those of one transaction have one time
	if diff := cmp.Diff([]string{"passkey.add", "user.enrol", "user.signin", "user.signin", "user.signout"}, acts); diff != "" {
		t.Errorf("logged (-want +got):\n%s", diff)
	}
	for _, body := range hubtest.Column[[]byte](t, h, `SELECT body FROM audit_entry`) {
		if bytes.Contains(body, []byte("Ayo")) {
			t.Errorf("her name is in the log: %s", body)
		}
	}
}

// TestASpoiledAnswerSignsNobodyIn: everything that an assertion says is verified
// (WebAuthn §7.2), and the answer to each does not tell which part was wrong.
func TestASpoiledAnswerSignsNobodyIn(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	_, other := h.Joined(t, a.ID, "Bea Example", partners.Caseworker)
	good := *b.Device
	for name, spoil := range map[string]func() map[string]any{
		"made at another site": func() map[string]any {
			b.Device.Origin = "https://hub.example.evil.example"
			return assertion(t, b)
		},
		"made at a sibling site": func() map[string]any {
			b.Device.Origin = "https://evil.hub.example"
			return assertion(t, b)
		},
		"made at another port": func() map[string]any {
			b.Device.Origin = "https://hub.example:8443"
			return assertion(t, b)
		},
		"made in clear":   func() map[string]any { b.Device.Origin = "http://hub.example"; return assertion(t, b) },
		"for another RP":  func() map[string]any { b.Device.RPID = "example"; return assertion(t, b) },
		"not verified":    func() map[string]any { b.Device.Unverified = true; return assertion(t, b) },
		"of another type": func() map[string]any { b.Device.Type = "webauthn.create"; return assertion(t, b) },
		"suddenly synced": func() map[string]any { b.Device.Synced = true; return assertion(t, b) },
		"of no known key": func() map[string]any { c := assertion(t, b); c["id"] = "AAAAAAAAAAAAAAAAAAAAAAAA"; return c },
		"with no user": func() map[string]any {
			c := assertion(t, b)
			delete(c["response"].(map[string]any), "userHandle")
			return c
		},
		"of another type ": func() map[string]any { c := assertion(t, b); c["type"] = "password"; return c },
		"by another's key": func() map[string]any {
			c := other.Device.Get(b.Options(t, signInPath, struct{}{}), nil)
			c["id"] = assertionID(b)
			return c
		},
		"with another's user handle": func() map[string]any {
			c := assertion(t, b)
			c["response"].(map[string]any)["userHandle"] = c64(other.Device.Keys[0].User)
			return c
		},
		"with a changed signature": func() map[string]any {
			return change(t, assertion(t, b), "signature", func(s []byte) []byte { s[len(s)-1] ^= 1; return s })
		},
		"with changed data": func() map[string]any {
			return change(t, assertion(t, b), "authenticatorData", func(d []byte) []byte { d[len(d)-1] ^= 1; return d })
		},
		"with another challenge": func() map[string]any {
			c := assertion(t, b)
			b.Options(t, signInPath, struct{}{})
			return c
		},
	} {
		delete(b.Cookies, sessionName)
		credential := spoil()
		got := signIn(t, b, credential)
		*b.Device = good
		want(t, got, 401, "sign-in-refused", name)
		if b.Cookies[sessionName] != nil || b.SignedIn(t) {
			t.Errorf("%s: she is signed in", name)
		}
	}
	if a := b.SignIn(t); a.Status != 200 {
		t.Errorf("a right answer is refused too: %d %s", a.Status, a.Body)
	}
}

func TestAnAnswerCountsOnceInTheBrowserThatAsked(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)

	credential := assertion(t, b)
	twin := sameCookies(h, b)
	if got := signIn(t, b, credential); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	want(t, signIn(t, twin, credential), 409, "sign-in-stale", "the same answer again")

	credential = assertion(t, b)
	want(t, signIn(t, elsewhere(h, b), credential), 409, "sign-in-stale", "an answer in another browser")

	// What was refused is used up: nobody can try signatures against one challenge.
	options := b.Options(t, signInPath, struct{}{})
	wrong := change(t, b.Device.Get(options, nil), "signature", func(s []byte) []byte { s[8] ^= 1; return s })
	right := b.Device.Get(options, nil)
	twin = sameCookies(h, b)
	want(t, signIn(t, b, wrong), 401, "sign-in-refused", "a wrong signature")
	want(t, signIn(t, twin, right), 409, "sign-in-stale", "a challenge that a wrong answer used")

	credential = assertion(t, b)
	h.Exec(t, `UPDATE oauth_ceremony SET expires_at = now() - interval '1 second'`)
	want(t, signIn(t, b, credential), 409, "sign-in-stale", "an answer that is late")

	options = b.Options(t, stepUpPath, struct{}{})
	want(t, signIn(t, b, b.Device.Get(options, nil)), 409, "sign-in-stale", "an answer to a step-up")
	options = b.Options(t, signInPath, struct{}{})
	want(t, b.Post(t, stepUpPath, map[string]any{"credential": b.Device.Get(options, nil)}), 409, "sign-in-stale", "an answer to a sign-in, for a step-up")
	options = b.Options(t, addPath, struct{}{})
	want(t, b.Post(t, joinPath, map[string]any{"code": "x", "credential": h.Browser().Device.Create(options)}), 409, "sign-in-stale", "a passkey to add, for a link")
}

// TestOneOfManyAnswersCounts: of the same answer sent at the same time one is taken.
func TestOneOfManyAnswersCounts(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	credential := assertion(t, b)
	browsers := make([]*hubtest.Browser, 8)
	for i := range browsers {
		browsers[i] = sameCookies(h, b)
	}
	answers := hubtest.Together(len(browsers), func(i int) hubtest.Answer { return signIn(t, browsers[i], credential) })
	taken := 0
	for _, a := range answers {
		if a.Status == 200 {
			taken++
		} else if a.Status != 409 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if taken != 1 {
		t.Errorf("%d of the same answers were taken, want 1", taken)
	}
}

func TestACopiedPasskeyIsRefusedAndLogged(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	key := b.Device.Keys[0]
	copied := *key
	for range 3 {
		if got := b.SignIn(t); got.Status != 200 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
	}
	*key = copied // the copy has not seen the three
	want(t, b.SignIn(t), 401, "sign-in-refused", "a counter that goes back")
	if e := lastRefusal(t, h); e.User != u.ID || e.Partner != string(a.ID) || e.Reason != "passkey-copied" {
		t.Errorf("logged %+v", e)
	}
	key.Counter = 3 // the next is the counter that was used last
	want(t, b.SignIn(t), 401, "sign-in-refused", "a counter that stands still")
	key.Counter = 10
	if got := b.SignIn(t); got.Status != 200 {
		t.Errorf("a counter that goes on: %d %s", got.Status, got.Body)
	}
}

func TestAPasskeyThatCountsNothingMayBeUsedAgain(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
	b := h.Browser()
	b.Device.NoCounter, b.Device.Synced = true, true
	if got := b.Join(t, code); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	for range 2 {
		if got := b.SignIn(t); got.Status != 200 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
}

// TestResultsOfExtensionsAreRefused: a page that posts what toJSON gives would give the hub
// the key that prf made.
func TestResultsOfExtensionsAreRefused(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	secret := map[string]any{"prf": map[string]any{"results": map[string]any{"first": "c2VjcmV0"}}}
	with := func(c map[string]any) map[string]any { c["clientExtensionResults"] = secret; return c }

	want(t, signIn(t, b, with(assertion(t, b))), 400, "passkey-secret", "signing in")
	want(t, b.Post(t, stepUpPath, map[string]any{"credential": with(b.Device.Get(b.Options(t, stepUpPath, struct{}{}), nil))}), 400, "passkey-secret", "stepping up")
	want(t, b.Post(t, addPath, map[string]any{"credential": with(h.Browser().Device.Create(b.Options(t, addPath, struct{}{})))}), 400, "passkey-secret", "adding a passkey")
	_, code := h.Employed(t, a.ID, "Bea Example", partners.Caseworker)
	fresh := h.Browser()
	created := with(fresh.Device.Create(fresh.Options(t, joinPath, map[string]any{"code": code})))
	want(t, fresh.Post(t, joinPath, map[string]any{"code": code, "credential": created}), 400, "passkey-secret", "joining")

	c := assertion(t, b)
	c["response"].(map[string]any)["clientExtensionResults"] = secret
	want(t, signIn(t, b, c), 400, "malformed-json", "in another place")
}

func TestWhatAnotherSitesPageSendsIsRefused(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	sites := map[string]func(http.Header){
		"another site":                func(h http.Header) { h.Set("Sec-Fetch-Site", "cross-site"); h.Set("Origin", "https://evil.example") },
		"a sibling site":              func(h http.Header) { h.Set("Sec-Fetch-Site", "same-site"); h.Set("Origin", "https://www.hub.example") },
		"another site, older browser": func(h http.Header) { h.Del("Sec-Fetch-Site"); h.Set("Origin", "https://evil.example") },
		"a sandboxed frame":           func(h http.Header) { h.Del("Sec-Fetch-Site"); h.Set("Origin", "null") },
	}
	for name, from := range sites {
		for _, path := range []string{signInPath + "/options", signInPath, joinPath + "/options", joinPath, stepUpPath + "/options", stepUpPath, addPath + "/options", addPath} {
			r := b.Request(t, http.MethodPost, path, "application/json", []byte(`{}`))
			from(r.Header)
			want(t, b.Send(r), 403, "cross-site", path+" from "+name)
		}
		for _, path := range []string{"/sign-out", "/account/sign-out-everywhere"} {
			r := b.Request(t, http.MethodPost, path, "application/x-www-form-urlencoded", nil)
			from(r.Header)
			if got := b.Send(r); got.Status != 403 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
				t.Errorf("%s from %s: %d %s", path, name, got.Status, got.Body)
			}
		}
	}
	if !b.SignedIn(t) {
		t.Error("another site's page has signed her out")
	}
	r := b.Request(t, http.MethodPost, signInPath+"/options", "text/plain", []byte(`{}`)) // as a form could send it
	want(t, b.Send(r), 415, "unsupported-media-type", "plain text")
}

func TestWhereOneLandsIsAPageOfOurs(t *testing.T) {
	t.Parallel()
	h, _ := scene(t)
	for next, want := range map[string]string{
		"":                           "/",
		"/account":                   "/account",
		"/step-up?next=%2Faccount":   "/step-up?next=%2Faccount",
		"/oauth/authorize?a=b&c=d":   "/oauth/authorize?a=b&c=d",
		"https://evil.example/":      "/",
		"//evil.example/account":     "/",
		"///evil.example/account":    "/",
		`/\evil.example`:             "/",
		`\\evil.example\account`:     "/",
		"/account/../../evil":        "/",
		"/account\r\nSet-Cookie: a=": "/",
		"/account/notices":           "/account/notices",
		"/account/notices/":          "/",
		"/accounts":                  "/",
		"/account/":                  "/",
		"/%61ccount":                 "/",
		"account":                    "/",
		"javascript:alert(1)":        "/",
		"https:/account":             "/",
		"//@/account":                "/",
		"/account#x":                 "/",
		"/v1/inbox":                  "/",
		"/sign-out":                  "/",
		"\t/account":                 "/",
		"/account?a=\r\nb":           "/",
	} {
		if got := h.SignIn.Landing(next); got != want {
			t.Errorf("after %q one lands on %q, want %q", next, got, want)
		}
	}
	a := h.Agency(t, "rosewell-women", partners.VAWGService)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	got := b.Post(t, signInPath, map[string]any{"credential": assertion(t, b), "next": "https://evil.example/"})
	if got.Status != 200 || decoded(t, got)["location"] != "/" {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
