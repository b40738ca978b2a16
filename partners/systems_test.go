package partners_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners"
)

// rotation states that key takes the place of retire, for the agency.
func rotation(h *hubtest.Hub, a *hubtest.Agency, use partners.Use, key jose.PublicKey, retire string) partners.Rotation {
	r := partners.Rotation{Hub: hubtest.Issuer, Partner: a.ID, Use: use, Key: key, IssuedAt: h.Now().Unix(), Retire: retire, Overlap: 3600}
	if use == partners.Authentication {
		r.Client = a.Client
	}
	return r
}

// follow is a signing key's rotation with the proof that it is held; the old one signs it.
func follow(t *testing.T, h *hubtest.Hub, a *hubtest.Agency, key jose.PrivateKey) partners.Rotation {
	t.Helper()
	r := rotation(h, a, partners.Signing, key.Public(), a.Signing.KeyID())
	r.Possession = hubtest.Possession(t, r, key)
	return r
}

// rotate posts a rotation, signed by a key.
func rotate(t *testing.T, p *hubtest.Person, r partners.Rotation, by jose.PrivateKey) hubtest.Answer {
	t.Helper()
	return p.Do(t, hubtest.Call{Method: http.MethodPost, Path: "/v1/keys", Type: "application/jose",
		Body: []byte(hubtest.SignAs(t, partners.RotationType, r, by.Signer()))})
}

// ends is when a key of the database ends, and whether it was revoked.
func ends(t *testing.T, h *hubtest.Hub, k jose.PublicKey) time.Time {
	t.Helper()
	return hubtest.Value[time.Time](t, h, `SELECT not_after FROM partner_key WHERE kid = $1`, k.KeyID())
}

func TestAKeyIsRotatedWithOverlap(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	p := h.Pair(t, partners.Housing)
	admin := h.Person(t, p.To.ID, partners.Administrator)

	// The signing key: both sign for the time of the overlap.
	sign := hubtest.Key(t, partners.Signing)
	before := h.Logged(t)
	var got partners.HeldKey
	rotate(t, admin, follow(t, h, p.To, sign), p.To.Signing).Into(t, http.StatusCreated, &got)
	if got.ID != sign.KeyID() || got.Use != partners.Signing || time.Until(got.NotAfter) < 700*24*time.Hour {
		t.Errorf("rotated %+v", got)
	}
	if left := time.Until(ends(t, h, p.To.Signing.Public())); left < 59*time.Minute || left > time.Hour {
		t.Errorf("the old key counts for %v", left)
	}
	if e := h.Entries(t, before); len(e) != 3 || e[0].Act != "key.rotate" || e[0].User != admin.ID || e[0].Target != sign.KeyID() || e[0].Digest != p.To.Signing.KeyID() {
		t.Errorf("logged %+v", e)
	}
	referral := p.Sent(t)
	received := p.Step(t, p.To, "receive", referral.Digest, referral.Digest)
	p.To.Signing = sign
	p.Step(t, p.To, "accept", referral.Digest, received.Digest)

	// The encryption key, by a signing key: what is sealed to the old one still goes through.
	seal := hubtest.Key(t, partners.Encryption)
	rotate(t, admin, rotation(h, p.To, partners.Encryption, seal.Public(), p.To.Sealing.KeyID()), sign).Into(t, http.StatusCreated, &got)
	p.Sent(t)
	p.To.Sealing = seal
	p.Sent(t)

	// The authentication key: without overlap the old one ends at once.
	auth := hubtest.Key(t, partners.Authentication)
	r := rotation(h, p.To, partners.Authentication, auth.Public(), p.To.Auth.KeyID())
	r.Overlap = 0
	rotate(t, admin, r, auth).Into(t, http.StatusCreated, &got)
	if got.Client != p.To.Client {
		t.Errorf("rotated %+v", got)
	}
	if a := p.To.Get(t, "/v1/partners"); a.Status != http.StatusUnauthorized {
		t.Errorf("a token of the old key: %d", a.Status)
	}
	p.To = p.To.At(h)
	p.To.Auth = auth
	if a := p.To.Get(t, "/v1/partners"); a.Status != http.StatusOK {
		t.Errorf("a token of the new key: %d %s", a.Status, a.Body)
	}
	var list struct{ Keys []partners.HeldKey }
	admin.Get(t, "/v1/keys").Into(t, http.StatusOK, &list)
	if len(list.Keys) != 7 { // the desk that she sits at has one too
		t.Errorf("the list is %+v", list.Keys)
	}
}

// TestARotationThatIsNotTheAgencysOwnChangesNothing has a row for each way to cheat.
func TestARotationThatIsNotTheAgencysOwnChangesNothing(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	own, other := h.Agency(t, "rosewood", partners.Housing), h.Agency(t, "harbour", partners.Housing)
	revoked := h.Agency(t, "revoked", partners.Housing)
	h.Exec(t, `UPDATE partner_key SET revoked_at = now() WHERE partner = 'revoked' AND use = 'signing'`)
	outlived := h.Agency(t, "outlived", partners.Housing)
	h.Exec(t, `UPDATE partner_key SET not_before = now() - interval '2 days', not_after = now() - interval '1 second' WHERE partner = 'outlived' AND use = 'signing'`)
	admins := map[partners.ID]*hubtest.Person{}
	for _, a := range []*hubtest.Agency{own, revoked, outlived} {
		admins[a.ID] = h.Person(t, a.ID, partners.Administrator)
	}
	stale := h.Person(t, "rosewood", partners.Administrator)
	stale.Proved = h.Now().Add(-time.Hour)
	key, seal := hubtest.Key(t, partners.Signing), hubtest.Key(t, partners.Encryption)
	signing := func(change func(*partners.Rotation)) partners.Rotation {
		r := rotation(h, own, partners.Signing, key.Public(), own.Signing.KeyID())
		change(&r)
		if r.Possession == "" && r.Use == partners.Signing {
			r.Possession = hubtest.Possession(t, r, key)
		}
		return r
	}
	same := func(*partners.Rotation) {}
	held := func(change func(*partners.Possession)) func(*partners.Rotation) {
		return func(r *partners.Rotation) {
			p := partners.Possession{Hub: r.Hub, Partner: r.Partner, Key: r.Key.KeyID()}
			change(&p)
			r.Possession = hubtest.SignAs(t, partners.PossessionType, p, key.Signer())
		}
	}
	sealing := func(a *hubtest.Agency) partners.Rotation {
		return rotation(h, a, partners.Encryption, seal.Public(), a.Sealing.KeyID())
	}
	content := h.Content(t)
	for _, row := range []struct {
		name string
		by   *hubtest.Person
		r    partners.Rotation
		sign jose.PrivateKey
		want string
	}{
		{"for another hub", admins["rosewood"], signing(func(r *partners.Rotation) { r.Hub = "https://staging.hub.example" }), own.Signing, "rotation-invalid"},
		{"of another agency", admins["rosewood"], signing(func(r *partners.Rotation) { r.Partner = "harbour" }), own.Signing, "rotation-invalid"},
		{"of yesterday", admins["rosewood"], signing(func(r *partners.Rotation) { r.IssuedAt -= 24*3600 + 1 }), own.Signing, "rotation-invalid"},
		{"of tomorrow", admins["rosewood"], signing(func(r *partners.Rotation) { r.IssuedAt += 120 }), own.Signing, "rotation-invalid"},
		{"by the new key alone", admins["rosewood"], signing(same), key, "rotation-invalid"},
		{"without proof of possession", admins["rosewood"], rotation(h, own, partners.Signing, key.Public(), own.Signing.KeyID()), own.Signing, "rotation-invalid"},
		{"with that of another agency", admins["rosewood"], signing(held(func(p *partners.Possession) { p.Partner = "harbour" })), own.Signing, "rotation-invalid"},
		{"with that for another hub", admins["rosewood"], signing(held(func(p *partners.Possession) { p.Hub = "https://staging.hub.example" })), own.Signing, "rotation-invalid"},
		{"with that of another key", admins["rosewood"], signing(held(func(p *partners.Possession) { p.Key = own.Signing.KeyID() })), own.Signing, "rotation-invalid"},
		{"with a proof that is no proof", admins["rosewood"], signing(func(r *partners.Rotation) { r.Possession = "x.y.z" }), own.Signing, "rotation-invalid"},
		{"by another's key", admins["rosewood"], signing(same), other.Signing, "rotation-invalid"},
		{"another's key, by the old one", admins["rosewood"], signing(func(r *partners.Rotation) { r.Key = other.Signing.Public() }), own.Signing, "rotation-invalid"},

		{"a key to seal as one to sign", admins["rosewood"], signing(func(r *partners.Rotation) { r.Key = seal.Public() }), own.Signing, "rotation-invalid"},
		{"in the place of another use's", admins["rosewood"], signing(func(r *partners.Rotation) { r.Retire = own.Sealing.KeyID() }), own.Signing, "key-not-found"},
		{"in the place of another agency's", admins["rosewood"], signing(func(r *partners.Rotation) { r.Retire = other.Signing.KeyID() }), own.Signing, "key-not-found"},
		{"in the place of none", admins["rosewood"], signing(func(r *partners.Rotation) { r.Retire = ids.Digest("none") }), own.Signing, "key-not-found"},
		{"in the place of nothing", admins["rosewood"], signing(func(r *partners.Rotation) { r.Retire = "" }), own.Signing, "rotation-invalid"},
		{"in its own place", admins["rosewood"], signing(func(r *partners.Rotation) { r.Retire = key.KeyID() }), own.Signing, "rotation-invalid"},
		{"an overlap of 91 days", admins["rosewood"], signing(func(r *partners.Rotation) { r.Overlap = 91 * 24 * 3600 }), own.Signing, "rotation-invalid"},
		{"an overlap before now", admins["rosewood"], signing(func(r *partners.Rotation) { r.Overlap = -1 }), own.Signing, "rotation-invalid"},
		{"a use that is none", admins["rosewood"], signing(func(r *partners.Rotation) { r.Use = "everything" }), own.Signing, "rotation-invalid"},
		{"a signing key of a system", admins["rosewood"], signing(func(r *partners.Rotation) { r.Client = own.Client }), own.Signing, "rotation-invalid"},
		{"an authentication key of no system", admins["rosewood"], signing(func(r *partners.Rotation) { r.Use, r.Retire = partners.Authentication, own.Auth.KeyID() }), own.Signing, "rotation-invalid"},
		{"an authentication key of another's system", admins["rosewood"], signing(func(r *partners.Rotation) {
			r.Use, r.Retire, r.Client = partners.Authentication, own.Auth.KeyID(), other.Client
		}), key, "key-not-found"},
		{"an encryption key by another agency's signing key", admins["rosewood"], sealing(own), other.Signing, "rotation-invalid"},
		{"an encryption key by an authentication key", admins["rosewood"], sealing(own), own.Auth, "rotation-invalid"},
		{"an encryption key by a new key", admins["rosewood"], sealing(own), key, "rotation-invalid"},
		{"an encryption key by a revoked signing key", admins["revoked"], sealing(revoked), revoked.Signing, "rotation-invalid"},
		{"an encryption key by an outlived signing key", admins["outlived"], sealing(outlived), outlived.Signing, "rotation-invalid"},
		{"by an administrator who proved it an hour ago", stale, signing(same), key, "step-up-required"},
	} {
		if a := rotate(t, row.by, row.r, row.sign); a.Problem().Code != row.want {
			t.Errorf("%s: %d %s, want %s", row.name, a.Status, a.Body, row.want)
		}
	}
	statement := hubtest.SignAs(t, partners.EnrolmentType, signing(same), own.Signing.Signer())
	if _, err := h.Registry.RotateKey(t.Context(), admins["rosewood"].Caller(t), hubtest.Issuer, statement); !errors.Is(err, partners.ErrRotation) {
		t.Errorf("a statement of another type: %v", err)
	}
	if _, err := h.Registry.RotateKey(t.Context(), own.Caller(t), hubtest.Issuer, hubtest.SignAs(t, partners.RotationType, signing(same), own.Signing.Signer())); !errors.Is(err, partners.ErrScope) {
		t.Errorf("by the system itself: %v", err)
	}
	if diff := cmp.Diff(content, h.Content(t)); diff != "" {
		t.Errorf("left something behind:\n%s", diff)
	}
	taken := signing(func(r *partners.Rotation) {
		r.Key = own.Auth.Public()
		r.Possession = hubtest.Possession(t, *r, own.Auth)
	})
	if a := rotate(t, admins["rosewood"], taken, own.Signing); a.Problem().Code != "key-taken" {
		t.Errorf("a key that is registered: %d %s", a.Status, a.Body)
	}
	if a := rotate(t, admins["rosewood"], signing(same), own.Signing); a.Status != http.StatusCreated {
		t.Errorf("the one that is right: %d %s", a.Status, a.Body)
	}
}

func TestNoUseCollectsKeysWithoutEnd(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	admin := h.Person(t, "rosewood", partners.Administrator)
	for n := range 4 {
		key := hubtest.Key(t, partners.Signing)
		answer := rotate(t, admin, follow(t, h, a, key), a.Signing)
		if want := map[bool]int{true: 201, false: 409}[n < 3]; answer.Status != want {
			t.Errorf("key %d: %d %s", n+2, answer.Status, answer.Body)
		}
	}
	key := hubtest.Key(t, partners.Signing)
	r := follow(t, h, a, key)
	r.Overlap = 0
	if answer := rotate(t, admin, r, a.Signing); answer.Status != 201 {
		t.Errorf("without overlap: %d %s", answer.Status, answer.Body)
	}
}

func TestARevokedKeyCountsNoMoreAndIsReplaced(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	p := h.Pair(t, partners.Housing)
	admin := h.Person(t, p.From.ID, partners.Administrator)
	revoke := func(k jose.PublicKey, why string) hubtest.Answer {
		t.Helper()
		return admin.Post(t, "/v1/keys/"+k.KeyID()+"/revoke", map[string]string{"reason": why})
	}
	old := p.From.Signing
	for why, want := range map[string]string{"retired": "last-key", "bored": "revocation-invalid", "": "revocation-invalid"} {
		if a := revoke(old.Public(), why); a.Problem().Code != want {
			t.Errorf("the last key as %q: %d %s", why, a.Status, a.Body)
		}
	}
	if a := revoke(p.To.Signing.Public(), "compromised"); a.Problem().Code != "key-not-found" {
		t.Errorf("another agency's: %d %s", a.Status, a.Body)
	}
	if a := admin.Post(t, "/v1/keys/x/revoke", map[string]string{"reason": "lost"}); a.Problem().Code != "key-not-found" {
		t.Errorf("what is no kid: %d %s", a.Status, a.Body)
	}
	before := h.Logged(t)
	if a := revoke(old.Public(), "compromised"); a.Status != http.StatusNoContent {
		t.Fatalf("the last key, compromised: %d %s", a.Status, a.Body)
	}
	if e := h.Entries(t, before); len(e) != 2 || e[0].Act != "key.revoke" || e[0].User != admin.ID || e[0].Target != old.KeyID() || e[0].Reason != "compromised" {
		t.Errorf("logged %+v", e)
	}
	if a := revoke(old.Public(), "lost"); a.Problem().Code != "key-revoked" {
		t.Errorf("again: %d %s", a.Status, a.Body)
	}
	if a := p.From.Send(t, p.Request().Seal(t)); a.Problem().Code != "sender-key-unknown" {
		t.Errorf("signed by the revoked key: %d %s", a.Status, a.Body)
	}
	key := hubtest.Key(t, partners.Signing)
	if a := rotate(t, admin, rotation(h, p.From, partners.Signing, key.Public(), old.KeyID()), key); a.Status != http.StatusCreated {
		t.Fatalf("replacing what was revoked: %d %s", a.Status, a.Body)
	}
	p.From.Signing = key
	p.Sent(t)
	newer := hubtest.Key(t, partners.Signing)
	rotate(t, admin, follow(t, h, p.From, newer), key)
	if a := revoke(key.Public(), "retired"); a.Status != http.StatusNoContent {
		t.Errorf("one of two, retired: %d %s", a.Status, a.Body)
	}
}

// TestOfTwoWhoRetireTheLastTwoKeysOneDoes has both wait before either has looked.
func TestOfTwoWhoRetireTheLastTwoKeysOneDoes(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	admin, key := h.Person(t, "rosewood", partners.Administrator), hubtest.Key(t, partners.Signing)
	rotate(t, admin, follow(t, h, a, key), a.Signing)
	kids, c := []string{a.Signing.KeyID(), key.KeyID()}, admin.Caller(t)
	errs := hubtest.Convoy(t, h, 2, 2, func(i int) error { return h.Registry.RevokeKey(t.Context(), c, kids[i], partners.Retired) },
		`SELECT FROM partner_user WHERE id = $1 FOR UPDATE`, admin.ID)
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), partners.ErrLastKey) {
		t.Errorf("%v", errs)
	}
}

func TestASuspendedSystemStopsAtOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.ReconcilesAtEnd(t)
	a, other := h.Agency(t, "rosewood", partners.Housing), h.Agency(t, "harbour", partners.Housing)
	admin := h.Person(t, "rosewood", partners.Administrator)
	do := func(client, what string, want int) hubtest.Answer {
		t.Helper()
		answer := admin.Post(t, "/v1/clients/"+client+"/"+what, nil)
		if answer.Status != want {
			t.Errorf("%s of %s: %d %s, want %d", what, client, answer.Status, answer.Body, want)
		}
		return answer
	}
	a.Get(t, "/v1/partners")
	before := h.Logged(t)
	do(a.Client, "suspend", 200)
	if e := h.Entries(t, before); len(e) != 1 || e[0].Act != "client.suspend" || e[0].User != admin.ID || e[0].Target != a.Client {
		t.Errorf("logged %+v", e)
	}
	if got := a.Get(t, "/v1/partners"); got.Status != 401 {
		t.Errorf("suspended, it is answered %d", got.Status)
	}
	if p := do(a.Client, "suspend", 409).Problem(); p.Code != "standing-not-possible" {
		t.Errorf("again: %+v", p)
	}
	do(a.Client, "resume", 200)
	if got := a.Get(t, "/v1/partners"); got.Status != 200 {
		t.Errorf("resumed, it is answered %d", got.Status)
	}
	do(other.Client, "suspend", 404)
	do("nobody.abcde", "suspend", 404)
	if got := other.Get(t, "/v1/partners"); got.Status != 200 {
		t.Errorf("another agency's is answered %d", got.Status)
	}
	var list struct{ Clients []partners.System }
	admin.Get(t, "/v1/clients").Into(t, 200, &list)
	if len(list.Clients) != 2 || list.Clients[0].ID != a.Client || len(list.Clients[0].Keys) != 1 || list.Clients[0].Keys[0].ID != a.Auth.KeyID() ||
		!slices.Equal(list.Clients[0].Redirects, []string{partners.LoopbackRedirect}) || !list.Clients[0].Active {
		t.Errorf("the list is %+v", list.Clients)
	}
}

func TestLeaveForANewSystemIsAnAdministratorsToGive(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	admin := h.Person(t, "rosewood", partners.Administrator)
	before := h.Logged(t)
	var leave struct {
		Token   string `json:"initial_access_token"`
		Expires time.Time
	}
	answer := admin.Post(t, "/v1/clients/invitations", nil)
	answer.Into(t, http.StatusCreated, &leave)
	if len(leave.Token) != 26 || time.Until(leave.Expires) < 23*time.Hour || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("answered %v %s", answer.Header, answer.Body)
	}
	if e := h.Entries(t, before); len(e) != 1 || e[0].Act != "client.invite" || e[0].User != admin.ID {
		t.Errorf("logged %+v", e)
	}
	if whose, err := h.Registry.InvitedBy(t.Context(), leave.Token); err != nil || whose != "rosewood" {
		t.Errorf("it is for %q: %v", whose, err)
	}
	if dump := hubtest.Value[string](t, h, `SELECT string_agg(x::text, ' ') FROM client_invitation x`); strings.Contains(dump, leave.Token) {
		t.Error("the database holds the token")
	}
	if _, _, err := h.Registry.InviteSystem(t.Context(), a.Caller(t)); !errors.Is(err, partners.ErrScope) {
		t.Errorf("a system gives leave: %v", err)
	}
}
