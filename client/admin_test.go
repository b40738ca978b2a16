package client_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"handover/client"
	"handover/internal/hubtest"
	"handover/keys/jose"
)

// side is an agency's system on a real hub, and its administrator.
type side struct {
	hub     *hubtest.Hub
	agency  *hubtest.Agency
	admin   *hubtest.Person
	options client.Options
	system  *client.Client
}

func newSide(t *testing.T) side {
	t.Helper()
	h := hubtest.New(t)
	a := h.Agency(t, "rosewood", "housing")
	s := side{hub: h, agency: a, admin: h.Person(t, "rosewood", "administrator")}
	answer, err := h.HTTP().Get(hubtest.Issuer + "/v1/log/key")
	must(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(err)
	logKey, err := client.ParseLogKey(strings.TrimSpace(string(text)))
	must(err)
	s.options = client.Options{Hub: hubtest.Issuer, Partner: "rosewood", ClientID: a.Client, LogKey: logKey, HTTP: h.HTTP(),
		Keys: client.Keys{Authentication: a.Auth, Signing: a.Signing.Signer(), Encryption: []jose.PrivateKey{a.Sealing}}}
	s.system, err = client.New(s.options)
	must(err)
	return s
}

const loopback = "http://127.0.0.1:4711/callback"

// signIn signs the person in and returns the client that acts for her.
func (s side) signIn(t *testing.T, p *hubtest.Person, scopes ...string) *client.Client {
	t.Helper()
	begun, err := s.system.BeginSignIn(t.Context(), loopback, scopes...)
	must(err)
	redirect, answer := p.Permits(t, begun.Address())
	if redirect != loopback || !begun.Mine(answer) {
		t.Fatalf("she comes back to %s with %v", redirect, answer)
	}
	session, err := begun.Finish(t.Context(), answer)
	must(err)
	return s.as(session)
}

func (s side) as(session client.Session) *client.Client {
	o := s.options
	o.Session = &session
	c, err := client.New(o)
	must(err)
	return c
}

func TestAnAdministratorManagesPeopleThroughAClient(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	c, ctx := s.signIn(t, s.admin, "partner:admin"), t.Context()
	if who, err := c.WhoAmI(ctx); err != nil || who.User != s.admin.ID || !slices.Equal(who.Scopes, []string{"partner:admin"}) {
		t.Errorf("she is %+v, %v", who, err)
	}
	if who, err := s.system.WhoAmI(ctx); err != nil || who.User != "" {
		t.Errorf("the system is %+v, %v", who, err)
	}
	link, err := c.AddPerson(ctx, "Ada", "caseworker")
	if err != nil || !strings.HasPrefix(link.Link, hubtest.Issuer+"/join#") || time.Until(link.Expires) < time.Hour {
		t.Fatalf("%+v, %v", link, err)
	}
	if _, err := c.RecoverPerson(ctx, link.ID); err != nil {
		t.Error(err)
	}
	if p, err := c.SetRole(ctx, link.ID, "manager"); err != nil || p.Role != "manager" || p.Name != "Ada" {
		t.Errorf("%+v, %v", p, err)
	}
	worker := s.hub.Person(t, "rosewood", "caseworker")
	if p, err := c.SuspendPerson(ctx, worker.ID); err != nil || p.Status != "suspended" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := c.ResumePerson(ctx, worker.ID); err != nil || p.Status != "active" {
		t.Errorf("%+v, %v", p, err)
	}
	if err := c.SignOutPerson(ctx, worker.ID); err != nil {
		t.Error(err)
	}
	for h, err := range c.HeldBy(ctx, worker.ID) {
		t.Errorf("she holds %+v, %v", h, err)
	}
	for _, err := range c.HeldBy(ctx, "x") {
		if client.Code(err) != "user-not-found" {
			t.Error(err)
		}
	}
	if p, err := c.RemovePerson(ctx, worker.ID); err != nil || p.Status != "removed" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := c.RemovePerson(ctx, s.admin.ID); client.Code(err) != "last-administrator" {
		t.Errorf("the last administrator: %v", err)
	}
	people, err := c.People(ctx)
	if err != nil || len(people) != 3 {
		t.Errorf("%+v, %v", people, err)
	}
}

func TestAnAdministratorManagesSystemsAndKeysThroughAClient(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	c, ctx := s.signIn(t, s.admin, "partner:admin"), t.Context()
	leave, err := c.InviteClient(ctx)
	must(err)
	key := hubtest.Key(t, client.Authentication)
	g := client.Registering{Hub: hubtest.Issuer, Token: leave.Token + "\n", Name: "Night records", Scopes: []string{"referrals:receive", "partner:admin"},
		Grants: []string{"client_credentials", "authorization_code", "refresh_token"}, Redirects: []string{client.LoopbackRedirect},
		Key: key.Public(), HTTP: s.hub.HTTP()}
	bad := g
	bad.Redirects = []string{"http://localhost/callback"}
	if _, err := client.Register(ctx, bad); client.Code(err) != "invalid_redirect_uri" || !strings.Contains(err.Error(), "localhost") {
		t.Errorf("a bad redirect: %v", err)
	}
	made, err := client.Register(ctx, g)
	if err != nil || made.Partner != "rosewood" || !strings.HasPrefix(made.ClientID, "rosewood.") || made.LogKey != s.options.LogKey.String() {
		t.Fatalf("%+v, %v", made, err)
	}
	if _, err := client.Register(ctx, g); client.Code(err) != "invalid_token" {
		t.Errorf("the token again: %v", err)
	}

	// The second system calls, lets people sign in, and signs nothing.
	o := s.options
	o.ClientID, o.Keys = made.ClientID, client.Keys{Authentication: key}
	second := side{hub: s.hub, admin: s.admin, options: o}
	second.system, err = client.New(o)
	must(err)
	if _, err := second.system.Directory(ctx); err != nil {
		t.Error(err)
	}
	if _, err := second.system.WithdrawConsent(ctx, "x"); err == nil || !strings.Contains(err.Error(), "no keys") {
		t.Errorf("it signs: %v", err)
	}
	there := second.signIn(t, s.admin, "partner:admin")
	if _, err := there.People(ctx); err != nil {
		t.Error(err)
	}
	must(c.SuspendClient(ctx, made.ClientID))
	if _, err := there.People(ctx); client.Code(err) != "invalid_client" {
		t.Errorf("through the suspended system: %v", err)
	}
	must(c.ResumeClient(ctx, made.ClientID))
	if _, err := there.People(ctx); err != nil {
		t.Error(err)
	}
	if list, err := c.Clients(ctx); err != nil || len(list) != 3 { // with the desk of the test's people
		t.Errorf("%+v, %v", list, err)
	}

	// Keys.
	sign, seal := hubtest.Key(t, client.Signing), hubtest.Key(t, client.Encryption)
	r := client.Rotation{Use: client.Signing, New: sign, Retire: s.agency.Signing.KeyID(), Overlap: time.Hour}
	if k, err := c.RotateKey(ctx, r); err != nil || k.ID != sign.KeyID() {
		t.Errorf("%+v, %v", k, err)
	}
	if _, err := c.RotateKey(ctx, r); client.Code(err) != "key-taken" {
		t.Errorf("again: %v", err)
	}
	if _, err := c.RotateKey(ctx, client.Rotation{Use: client.Encryption, New: seal, Retire: s.agency.Sealing.KeyID(), Overlap: time.Hour}); err != nil {
		t.Error(err)
	}
	must(c.RevokeKey(ctx, s.agency.Signing.KeyID(), "retired"))
	if held, err := c.HeldKeys(ctx); err != nil || len(held) != 7 {
		t.Errorf("%+v, %v", held, err)
	}
}

func TestASignInEnds(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	ctx := t.Context()
	c := s.signIn(t, s.admin, "partner:admin")
	must(c.SignOut(ctx))
	if _, err := c.People(ctx); client.Code(err) != "invalid_grant" {
		t.Errorf("signed out: %v", err)
	}
	if err := s.system.SignOut(ctx); err == nil {
		t.Error("a system signs out")
	}
	// Of who proved it long ago nothing is changed, and her token is not asked for in vain.
	stale := s.hub.Person(t, "rosewood", "administrator")
	stale.Proved = time.Now().Add(-time.Hour)
	old := s.signIn(t, stale, "partner:admin")
	if _, err := old.People(ctx); err != nil {
		t.Error(err)
	}
	given := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM oauth_assertion`) // one for each token that is asked for
	if _, err := old.AddPerson(ctx, "Ada", "caseworker"); client.Code(err) != "step-up-required" {
		t.Errorf("without a fresh proof: %v", err)
	}
	if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM oauth_assertion`); n != given {
		t.Errorf("%d tokens were asked for in vain", n-given)
	}
}

// TestOnlyTheAnswerToThisSignInIsExchanged spoils one thing of an answer.
func TestOnlyTheAnswerToThisSignInIsExchanged(t *testing.T) {
	t.Parallel()
	s := newSide(t)
	begun, err := s.system.BeginSignIn(t.Context(), loopback, "partner:admin")
	must(err)
	for _, secret := range []string{"code_challenge", "state", "scope", "redirect"} {
		if strings.Contains(begun.Address(), secret) {
			t.Errorf("the address holds %s: %s", secret, begun.Address())
		}
	}
	_, good := s.admin.Permits(t, begun.Address())
	for name, change := range map[string]func(url.Values){
		"another state": func(v url.Values) { v.Set("state", "x") },
		"no state":      func(v url.Values) { v.Del("state") },
		"two states":    func(v url.Values) { v.Add("state", v.Get("state")) },
		"two codes":     func(v url.Values) { v.Add("code", "x") },
		"another hub":   func(v url.Values) { v.Set("iss", "https://other.example") },
		"no hub":        func(v url.Values) { v.Del("iss") },
	} {
		answer := url.Values{}
		for k, v := range good {
			answer[k] = slices.Clone(v)
		}
		change(answer)
		if _, err := begun.Finish(t.Context(), answer); !errors.Is(err, client.ErrSignIn) {
			t.Errorf("%s: %v", name, err)
		}
	}
	refused := url.Values{"state": good["state"], "iss": good["iss"], "error": {"access_denied"}, "error_description": {"\x1b[2J"}}
	if _, err := begun.Finish(t.Context(), refused); client.Code(err) != "access_denied" {
		t.Errorf("refused: %v", err)
	}
	session, err := begun.Finish(t.Context(), good)
	if err != nil || session.Refresh == "" {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%v %+v %#v %s", session, session, session, session); strings.Contains(text, session.Refresh) {
		t.Errorf("it prints %s", text)
	}
	if _, err := begun.Finish(t.Context(), good); client.Code(err) != "invalid_grant" {
		t.Errorf("the code again: %v", err)
	}
}

// TestASignInFollowsNoEndpointElsewhere: the metadata decides where a browser is sent.
func TestASignInFollowsNoEndpointElsewhere(t *testing.T) {
	for _, member := range []string{"authorization_endpoint", "pushed_authorization_request_endpoint", "revocation_endpoint", "registration_endpoint", "introspection_endpoint"} {
		p := newPair(t)
		p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasPrefix(r.URL.Path, "/.well-known/") {
				return false
			}
			answer(w, 200, map[string]any{"issuer": fakeIssuer, "token_endpoint": fakeIssuer + "/oauth/token", member: fakeIssuer + ".evil.example/x"})
			return true
		}
		c, err := client.New(client.Options{Hub: fakeIssuer, Partner: "camden-outreach", ClientID: "camden-outreach.abcde", LogKey: p.hub.log.key,
			Keys: p.hub.private["camden-outreach"], HTTP: p.hub.HTTP()})
		must(err)
		if _, err := c.BeginSignIn(t.Context(), loopback, "partner:admin"); !errors.Is(err, client.ErrAnswer) {
			t.Errorf("%s elsewhere: %v", member, err)
		}
	}
	p := newPair(t)
	if _, err := p.from.BeginSignIn(t.Context(), loopback, "partner:admin"); !errors.Is(err, client.ErrNoSignIn) {
		t.Errorf("a hub that offers none: %v", err)
	}
}
