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
