package signin_test

import (
	"net/url"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

func TestALinkWorksOnce(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
	b := h.Browser()
	got := decoded(t, b.Post(t, joinPath+"/options", map[string]any{"code": " " + code + "\n"})) // as it is pasted
	if j, _ := got["joining"].(map[string]any); j["name"] != "Ayo Example" || j["recovers"] != false || j["agency"] == "" {
		t.Errorf("the page is told %v", got["joining"])
	}
	browsers := make([]*hubtest.Browser, 6)
	credentials := make([]map[string]any, len(browsers))
	for i := range browsers {
		browsers[i] = h.Browser()
		credentials[i] = browsers[i].Device.Create(browsers[i].Options(t, joinPath, map[string]any{"code": code}))
	}
	in := 0
	for _, a := range hubtest.Together(len(browsers), func(i int) hubtest.Answer {
		return browsers[i].Post(t, joinPath, map[string]any{"code": code, "credential": credentials[i]})
	}) {
		if a.Status == 200 {
			in++
		} else {
			want(t, a, 401, "link-invalid", "a link used at the same time")
		}
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM oauth_passkey`); in != 1 || n != 1 {
		t.Errorf("%d joined, with %d passkeys, want 1", in, n)
	}
	want(t, h.Browser().Post(t, joinPath+"/options", map[string]any{"code": code}), 401, "link-invalid", "a link used before")
}

// TestALinkThatIsNoneTellsNothing: unknown, late, of somebody suspended, of a partner
// suspended.
func TestALinkThatIsNoneTellsNothing(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	var answers []string
	for name, spoil := range map[string]func(u partners.User){
		"late":       func(u partners.User) { h.Exec(t, `UPDATE user_link SET expires_at = now() WHERE user_id = $1`, u.ID) },
		"suspended":  func(u partners.User) { h.Exec(t, `UPDATE partner_user SET status = 'suspended' WHERE id = $1`, u.ID) },
		"taken back": func(u partners.User) { h.Exec(t, `DELETE FROM user_link WHERE user_id = $1`, u.ID) },
	} {
		u, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
		b := h.Browser()
		credential := b.Device.Create(b.Options(t, joinPath, map[string]any{"code": code}))
		spoil(u)
		want(t, b.Post(t, joinPath, map[string]any{"code": code, "credential": credential}), 401, "link-invalid", name)
		got := h.Browser().Post(t, joinPath+"/options", map[string]any{"code": code})
		want(t, got, 401, "link-invalid", name)
		answers = append(answers, got.Problem().Title)
	}
	got := h.Browser().Post(t, joinPath+"/options", map[string]any{"code": "unheard-of"})
	want(t, got, 401, "link-invalid", "unknown")
	for _, said := range answers {
		if said != got.Problem().Title {
			t.Errorf("%q and %q differ", said, got.Problem().Title)
		}
	}
	_, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
	if err := h.Operator.Suspend(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	want(t, h.Browser().Post(t, joinPath+"/options", map[string]any{"code": code}), 401, "link-invalid", "of a suspended partner")
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM oauth_passkey`); n != 0 {
		t.Errorf("%d passkeys were made", n)
	}
}

// TestAPasskeyIsMadeAsItMustBe: a refused one leaves the link usable, and nothing behind.
func TestAPasskeyIsMadeAsItMustBe(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, code := h.Employed(t, a.ID, "Ayo Example", partners.Caseworker)
	_, otherCode := h.Employed(t, a.ID, "Bea Example", partners.Administrator)
	for name, spoil := range map[string]func(d *hubtest.Authenticator){
		"not verified":         func(d *hubtest.Authenticator) { d.Unverified = true },
		"made at another site": func(d *hubtest.Authenticator) { d.Origin = "https://evil.example" },
		"for another RP":       func(d *hubtest.Authenticator) { d.RPID = "evil.example" },
		"an assertion":         func(d *hubtest.Authenticator) { d.Type = "webauthn.get" },
	} {
		b := h.Browser()
		spoil(b.Device)
		want(t, b.Join(t, code), 422, "passkey-invalid", name)
	}
	b := h.Browser()
	credential := b.Device.Create(b.Options(t, joinPath, map[string]any{"code": code}))
	want(t, b.Post(t, joinPath, map[string]any{"code": otherCode, "credential": credential}), 401, "link-invalid", "for another link")
	if got := b.Join(t, code); got.Status != 200 {
		t.Fatalf("the link is spoiled: %d %s", got.Status, got.Body)
	}
	// The same credential for somebody else: whose would it be?
	c := h.Browser()
	twin := c.Device.Create(c.Options(t, joinPath, map[string]any{"code": otherCode}))
	h.Exec(t, `UPDATE oauth_passkey SET credential = $1`, c.Device.Keys[0].ID)
	want(t, c.Post(t, joinPath, map[string]any{"code": otherCode, "credential": twin}), 409, "passkey-exists", "a passkey of somebody else")
}

// TestARecoveringLinkEndsWhatWasBefore: the passkeys and sessions of a lost phone stop, and
// she and every administrator are told.
func TestARecoveringLinkEndsWhatWasBefore(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	ada, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	_, second := h.Joined(t, a.ID, "Alma Example", partners.Administrator)
	_, colleague := h.Joined(t, a.ID, "Bea Example", partners.Caseworker)
	u, lost := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	code := recovering(t, h, u, ada.ID)
	lent := partners.Bearer{Client: a.Client, User: u.ID, Proved: caller(t, h, lost).Proved(), Granted: partners.Scopes()} // what she let a system do

	// As if somebody with the lost phone had signed in while the link was being used.
	h.Exec(t, `UPDATE oauth_session SET proved_at = now() + interval '1 minute' WHERE user_id = $1`, u.ID)
	b := h.Browser()
	if got := decoded(t, b.Post(t, joinPath+"/options", map[string]any{"code": code})); got["joining"].(map[string]any)["recovers"] != true {
		t.Errorf("she is not told that it recovers: %v", got)
	}
	if got := b.Join(t, code); got.Status != 200 || !b.SignedIn(t) {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if lost.SignedIn(t) {
		t.Error("the lost phone is signed in")
	}
	want(t, lost.SignIn(t), 401, "sign-in-refused", "the lost phone's passkey")
	if callers, err := h.Registry.Admit(t.Context(), []partners.Bearer{lent}, nil); err != nil || callers[0] != nil {
		t.Errorf("what she let a system do on it still counts: %v", err)
	}
	for name, row := range map[string]struct {
		who  *hubtest.Browser
		want string
	}{"she": {b, "Your sign-in was reset"}, "her administrator": {admin, "The sign-in of Ayo Example was reset"}, "the other administrator": {second, "The sign-in of Ayo Example was reset"}} {
		page := string(row.who.Get(t, "/account").Body)
		if !strings.Contains(page, row.want) || !strings.Contains(page, "a link made by Ada Example") {
			t.Errorf("%s is not told: %s", name, page)
		}
	}
	if strings.Contains(string(colleague.Get(t, "/account").Body), "was reset") {
		t.Error("a colleague is told")
	}
	id := hubtest.Value[string](t, h, `SELECT id::text FROM oauth_notice WHERE reader = $1`, ada.ID)
	dismiss := func() hubtest.Answer { return admin.Form(t, "/account/notices/"+id+"/dismiss", url.Values{}) }
	h.Exec(t, `UPDATE oauth_session SET proved_at = proved_at - interval '3 minutes' WHERE user_id = $1`, ada.ID)
	if got := dismiss(); got.Status != 303 || got.Header.Get("Location") != "/step-up?next=%2Faccount" || !strings.Contains(string(admin.Get(t, "/account").Body), "was reset") {
		t.Errorf("whoever has her screen hides what was done from her: %d %s", got.Status, got.Header.Get("Location"))
	}
	admin.StepUp(t)
	dismiss()
	if strings.Contains(string(admin.Get(t, "/account").Body), "was reset") || !strings.Contains(string(second.Get(t, "/account").Body), "was reset") {
		t.Error("a notice is read by whom it is for, and by nobody else")
	}
	entries := h.Entries(t, 0)
	found := false
	for _, e := range entries {
		found = found || e.Act == "user.recovered" && e.User == u.ID
	}
	if !found {
		t.Error("the recovery is not logged")
	}
}

// TestTheOperatorsLinkRecoversToo: it lets nobody in beside her unseen.
func TestTheOperatorsLinkRecoversToo(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	h.ReconcilesAtEnd(t)
	_, admin := h.Joined(t, a.ID, "Ada Example", partners.Administrator)
	u, first := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	code, err := h.Operator.Reissue(t.Context(), u.ID)
	if err != nil {
		t.Fatal(err)
	}
	entries := h.Entries(t, 0)
	if last := entries[len(entries)-1]; last.Act != "user.link" || last.Other != string(a.ID) || last.Target != u.ID {
		t.Errorf("logged %+v, which her agency must see", last)
	}
	second := h.Browser()
	if got := second.Join(t, code); got.Status != 200 || first.SignedIn(t) || !second.SignedIn(t) {
		t.Errorf("%d %s, the first is signed in: %v", got.Status, got.Body, first.SignedIn(t))
	}
	want(t, first.SignIn(t), 401, "sign-in-refused", "the passkey of before")
	for name, who := range map[string]*hubtest.Browser{"she": second, "her administrator": admin} {
		if page := string(who.Get(t, "/account").Body); !strings.Contains(page, "was reset") || !strings.Contains(page, "operator") {
			t.Errorf("%s is not told: %s", name, page)
		}
	}
}

func TestAPasskeyIsAddedAndRemovedAfterAFreshProof(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	h.ReconcilesAtEnd(t)
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	own := hubtest.Value[string](t, h, `SELECT id::text FROM oauth_passkey WHERE user_id = $1`, u.ID)
	remove := func(id string) hubtest.Answer { return b.Form(t, "/account/passkeys/"+id+"/remove", url.Values{}) }
	old := func(minutes int) {
		h.Exec(t, `UPDATE oauth_session SET proved_at = now() - make_interval(mins => $1)`, minutes)
	}

	if got := remove(own); got.Status != 409 {
		t.Errorf("removing the only one: %d", got.Status)
	}
	phone := h.Browser()
	credential := phone.Device.Create(b.Options(t, addPath, struct{}{}))
	old(3)
	want(t, b.Post(t, addPath+"/options", struct{}{}), 401, "step-up-required", "beginning without a fresh proof")
	old(16)
	want(t, b.Post(t, addPath, map[string]any{"credential": credential}), 401, "step-up-required", "adding without a fresh proof")
	if got := b.StepUp(t); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	credential = phone.Device.Create(b.Options(t, addPath, struct{}{}))
	if got := b.Post(t, addPath, map[string]any{"credential": credential}); got.Status != 200 {
		t.Fatalf("adding: %d %s", got.Status, got.Body)
	}
	if got := phone.SignIn(t); got.Status != 200 || !phone.SignedIn(t) {
		t.Fatalf("signing in with the new one: %d %s", got.Status, got.Body)
	}
	if !strings.Contains(string(b.Get(t, "/account").Body), "A passkey was added") {
		t.Error("she is not told")
	}
	added := hubtest.Value[string](t, h, `SELECT id::text FROM oauth_passkey WHERE user_id = $1 AND id <> $2`, u.ID, own)
	old(16)
	if got := remove(added); got.Status != 303 || got.Header.Get("Location") != "/step-up?next=%2Faccount" {
		t.Errorf("removing without a fresh proof: %d %s", got.Status, got.Header.Get("Location"))
	}
	b.StepUp(t)
	if got := remove(added); got.Status != 303 || got.Header.Get("Location") != "/account" {
		t.Fatalf("removing: %d %s", got.Status, got.Body)
	}
	if phone.SignedIn(t) || !b.SignedIn(t) {
		t.Error("what was signed in with the removed passkey stays so, or she was signed out here")
	}
	want(t, phone.SignIn(t), 401, "sign-in-refused", "the removed passkey")
	if got := remove(added); got.Status != 404 {
		t.Errorf("removing it again: %d", got.Status)
	}
}

// TestSheKeepsOnePasskey: two removals at once leave one.
func TestSheKeepsOnePasskey(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	u, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	b.Post(t, addPath, map[string]any{"credential": h.Browser().Device.Create(b.Options(t, addPath, struct{}{}))})
	both := hubtest.Column[string](t, h, `SELECT id::text FROM oauth_passkey WHERE user_id = $1`, u.ID)
	browsers := []*hubtest.Browser{sameCookies(h, b), sameCookies(h, b)}
	hubtest.Convoy(t, h, 2, 2, func(i int) hubtest.Answer {
		return browsers[i].Form(t, "/account/passkeys/"+both[i]+"/remove", url.Values{})
	}, `SELECT FROM oauth_passkey WHERE user_id = $1 FOR UPDATE`, u.ID)
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM oauth_passkey WHERE revoked_at IS NULL`); n != 1 {
		t.Errorf("she has %d passkeys left, want 1", n)
	}
}

// TestAChallengeToAddIsOfOneSession: a challenge that was given to one session of hers, or
// of somebody else, is none to another.
func TestAChallengeToAddIsOfOneSession(t *testing.T) {
	t.Parallel()
	h, a := scene(t)
	_, b := h.Joined(t, a.ID, "Ayo Example", partners.Caseworker)
	_, evil := h.Joined(t, a.ID, "Eve Example", partners.Caseworker)
	credential := h.Browser().Device.Create(evil.Options(t, addPath, struct{}{}))
	b.Cookies["__Host-ceremony"] = evil.Cookies["__Host-ceremony"]
	want(t, b.Post(t, addPath, map[string]any{"credential": credential}), 409, "sign-in-stale", "another's challenge to add")
	assertion := evil.Device.Get(evil.Options(t, stepUpPath, struct{}{}), nil)
	b.Cookies["__Host-ceremony"] = evil.Cookies["__Host-ceremony"]
	want(t, b.Post(t, stepUpPath, map[string]any{"credential": assertion}), 409, "sign-in-stale", "another's step-up")
	// And with her own challenge, another's passkey.
	options := b.Options(t, stepUpPath, struct{}{})
	want(t, b.Post(t, stepUpPath, map[string]any{"credential": evil.Device.Get(options, evil.Device.Keys[0])}), 401, "sign-in-refused", "another's passkey")
}
