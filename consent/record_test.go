package consent_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral/packet"
)

// scene is two agencies on a hub, and an agency that has nothing to do with them.
type scene struct {
	hub              *hubtest.Hub
	by, named, third *hubtest.Agency
}

func newScene(t *testing.T) scene {
	t.Helper()
	h := hubtest.New(t)
	return scene{h, h.Agency(t, "harbour", partners.VAWGService), h.Agency(t, "rosewood", partners.Housing),
		h.Agency(t, "thorn-street", partners.PrimaryCare)}
}

// record records a consent that names the second agency.
func (s scene) record(t *testing.T, change ...func(*record.Claims)) hubtest.Consent {
	t.Helper()
	return s.by.Record(t, hubtest.Subject(), []string{string(s.named.ID)}, change...)
}

// refused checks that call is refused, leaves nothing behind and has one entry.
func (s scene) refused(t *testing.T, by *hubtest.Agency, status int, code string, call hubtest.Call) {
	t.Helper()
	content, logged := s.hub.Content(t), s.hub.Logged(t)
	a := by.Do(t, call)
	if a.Status != status || a.Problem().Code != code {
		t.Errorf("answered %d %s, want %d %s", a.Status, a.Body, status, code)
	}
	if diff := cmp.Diff(content, s.hub.Content(t)); diff != "" {
		t.Errorf("the refusal left something behind:\n%s", diff)
	}
	if e := s.hub.Entries(t, logged); len(e) != 1 || e[0].Act != "refused" || e[0].Outcome != code || e[0].Partner != string(by.ID) {
		t.Errorf("the log says %+v, want one refusal of %s as %s", e, by.ID, code)
	}
}

func postRecord(body []byte) hubtest.Call {
	return hubtest.Call{Method: http.MethodPost, Path: "/v1/consents", Type: record.MediaType, Body: body}
}

func postWithdrawal(id, token string) hubtest.Call {
	return hubtest.Call{Method: http.MethodPost, Path: "/v1/consents/" + id + "/withdraw", Type: "application/jose", Body: []byte(token)}
}

// mixed is the record of the one with the circumstances of the other.
func mixed(t *testing.T, a, b hubtest.Consent) []byte {
	t.Helper()
	var of, other record.Posted
	for body, into := range map[*record.Posted][]byte{&of: a.Body, &other: b.Body} {
		if err := json.Unmarshal(into, body); err != nil {
			t.Fatal(err)
		}
	}
	return hubtest.Posted(of.Record, other.Circumstances)
}

func TestARecordThatCannotBeReliedOnIsNotStored(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	good := func(change ...func(*record.Claims)) hubtest.Consent {
		return s.by.Consent(t, hubtest.Subject(), []string{string(s.named.ID)}, change...)
	}
	signed := func(typ string, change func(*record.Claims), key jose.SigningKey) hubtest.Call {
		how, digest, err := hubtest.Asked().Text()
		if err != nil {
			t.Fatal(err)
		}
		c := good().Claims
		c.Circumstances = digest
		change(&c)
		return postRecord(hubtest.Posted(hubtest.SignAs(t, typ, c, key), how))
	}
	claim := func(change func(*record.Claims)) hubtest.Call {
		return signed(record.ConsentType, change, s.by.Signing.Signer())
	}
	none := func(*record.Claims) {}
	shadow := s.named.Signing.Signer()
	shadow.ID = s.by.Signing.KeyID()
	stored := s.record(t)
	for _, row := range []struct {
		name   string
		status int
		code   string
		by     *hubtest.Agency
		call   hubtest.Call
	}{
		{"no scope", 403, "insufficient-scope", s.by, func() hubtest.Call {
			c := postRecord(good().Body)
			c.Scopes = []partners.Scope{partners.ReferralsSend}
			return c
		}()},
		{"media type", 415, "unsupported-media-type", s.by, hubtest.Call{Method: "POST", Path: "/v1/consents", Type: "application/json", Body: good().Body}},
		{"over 128 KiB", 413, "body-too-large", s.by, postRecord(append(good().Body, bytes.Repeat([]byte("A"), record.PostedLimit)...))},
		{"empty", 422, "consent-malformed", s.by, postRecord([]byte("{}"))},
		{"a newline after the record", 422, "consent-malformed", s.by, postRecord(bytes.Replace(good().Body, []byte(`","circ`), []byte(`\n","circ`), 1))},
		{"the record alone", 422, "consent-malformed", s.by, postRecord([]byte(good().Token))},
		{"without how she was asked", 422, "consent-claim", s.by, postRecord(hubtest.Posted(good().Token, ""))},
		{"with another's circumstances", 422, "consent-claim", s.by, postRecord(mixed(t, good(), good()))},
		{"a charity's basis for a council", 422, "consent-claim", s.named, postRecord(s.named.Consent(t, hubtest.Subject(), []string{string(s.by.ID)}, func(c *record.Claims) {
			c.Bases[0].Article6 = "f"
		}).Body)},
		{"signed as something else", 422, "consent-malformed", s.by, signed("JWT", none, s.by.Signing.Signer())},
		{"an envelope", 422, "consent-malformed", s.by, signed(packet.EnvelopeType, none, s.by.Signing.Signer())},
		{"a claim too many", 422, "consent-malformed", s.by, postRecord(hubtest.Posted(hubtest.SignAs(t, record.ConsentType, map[string]any{"admin": true}, s.by.Signing.Signer()), ""))},
		{"a name for a subject", 422, "consent-claim", s.by, claim(func(c *record.Claims) { c.Subject = "Jane Doe" })},
		{"a wildcard", 422, "consent-claim", s.by, claim(func(c *record.Claims) { c.Recipients = []string{"*"} })},
		{"nobody named", 422, "consent-claim", s.by, claim(func(c *record.Claims) { c.Recipients = nil })},
		{"for ever", 422, "consent-claim", s.by, claim(func(c *record.Claims) { c.Expires = c.GivenAt + int64(record.MaxLife/time.Second) + 1 })},
		{"given tomorrow", 422, "consent-claim", s.by, claim(func(c *record.Claims) { c.GivenAt = c.IssuedAt + 86400; c.ValidFrom = c.GivenAt })},
		{"a chosen id", 422, "consent-claim", s.by, claim(func(c *record.Claims) { c.ID = uuid.NewString() })},
		{"another jurisdiction", 422, "consent-claim", s.by, claim(func(c *record.Claims) { c.Jurisdiction = "GB-SCT" })},
		{"of another issuer", 403, "issuer-not-caller", s.named, postRecord(good().Body)},
		{"a key that nobody enrolled", 422, "signing-key-unknown", s.by, signed(record.ConsentType, none, hubtest.Key(t, partners.Signing).Signer())},
		{"the key that authenticates", 422, "signing-key-unknown", s.by, signed(record.ConsentType, none, s.by.Auth.Signer())},
		{"another partner's key", 422, "signing-key-unknown", s.by, signed(record.ConsentType, none, s.named.Signing.Signer())},
		{"another key under the name of hers", 422, "consent-signature", s.by, signed(record.ConsentType, none, shadow)},
		{"for a staging hub", 422, "consent-stale", s.by, claim(func(c *record.Claims) { c.Hub = "https://staging.hub.example" })},
		{"signed in the future", 422, "consent-stale", s.by, claim(func(c *record.Claims) { c.IssuedAt += 70 })},
		{"signed before its key was enrolled", 422, "signing-key-unknown", s.by, claim(func(c *record.Claims) { c.IssuedAt -= 90 })},
		{"other words under a stored id", 409, "consent-conflict", s.by, postRecord(good(func(c *record.Claims) { c.ID = stored.ID }).Body)},
		{"under the id of a record that she is named in", 409, "consent-conflict", s.named,
			postRecord(s.named.Consent(t, hubtest.Subject(), []string{string(s.by.ID)}, func(c *record.Claims) { c.ID = stored.ID }).Body)},
		{"under the id of a record that she cannot see", 409, "consent-conflict", s.third,
			postRecord(s.third.Consent(t, hubtest.Subject(), []string{string(s.by.ID)}, func(c *record.Claims) { c.ID = stored.ID }).Body)},
	} {
		t.Run(row.name, func(t *testing.T) { s.refused(t, row.by, row.status, row.code, row.call) })
	}
	if a := s.by.Do(t, postRecord(good().Body)); a.Status != http.StatusCreated {
		t.Errorf("a good one is refused too: %d %s", a.Status, a.Body)
	}
	s.hub.Exec(t, `UPDATE partner_key SET not_before = not_before - interval '3 days'`)
	t.Run("signed 24 hours ago and more", func(t *testing.T) {
		s.refused(t, s.by, 422, "consent-stale", claim(func(c *record.Claims) {
			c.IssuedAt -= 24*3600 + 5
			c.GivenAt, c.ValidFrom = c.IssuedAt, c.IssuedAt
		}))
	})
	s.hub.Exec(t, `UPDATE partner_key SET revoked_at = now() WHERE partner = $1 AND use = 'signing'`, string(s.by.ID))
	t.Run("a revoked key", func(t *testing.T) { s.refused(t, s.by, 422, "signing-key-unknown", postRecord(good().Body)) })
}

func TestTheSameRecordGetsTheSameReceipt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c := s.by.Consent(t, hubtest.Subject(), []string{string(s.named.ID)})
	first := s.by.PostConsent(t, c)
	withdrawal := postWithdrawal(c.ID, s.named.Withdrawal(t, c))
	check := func(when string, want, got hubtest.Answer) {
		t.Helper()
		if got.Status != http.StatusCreated || !bytes.Equal(got.Body, want.Body) {
			t.Errorf("%s: %d %s, want 201 and the first receipt", when, got.Status, got.Body)
		}
	}
	logged := s.hub.Logged(t)
	check("again", first, s.by.PostConsent(t, c))
	if n := s.hub.Logged(t) - logged; n != 0 {
		t.Errorf("the repetition made %d log entries", n)
	}
	withdrawn := s.named.Do(t, withdrawal)
	check("after it was withdrawn", first, s.by.PostConsent(t, c))
	check("the withdrawal again", withdrawn, s.named.Do(t, withdrawal))
	s.hub.Exec(t, `UPDATE partner_key SET revoked_at = now() WHERE use = 'signing'`)
	check("after its key was revoked", first, s.by.PostConsent(t, c))
	check("the withdrawal after its key was revoked", withdrawn, s.named.Do(t, withdrawal))
}

func TestTheSameRecordPostedAtOnceIsOneRecordAndOneReceipt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c := s.by.Consent(t, hubtest.Subject(), []string{string(s.named.ID)})
	s.by.Token(t)
	answers := hubtest.Convoy(t, s.hub, 6, 6, func(int) hubtest.Answer { return s.by.PostConsent(t, c) }, `LOCK TABLE consent IN SHARE MODE`)
	for _, a := range answers {
		if a.Status != http.StatusCreated || !bytes.Equal(a.Body, answers[0].Body) {
			t.Errorf("answered %d %s, want 201 and one receipt for all", a.Status, a.Body)
		}
	}
	if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM audit_entry WHERE act = 'consent.record'`); n != 1 {
		t.Errorf("%d entries are logged, want 1", n)
	}
}

func TestOfSeveralRecordsUnderOneIdAtOnceOneIsStored(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.by.Consent(t, hubtest.Subject(), []string{string(s.named.ID)})
	records := make([]hubtest.Consent, 6)
	for i := range records {
		records[i] = s.by.Consent(t, hubtest.Subject(), []string{string(s.named.ID)}, func(c *record.Claims) { c.ID = first.ID })
	}
	s.by.Token(t)
	won := 0
	for _, a := range hubtest.Convoy(t, s.hub, len(records), len(records), func(i int) hubtest.Answer { return s.by.PostConsent(t, records[i]) },
		`LOCK TABLE consent IN SHARE MODE`) {
		if a.Status == http.StatusCreated {
			won++
		} else if a.Problem().Code != "consent-conflict" {
			t.Errorf("answered %d %s", a.Status, a.Body)
		}
	}
	if won != 1 {
		t.Errorf("%d were stored, want 1", won)
	}
}

// stored is a consent as a reader is shown it.
type stored struct {
	ID, Record, Digest, State, Withdrawal string
	Receipt                               proof.Receipt
}

func TestARecordIsReadByItsRecorderAndByWhomItNames(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	byID := s.record(t)
	byCategory := s.by.Record(t, hubtest.Subject(), []string{"category:housing"})
	for _, c := range []hubtest.Consent{byID, byCategory} {
		for _, by := range []*hubtest.Agency{s.by, s.named} {
			logged := s.hub.Logged(t)
			var got stored
			by.Get(t, "/v1/consents/"+c.ID).Into(t, http.StatusOK, &got)
			if got.ID != c.ID || got.Record != c.Token || got.Digest != c.Digest || got.State != "agreed" || got.Withdrawal != "" {
				t.Errorf("%s reads %+v", by.ID, got)
			}
			if e := s.hub.Entries(t, logged); len(e) != 1 || e[0].Act != "consent.read" || e[0].Consent != c.ID || e[0].Partner != string(by.ID) {
				t.Errorf("reading is logged as %+v", e)
			}
		}
		s.refused(t, s.third, 404, "consent-not-found", hubtest.Call{Method: "GET", Path: "/v1/consents/" + c.ID})
	}
	s.refused(t, s.third, 404, "consent-not-found", hubtest.Call{Method: "GET", Path: "/v1/consents/" + uuid.NewString()})
}

func TestTheStateOfARecordIsThatOfNow(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	said := func(state string) func(*record.Claims) { return func(c *record.Claims) { c.Agreement = state } }
	gone := func(c *record.Claims) {
		c.GivenAt, c.ValidFrom, c.Expires = c.IssuedAt-7200, c.IssuedAt-7200, c.IssuedAt-1
	}
	withdrawn, outlived := s.record(t), s.record(t, gone)
	s.by.Withdraw(t, withdrawn)
	s.by.Withdraw(t, outlived)
	for id, want := range map[string]string{s.record(t).ID: "agreed", s.record(t, said("refused")).ID: "refused",
		s.record(t, gone).ID: "expired", withdrawn.ID: "withdrawn", outlived.ID: "withdrawn"} {
		var got stored
		s.named.Get(t, "/v1/consents/"+id).Into(t, http.StatusOK, &got)
		if got.State != want || (got.Withdrawal != "") != (want == "withdrawn") {
			t.Errorf("state %s with withdrawal %q, want %s", got.State, got.Withdrawal, want)
		}
	}
}
