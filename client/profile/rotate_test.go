package profile_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"handover/client"
	"handover/client/profile"
	"handover/internal/hubtest"
)

// line is the connection to a hub, which can be cut.
type line struct {
	to  http.RoundTripper
	cut string // "before": no rotation arrives; "after": none is answered

	before func(path string) // if set, is called before a POST is sent
}

var errCut = errors.New("the line is cut")

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	rotates := r.Method == http.MethodPost && r.URL.Path == "/v1/keys"
	if rotates && l.cut == "before" {
		return nil, errCut
	}
	if l.before != nil && r.Method == http.MethodPost {
		l.before(r.URL.Path)
	}
	answer, err := l.to.RoundTrip(r)
	if rotates && l.cut == "after" {
		return nil, errCut
	}
	return answer, err
}

// home is a profile of an agency on a real hub, and somebody who administers it.
type home struct {
	agency *hubtest.Agency
	dir    string
	hub    *hubtest.Hub
	line   *line
	admin  *hubtest.Person
	now    func() time.Time
}

func newHome(t *testing.T) *home {
	t.Helper()
	h := hubtest.New(t)
	agency, code := h.Invited(t, "rosewood", "housing")
	return newHomeOf(t, h, agency, code)
}

// newHomeOf enrols an agency that was invited to the hub.
func newHomeOf(t *testing.T, h *hubtest.Hub, agency *hubtest.Agency, code string) *home {
	t.Helper()
	o := &home{agency: agency, dir: filepath.Join(t.TempDir(), "side"), hub: h, line: &line{to: h.HTTP().Transport}}
	p, err := profile.Create(t.Context(), o.dir, o.options())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Enrol(t.Context(), hubtest.Issuer, code); err != nil {
		t.Fatal(err)
	}
	o.admin = h.Person(t, agency.ID, "administrator")
	o.signIn(t)
	return o
}

func (o *home) options() profile.Options {
	return profile.Options{HTTP: &http.Client{Transport: o.line}, Now: o.now}
}

// open opens the profile anew, as the next command does.
func (o *home) open(t *testing.T) *profile.Profile {
	t.Helper()
	p, err := profile.Open(t.Context(), o.dir, o.options())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (o *home) signIn(t *testing.T) {
	t.Helper()
	p := o.open(t)
	c, err := p.Client()
	if err != nil {
		t.Fatal(err)
	}
	begun, err := c.BeginSignIn(t.Context(), "http://127.0.0.1:4711/callback", "partner:admin")
	if err != nil {
		t.Fatal(err)
	}
	_, answer := o.admin.Permits(t, begun.Address())
	session, err := begun.Finish(t.Context(), answer)
	if err == nil {
		err = p.KeepSession(t.Context(), session)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (o *home) rotate(t *testing.T, use string, overlap time.Duration) error {
	t.Helper()
	p := o.open(t)
	by, err := p.PersonClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Rotate(t.Context(), by, use, overlap)
	return err
}

// works reports whether the profile's system is let in and its signature counts.
func (o *home) works(t *testing.T) bool {
	t.Helper()
	c, err := o.open(t).Client()
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.RecordConsent(t.Context(), client.Consent{How: client.Circumstances{Alone: "yes", Coercion: "none", Interpreter: "none", Language: "en", Capacity: "presumed"},
		Bases: []client.Basis{{Article6: "a", Article9: "a"}}, Purpose: "housing", Recipients: []string{"rosewood"}, Sections: []string{"need"},
		Method: "verbal-in-person", Notice: client.Notice{Version: "1", Digest: strings.Repeat("A", 43), Language: "en"}})
	if err != nil {
		t.Log(err)
	}
	return err == nil
}

func TestARotationThatIsBrokenOffLeavesAProfileThatWorksAndIsFinished(t *testing.T) {
	t.Parallel()
	for _, use := range []string{client.Authentication, client.Signing, client.Encryption} {
		for _, cut := range []string{"before", "after"} {
			t.Run(use+" "+cut, func(t *testing.T) {
				t.Parallel()
				o := newHome(t)
				before := o.open(t).Settings()
				o.line.cut = cut
				if err := o.rotate(t, use, time.Hour); !errors.Is(err, errCut) {
					t.Fatal(err)
				}
				o.line.cut = ""
				broken := o.open(t).Settings()
				if broken.Next == nil || broken.Next.Use != use || !o.works(t) {
					t.Fatalf("broken off: %+v", broken.Next)
				}
				if _, err := os.Stat(filepath.Join(o.dir, "keys", broken.Next.Key.Thumbprint()+".key")); err != nil {
					t.Errorf("the new key is not kept: %v", err)
				}
				other := map[string]string{client.Authentication: client.Signing, client.Signing: client.Encryption, client.Encryption: client.Authentication}[use]
				if err := o.rotate(t, other, time.Hour); !errors.Is(err, profile.ErrRotating) {
					t.Errorf("another in between: %v", err)
				}
				done, err := o.open(t).Resume(t.Context())
				if err != nil || done.IsZero() == (cut == "after") {
					t.Errorf("resumed by itself: %v, %v", done.KeyID(), err)
				}
				if cut == "before" {
					if err := o.rotate(t, use, time.Hour); err != nil {
						t.Fatal(err)
					}
				}
				after := o.open(t).Settings()
				newest := map[string]string{client.Authentication: after.Keys.Authentication.KeyID(), client.Signing: after.Keys.Signing.KeyID(),
					client.Encryption: after.Keys.Encryption[0].KeyID()}[use]
				if after.Next != nil || newest != broken.Next.Key.KeyID() || !o.works(t) {
					t.Errorf("finished with %s, and not the key that was kept: %+v", newest, after.Next)
				}
				if use == client.Encryption && (len(after.Keys.Encryption) != 2 || !after.Keys.Encryption[1].Equal(before.Keys.Encryption[0])) {
					t.Errorf("the old encryption key is gone")
				}
			})
		}
	}
}

// Also where the old key ended at once: the system asks by itself, or its administrator repeats
// what she did.
func TestALostAnswerToARotationIsMadeGoodByRepeatingIt(t *testing.T) {
	t.Parallel()
	o := newHome(t)
	o.line.cut = "after"
	_ = o.rotate(t, client.Authentication, 0) // the hub knows the old key no more
	o.line.cut = ""
	if o.works(t) {
		t.Error("the old key counts still")
	}
	if key, err := o.open(t).Resume(t.Context()); err != nil || key.IsZero() || !o.works(t) {
		t.Errorf("resumed: %v", err)
	}
	o.line.cut = "after"
	_ = o.rotate(t, client.Signing, time.Hour)
	o.line.cut = ""
	if err := o.rotate(t, client.Signing, time.Hour); err != nil || !o.works(t) {
		t.Errorf("repeated: %v", err)
	}
}

func TestARetiredKeyIsDestroyedWhenItsOverlapHasPassed(t *testing.T) {
	t.Parallel()
	o := newHome(t)
	was := o.open(t).Settings().Keys
	path := func(kid string) string { return filepath.Join(o.dir, "keys", kid+".key") }
	there := func(kid string) bool { _, err := os.Stat(path(kid)); return err == nil }
	for _, use := range []string{client.Signing, client.Encryption} {
		if err := o.rotate(t, use, time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	if !there(was.Signing.KeyID()) || !there(was.Encryption[0].KeyID()) {
		t.Error("a retired key is gone at once")
	}
	o.now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	_ = o.rotate(t, client.Signing, time.Hour) // refused for the clock, and swept before
	o.now = nil
	if there(was.Signing.KeyID()) || !there(was.Encryption[0].KeyID()) {
		t.Error("after its time the signing key must be gone, and the encryption key never")
	}
	if !o.works(t) {
		t.Error("the profile does not work any more")
	}
	trust := o.open(t).Settings().Trust().Keys["rosewood"]
	if len(trust) < 2 {
		t.Error("what the retired key signed is not verified any more")
	}
}

func TestASessionIsSealedAndOfThisProfile(t *testing.T) {
	t.Parallel()
	o, ctx := newHome(t), t.Context()
	session := filepath.Join(o.dir, "session.json")
	data, err := os.ReadFile(session)
	if err != nil || bytes.Contains(data, []byte("refresh")) || bytes.Contains(data, []byte(`"d"`)) {
		t.Fatalf("%s, %v", data, err)
	}
	if info, err := os.Stat(session); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	c, err := o.open(t).PersonClient(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if who, err := c.WhoAmI(ctx); err != nil || who.User != o.admin.ID {
		t.Errorf("%+v, %v", who, err)
	}
	// Another profile cannot use it, nor is what is spoilt taken for a session.
	another := newHome(t)
	for name, spoilt := range map[string][]byte{"another's": data, "cut short": data[:len(data)/2], "of another key": bytes.Replace(data, []byte(`"x":"`), []byte(`"x":"A`), 1)} {
		if err := os.WriteFile(filepath.Join(another.dir, "session.json"), spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := another.open(t).PersonClient(ctx); !errors.Is(err, profile.ErrNotSignedIn) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := o.open(t)
	if err := errors.Join(p.ForgetSession(), p.ForgetSession()); err != nil {
		t.Error(err)
	}
	if _, err := p.PersonClient(ctx); !errors.Is(err, profile.ErrNotSignedIn) {
		t.Error(err)
	}
}

func TestASecondSystemIsRegisteredIntoAProfileOfItsOwn(t *testing.T) {
	t.Parallel()
	o, ctx := newHome(t), t.Context()
	by, err := o.open(t).PersonClient(ctx)
	if err != nil {
		t.Fatal(err)
	}
	leave, err := by.InviteClient(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "second")
	g := client.Registering{Hub: hubtest.Issuer, Token: "wrong", Name: "Night records", Scopes: []string{"referrals:receive"}, Grants: []string{"client_credentials"}}
	if _, _, err := profile.Register(ctx, dir, o.options(), g); client.Code(err) != "invalid_token" {
		t.Errorf("with a wrong token: %v", err)
	}
	made, err := profile.Open(ctx, dir, o.options())
	if err != nil {
		t.Fatal(err)
	}
	g.Token = leave.Token
	p, e, err := profile.Register(ctx, dir, o.options(), g)
	if err != nil || e.Partner != "rosewood" || !p.Settings().Keys.Authentication.Equal(made.Settings().Keys.Authentication) {
		t.Fatalf("%+v, %v", e, err)
	}
	again, err := profile.Open(ctx, dir, o.options())
	if err != nil {
		t.Fatal(err)
	}
	c, err := again.Client()
	if err == nil {
		_, err = c.Directory(ctx)
	}
	if err != nil {
		t.Error(err)
	}
	if trust := again.Settings().Trust(); len(trust.Keys["rosewood"]) != 0 {
		t.Errorf("it trusts %+v", trust.Keys)
	}
	for _, home := range []string{dir, o.dir} {
		if _, _, err := profile.Register(ctx, home, o.options(), g); !errors.Is(err, profile.ErrEnrolled) {
			t.Errorf("again: %v", err)
		}
	}
	if _, err := again.Enrol(ctx, hubtest.Issuer, "x"); !errors.Is(err, profile.ErrEnrolled) {
		t.Error(err)
	}
}
