package consent_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners"
)

func TestAWithdrawalThatIsNotOneChangesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c, other := s.record(t), s.record(t)
	claims := func(change func(*record.WithdrawalClaims)) record.WithdrawalClaims {
		w := record.WithdrawalClaims{Hub: hubtest.Issuer, Issuer: string(s.by.ID), ID: uuid.Must(uuid.NewV7()).String(),
			IssuedAt: s.hub.Now().Unix(), Consent: c.ID, Digest: c.Digest}
		change(&w)
		return w
	}
	signed := func(typ string, change func(*record.WithdrawalClaims), key jose.SigningKey) string {
		return hubtest.SignAs(t, typ, claims(change), key)
	}
	claim := func(change func(*record.WithdrawalClaims)) hubtest.Call {
		return postWithdrawal(c.ID, signed(record.WithdrawalType, change, s.by.Signing.Signer()))
	}
	none := func(*record.WithdrawalClaims) {}
	shadow := s.named.Signing.Signer()
	shadow.ID = s.by.Signing.KeyID()
	kind := s.by.Record(t, hubtest.Subject(), []string{"category:housing"})
	foreign := s.third.Record(t, hubtest.Subject(), []string{"category:police"})
	for _, row := range []struct {
		name   string
		status int
		code   string
		by     *hubtest.Agency
		call   hubtest.Call
	}{
		{"no scope", 403, "insufficient-scope", s.by, func() hubtest.Call {
			call := claim(none)
			call.Scopes = []partners.Scope{partners.ReferralsSend}
			return call
		}()},
		{"media type", 415, "unsupported-media-type", s.by, hubtest.Call{Method: "POST", Path: "/v1/consents/" + c.ID + "/withdraw", Type: "text/plain", Body: []byte("x")}},
		{"malformed", 422, "consent-malformed", s.by, postWithdrawal(c.ID, "x")},
		{"the record itself", 422, "consent-malformed", s.by, postWithdrawal(c.ID, c.Token)},
		{"signed as something else", 422, "consent-malformed", s.by, postWithdrawal(c.ID, signed("JWT", none, s.by.Signing.Signer()))},
		{"a chosen id", 422, "consent-claim", s.by, claim(func(w *record.WithdrawalClaims) { w.ID = uuid.NewString() })},
		{"no digest", 422, "consent-claim", s.by, claim(func(w *record.WithdrawalClaims) { w.Digest = "" })},
		{"of another issuer", 403, "issuer-not-caller", s.named, claim(none)},
		{"a key that nobody enrolled", 422, "signing-key-unknown", s.by, postWithdrawal(c.ID, signed(record.WithdrawalType, none, hubtest.Key(t, partners.Signing).Signer()))},
		{"another key under the name of hers", 422, "consent-signature", s.by, postWithdrawal(c.ID, signed(record.WithdrawalType, none, shadow))},
		{"for a staging hub", 422, "consent-stale", s.by, claim(func(w *record.WithdrawalClaims) { w.Hub = "https://staging.hub.example" })},
		{"signed in the future", 422, "consent-stale", s.by, claim(func(w *record.WithdrawalClaims) { w.IssuedAt += 70 })},
		{"of another record", 403, "no-consent", s.by, postWithdrawal(other.ID, signed(record.WithdrawalType, none, s.by.Signing.Signer()))},
		{"of another text", 403, "no-consent", s.by, claim(func(w *record.WithdrawalClaims) { w.Digest = ids.Digest("another text") })},
		{"of a record that she cannot see", 404, "consent-not-found", s.by, postWithdrawal(foreign.ID, s.by.Withdrawal(t, foreign))},
		{"by someone whom it does not name", 404, "consent-not-found", s.third, postWithdrawal(c.ID, s.third.Withdrawal(t, c))},
		{"by one of a kind that it names, with nothing of hers", 404, "consent-not-found", s.named, postWithdrawal(kind.ID, s.named.Withdrawal(t, kind))},
		{"of no record", 404, "consent-not-found", s.by, postWithdrawal(uuid.NewString(), signed(record.WithdrawalType, none, s.by.Signing.Signer()))},
		{"of what is no id", 404, "consent-not-found", s.by, postWithdrawal("x", signed(record.WithdrawalType, none, s.by.Signing.Signer()))},
	} {
		t.Run(row.name, func(t *testing.T) { s.refused(t, row.by, row.status, row.code, row.call) })
	}
	if a := s.by.Withdraw(t, c); a.Status != http.StatusCreated {
		t.Errorf("a good one is refused too: %d %s", a.Status, a.Body)
	}
	t.Run("a second time, by another", func(t *testing.T) {
		s.refused(t, s.named, 409, "consent-already-withdrawn", postWithdrawal(c.ID, s.named.Withdrawal(t, c)))
	})
}

func TestWhomSheToldOrNamedCanWithdrawARecord(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	key, err := proof.ParseLogKey(strings.TrimSpace(string(s.by.Get(t, "/v1/log/key").Body)))
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		by *hubtest.Agency
		c  hubtest.Consent
	}{
		"its recorder": {s.by, s.record(t)}, "a partner it names": {s.named, s.record(t)},
	} {
		token := row.by.Withdrawal(t, row.c)
		var receipt proof.Receipt
		row.by.Do(t, postWithdrawal(row.c.ID, token)).Into(t, http.StatusCreated, &receipt)
		e, err := receipt.Verify(key)
		want := proof.Entry{V: e.V, ID: e.ID, Time: e.Time, Act: "consent.withdraw", Partner: string(row.by.ID), Client: row.by.Client,
			Consent: row.c.ID, Digest: ids.Digest(token), State: "withdrawn"}
		if diff := cmp.Diff(want, e); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +logged):\n%s", name, err, diff)
		}
		var got stored
		s.by.Get(t, "/v1/consents/"+row.c.ID).Into(t, http.StatusOK, &got)
		if got.State != "withdrawn" || got.Withdrawal != token || got.Receipt != receipt {
			t.Errorf("%s: it reads %+v", name, got)
		}
	}
}

func TestOfManyWithdrawalsAtOnceOneIsKept(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c := s.record(t)
	calls := make([]hubtest.Call, 6)
	for i := range calls {
		calls[i] = postWithdrawal(c.ID, s.by.Withdrawal(t, c))
	}
	s.by.Token(t)
	won := 0
	for _, a := range hubtest.Convoy(t, s.hub, len(calls), len(calls), func(i int) hubtest.Answer { return s.by.Do(t, calls[i]) },
		`SELECT FROM consent_state WHERE id = $1 FOR UPDATE`, c.ID) {
		if a.Status == http.StatusCreated {
			won++
		} else if a.Problem().Code != "consent-already-withdrawn" {
			t.Errorf("answered %d %s", a.Status, a.Body)
		}
	}
	if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM audit_entry WHERE act = 'consent.withdraw'`); won != 1 || n != 1 {
		t.Errorf("%d succeeded and %d are logged, want 1", won, n)
	}
}

// TestAWithdrawalWaitsForWhatIsBeingShared holds the lock that sharing takes: the
// withdrawal is not final before it is given back, and is dated after it, so that
// nobody reads in the log that something was shared after she had withdrawn.
func TestAWithdrawalWaitsForWhatIsBeingSharedAndIsDatedAfterIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	c := s.record(t)
	s.by.Token(t)
	tx, err := s.hub.DB.Owner.Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), `SELECT FROM consent_state WHERE id = $1 FOR SHARE`, c.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan hubtest.Answer, 1)
	go func() { answered <- s.by.Withdraw(t, c) }()
	var shared time.Time
	err = errors.Join(hubtest.Blocked(t, s.hub, tx, 1), tx.QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(&shared), tx.Commit(t.Context()))
	if a := <-answered; err != nil || a.Status != http.StatusCreated {
		t.Fatalf("%v, %d %s", err, a.Status, a.Body)
	}
	if at := hubtest.Value[time.Time](t, s.hub, `SELECT withdrawn_at FROM consent_state WHERE id = $1`, c.ID); at.Before(shared) {
		t.Errorf("withdrawn at %v, while it was shared until %v", at, shared)
	}
}
