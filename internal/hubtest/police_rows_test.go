package hubtest_test

import (
	"testing"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
)

// TestThePoliceSeeOfANoNothingBeforeItsDayInTheDatabaseEither: what a mistake in the program
// would show them is not shown to their session.
func TestThePoliceSeeOfANoNothingBeforeItsDayInTheDatabaseEither(t *testing.T) {
	t.Parallel()
	h, p := full(t) // the police have asked both, and both have said no
	sees := func(by partners.ID, table string, want bool) {
		t.Helper()
		if n, state := as(t, h, by, `SELECT FROM `+table); (n > 0) != want || state != "" {
			t.Errorf("%s: %s sees %d rows %s, want some: %v", table, by, n, state, want)
		}
	}
	for table, theirs := range map[string]bool{"police_request": true, "police_text": false, "police_opening": false, "police_decision": false, "police_reason": false} {
		sees("the-force", table, theirs)
		sees(p.From.ID, table, true)
	}
	if n, _ := as(t, h, "the-force", `SELECT FROM audit_entry WHERE act IN ('police.open', 'police.decision')`); n != 0 {
		t.Errorf("the police see %d entries of what was opened and decided", n)
	}
	h.Exec(t, `ALTER TABLE police_decision DROP CONSTRAINT police_decision_shown`)
	h.Exec(t, `UPDATE police_decision SET shown_at = now() - interval '1 second'`)
	for table, theirs := range map[string]bool{"police_text": false, "police_opening": false, "police_decision": true, "police_reason": false} {
		sees("the-force", table, theirs)
	}
}

// TestANoCannotBeShownBeforeItsDay: nor may the holder's session store one that is.
func TestANoCannotBeShownBeforeItsDay(t *testing.T) {
	t.Parallel()
	h, p := full(t)
	const early = `INSERT INTO police_decision SELECT request, issuer, holder, respond_by, 'refused', digest, token, respond_by - interval '1 second', log_entry FROM police_decision`
	if _, state := as(t, h, p.From.ID, early); state != violated {
		t.Errorf("shown a second early: state %q, want %s", state, violated)
	}
}

// inquire has the police ask the agency, which opens the request and says no.
func inquire(t *testing.T, h *hubtest.Hub, force, holder *hubtest.Agency) {
	t.Helper()
	officer, manager := h.Person(t, force.ID, partners.Caseworker), h.Person(t, holder.ID, partners.Manager)
	q := force.Inquiry(t, officer.ID, holder)
	for _, a := range []hubtest.Answer{officer.Asks(t, q), manager.Opens(t, q.ID), manager.Answers(t, q.ID, holder.Answer(t, manager.ID, q, record.Refused))} {
		if a.Status/100 != 2 {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
}
