package consent_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
)

// TestWhatAPersonRecordsNamesHer: of a statement that a person sends, it must be she who
// made it, or nothing is stored.
func TestWhatAPersonRecordsNamesHer(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	worker, colleague := s.hub.Person(t, s.by.ID, partners.Caseworker), s.hub.Person(t, s.by.ID, partners.Caseworker)
	consent := func(act string) hubtest.Consent {
		return s.by.Consent(t, hubtest.Subject(), []string{string(s.named.ID)}, func(c *record.Claims) { c.Act = act })
	}
	withdrawal := func(c hubtest.Consent, act string) hubtest.Call {
		return postWithdrawal(c.ID, hubtest.SignAs(t, record.WithdrawalType, record.WithdrawalClaims{Hub: hubtest.Issuer, Issuer: string(s.by.ID),
			ID: uuid.Must(uuid.NewV7()).String(), IssuedAt: s.hub.Now().Unix(), Consent: c.ID, Digest: c.Digest, Act: act}, s.by.Signing.Signer()))
	}
	stored := s.record(t)
	for name, call := range map[string]hubtest.Call{
		"a record of nobody":          postRecord(consent("").Body),
		"a record of a colleague":     postRecord(consent(colleague.ID).Body),
		"a withdrawal of nobody":      withdrawal(stored, ""),
		"a withdrawal of a colleague": withdrawal(stored, colleague.ID),
	} {
		content, logged := s.hub.Content(t), s.hub.Logged(t)
		if a := worker.Do(t, call); a.Status != http.StatusForbidden || a.Problem().Code != "act-mismatch" {
			t.Errorf("%s: %d %s, want 403 act-mismatch", name, a.Status, a.Body)
		}
		if diff := cmp.Diff(content, s.hub.Content(t)); diff != "" {
			t.Errorf("%s left something behind:\n%s", name, diff)
		}
		if e := s.hub.Entries(t, logged); len(e) != 1 || e[0].Outcome != "act-mismatch" || e[0].User != worker.ID {
			t.Errorf("%s: logged %+v", name, e)
		}
	}
	logged := s.hub.Logged(t)
	own := consent(worker.ID)
	for _, call := range []hubtest.Call{postRecord(own.Body), withdrawal(own, worker.ID)} {
		if a := worker.Do(t, call); a.Status != http.StatusCreated {
			t.Errorf("her own: %d %s", a.Status, a.Body)
		}
	}
	if e := s.hub.Entries(t, logged); len(e) != 2 || e[0].User != worker.ID || e[1].User != worker.ID {
		t.Errorf("logged %+v", e)
	}
	logged = s.hub.Logged(t)
	if a := s.by.Do(t, postRecord(consent("nurse-7").Body)); a.Status != http.StatusCreated {
		t.Errorf("by the system, of whom it will: %d %s", a.Status, a.Body)
	}
	if e := s.hub.Entries(t, logged); len(e) != 1 || e[0].User != "" {
		t.Errorf("the log takes the system's word: %+v", e)
	}
}
