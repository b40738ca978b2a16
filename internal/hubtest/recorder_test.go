package hubtest_test

import (
	"net/http"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// A recipient locks the state of a record, and so may update it: what becomes of the record is
// its recorder's to say all the same.
func TestOnlyTheRecordersSessionsSayWhatBecameOfARecord(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	how := hubtest.Asked()
	how.Coercion = "suspected"
	c := p.From.ConsentAsked(t, how, hubtest.Subject(), p.Named())
	if a := p.From.PostConsent(t, c); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	for _, statement := range []string{
		`UPDATE consent_state SET review = 'stands' WHERE review = 'awaited'`,
		`UPDATE consent_state SET successors = successors + 1 WHERE review = 'awaited'`,
	} {
		if n, state := as(t, h, p.To.ID, statement); state != "23514" {
			t.Errorf("%s, as a recipient: touched %d rows, state %q", statement, n, state)
		}
	}
	if n, state := as(t, h, p.From.ID, `UPDATE consent_state SET review = 'stands' WHERE review = 'awaited'`); n != 1 || state != "" {
		t.Errorf("its recorder touched %d rows, state %q", n, state)
	}
}

// An oversight partner counts every override. One that names it is no more its to read before
// somebody has approved it than any other recipient's.
func TestNoRecipientsSessionIsShownAnOverrideThatNobodyApproved(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Oversight)
	by, manager := h.Person(t, p.From.ID, partners.Caseworker), h.Person(t, p.From.ID, partners.Manager)
	o := p.From.Override(t, by.ID, p.To, hubtest.Subject())
	if a := by.Propose(t, o); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	const read = `SELECT FROM consent_override`
	if n, state := as(t, h, p.To.ID, read); n != 0 || state != "" {
		t.Errorf("before it is approved she is shown %d, state %q", n, state)
	}
	if a := manager.Says(t, "/v1/overrides/"+o.ID+"/decision", p.From.Decision(t, manager.ID, o.ID, o.Digest, "approved")); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if n, state := as(t, h, p.To.ID, read); n != 1 || state != "" {
		t.Errorf("after it is approved she is shown %d, state %q", n, state)
	}
}
