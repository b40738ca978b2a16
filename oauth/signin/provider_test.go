package signin_test

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/oauth/signin"
	"handover/partners"
)

// agencyWithIDP is a hub with an agency whose people sign in through its own provider.
func agencyWithIDP(t *testing.T, more ...string) (*hubtest.Hub, *hubtest.Agency, *idp) {
	t.Helper()
	i := startIDP(t, more...)
	h := hubtest.Trusting(t, i.client)
	a := h.Agency(t, "larkfield-housing", partners.Housing)
	i.set(t, h, a.ID)
	return h, a, i
}

func TestAPersonComesThroughHerAgencysProvider(t *testing.T) {
	t.Parallel()
	for _, more := range []string{"CONFORM=no", "CONFORM=yes"} { // claims in the ID token, or from UserInfo alone
		h, a, i := agencyWithIDP(t, more)
		b := h.Browser()
		if page := string(b.Get(t, "/sign-in/larkfield-housing").Body); !strings.Contains(page, "Sign in through Agency larkfield-housing") || !strings.Contains(page, toIDP) {
			t.Fatalf("the page offers no way: %s", page)
		}
		location := leave(t, b, toIDP)
		if q := must(url.Parse(location)).Query(); q.Get("code_challenge_method") != "S256" || q.Get("state") == "" || q.Get("nonce") == "" || q.Get("scope") != "openid email profile" {
			t.Errorf("she is sent to %s", location)
		}
		got := back(t, b, i.visit(t, location, withMFA("ayo")))
		if got.Status != 303 || got.Header.Get("Location") != "/" || !b.SignedIn(t) {
			t.Fatalf("%s: %d %s", more, got.Status, got.Body)
		}
		if c := caller(t, h, b); c.Partner() != a.ID || c.Role() != partners.Caseworker {
			t.Errorf("she is %s of %s", c.Role(), c.Partner())
		}
		page := string(b.Get(t, "/account").Body)
		if !strings.Contains(page, "Ayo Example") || !strings.Contains(page, "You sign in through your agency") {
			t.Errorf("%s", page)
		}
		again := h.Browser()
		back(t, again, i.visit(t, leave(t, again, toIDP), withMFA("ayo")))
		if caller(t, h, again).User() != caller(t, h, b).User() {
			t.Error("she is another person the second time")
		}
		if n := hubtest.Value[int](t, h, `SELECT count(*) FROM partner_user`); n != 1 {
			t.Errorf("%d people, want 1", n)
		}
		want(t, b.Post(t, addPath+"/options", struct{}{}), 409, "passkey-none", "a passkey beside the provider")
		code := must(h.Operator.Reissue(t.Context(), caller(t, h, b).User()))
		want(t, h.Browser().Join(t, code), 409, "passkey-none", "a link beside the provider")
		if n := hubtest.Value[int](t, h, `SELECT count(*) FROM oauth_passkey`); n != 0 || !b.SignedIn(t) {
			t.Errorf("%d passkeys were made, signed in: %v", n, b.SignedIn(t))
		}
		for _, body := range hubtest.Column[[]byte](t, h, `SELECT body FROM audit_entry`) {
			if bytes.Contains(body, []byte("Ayo")) || bytes.Contains(body, []byte("larkfield.example")) {
				t.Errorf("the log says who she is: %s", body)
			}
		}
		for _, row := range hubtest.Column[string](t, h, `SELECT x::text FROM oauth_provider x UNION ALL SELECT x::text FROM oauth_provider_user x`) {
			if strings.Contains(row, clientSecret) || strings.Contains(row, "ayo") {
				t.Errorf("stored in clear: %s", row)
			}
		}
	}
}

// TestWhoTheProviderDoesNotVouchForIsRefused: each rule of the operator's, one broken at a
// time.
func TestWhoTheProviderDoesNotVouchForIsRefused(t *testing.T) {
	t.Parallel()
	h, a, i := agencyWithIDP(t)
	for name, row := range map[string]struct {
		did    did
		reason string
	}{
		"of another domain":        {withMFA("foreign"), "provider-domain"},
		"of a domain below":        {withMFA("sub"), "provider-domain"},
		"of a domain that ends so": {withMFA("suffix"), "provider-domain"},
		"an address with two @":    {withMFA("two"), "provider-domain"},
		"an unverified address":    {withMFA("unverified"), "provider-email-unverified"},
		"an address, unsaid":       {withMFA("unsaid"), "provider-email-unverified"},
		"no value for a role":      {withMFA("norole"), "provider-no-role"},
		"values for two roles":     {withMFA("tworoles"), "provider-no-role"},
		"no claim":                 {withMFA("noclaim"), "provider-no-role"},
		"a password alone":         {did{Account: "ayo", AMR: []string{"pwd"}}, "provider-no-mfa"},
		"no word of how":           {did{Account: "ayo"}, "provider-no-mfa"},
		"an acr that nobody asked": {did{Account: "ayo", ACR: "urn:gold"}, "provider-no-mfa"},
	} {
		b := h.Browser()
		got := back(t, b, i.visit(t, leave(t, b, toIDP), row.did))
		if got.Status != 401 || !strings.Contains(string(got.Body), "did not let you in here") || b.SignedIn(t) {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
		if row.reason == "provider-domain" || row.reason == "provider-email-unverified" {
			counted(t, h, row.reason)
		} else if e := lastRefusal(t, h); e.Reason != row.reason || e.Outcome != "provider-refused" || e.Partner != string(a.ID) {
			t.Errorf("%s: logged %+v", name, e)
		}
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM partner_user`); n != 0 {
		t.Errorf("%d people were made", n)
	}

	i.set(t, h, a.ID, "urn:gold")
	for acr, in := range map[string]bool{"urn:gold": true, "urn:tin": false} {
		b := h.Browser()
		back(t, b, i.visit(t, leave(t, b, toIDP), did{Account: "ayo", ACR: acr, AMR: []string{"mfa"}}))
		if b.SignedIn(t) != in {
			t.Errorf("with acr %s she is signed in: %v", acr, !in)
		}
	}
}

// TestAnAnswerOfTheProviderIsToThisBrowsersRequest spoils what comes back, and what was
// sent.
func TestAnAnswerOfTheProviderIsToThisBrowsersRequest(t *testing.T) {
	t.Parallel()
	h, _, i := agencyWithIDP(t)
	with := func(path, name, value string) string {
		u := must(url.Parse(path))
		q := u.Query()
		q.Set(name, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	codeOf := func(path string) string { return must(url.Parse(path)).Query().Get("code") }
	for name, come := range map[string]func(b *hubtest.Browser) (string, int){
		"a nonce of another request": func(b *hubtest.Browser) (string, int) {
			return i.visit(t, with(leave(t, b, toIDP), "nonce", "another"), withMFA("ayo")), 401
		},
		"another state": func(b *hubtest.Browser) (string, int) {
			return with(i.visit(t, leave(t, b, toIDP), withMFA("ayo")), "state", "another"), 409
		},
		"another issuer": func(b *hubtest.Browser) (string, int) {
			return with(i.visit(t, leave(t, b, toIDP), withMFA("ayo")), "iss", "https://evil.example"), 401
		},
		"no issuer, of a provider that sends it": func(b *hubtest.Browser) (string, int) {
			u := must(url.Parse(i.visit(t, leave(t, b, toIDP), withMFA("ayo"))))
			q := u.Query()
			q.Del("iss")
			u.RawQuery = q.Encode()
			return u.String(), 401
		},
		"a parameter twice": func(b *hubtest.Browser) (string, int) {
			return i.visit(t, leave(t, b, toIDP), withMFA("ayo")) + "&code=x", 401
		},
		"an error": func(b *hubtest.Browser) (string, int) {
			return with(with(i.visit(t, leave(t, b, toIDP), withMFA("ayo")), "code", ""), "error", "access_denied"), 401
		},
		"a code of another browser": func(b *hubtest.Browser) (string, int) { // PKCE (RFC 9700 §4.5)
			other := h.Browser()
			stolen := codeOf(i.visit(t, leave(t, other, toIDP), withMFA("bea")))
			return with(i.visit(t, leave(t, b, toIDP), withMFA("ayo")), "code", stolen), 401
		},
		"an answer in another browser": func(b *hubtest.Browser) (string, int) {
			return i.visit(t, leave(t, h.Browser(), toIDP), withMFA("ayo")), 409
		},
		"an answer that is late": func(b *hubtest.Browser) (string, int) {
			path := i.visit(t, leave(t, b, toIDP), withMFA("ayo"))
			h.Exec(t, `UPDATE oauth_ceremony SET expires_at = now() - interval '1 second'`)
			return path, 409
		},
	} {
		b := h.Browser()
		path, status := come(b)
		if got := back(t, b, path); got.Status != status || b.SignedIn(t) {
			t.Errorf("%s: %d, signed in: %v, want %d\n%s", name, got.Status, b.SignedIn(t), status, got.Body)
		}
	}
	b := h.Browser()
	path := i.visit(t, leave(t, b, toIDP), withMFA("ayo"))
	twin := sameCookies(h, b)
	if got := back(t, b, path); got.Status != 303 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if got := back(t, twin, path); got.Status != 409 || twin.SignedIn(t) {
		t.Errorf("the same answer again: %d", got.Status)
	}
}

// TestAProviderMakesPeopleOfItsOwnAgencyAlone: two agencies with one provider share nobody,
// and who is suspended stays out.
func TestAProviderMakesPeopleOfItsOwnAgencyAlone(t *testing.T) {
	t.Parallel()
	h, a, i := agencyWithIDP(t)
	other := h.Agency(t, "rosewell-women", partners.VAWGService)
	i.set(t, h, other.ID)
	here, there := h.Browser(), h.Browser()
	back(t, here, i.visit(t, leave(t, here, toIDP), withMFA("ayo")))
	back(t, there, i.visit(t, leave(t, there, "/sign-in/rosewell-women/provider"), withMFA("ayo")))
	one, two := caller(t, h, here), caller(t, h, there)
	if one.Partner() != a.ID || two.Partner() != other.ID || one.User() == two.User() {
		t.Errorf("%s of %s and %s of %s", one.User(), one.Partner(), two.User(), two.Partner())
	}

	h.Exec(t, `UPDATE partner_user SET status = 'suspended' WHERE id = $1`, one.User())
	if got := back(t, here, i.visit(t, leave(t, here, toIDP), withMFA("ayo"))); got.Status != 401 || here.SignedIn(t) {
		t.Errorf("a suspended person comes back: %d", got.Status)
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM partner_user WHERE partner = 'larkfield-housing'`); n != 1 {
		t.Errorf("she was made anew: %d people", n)
	}
	if err := h.Operator.Suspend(t.Context(), other.ID); err != nil {
		t.Fatal(err)
	}
	if got := h.Browser().Get(t, "/sign-in/rosewell-women/provider"); got.Status != 401 {
		t.Errorf("a suspended agency's provider: %d", got.Status)
	}
	if plain := h.Browser().Get(t, "/sign-in"); string(h.Browser().Get(t, "/sign-in/rosewell-women").Body) != string(plain.Body) {
		t.Error("a suspended agency's page is not the plain one")
	}
	for _, id := range []string{"nobody-here", "x'%22", "elm-lane-surgery"} {
		if got := h.Browser().Get(t, "/sign-in/"+id+"/provider"); got.Status != 401 {
			t.Errorf("%s: %d", id, got.Status)
		}
	}
}

// TestHerRoleIsWhatTheProviderSaysNow.
func TestHerRoleIsWhatTheProviderSaysNow(t *testing.T) {
	t.Parallel()
	h, a, i := agencyWithIDP(t)
	b := h.Browser()
	back(t, b, i.visit(t, leave(t, b, toIDP), withMFA("ayo")))
	u := caller(t, h, b).User()
	h.Exec(t, `UPDATE partner_user SET role = 'administrator' WHERE id = $1`, u)
	back(t, b, i.visit(t, leave(t, b, toIDP), withMFA("ayo")))
	if c := caller(t, h, b); c.User() != u || c.Role() != partners.Caseworker {
		t.Errorf("she is %s", c.Role())
	}
	if err := signin.NewStore(h.DB.Owner).RemoveProvider(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	if b.SignedIn(t) || h.Browser().Get(t, toIDP).Status != 401 {
		t.Error("the provider is removed, and still lets in")
	}
	if got := h.Browser().Join(t, must(h.Operator.Reissue(t.Context(), u))); got.Status != 200 {
		t.Errorf("without a provider a link is the way in: %d %s", got.Status, got.Body)
	}
}

// TestAStepUpAtTheProviderIsAFreshSignInThere.
func TestAStepUpAtTheProviderIsAFreshSignInThere(t *testing.T) {
	t.Parallel()
	h, _, i := agencyWithIDP(t)
	b := h.Browser()
	back(t, b, i.visit(t, leave(t, b, toIDP), withMFA("ayo")))
	old := func() { h.Exec(t, `UPDATE oauth_session SET proved_at = now() - interval '16 minutes'`) }
	recent := func() bool {
		return hubtest.Value[bool](t, h, `SELECT proved_at > now() - interval '1 minute' FROM oauth_session LIMIT 1`)
	}
	if page := string(b.Get(t, "/step-up").Body); !strings.Contains(page, "/step-up/provider?next=%2F\"") || strings.Contains(page, "passkey") {
		t.Errorf("the page: %s", page)
	}
	old()
	location := leave(t, b, "/step-up/provider")
	if q := must(url.Parse(location)).Query(); q.Get("prompt") != "login" || q.Get("max_age") != "0" {
		t.Errorf("she is sent to %s", location)
	}
	before := sameCookies(h, b)
	if got := back(t, b, i.visit(t, location, withMFA("ayo"))); got.Status != 303 || !recent() || before.SignedIn(t) || !b.SignedIn(t) {
		t.Errorf("%d %s; proved: %v", got.Status, got.Body, recent())
	}
	remembering := func(location string) string { // a provider that takes no notice of max_age
		u := must(url.Parse(location))
		q := u.Query()
		q.Del("max_age")
		q.Del("prompt")
		u.RawQuery = q.Encode()
		return u.String()
	}
	before10 := did{Account: "ayo", AMR: []string{"mfa"}, Ago: 600}
	for name, d := range map[string]did{"a sign-in from before": before10, "somebody else": withMFA("bea")} {
		old()
		location := leave(t, b, "/step-up/provider")
		if d.Ago > 0 {
			location = remembering(location)
		}
		if got := back(t, b, i.visit(t, location, d)); got.Status != 401 || recent() {
			t.Errorf("%s: %d %s; proved: %v", name, got.Status, got.Body, recent())
		}
	}
	// What cannot be had by a step-up cannot be had by a sign-in beside it.
	beside := h.Browser()
	location = leave(t, beside, toIDP)
	if q := must(url.Parse(location)).Query(); q.Get("prompt") != "login" || q.Get("max_age") != "0" {
		t.Errorf("to sign in she is sent to %s", location)
	}
	if got := back(t, beside, i.visit(t, remembering(location), before10)); got.Status != 401 || beside.SignedIn(t) {
		t.Errorf("a sign-in that the provider only remembers: %d", got.Status)
	}
	if e := lastRefusal(t, h); e.Reason != "provider-auth-time" {
		t.Errorf("logged %+v", e)
	}
	_, passkeys := h.Joined(t, "larkfield-housing", "Cora Example", partners.Caseworker)
	location = leave(t, passkeys, "/step-up/provider")
	if got := back(t, passkeys, i.visit(t, location, withMFA("ayo"))); got.Status != 401 {
		t.Errorf("another's session is proved through the provider: %d", got.Status)
	}
}

// TestAProviderThatIsNotWhatItSaysIsNotUsed: its issuer is another, or it is not there.
func TestAProviderThatIsNotWhatItSaysIsNotUsed(t *testing.T) {
	t.Parallel()
	h, a, _ := agencyWithIDP(t, "ISSUER_HOST=127.0.0.1")
	if got := h.Browser().Get(t, toIDP); got.Status != 503 || !strings.Contains(string(got.Body), "does not answer") {
		t.Errorf("a provider that says another issuer: %d %s", got.Status, got.Body)
	}
	gone := &idp{issuer: "https://localhost:1"}
	gone.set(t, h, a.ID)
	if got := h.Browser().Get(t, toIDP); got.Status != 503 {
		t.Errorf("a provider that is not there: %d", got.Status)
	}
	usual := hubtest.New(t) // with the client that reaches public addresses only
	own := usual.Agency(t, "larkfield-housing", partners.Housing)
	for _, issuer := range []string{"https://localhost:1", "https://127.0.0.1", "https://169.254.169.254", "https://[::1]", "https://10.0.0.1", "https://100.64.0.1"} {
		(&idp{issuer: issuer}).set(t, usual, own.ID)
		if got := usual.Browser().Get(t, toIDP); got.Status != 503 {
			t.Errorf("%s: %d", issuer, got.Status)
		}
	}
}

func TestTheOperatorsMistakesWithAProviderAreRefused(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Agency(t, "larkfield-housing", partners.Housing)
	good := signin.Provider{Partner: "larkfield-housing", Issuer: "https://login.example", ClientID: "handover", Domains: []string{"larkfield.example"},
		Claim: "groups", Roles: map[string]partners.Role{"staff": partners.Caseworker}}
	store := signin.NewStore(h.DB.Owner)
	for name, spoil := range map[string]func(*signin.Provider){
		"issuer in clear": func(p *signin.Provider) { p.Issuer = "http://login.example" }, "no issuer": func(p *signin.Provider) { p.Issuer = "" },
		"no client": func(p *signin.Provider) { p.ClientID = "" }, "no domain": func(p *signin.Provider) { p.Domains = nil },
		"every domain": func(p *signin.Provider) { p.Domains = []string{"*"} }, "an address": func(p *signin.Provider) { p.Domains = []string{"a@larkfield.example"} },
		"a top domain": func(p *signin.Provider) { p.Domains = []string{"example"} }, "no claim": func(p *signin.Provider) { p.Claim = "" },
		"no role": func(p *signin.Provider) { p.Roles = nil }, "another role": func(p *signin.Provider) { p.Roles = map[string]partners.Role{"a": "root"} },
		"an empty acr": func(p *signin.Provider) { p.ACR = []string{""} },
	} {
		p := good
		spoil(&p)
		if err := store.SetProvider(t.Context(), h.Keys(), p, "secret"); !isFault(err, signin.ErrProviderInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := store.SetProvider(t.Context(), h.Keys(), good, ""); !isFault(err, signin.ErrProviderInvalid) {
		t.Errorf("no secret: %v", err)
	}
	nobody := good
	nobody.Partner = "nobody-here"
	if err := store.SetProvider(t.Context(), h.Keys(), nobody, "secret"); !isFault(err, partners.ErrNotThere) {
		t.Errorf("no partner: %v", err)
	}
	if err := store.RemoveProvider(t.Context(), "larkfield-housing"); !isFault(err, partners.ErrNotThere) {
		t.Errorf("removing none: %v", err)
	}
	if err := signin.NewStore(h.DB.Hub).SetProvider(t.Context(), h.Keys(), good, "secret"); err == nil {
		t.Error("the serving role sets a provider")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
