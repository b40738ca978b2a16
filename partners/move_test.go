package partners_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/internal/hubtest"
	"handover/keys/jose"
	"handover/partners"
)

// moving is an agency whose keys the hub holds, with its administrator.
type moving struct {
	hub    *hubtest.Hub
	agency *hubtest.Agency
	admin  *hubtest.Person
}

func newMoving(t *testing.T) moving {
	t.Helper()
	h := hubtest.New(t)
	a := h.Managed(t, "rosewood", partners.Housing)
	return moving{h, a, h.Person(t, a.ID, partners.Administrator)}
}

// code begins a taking.
func (m moving) code(t *testing.T) string {
	t.Helper()
	var begun struct {
		Code string `json:"code"`
	}
	m.admin.Post(t, "/v1/custody/takings", nil).Into(t, http.StatusCreated, &begun)
	return begun.Code
}

// fresh gives the agency new keys of its own.
func (m moving) fresh(t *testing.T) *hubtest.Agency {
	t.Helper()
	a := m.agency.At(m.hub)
	a.Auth, a.DPoP = hubtest.Key(t, partners.Authentication), hubtest.Key(t, partners.Authentication)
	a.Signing, a.Sealing = hubtest.Key(t, partners.Signing), hubtest.Key(t, partners.Encryption)
	return a
}

// possession is the proof that the key is held, for a partner.
func possession(t *testing.T, partner partners.ID, key jose.PrivateKey) string {
	t.Helper()
	return hubtest.SignAs(t, partners.PossessionType, partners.Possession{Hub: hubtest.Issuer, Partner: partner, Key: key.KeyID()}, key.Signer())
}

// take enrols the agency's keys by the code.
func (m moving) take(t *testing.T, a *hubtest.Agency, code, possession string) hubtest.Answer {
	t.Helper()
	stranger := m.hub.Browser()
	body := `{"code":"` + code + `","enrolment":"` + a.Statement(t, code) + `","possession":"` + possession + `"}`
	return stranger.Send(stranger.Request(t, http.MethodPost, "/v1/custody/take", "application/json", []byte(body)))
}

// taken is the agency after it has enrolled by a code.
func (m moving) taken(t *testing.T, code string) *hubtest.Agency {
	t.Helper()
	a := m.fresh(t)
	var answer struct {
		Client string `json:"client_id"`
	}
	m.take(t, a, code, possession(t, a.ID, a.Signing)).Into(t, http.StatusCreated, &answer)
	a.Client = answer.Client
	return a
}

func (m moving) refused(t *testing.T, name string, status int, code string, do func() hubtest.Answer) {
	t.Helper()
	content := m.hub.Content(t)
	if a := do(); a.Status != status || a.Problem().Code != code {
		t.Errorf("%s: %d %s, want %d %s", name, a.Status, a.Body, status, code)
	}
	if diff := cmp.Diff(content, m.hub.Content(t)); diff != "" {
		t.Errorf("%s left something behind:\n%s", name, diff)
	}
}

func confirm() hubtest.Call {
	return hubtest.Call{Method: http.MethodPost, Path: "/v1/custody/confirm"}
}

// TestNobodyElseTakesAnAgencysKeys: what is handed over opens everything that waits.
func TestNobodyElseTakesAnAgencysKeys(t *testing.T) {
	t.Parallel()
	m := newMoving(t)
	worker := m.hub.Person(t, m.agency.ID, partners.Caseworker)
	m.refused(t, "begun by a caseworker", 403, "insufficient-scope", func() hubtest.Answer { return worker.Post(t, "/v1/custody/takings", nil) })
	long := m.hub.Person(t, m.agency.ID, partners.Administrator)
	long.Proved = m.hub.Now().Add(-time.Hour)
	m.refused(t, "begun by who proved herself an hour ago", 401, "step-up-required", func() hubtest.Answer { return long.Post(t, "/v1/custody/takings", nil) })
	holder := m.hub.Agency(t, "harbour", partners.VAWGService)
	holders := m.hub.Person(t, holder.ID, partners.Administrator)
	m.refused(t, "begun where the agency holds its keys", 409, "not-managed", func() hubtest.Answer { return holders.Post(t, "/v1/custody/takings", nil) })

	code, a := m.code(t), m.fresh(t)
	m.refused(t, "another code", 401, "invitation-invalid", func() hubtest.Answer {
		return m.take(t, a, "rosewood.abcdefghijklmnopqrstuvwxyz", possession(t, a.ID, a.Signing))
	})
	m.refused(t, "no code", 401, "invitation-invalid", func() hubtest.Answer { return m.take(t, a, "x", possession(t, a.ID, a.Signing)) })
	m.refused(t, "no possession", 422, "enrolment-invalid", func() hubtest.Answer { return m.take(t, a, code, "") })
	m.refused(t, "a key that is to be another agency's", 422, "enrolment-invalid", func() hubtest.Answer {
		return m.take(t, a, code, possession(t, holder.ID, a.Signing))
	})
	m.refused(t, "the possession of another key", 422, "enrolment-invalid", func() hubtest.Answer {
		return m.take(t, a, code, possession(t, a.ID, holder.Signing))
	})
	m.hub.Exec(t, `UPDATE partner SET status = 'suspended' WHERE id = 'rosewood'`)
	m.refused(t, "of a suspended agency", 401, "invitation-invalid", func() hubtest.Answer { return m.take(t, a, code, possession(t, a.ID, a.Signing)) })
	m.hub.Exec(t, `UPDATE partner SET status = 'active' WHERE id = 'rosewood'`)

	a = m.taken(t, code)
	other := m.fresh(t)
	m.refused(t, "the code again with other keys", 401, "invitation-invalid", func() hubtest.Answer {
		return m.take(t, other, code, possession(t, a.ID, other.Signing))
	})
	for name, by := range map[string]interface {
		Do(testing.TB, hubtest.Call) hubtest.Answer
	}{"another system of the agency": m.admin.Desk(), "its administrator": m.admin, "another agency": holder} {
		m.refused(t, "the keys for "+name, 422, "custody-move-invalid", func() hubtest.Answer {
			return by.Do(t, hubtest.Call{Method: http.MethodGet, Path: "/v1/custody/keys"})
		})
		m.refused(t, "the end by "+name, 422, "custody-move-invalid", func() hubtest.Answer { return by.Do(t, confirm()) })
	}
	old := m.hub.Managed(t, "elm-lane", partners.Housing)
	late := moving{m.hub, old, m.hub.Person(t, old.ID, partners.Administrator)}
	ended := late.code(t)
	m.hub.Exec(t, `UPDATE custody_move SET expires_at = now() WHERE partner = 'elm-lane'`)
	b := late.fresh(t)
	m.refused(t, "a code of three days ago", 401, "invitation-invalid", func() hubtest.Answer { return late.take(t, b, ended, possession(t, b.ID, b.Signing)) })
}

// TestATakingWhoseAnswersAreLostIsSaidAgain: nothing is destroyed before it is kept.
func TestATakingWhoseAnswersAreLostIsSaidAgain(t *testing.T) {
	t.Parallel()
	m := newMoving(t)
	code := m.code(t)
	a := m.taken(t, code)
	var again struct {
		Client string `json:"client_id"`
	}
	m.take(t, a, code, possession(t, a.ID, a.Signing)).Into(t, http.StatusCreated, &again)
	if again.Client != a.Client {
		t.Errorf("the second time it is %s, the first %s", again.Client, a.Client)
	}
	kid := hubtest.Value[string](t, m.hub, `SELECT kid FROM managed_key`)
	for range 2 {
		var handed struct {
			Keys []string `json:"keys"`
		}
		a.Get(t, "/v1/custody/keys").Into(t, http.StatusOK, &handed)
		sealed, err := jose.ParseEncrypted(handed.Keys[0], 8<<10)
		if err != nil || len(handed.Keys) != 1 || sealed.ContentType() != "jwk+json" {
			t.Fatalf("handed %d keys, %v", len(handed.Keys), err)
		}
		jwk, err := sealed.Decrypt(a.Sealing)
		if err != nil {
			t.Fatal(err)
		}
		if key, err := jose.ParsePrivateKey(jwk); err != nil || key.KeyID() != kid {
			t.Errorf("handed the key %s, %v", key.KeyID(), err)
		}
	}
	for range 2 {
		if answer := a.Do(t, confirm()); answer.Status != http.StatusNoContent {
			t.Errorf("confirming: %d %s", answer.Status, answer.Body)
		}
	}
	if n := hubtest.Value[int](t, m.hub, `SELECT count(*) FROM managed_key`); n != 0 {
		t.Errorf("%d keys are left", n)
	}
	if answer := a.Get(t, "/v1/custody/keys"); answer.Problem().Code != "custody-move-invalid" {
		t.Errorf("after the end: %d %s", answer.Status, answer.Body)
	}
}

// TestNothingIsGivenButByTheAgencysSigningKeyAndWhole: a giving without the agency's
// signature, with other keys, or with a key missing changes nothing.
func TestNothingIsGivenButByTheAgencysSigningKeyAndWhole(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	m := moving{h, a, h.Person(t, a.ID, partners.Administrator)}
	stranger := h.Agency(t, "harbour", partners.VAWGService)
	m.refused(t, "before the operator agrees", 409, "custody-not-offered", func() hubtest.Answer { return m.admin.Post(t, "/v1/custody/givings", nil) })
	if err := h.Operator.Expect(t.Context(), h.Keys(), a.ID); err != nil {
		t.Fatal(err)
	}
	var g partners.Giving
	m.admin.Post(t, "/v1/custody/givings", nil).Into(t, http.StatusCreated, &g)
	rotation := func(use partners.Use, key jose.PublicKey, change ...func(*partners.Rotation)) partners.Rotation {
		r := partners.Rotation{Hub: hubtest.Issuer, Partner: a.ID, Use: use, Key: key, IssuedAt: h.Now().Unix(), Retire: a.Sealing.KeyID()}
		if use == partners.Signing {
			r.Retire, r.Possession = a.Signing.KeyID(), g.Possession
		}
		for _, f := range change {
			f(&r)
		}
		return r
	}
	sign := func(r partners.Rotation, by jose.PrivateKey) string {
		return hubtest.SignAs(t, partners.RotationType, r, by.Signer())
	}
	handed := func(k jose.PrivateKey, to jose.PublicKey) string {
		sealed, err := jose.Encrypt(k.JWK(), to, "jwk+json")
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	good := partners.Given{Signing: sign(rotation(partners.Signing, g.Signing), a.Signing),
		Encryption: sign(rotation(partners.Encryption, g.Encryption), a.Signing), Keys: []string{handed(a.Sealing, g.Encryption)}}
	path := "/v1/custody/givings/" + g.Move
	theirs := hubtest.Key(t, partners.Signing)
	for name, row := range map[string]struct {
		code   string
		change func(*partners.Given)
	}{
		"no key":                         {"custody-key-missing", func(g *partners.Given) { g.Keys = []string{} }},
		"a key that is not the agency's": {"custody-move-invalid", func(n *partners.Given) { n.Keys = append(n.Keys, handed(stranger.Sealing, g.Encryption)) }},
		"a key sealed to another":        {"custody-move-invalid", func(g *partners.Given) { g.Keys = []string{handed(a.Sealing, stranger.Sealing.Public())} }},
		"a key that signs":               {"custody-move-invalid", func(n *partners.Given) { n.Keys = append(n.Keys, handed(a.Signing, g.Encryption)) }},
		"another signing key": {"custody-move-invalid", func(n *partners.Given) {
			n.Signing = sign(rotation(partners.Signing, theirs.Public(), func(r *partners.Rotation) { r.Possession = possession(t, a.ID, theirs) }), a.Signing)
		}},
		"signed by another's key": {"rotation-invalid", func(n *partners.Given) {
			n.Encryption = sign(rotation(partners.Encryption, g.Encryption), stranger.Signing)
		}},
		"without possession": {"rotation-invalid", func(n *partners.Given) {
			n.Signing = sign(rotation(partners.Signing, g.Signing, func(r *partners.Rotation) { r.Possession = "" }), a.Signing)
		}},
		"in the place of no key of hers": {"custody-move-invalid", func(n *partners.Given) {
			n.Signing = sign(rotation(partners.Signing, g.Signing, func(r *partners.Rotation) { r.Retire = stranger.Signing.KeyID() }), a.Signing)
		}},
		"with an overlap": {"custody-move-invalid", func(n *partners.Given) {
			n.Signing = sign(rotation(partners.Signing, g.Signing, func(r *partners.Rotation) { r.Overlap = 60 }), a.Signing)
		}},
	} {
		given := good
		row.change(&given)
		m.refused(t, name, 422, row.code, func() hubtest.Answer { return m.admin.Post(t, path, given) })
	}
	m.refused(t, "another move", 422, "custody-move-invalid", func() hubtest.Answer {
		return m.admin.Post(t, "/v1/custody/givings/01a21649-1255-7064-b0d3-f3ad48253fe4", good)
	})
	others := h.Person(t, stranger.ID, partners.Administrator)
	m.refused(t, "another agency's administrator", 422, "custody-move-invalid", func() hubtest.Answer { return others.Post(t, path, good) })
	m.refused(t, "the agency's system", 403, "insufficient-scope", func() hubtest.Answer { return a.PostJSON(t, path, good) })
	for range 2 {
		if answer := m.admin.Post(t, path, good); answer.Status != http.StatusNoContent {
			t.Errorf("given: %d %s", answer.Status, answer.Body)
		}
	}
	if answer := m.admin.Post(t, "/v1/custody/givings", nil); answer.Problem().Code != "already-managed" {
		t.Errorf("begun once more: %d %s", answer.Status, answer.Body)
	}
}

// TestManagedKeysAreWrappedAnew: by the newest key, in the place where they were.
func TestManagedKeysAreWrappedAnew(t *testing.T) {
	t.Parallel()
	m := newMoving(t)
	holder := m.hub.Agency(t, "harbour", partners.VAWGService)
	admin := m.hub.Person(t, holder.ID, partners.Administrator)
	if err := m.hub.Operator.Expect(t.Context(), m.hub.Keys(), holder.ID); err != nil {
		t.Fatal(err)
	}
	admin.Post(t, "/v1/custody/givings", nil).Into(t, http.StatusCreated, new(any))
	read := func() []string {
		return hubtest.Column[string](t, m.hub, `SELECT wrapped FROM managed_key UNION ALL SELECT wrapped FROM custody_move WHERE wrapped IS NOT NULL`)
	}
	before := read()
	if n, err := m.hub.Operator.Rewrap(t.Context(), m.hub.Keys()); n != 2 || err != nil {
		t.Fatalf("%d keys, %v", n, err)
	}
	for i, wrapped := range read() {
		if wrapped == before[i] {
			t.Errorf("the key %d is wrapped as it was", i)
		}
	}
	a := m.taken(t, m.code(t)) // and they open
	a.Get(t, "/v1/custody/keys").Into(t, http.StatusOK, new(any))
}
