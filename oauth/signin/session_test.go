package signin_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"handover/internal/httpd"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
)

// TestTheCookiesAreHerBrowsersAlone: __Host-, Secure, HttpOnly, SameSite, the whole host
// (RFC 6265bis §4.1.3.2), and in the database only their digests.
func TestTheCookiesAreHerBrowsersAlone(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	b.Options(t, signInPath, struct{}{})
	for _, name := range []string{sessionName, "__Host-ceremony"} {
		c := b.Cookies[name]
		if c == nil || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !ids.IsBytes(c.Value, 32) {
			t.Errorf("%s: %+v", name, c)
		}
		if name == sessionName && (c.MaxAge != 0 || !c.Expires.IsZero()) {
			t.Error("the session's cookie outlives the browser")
		}
	}
	for _, table := range []string{"oauth_session", "oauth_ceremony"} {
		for _, row := range hubtest.Column[string](t, h, `SELECT x::text FROM `+table+` x`) {
			for _, c := range b.Cookies {
				if strings.Contains(row, c.Value) {
					t.Errorf("%s holds a cookie's value", table)
				}
			}
		}
	}
}

// TestASignInEndsWhatTheBrowserHadBefore: a cookie that somebody planted or copied before
// she signed in is worth nothing afterwards (session fixation), nor is one from before a
// step-up.
func TestASignInEndsWhatTheBrowserHadBefore(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	for name, prove := range map[string]func(testing.TB) hubtest.Answer{"a sign-in": b.SignIn, "a step-up": b.StepUp} {
		before := sameCookies(h, b)
		if !before.SignedIn(t) {
			t.Fatal("the copy does not work before either")
		}
		if got := prove(t); got.Status != 200 {
			t.Fatalf("%s: %d %s", name, got.Status, got.Body)
		}
		if before.SignedIn(t) || !b.SignedIn(t) || b.Cookies[sessionName].Value == before.Cookies[sessionName].Value {
			t.Errorf("after %s the cookie from before counts", name)
		}
	}
	planted := h.Browser()
	planted.Cookies[sessionName] = &http.Cookie{Name: sessionName, Value: ids.Digest("planted")}
	planted.Device = b.Device
	if got := planted.SignIn(t); got.Status != 200 || planted.Cookies[sessionName].Value == ids.Digest("planted") {
		t.Errorf("a planted cookie became a session: %d", got.Status)
	}
	r := b.Request(t, http.MethodGet, "/account", "", nil)
	r.AddCookie(&http.Cookie{Name: sessionName, Value: ids.Digest("second")})
	if got := b.Send(r); got.Status != http.StatusSeeOther {
		t.Errorf("of two session cookies one was chosen: %d", got.Status)
	}
}

// TestASessionEnds moves its times by the database's clock, which is the one that counts.
func TestASessionEnds(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	at := func(made, seen string) {
		h.Exec(t, `UPDATE oauth_session SET made_at = now() - $1::interval, expires_at = now() - $1::interval + interval '12 hours', seen_at = now() - $2::interval`, made, seen)
	}
	for _, row := range []struct {
		made, seen string
		live       bool
	}{
		{"29 minutes", "29 minutes", true},
		{"31 minutes", "31 minutes", false},
		{"11 hours 59 minutes", "1 minute", true},
		{"12 hours", "1 second", false},
	} {
		at(row.made, row.seen)
		if b.SignedIn(t) != row.live {
			t.Errorf("made %s ago, seen %s ago: live is %v", row.made, row.seen, !row.live)
		}
	}
	at("31 minutes", "31 minutes")
	if got := b.Post(t, stepUpPath+"/options", struct{}{}); got.Problem().Code != "signed-out" {
		t.Errorf("a session that has ended steps up: %d %s", got.Status, got.Body)
	}
}

func TestSeenIsWrittenOnceAMinute(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	for _, row := range []struct {
		ago  string
		want bool
	}{{"59 seconds", false}, {"61 seconds", true}} {
		h.Exec(t, `UPDATE oauth_session SET seen_at = now() - $1::interval`, row.ago)
		b.SignedIn(t)
		if moved := hubtest.Value[bool](t, h, `SELECT seen_at > now() - interval '30 seconds' FROM oauth_session`); moved != row.want {
			t.Errorf("seen %s ago: written is %v", row.ago, moved)
		}
	}
}

// TestWhatIsDoneToAPersonCountsAtHerNextRequest: nothing of her standing is kept in the
// session.
func TestWhatIsDoneToAPersonCountsAtHerNextRequest(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	for name, do := range map[string]func(u partners.User){
		"suspended": func(u partners.User) {
			h.Exec(t, `UPDATE partner_user SET status = 'suspended' WHERE id = $1`, u.ID)
		},
		"removed": func(u partners.User) {
			h.Exec(t, `UPDATE partner_user SET status = 'removed' WHERE id = $1`, u.ID)
		},
		"signed out by her administrator": func(u partners.User) {
			if err := h.Registry.SignOut(t.Context(), caller(t, h, admin), u.ID); err != nil {
				t.Fatal(err)
			}
		},
	} {
		u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
		if !b.SignedIn(t) {
			t.Fatal("not signed in")
		}
		do(u)
		if b.SignedIn(t) {
			t.Errorf("%s: her session counts", name)
		}
		want(t, b.Post(t, stepUpPath+"/options", struct{}{}), 401, "signed-out", name+", stepping up")
		got := b.SignIn(t)
		if again := name == "signed out by her administrator"; (got.Status == 200) != again || b.SignedIn(t) != again {
			t.Errorf("%s: signing in again answers %d %s", name, got.Status, got.Body)
		}
	}
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	h.Exec(t, `UPDATE partner_user SET role = 'auditor' WHERE id = $1`, u.ID)
	if c := caller(t, h, b); c.Role() != partners.Auditor || c.Has(partners.ReferralsSend) {
		t.Errorf("her role is still %s", c.Role())
	}
	if err := h.Operator.Suspend(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	if b.SignedIn(t) || b.SignIn(t).Status != 401 {
		t.Error("people of a suspended partner are let in")
	}
}

// caller is the partners.Caller of a browser's session.
func caller(t *testing.T, h *hubtest.Hub, b *hubtest.Browser) partners.Caller {
	t.Helper()
	s, err := h.SignIn.Session(b.Request(t, http.MethodGet, "/account", "", nil))
	if err != nil {
		t.Fatal(err)
	}
	return s.Caller
}

// TestOnlySheAndHerAdministratorSignHerOut.
func TestOnlySheAndHerAdministratorSignHerOut(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	other := h.Agency(t, "rosewell-women", partners.VAWGService)
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	_, colleague := h.Joined(t, a.ID, "Bea Example", partners.Manager)
	_, stranger := h.Joined(t, other.ID, "Cora Example", partners.Administrator)
	for name, by := range map[string]*hubtest.Browser{"a colleague": colleague, "another agency's administrator": stranger} {
		for _, id := range []string{u.ID, ids.Digest("x"), ""} {
			if err := h.Registry.SignOut(t.Context(), caller(t, h, by), id); !isFault(err, partners.ErrUserNotThere) {
				t.Errorf("%s signs out %q: %v", name, id, err)
			}
		}
	}
	if !b.SignedIn(t) {
		t.Fatal("she was signed out")
	}
	there := elsewhere(h, b)
	there.SignIn(t)
	if got := b.Form(t, "/account/sign-out-everywhere", nil); got.Status != http.StatusSeeOther || b.SignedIn(t) || there.SignedIn(t) {
		t.Errorf("signing out everywhere: %d, here %v, there %v", got.Status, b.SignedIn(t), there.SignedIn(t))
	}
	entries := h.Entries(t, 0)
	if last := entries[len(entries)-1]; last.Act != "user.signout-all" || last.User != u.ID || last.Target != u.ID || last.Partner != string(a.ID) {
		t.Errorf("logged %+v", last)
	}
}

// TestAStepUpDoesNotBringBackWhatWasEnded lets a sign-out come in while a step-up is under
// way: whichever is first, she is signed out afterwards.
func TestAStepUpDoesNotBringBackWhatWasEnded(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	by := caller(t, h, admin)
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	for range 8 {
		b.SignIn(t)
		credential := b.Device.Get(b.Options(t, stepUpPath, struct{}{}), nil)
		hubtest.Together(2, func(i int) error {
			if i == 0 {
				return h.Registry.SignOut(t.Context(), by, u.ID)
			}
			b.Post(t, stepUpPath, map[string]any{"credential": credential})
			return nil
		})
		if b.Cookies[sessionName] != nil && b.SignedIn(t) {
			t.Fatal("a step-up has brought back a session that was ended")
		}
	}
	b.SignIn(t)
	credential := b.Device.Get(b.Options(t, stepUpPath, struct{}{}), nil)
	tx, err := h.DB.Owner.Begin(t.Context()) // a sign-out that is decided and not yet committed
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `UPDATE partner_user SET signed_out_at = clock_timestamp() WHERE id = $1`, u.ID); err != nil {
		t.Fatal(err)
	}
	answered := make(chan hubtest.Answer, 1)
	go func() { answered <- b.Post(t, stepUpPath, map[string]any{"credential": credential}) }()
	if err := hubtest.Blocked(t, h, tx, 1); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, <-answered, 401, "signed-out", "a step-up that waited for a sign-out")
}

// TestNobodyTouchesAnothersSessions: not a colleague's, not another agency's.
func TestNobodyTouchesAnothersSessions(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	other := h.Agency(t, "rosewell-women", partners.VAWGService)
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	b.Post(t, addPath, map[string]any{"credential": h.Browser().Device.Create(b.Options(t, addPath, struct{}{}))})
	session := hubtest.Value[string](t, h, `SELECT id::text FROM oauth_session WHERE user_id = $1`, u.ID)
	passkey := hubtest.Column[string](t, h, `SELECT id::text FROM oauth_passkey WHERE user_id = $1`, u.ID)[0]
	notice := hubtest.Value[string](t, h, `SELECT id::text FROM oauth_notice WHERE reader = $1`, u.ID)
	_, colleague := h.Joined(t, a.ID, "Bea Example", partners.Administrator)
	_, stranger := h.Joined(t, other.ID, "Cora Example", partners.Administrator)
	for name, by := range map[string]*hubtest.Browser{"a colleague": colleague, "another agency": stranger} {
		for _, path := range []string{"/account/sessions/" + session + "/end", "/account/passkeys/" + passkey + "/remove", "/account/notices/" + notice + "/dismiss"} {
			if got := by.Form(t, path, url.Values{}); got.Status != http.StatusNotFound {
				t.Errorf("%s at %s: %d", name, path, got.Status)
			}
		}
		page := string(by.Get(t, "/account").Body)
		if strings.Contains(page, session) || strings.Contains(page, passkey) || strings.Contains(page, "Ayo") {
			t.Errorf("%s sees what is hers", name)
		}
	}
	if !b.SignedIn(t) {
		t.Error("she was signed out")
	}
}

func TestTooManyAttemptsAreRefusedBeforeAnythingIsVerified(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	limited := func(network, person rate.Limit) http.Handler {
		s, err := signin.New(signin.Config{Issuer: hubtest.Issuer, Store: signin.NewStore(h.DB.Hub), Partners: h.Registry, Log: h.Log, Keys: h.Keys(),
			NetworkRate: network, PersonRate: person, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
		if err != nil {
			t.Fatal(err)
		}
		router := httpd.Router()
		s.Mount(router)
		return router
	}
	ask := func(handler http.Handler, r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	few := limited(0.2, rate.Inf) // two
	for i, status := range []int{409, 409, 429} {
		w := ask(few, b.Request(t, http.MethodPost, signInPath, "application/json", jsonBody(t, map[string]any{"credential": assertion(t, b)})))
		if i < 2 {
			status = 200
		}
		if w.Code != status {
			t.Errorf("attempt %d of one address: %d %s", i, w.Code, w.Body)
		}
		if status == 429 && (w.Header().Get("Retry-After") != "5" || !strings.Contains(w.Header().Get("RateLimit"), `"address";r=0`)) {
			t.Errorf("it says %v", w.Header())
		}
	}
	own := limited(rate.Inf, 0.1) // one
	for i, status := range []int{200, 429} {
		w := ask(own, b.Request(t, http.MethodPost, signInPath, "application/json", jsonBody(t, map[string]any{"credential": assertion(t, b)})))
		if w.Code != status {
			t.Errorf("attempt %d of one person: %d %s", i, w.Code, w.Body)
		}
	}
}

func TestWhatIsOverIsForgotten(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	elsewhere(h, b).SignIn(t)
	b.Options(t, signInPath, struct{}{})
	left := func() int {
		if err := signin.NewStore(h.DB.Hub).Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		return hubtest.Value[int](t, h, `SELECT (SELECT count(*) FROM oauth_ceremony) * 10 + (SELECT count(*) FROM oauth_session)`)
	}
	if n := left(); n != 12 {
		t.Errorf("%d are left of what goes on, want 12", n)
	}
	h.Exec(t, `UPDATE oauth_ceremony SET expires_at = now() - interval '1 second'`)
	h.Exec(t, `UPDATE oauth_session SET seen_at = now() - interval '31 minutes' WHERE ctid = (SELECT max(ctid) FROM oauth_session)`)
	if n := left(); n != 1 {
		t.Errorf("%d are left, want 1", n)
	}
	h.Exec(t, `UPDATE oauth_session SET expires_at = now() - interval '1 second'`)
	if n := left(); n != 0 {
		t.Errorf("%d are left, want 0", n)
	}
}

func TestADeviceIsToldInCoarseWords(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	for agent, want := range map[string]string{
		"Mozilla/5.0 (Linux; Android 14; SM-G991B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.7390.122 Mobile Safari/537.36":                "Chrome on Android",
		"Mozilla/5.0 (Linux; Android 13; SM-A536B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36": "Samsung Internet on Android",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1":    "Safari on iPhone",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0":              "Edge on Windows",
		"Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0":                                                                     "Firefox on Linux",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15":                      "Safari on Mac",
		"Zephyrine-Quillfeather": "A browser on another device",
		"":                       "A browser on another device",
	} {
		_, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
		b := h.Browser()
		b.Agent = agent
		b.Join(t, code)
		got := hubtest.Column[string](t, h, `SELECT device FROM oauth_session ORDER BY made_at DESC LIMIT 1`)
		if len(got) != 1 || got[0] != want {
			t.Errorf("%q is told as %q, want %q", agent, got, want)
		}
	}
}
