package managed_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
)

// refused checks that an answer is the refusal, shows nothing of what is sealed, and that
// no release and no packet has come of it.
func (s scene) refused(t *testing.T, name string, status int, code string, do func() hubtest.Answer) {
	t.Helper()
	content := s.hub.Content(t)
	a := do()
	if a.Status != status || a.Problem().Code != code {
		t.Errorf("%s: %d %s, want %d %s", name, a.Status, a.Problem().Code, status, code)
	}
	if bytes.Contains(a.Body, []byte(canary)) {
		t.Errorf("%s: the answer shows content", name)
	}
	if diff := cmp.Diff(content, s.hub.Content(t)); diff != "" {
		t.Errorf("%s left something behind:\n%s", name, diff)
	}
}

// TestNobodyElseHasTheHubActForHer tries every act as everybody who may not.
func TestNobodyElseHasTheHubActForHer(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, _ := s.sent(t)
	consent := s.consent(t)
	strangers := s.hub.Managed(t, "elm-lane", partners.PrimaryCare)
	stranger := s.hub.Person(t, strangers.ID, partners.Caseworker)
	colleague := s.hub.Person(t, s.own.ID, partners.Caseworker)
	auditor := s.hub.Person(t, s.managed.ID, partners.Auditor)
	gone := s.hub.Person(t, s.managed.ID, partners.Caseworker)
	s.hub.Exec(t, `UPDATE partner_user SET status = 'suspended' WHERE id = $1`, gone.ID)
	s.hub.Agree(t, strangers, s.own)
	s.refer(t, s.request(consent)) // makes the secret of digests
	acts := map[string]func(by doer) hubtest.Answer{
		"open": func(by doer) hubtest.Answer {
			return by.Do(t, call("/v1/managed/referrals/"+id+"/open", opening("need")))
		},
		"refer":  func(by doer) hubtest.Answer { return by.Do(t, call("/v1/managed/referrals", s.request(consent))) },
		"record": func(by doer) hubtest.Answer { return by.Do(t, call("/v1/managed/consents", s.spoken())) },
		"never": func(by doer) hubtest.Answer {
			return by.Do(t, call("/v1/managed/nevers", members{"jti": newID(), "subjects": []string{hubtest.Subject()}, "recipients": []string{"category:police"}}))
		},
		"withdraw": func(by doer) hubtest.Answer {
			return by.Do(t, call("/v1/managed/consents/"+consent+"/withdraw", members{"jti": newID()}))
		},
		"accept": func(by doer) hubtest.Answer {
			return by.Do(t, call("/v1/managed/referrals/"+id+"/events", members{"jti": newID(), "event": "accept", "prev": id}))
		},
	}
	for name, act := range acts {
		s.refused(t, name+" by the agency's system", 403, "person-needed", func() hubtest.Answer { return act(s.worker.Desk()) })
		s.refused(t, name+" by an agency's system that holds its keys", 403, "person-needed", func() hubtest.Answer { return act(s.own) })
		s.refused(t, name+" by somebody whose agency holds its keys", 409, "not-managed", func() hubtest.Answer { return act(colleague) })
		s.refused(t, name+" by an auditor", 403, "insufficient-scope", func() hubtest.Answer { return act(auditor) })
		s.refused(t, name+" by somebody suspended", 401, "unauthenticated", func() hubtest.Answer { return act(gone) })
	}
	// Another agency's worker: what is not hers is not there.
	s.refused(t, "open by a stranger", 404, "referral-not-found", func() hubtest.Answer { return acts["open"](stranger) })
	s.refused(t, "accept by a stranger", 404, "referral-not-found", func() hubtest.Answer { return acts["accept"](stranger) })
	s.refused(t, "refer by a stranger", 403, "no-consent", func() hubtest.Answer { return acts["refer"](stranger) })
	s.refused(t, "withdraw by a stranger", 404, "consent-not-found", func() hubtest.Answer { return acts["withdraw"](stranger) })
	for name, act := range acts { // each of them is one that can be done
		if name != "withdraw" {
			if a := act(s.worker); a.Status >= 300 {
				t.Errorf("%s by her: %d %s", name, a.Status, a.Body)
			}
		}
	}
}

// doer is a system or a person.
type doer interface {
	Do(t testing.TB, c hubtest.Call) hubtest.Answer
}

// TestWhoIsSuspendedWhileSheSendsIsRefused: her request was admitted, then came slowly.
func TestWhoIsSuspendedWhileSheSendsIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, _ := s.sent(t)
	caller := s.worker.Caller(t)
	s.hub.Exec(t, `UPDATE partner_user SET signed_out_at = clock_timestamp() WHERE id = $1`, s.worker.ID)
	if _, err := s.hub.Desk.Open(t.Context(), caller, id, referral.Opening{Sections: []string{"need"}, Reason: "triage"}); err == nil || err.Error() != partners.ErrUnauthenticated.Error() {
		t.Errorf("opened with %v, want %v", err, partners.ErrUnauthenticated)
	}
	if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM release`); n != 0 {
		t.Errorf("%d sections were released", n)
	}
}

// TestWhatSheAgreedToYesterdayOpensNothingToday: the basis is decided at each opening.
func TestWhatSheAgreedToYesterdayOpensNothingToday(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, c := s.sent(t)
	if a := s.own.Withdraw(t, c); a.Status != http.StatusCreated {
		t.Fatalf("withdrawing: %d %s", a.Status, a.Body)
	}
	s.refused(t, "withdrawn", 403, "consent-withdrawn", func() hubtest.Answer { return s.open(t, s.worker, id, opening("need")) })
	other, _ := s.sent(t)
	s.hub.Exec(t, `UPDATE agreement SET ended_at = now()`)
	s.refused(t, "no agreement", 403, "no-agreement", func() hubtest.Answer { return s.open(t, s.worker, other, opening("need")) })
}

// TestARowThatIsNotAsItWasWrappedOpensNothing: in its bytes, or in whose and which it is.
func TestARowThatIsNotAsItWasWrappedOpensNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, _ := s.sent(t)
	other := s.hub.Managed(t, "elm-lane", partners.PrimaryCare)
	whole := hubtest.Value[string](t, s.hub, `SELECT wrapped FROM managed_key WHERE partner = $1`, string(s.managed.ID))
	broken := []byte(whole)
	broken[len(broken)/2] ^= 1
	for name, spoil := range map[string]string{
		"a changed byte":  `UPDATE managed_key SET wrapped = '` + string(broken) + `' WHERE partner = '` + string(s.managed.ID) + `'`,
		"cut short":       `UPDATE managed_key SET wrapped = left(wrapped, -4) WHERE partner = '` + string(s.managed.ID) + `'`,
		"another version": `UPDATE managed_key SET version = 2 WHERE partner = '` + string(s.managed.ID) + `'`,
		"another's row":   `UPDATE managed_key SET wrapped = (SELECT wrapped FROM managed_key WHERE partner = '` + string(other.ID) + `') WHERE partner = '` + string(s.managed.ID) + `'`,
		"none":            `DELETE FROM managed_key WHERE partner = '` + string(s.managed.ID) + `'`,
	} {
		kid := hubtest.Value[string](t, s.hub, `SELECT kid FROM managed_key WHERE partner = $1`, string(s.managed.ID))
		s.hub.Exec(t, spoil)
		a := s.open(t, s.worker, id, opening("need"))
		want := http.StatusInternalServerError
		if strings.HasPrefix(spoil, "DELETE") {
			want = http.StatusUnprocessableEntity // a key that the hub does not hold
		}
		if a.Status != want || bytes.Contains(a.Body, []byte(canary)) || bytes.Contains(a.Body, []byte("local:")) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
		s.hub.Exec(t, `DELETE FROM managed_key WHERE partner = $1`, string(s.managed.ID))
		s.hub.Exec(t, `INSERT INTO managed_key (partner, kid, use, version, wrapped, log_entry)
			VALUES ($1, $2, 'encryption', 1, $3, (SELECT id FROM audit_entry LIMIT 1))`, string(s.managed.ID), kid, whole)
	}
	var got opened
	s.open(t, s.worker, id, opening("need")).Into(t, http.StatusOK, &got)
}

// TestWhatCannotBeLoggedIsNotOpened: neither where no entry can be written, nor where its
// checkpoint does not come.
func TestWhatCannotBeLoggedIsNotOpened(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, _ := s.sent(t)
	s.hub.Exec(t, `REVOKE INSERT ON audit_entry FROM handover_hub`)
	s.refused(t, "no entry", 500, "internal", func() hubtest.Answer { return s.open(t, s.worker, id, opening("need")) })
	s.hub.Exec(t, `GRANT INSERT ON audit_entry TO handover_hub`)

	s.hub.Desk.Wait = 300 * time.Millisecond
	tx, err := s.hub.DB.Owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `LOCK TABLE audit_checkpoint IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	a := s.open(t, s.worker, id, opening("need"))
	if a.Problem().Code != "receipt-pending" || bytes.Contains(a.Body, []byte(canary)) {
		t.Errorf("without a checkpoint: %d %s", a.Status, a.Body)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.hub.Desk.Wait = 20 * time.Second
	var got opened
	if s.open(t, s.worker, id, opening("need")).Into(t, http.StatusOK, &got); got.Sections["need"].Text != canary {
		t.Errorf("afterwards it opens as %+v", got)
	}
}

// TestAStoredEnvelopeDoesNotVouchForItself: whoever can write to the database cannot have
// one sender's words shown as another's.
func TestAStoredEnvelopeDoesNotVouchForItself(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, _ := s.sent(t)
	envelope := hubtest.Value[string](t, s.hub, `SELECT envelope FROM packet WHERE digest = $1`, id)
	head, rest, _ := strings.Cut(envelope, ".")
	payload, _, _ := strings.Cut(rest, ".")
	s.hub.Exec(t, `UPDATE packet SET envelope = $1 WHERE digest = $2`, head+"."+payload+"."+strings.Repeat("A", 86), id)
	a := s.open(t, s.worker, id, opening("need"))
	if a.Status != http.StatusInternalServerError || bytes.Contains(a.Body, []byte(canary)) {
		t.Errorf("a forged envelope: %d %s", a.Status, a.Body)
	}
}

// TestOnlyAnInvitedPartnerIsManaged: nobody's own keys are replaced by the operator.
func TestOnlyAnInvitedPartnerIsManaged(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	manage := func(id partners.ID) error {
		return s.hub.Operator.Manage(t.Context(), s.hub.Keys(), hubtest.Issuer, id)
	}
	for id, want := range map[partners.ID]error{s.own.ID: partners.ErrHasKeys, s.managed.ID: partners.ErrHasKeys, "nobody": partners.ErrNotThere, "No One": partners.ErrNotThere} {
		if err := manage(id); err == nil || err.Error() != want.Error() {
			t.Errorf("managing %s: %v, want %v", id, err, want)
		}
	}
	if _, err := s.hub.Operator.Invite(t.Context(), s.managed.ID, time.Hour); err == nil || err.Error() != partners.ErrHasKeys.Error() {
		t.Errorf("inviting a managed partner: %v, want %v", err, partners.ErrHasKeys)
	}
	late, code := s.hub.Invited(t, "late-lane", partners.Housing)
	if err := manage(late.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.hub.Registry.Enrol(t.Context(), hubtest.Issuer, code, late.Statement(t, code)); err == nil || err.Error() != partners.ErrInvitation.Error() {
		t.Errorf("enrolling with a code from before: %v, want %v", err, partners.ErrInvitation)
	}
}
