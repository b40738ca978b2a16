package consent_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
)

// TestAnEndWaitsForWhatIsBeingShared holds the lock that sharing takes: a refusal, and the end
// of an override, are not final before it is given back, and are dated after it. So the list
// of what went on an override is final when its end is.
func TestAnEndWaitsForWhatIsBeingShared(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	refused, ended := o.proposed(t, o.worker, hubtest.Emergency), o.proposed(t, o.worker)
	o.decided(t, ended, record.Approved)
	for name, row := range map[string]struct {
		ov     hubtest.Override
		column string
		end    func() hubtest.Answer
	}{
		"a refusal": {refused, "decided_at", func() hubtest.Answer { return o.pair.From.Decide(t, o.manager, refused, record.Refused) }},
		"an end": {ended, "ended_at", func() hubtest.Answer {
			return o.manager.Says(t, "/v1/overrides/"+ended.ID+"/review", o.pair.From.Review(t, o.manager.ID, ended, 0))
		}},
	} {
		tx, err := o.hub.DB.Owner.Begin(t.Context())
		if err == nil {
			_, err = tx.Exec(t.Context(), `SELECT FROM consent_override_state WHERE id = $1 FOR SHARE`, row.ov.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		answered := make(chan hubtest.Answer, 1)
		go func() { answered <- row.end() }()
		var shared time.Time
		err = errors.Join(hubtest.Blocked(t, o.hub, tx, 1), tx.QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(&shared), tx.Commit(t.Context()))
		if a := <-answered; err != nil || a.Status != http.StatusCreated {
			t.Fatalf("%s: %v, %d %s", name, err, a.Status, a.Body)
		}
		if at := hubtest.Value[time.Time](t, o.hub, `SELECT `+row.column+` FROM consent_override_state WHERE id = $1`, row.ov.ID); at.Before(shared) {
			t.Errorf("%s is of %v, while it was shared until %v", name, at, shared)
		}
	}
}

// TestOfManyDecisionsAtOnceOneCounts: two managers who decide otherwise at the same moment.
func TestOfManyDecisionsAtOnceOneCounts(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ov := o.proposed(t, o.worker)
	path := "/v1/overrides/" + ov.ID + "/decision"
	people := []*hubtest.Person{o.manager, o.another}
	calls := []string{o.pair.From.Decision(t, o.manager.ID, ov.ID, ov.Digest, record.Approved), o.pair.From.Decision(t, o.another.ID, ov.ID, ov.Digest, record.Refused)}
	won := 0
	for _, a := range hubtest.Convoy(t, o.hub, 2, 2, func(i int) hubtest.Answer { return people[i].Says(t, path, calls[i]) },
		`SELECT FROM consent_override_state WHERE id = $1 FOR UPDATE`, ov.ID) {
		if a.Status == http.StatusCreated {
			won++
		} else if a.Problem().Code != "override-decided" {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	if n := hubtest.Value[int](t, o.hub, `SELECT count(*) FROM audit_entry WHERE act = 'override.decision'`); won != 1 || n != 1 {
		t.Errorf("%d count and %d are logged, want 1", won, n)
	}
}

// A key that may be in other hands has signed more than consent: what was shared without her
// agreement, and who said that it may be.
func TestWhatAKeySignedOfOverridesIsListed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ov, c := o.proposed(t, o.worker), o.doubtful(t)
	o.decided(t, ov, record.Approved)
	o.manager.Says(t, "/v1/overrides/"+ov.ID+"/review", o.pair.From.Review(t, o.manager.ID, ov, 0))
	o.reviews(t, o.manager, c, record.Refused, "")
	type line struct {
		ID        string
		Withdrawn bool
		Signed    []string
	}
	var listed struct{ Consents []line }
	admin := o.hub.Person(t, o.pair.From.ID, partners.Administrator)
	admin.Get(t, "/v1/keys/"+o.pair.From.Signing.KeyID()+"/consents").Into(t, http.StatusOK, &listed)
	want := []line{{c.ID, false, []string{"record", "review"}}, {ov.ID, true, []string{"override", "decision", "override-review"}},
		{o.pair.Consent.ID, false, []string{"record"}}}
	if diff := cmp.Diff(want, listed.Consents); diff != "" {
		t.Error(diff)
	}
	theirs := o.hub.Person(t, o.pair.To.ID, partners.Administrator)
	theirs.Get(t, "/v1/keys/"+o.pair.To.Signing.KeyID()+"/consents").Into(t, http.StatusOK, &listed)
	if len(listed.Consents) != 0 {
		t.Errorf("the recipient's key is said to have signed %+v", listed.Consents)
	}
}
