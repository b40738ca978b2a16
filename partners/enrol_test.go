package partners_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/internal/hubtest"
	"handover/keys/jose"
	"handover/partners"
)

// enrol posts a code with a statement, as a stranger does.
func enrol(t *testing.T, h *hubtest.Hub, code, statement string) hubtest.Answer {
	t.Helper()
	body, err := json.Marshal(map[string]string{"code": code, "enrolment": statement})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, hubtest.Issuer+"/v1/enrol", strings.NewReader(string(body))).WithContext(t.Context())
	r.Header.Set("Content-Type", "application/json")
	return h.Do(r)
}

func TestAnEnrolledPartnerTakesPart(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a, code := h.Invited(t, "rosewood", partners.Housing)
	witness := h.Agency(t, "witness", partners.LegalAdvice)
	if found := witness.Get(t, "/v1/partners/rosewood"); found.Status != http.StatusNotFound {
		t.Errorf("invited, it is in the directory: %d", found.Status)
	}
	var answer struct {
		Partner  partners.ID      `json:"partner"`
		ClientID string           `json:"client_id"`
		Scopes   []partners.Scope `json:"scopes"`
		Issuer   string           `json:"issuer"`
	}
	enrol(t, h, " "+code+"\n", a.Statement(t, code)).Into(t, http.StatusCreated, &answer)
	if answer.Partner != "rosewood" || answer.Issuer != hubtest.Issuer || !cmp.Equal(answer.Scopes, partners.SystemScopes()) {
		t.Errorf("answered %+v", answer)
	}
	if name, random, _ := strings.Cut(answer.ClientID, "."); name != "rosewood" || len(random) != 5 {
		t.Errorf("the client id is %q", answer.ClientID)
	}
	a.Client = answer.ClientID
	if mine := a.Get(t, "/v1/partners/rosewood"); mine.Status != http.StatusOK {
		t.Errorf("enrolled, it cannot call: %d %s", mine.Status, mine.Body)
	}
	var set struct {
		Keys []struct {
			Kid     string `json:"kid"`
			Use     string `json:"handover_use"`
			D       string `json:"d"`
			Revoked int64  `json:"revoked"`
		} `json:"keys"`
	}
	witness.Get(t, "/v1/partners/rosewood/jwks.json").Into(t, http.StatusOK, &set)
	got := map[string]string{}
	for _, k := range set.Keys {
		got[k.Use] = k.Kid
		if k.D != "" || k.Revoked != 0 {
			t.Errorf("the key set says %+v", k)
		}
	}
	want := map[string]string{"authentication": a.Auth.KeyID(), "signing": a.Signing.KeyID(), "encryption": a.Sealing.KeyID()}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-made +served):\n%s", diff)
	}
}

// TestALostAnswerToAnEnrolmentIsAskedForAgain: the same system is told the same, and
// nothing is done twice. Another system learns nothing from the code.
func TestALostAnswerToAnEnrolmentIsAskedForAgain(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a, code := h.Invited(t, "rosewood", partners.Housing)
	first := enrol(t, h, code, a.Statement(t, code))
	content := h.Content(t)
	if again := enrol(t, h, code, a.Statement(t, code)); again.Status != http.StatusCreated || string(again.Body) != string(first.Body) {
		t.Errorf("asked again: %d %s; at first %s", again.Status, again.Body, first.Body)
	}
	another := a.Enrolment(code) // of the same system, but with one new key
	another.Keys.Encryption = hubtest.Key(t, partners.Encryption).Public()
	if got := enrol(t, h, code, hubtest.SignAs(t, partners.EnrolmentType, another, a.Signing.Signer())); got.Problem().Code != "invitation-invalid" {
		t.Errorf("with another key: %d %s", got.Status, got.Body)
	}
	if diff := cmp.Diff(content, h.Content(t)); diff != "" {
		t.Errorf("left something behind:\n%s", diff)
	}
	h.Exec(t, `UPDATE invitation SET expires_at = now() WHERE partner = 'rosewood'`)
	if late := enrol(t, h, code, a.Statement(t, code)); late.Problem().Code != "invitation-invalid" {
		t.Errorf("after the code's time: %d %s", late.Status, late.Body)
	}
}

// TestACheatOrAMistakeEnrolsNobodyAndLeavesTheCodeUsable spoils one thing of an
// enrolment that is otherwise right.
func TestACheatOrAMistakeEnrolsNobodyAndLeavesTheCodeUsable(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	other := h.Agency(t, "other", partners.Housing)
	gone := h.Agency(t, "gone", partners.Housing)
	h.Exec(t, `UPDATE partner_key SET revoked_at = now() WHERE partner = 'gone'`)
	changed := func(f func(a *hubtest.Agency, e *partners.Enrolment)) func(*testing.T, *hubtest.Agency, string) string {
		return func(t *testing.T, a *hubtest.Agency, code string) string {
			return a.Statement(t, code, func(e *partners.Enrolment) { f(a, e) })
		}
	}
	type cheat struct {
		status int
		code   string
		spoil  func(t *testing.T, a *hubtest.Agency, code string) string
	}
	invalid := func(f func(a *hubtest.Agency, e *partners.Enrolment)) cheat {
		return cheat{422, "enrolment-invalid", changed(f)}
	}
	taken := func(f func(a *hubtest.Agency, e *partners.Enrolment)) cheat {
		return cheat{409, "key-taken", changed(f)}
	}
	seals, signs := hubtest.Key(t, partners.Encryption).Public(), hubtest.Key(t, partners.Authentication).Public()
	n := 0
	for name, row := range map[string]cheat{
		"for another hub": invalid(func(_ *hubtest.Agency, e *partners.Enrolment) { e.Hub = "https://staging.hub.example" }),
		"for another code": invalid(func(_ *hubtest.Agency, e *partners.Enrolment) {
			digest := sha256.Sum256([]byte("another code"))
			e.CodeDigest = base64.RawURLEncoding.EncodeToString(digest[:])
		}),
		"of yesterday": invalid(func(_ *hubtest.Agency, e *partners.Enrolment) { e.IssuedAt -= 24*3600 + 10 }),
		"of tomorrow":  invalid(func(_ *hubtest.Agency, e *partners.Enrolment) { e.IssuedAt += 70 }),
		"one key to authenticate and to sign": invalid(func(a *hubtest.Agency, e *partners.Enrolment) {
			e.Keys.Authentication = a.Signing.Public()
		}),
		"a sealing key to sign": invalid(func(_ *hubtest.Agency, e *partners.Enrolment) { e.Keys.Authentication = seals }),
		"a signing key to seal": invalid(func(_ *hubtest.Agency, e *partners.Enrolment) { e.Keys.Encryption = signs }),
		"another signing key than the one that signs": invalid(func(_ *hubtest.Agency, e *partners.Enrolment) {
			e.Keys.Signing = other.Signing.Public()
		}),
		"signed by another key than it brings": {422, "enrolment-invalid", func(t *testing.T, a *hubtest.Agency, code string) string {
			key := other.Signing.Signer()
			key.ID = a.Signing.KeyID()
			return hubtest.SignAs(t, partners.EnrolmentType, a.Enrolment(code), key)
		}},
		"signed as something else": {422, "enrolment-invalid", func(t *testing.T, a *hubtest.Agency, code string) string {
			return hubtest.SignAs(t, "JWT", a.Enrolment(code), a.Signing.Signer())
		}},
		"a key named as another partner's": {422, "enrolment-invalid", func(t *testing.T, a *hubtest.Agency, code string) string {
			return renamed(t, a, code, "encryption", other.Sealing.KeyID())
		}},
		"a key named as she likes": {422, "enrolment-invalid", func(t *testing.T, a *hubtest.Agency, code string) string {
			return renamed(t, a, code, "authentication", "key-1")
		}},
		"a key missing": {422, "enrolment-invalid", func(t *testing.T, a *hubtest.Agency, code string) string {
			return members(t, a, code, func(m map[string]any) { delete(m["keys"].(map[string]any), "encryption") })
		}},
		"a fourth key": {422, "enrolment-invalid", func(t *testing.T, a *hubtest.Agency, code string) string {
			return members(t, a, code, func(m map[string]any) { m["keys"].(map[string]any)["spare"] = other.Auth.Public() })
		}},
		"a private key": {422, "enrolment-invalid", func(t *testing.T, a *hubtest.Agency, code string) string {
			return members(t, a, code, func(m map[string]any) {
				m["keys"].(map[string]any)["encryption"] = json.RawMessage(a.Sealing.JWK())
			})
		}},
		"no statement":               {422, "enrolment-invalid", func(*testing.T, *hubtest.Agency, string) string { return "" }},
		"another partner's key":      taken(func(_ *hubtest.Agency, e *partners.Enrolment) { e.Keys.Encryption = other.Sealing.Public() }),
		"another partner's, as mine": taken(func(_ *hubtest.Agency, e *partners.Enrolment) { e.Keys.Authentication = other.Signing.Public() }),
		"a key that was revoked":     taken(func(_ *hubtest.Agency, e *partners.Enrolment) { e.Keys.Encryption = gone.Sealing.Public() }),
	} {
		t.Run(name, func(t *testing.T) {
			n++
			a, code := h.Invited(t, partners.ID(fmt.Sprintf("cheat-%d", n)), partners.Housing)
			content := h.Content(t)
			answer := enrol(t, h, code, row.spoil(t, a, code))
			if answer.Status != row.status || answer.Problem().Code != row.code {
				t.Errorf("answered %d %s, want %d %s", answer.Status, answer.Body, row.status, row.code)
			}
			if diff := cmp.Diff(content, h.Content(t)); diff != "" {
				t.Errorf("it left something behind:\n%s", diff)
			}
			if answer := enrol(t, h, code, a.Statement(t, code)); answer.Status != http.StatusCreated {
				t.Errorf("the code is spent: %d %s", answer.Status, answer.Body)
			}
		})
	}
}

// members signs an enrolment with other members.
func members(t *testing.T, a *hubtest.Agency, code string, change func(map[string]any)) string {
	t.Helper()
	var m map[string]any
	raw, err := json.Marshal(a.Enrolment(code))
	if err == nil {
		err = json.Unmarshal(raw, &m)
	}
	if err != nil {
		t.Fatal(err)
	}
	m["iat"] = int64(m["iat"].(float64))
	change(m)
	return hubtest.SignAs(t, partners.EnrolmentType, m, a.Signing.Signer())
}

func renamed(t *testing.T, a *hubtest.Agency, code, use, kid string) string {
	t.Helper()
	return members(t, a, code, func(m map[string]any) { m["keys"].(map[string]any)[use].(map[string]any)["kid"] = kid })
}

func TestACodeThatIsNotGoodEnrolsNobody(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	used, usedCode := h.Invited(t, "used", partners.Housing)
	used.Enrol(t, usedCode)
	late, lateCode := h.Invited(t, "late", partners.Housing)
	h.Exec(t, `UPDATE invitation SET expires_at = now() WHERE partner = 'late'`)
	fresh, freshCode := h.Invited(t, "fresh", partners.Housing)
	suspended, suspendedCode := h.Invited(t, "suspended", partners.Housing)
	h.Exec(t, `UPDATE partner SET status = 'suspended' WHERE id = 'suspended'`)
	for name, answer := range map[string]func() hubtest.Answer{
		"used": func() hubtest.Answer { return enrol(t, h, usedCode, fresh.Statement(t, usedCode)) },
		"of a suspended partner": func() hubtest.Answer {
			return enrol(t, h, suspendedCode, suspended.Statement(t, suspendedCode))
		},
		"expired": func() hubtest.Answer { return enrol(t, h, lateCode, late.Statement(t, lateCode)) },
		"unknown": func() hubtest.Answer { return enrol(t, h, "nonsense", fresh.Statement(t, "nonsense")) },
		"empty":   func() hubtest.Answer { return enrol(t, h, "", fresh.Statement(t, "")) },
		"in capitals": func() hubtest.Answer {
			return enrol(t, h, strings.ToUpper(freshCode), fresh.Statement(t, strings.ToUpper(freshCode)))
		},
		"with a zero byte": func() hubtest.Answer { return enrol(t, h, freshCode+"\x00", fresh.Statement(t, freshCode+"\x00")) },
	} {
		content := h.Content(t)
		if a := answer(); a.Status != http.StatusUnauthorized || a.Problem().Code != "invitation-invalid" {
			t.Errorf("%s: %d %s, want 401 invitation-invalid", name, a.Status, a.Body)
		}
		if diff := cmp.Diff(content, h.Content(t)); diff != "" {
			t.Errorf("%s left something behind:\n%s", name, diff)
		}
	}
	for counted := 0; counted != 7; { // written by the log a moment later
		counted = hubtest.Value[int](t, h, `SELECT coalesce(sum(count), 0) FROM audit_anonymous WHERE code = 'invitation-invalid'`)
	}
}

func TestACodeEnrolsOneSystemHoweverManyUseItAtOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	first, code := h.Invited(t, "rosewood", partners.Housing)
	const n = 6
	statements := make([]string, n)
	for i := range statements {
		e, signing := first.Enrolment(code), hubtest.Key(t, partners.Signing)
		e.Keys.Authentication, e.Keys.Signing = hubtest.Key(t, partners.Authentication).Public(), signing.Public()
		e.Keys.Encryption = hubtest.Key(t, partners.Encryption).Public()
		statements[i] = hubtest.SignAs(t, partners.EnrolmentType, e, signing.Signer())
	}
	won := 0
	for _, a := range hubtest.Convoy(t, h, n, n, func(i int) hubtest.Answer { return enrol(t, h, code, statements[i]) },
		`LOCK TABLE partner_client IN SHARE MODE`) {
		switch {
		case a.Status == http.StatusCreated:
			won++
		case a.Problem().Code != "invitation-invalid":
			t.Errorf("answered %d %s", a.Status, a.Body)
		}
	}
	clients, keys := hubtest.Value[int](t, h, `SELECT count(*) FROM partner_client`), hubtest.Value[int](t, h, `SELECT count(*) FROM partner_key`)
	if won != 1 || clients != 1 || keys != 3 {
		t.Errorf("%d enrolled, %d systems and %d keys are there; want 1, 1 and 3", won, clients, keys)
	}
}

func TestOneKeyEnrolsOnceHoweverManyBringItAtOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	const n = 5
	key := hubtest.Key(t, partners.Encryption)
	codes, statements := make([]string, n), make([]string, n)
	for i := range n {
		var a *hubtest.Agency
		a, codes[i] = h.Invited(t, partners.ID("twin-"+string(rune('a'+i))), partners.Housing)
		a.Sealing = key
		statements[i] = a.Statement(t, codes[i])
	}
	won := 0
	for _, a := range hubtest.Convoy(t, h, n, n, func(i int) hubtest.Answer { return enrol(t, h, codes[i], statements[i]) },
		`LOCK TABLE partner_key IN SHARE MODE`) {
		switch {
		case a.Status == http.StatusCreated:
			won++
		case a.Status != http.StatusConflict || a.Problem().Code != "key-taken":
			t.Errorf("answered %d %s", a.Status, a.Body)
		}
	}
	if n := hubtest.Value[int](t, h, `SELECT count(*) FROM partner WHERE status = 'active'`); won != 1 || n != 1 {
		t.Errorf("%d enrolled and %d partners are active, want 1", won, n)
	}
}

func TestASuspensionCountsAtTheNextRequest(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	for _, row := range []struct {
		name       string
		stop, lift func() error
	}{
		{"the partner is suspended", func() error { return h.Operator.Suspend(t.Context(), a.ID) },
			func() error { return h.Operator.Resume(t.Context(), a.ID) }},
		{"its system is switched off", exec(h, `UPDATE partner_client SET active = false`), exec(h, `UPDATE partner_client SET active = true`)},
		{"the key that the token was got with is revoked", exec(h, `UPDATE partner_key SET revoked_at = now() WHERE use = 'authentication'`),
			func() error { return nil }}, // a revocation stands
	} {
		if answer := a.Get(t, "/v1/inbox"); answer.Status != http.StatusOK {
			t.Fatalf("before %s: %d %s", row.name, answer.Status, answer.Body)
		}
		err := row.stop()
		logged := h.Logged(t)
		if answer := a.Get(t, "/v1/inbox"); err != nil || answer.Status != http.StatusUnauthorized {
			t.Errorf("%s: %v, %d %s, want 401 with the token it has", row.name, err, answer.Status, answer.Body)
		}
		if e := h.Entries(t, logged); len(e) != 1 || e[0].Act != "refused" || e[0].Outcome != "unauthenticated" || e[0].Partner != "rosewood" {
			t.Errorf("%s: the log says %+v", row.name, e)
		}
		if err := row.lift(); err != nil {
			t.Fatal(err)
		}
	}
}

func exec(h *hubtest.Hub, statement string) func() error {
	return func() error {
		_, err := h.DB.Owner.Exec(context.Background(), statement)
		return err
	}
}

func TestASystemHoldsNoScopeThatWasTakenFromItSinceItsToken(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	a := h.Agency(t, "rosewood", partners.Housing)
	a.Token(t)
	h.Exec(t, `UPDATE partner_client SET scopes = '{referrals:send}'`)
	if answer := a.Get(t, "/v1/inbox"); answer.Status != http.StatusForbidden || answer.Problem().Code != "insufficient-scope" {
		t.Errorf("answered %d %s, want 403 insufficient-scope", answer.Status, answer.Body)
	}
	c := a.Caller(t, partners.ReferralsSend, partners.ReferralsReceive, partners.HubAdmin)
	if !c.Has(partners.ReferralsSend) || c.Has(partners.ReferralsReceive) || c.Has(partners.HubAdmin) || c.Has("") {
		t.Error("the caller has other scopes than those granted and still held")
	}
}

func TestAKeyCountsFromItsBeginningToItsEndUnlessRevoked(t *testing.T) {
	t.Parallel()
	begin, end := time.Unix(1_000_000, 0), time.Unix(2_000_000, 0)
	k := partners.Key{NotBefore: begin, NotAfter: end}
	for at, want := range map[time.Time]bool{
		begin: true, begin.Add(-partners.Skew): true, begin.Add(-partners.Skew - time.Second): false,
		end.Add(-time.Second): true, end: false, {}: false,
	} {
		if k.ValidAt(at) != want {
			t.Errorf("at %v: want %v", at, want)
		}
		revoked := k
		revoked.Revoked = end.Add(time.Hour) // whenever: a stolen key signs any date
		if revoked.ValidAt(at) {
			t.Errorf("revoked, it counts at %v", at)
		}
	}
	if _, err := partners.JWKSet([]partners.Key{{PublicKey: jose.PublicKey{}}}); err == nil {
		t.Error("a key that is none is rendered")
	}
	if err := new(partners.Terms).Permit(partners.Passage{}); !errors.Is(err, partners.ErrRecipientInactive) {
		t.Errorf("terms that were never read permit: %v", err)
	}
}
