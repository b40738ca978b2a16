package terms_test

import (
	"fmt"
	"testing"
	"time"

	"handover/partners/terms"
)

// TestWhereAnAgreementStandsAndWhoMayDoWhat goes through every combination of what can have been
// done, at every time that makes a difference, and holds it against the rules in words.
func TestWhereAnAgreementStandsAndWhoMayDoWhat(t *testing.T) {
	from, to := now, now.AddDate(1, 0, 0)
	seen := map[terms.State]bool{}
	for _, answer := range []string{"", terms.Signed, terms.Refused} {
		for bits := range 8 {
			s := terms.Standing{Answer: answer, Over: bits&1 != 0, Superseded: bits&2 != 0, Stopped: bits&4 != 0, From: from, To: to}
			for when, at := range map[string]time.Time{"before": from.Add(-1), "at its beginning": from, "within": from.AddDate(0, 6, 0), "at its end": to, "after": to.Add(1)} {
				state := s.State(at)
				seen[state] = true
				what := fmt.Sprintf("%+v %s: %s", s, when, state)
				over := s.Over || s.Superseded || s.Stopped
				inTime := !at.Before(from) && at.Before(to)
				if want := answer == terms.Signed && !over && inTime; (state == terms.InForce) != want {
					t.Errorf("%s; in force, want %v", what, want)
				}
				if want := answer == "" && !s.Over && at.Before(to); (state == terms.Proposed) != want || state.Answerable(false) != want {
					t.Errorf("%s; may be answered, want %v", what, want)
				}
				if state.Answerable(true) {
					t.Errorf("%s; who proposed it may answer it", what)
				}
				counts := answer == terms.Signed && !over && at.Before(to)
				if state.Endable(false) != counts || state.Replaceable() != counts {
					t.Errorf("%s; who was asked may end or replace it, want %v", what, counts)
				}
				if want := counts || answer == "" && !s.Over && at.Before(to); state.Endable(true) != want {
					t.Errorf("%s; who proposed it may end it, want %v", what, want)
				}
				if answer == terms.Refused && state != terms.Declined {
					t.Errorf("%s; a refusal is final", what)
				}
			}
		}
	}
	for _, s := range terms.States() {
		if !seen[terms.State(s.Code)] || s.Label == "" {
			t.Errorf("no standing is %s", s.Code)
		}
	}
	if len(seen) != len(terms.States()) {
		t.Errorf("%d states seen, %d listed", len(seen), len(terms.States()))
	}
}
