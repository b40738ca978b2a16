package audit

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/internal/strict"
)

func TestARefusalIsLoggedWhateverBecomesOfTheRequest(t *testing.T) {
	r := newRig(t)
	r.run()
	e := proof.Entry{Act: "something else", Partner: "camden-outreach", Event: "request", Outcome: "no-agreement"}
	if err := r.Refuse(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	got := r.onlyEntry()
	if age := time.Since(got.Time); age < -time.Minute || age > time.Minute {
		t.Errorf("time of the refusal: %v", got.Time)
	}
	want := proof.Entry{V: 1, ID: got.ID, Time: got.Time, Act: "refused", Partner: "camden-outreach", Event: "request", Outcome: "no-agreement"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	id, err := ParseEntryID(got.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Wait(bounded(t), id); err != nil {
		t.Errorf("the refusal is not sequenced: %v", err)
	}
}

// onlyEntry returns the one entry that is stored.
func (r *rig) onlyEntry() (e proof.Entry) {
	r.t.Helper()
	var body []byte
	if n := r.one(`SELECT count(*) FROM audit_entry`); n != 1 {
		r.t.Fatalf("%d entries, want 1", n)
	}
	if err := r.db.Owner.QueryRow(r.t.Context(), `SELECT body FROM audit_entry`).Scan(&body); err != nil {
		r.t.Fatal(err)
	}
	if err := strict.Unmarshal(body, &e); err != nil {
		r.t.Fatal(err)
	}
	return e
}

func TestARefusalThatCannotBeLoggedIsAnError(t *testing.T) {
	r := newRig(t)
	r.owner(`REVOKE INSERT ON audit_pending FROM handover_hub`)
	if err := r.Refuse(t.Context(), proof.Entry{Outcome: "firewall"}); err == nil {
		t.Error("no error")
	}
	if n := r.one(`SELECT count(*) FROM audit_entry`); n != 0 {
		t.Errorf("%d entries without a place in the queue", n)
	}
}

func TestStrangersAreCountedAndCannotFloodTheLog(t *testing.T) {
	a := newRig(t)
	b := secondRig(a)
	var group sync.WaitGroup
	for _, hub := range []*rig{a, b} {
		for range 4 {
			group.Go(func() {
				for i := range 250 {
					hub.CountAnonymous("unauthenticated")
					hub.CountAnonymous(fmt.Sprintf("made-up-%d", i)) // beyond the bound they are one
					hub.CountAnonymous("Not a code; DROP TABLE")
					if i%50 != 49 {
						continue
					}
					if err := hub.writeCounts(bounded(t)); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	group.Wait()
	if n := a.one(`SELECT sum(count) FROM audit_anonymous`); n != 2*4*3*250 {
		t.Errorf("%d refusals counted, want %d", n, 2*4*3*250)
	}
	if n := a.one(`SELECT sum(count) FROM audit_anonymous WHERE code = 'unauthenticated'`); n != 2*4*250 {
		t.Errorf("%d refusals of one code counted, want %d", n, 2*4*250)
	}
	if n := a.one(`SELECT count(*) FROM audit_entry`); n != 0 {
		t.Errorf("%d entries before the hour has passed", n)
	}
}

func TestCodesInMemoryAreBounded(t *testing.T) {
	l := newLog(nil, Signer{}, time.Now)
	for i := range 10_000 {
		l.CountAnonymous(fmt.Sprintf("code-%d", i))
		l.CountAnonymous(fmt.Sprintf("CODE %d", i))
	}
	if len(l.counts) > maxCodes+1 {
		t.Errorf("%d codes in memory", len(l.counts))
	}
	var sum int64
	for _, n := range l.counts {
		sum += n
	}
	if sum != 20_000 {
		t.Errorf("%d refusals counted, want 20000", sum)
	}
}

func TestAPastHourBecomesOneEntryWhicheverHubWritesIt(t *testing.T) {
	a := newRig(t)
	hubs := []*rig{a, secondRig(a), secondRig(a)}
	for range 7 {
		a.CountAnonymous("unauthenticated")
	}
	if err := a.count(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.owner(`UPDATE audit_anonymous SET hour = '2026-11-21T09:00:00Z'`)
	a.CountAnonymous("unauthenticated") // of the present hour
	var group sync.WaitGroup
	for _, hub := range hubs {
		hub.closedFor = time.Time{}
		group.Go(func() {
			if err := hub.count(bounded(t)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	got := a.onlyEntry()
	want := proof.Entry{
		V: 1, ID: got.ID, Time: got.Time, Act: "refused", Outcome: "unauthenticated", Count: 7,
		Reason: "anonymous", Target: "2026-11-21T09:00:00Z",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := a.one(`SELECT sum(count) FROM audit_anonymous`); n != 1 {
		t.Errorf("%d refusals of the present hour, want 1", n)
	}
}

func TestCountsThatCannotBeWrittenAreKept(t *testing.T) {
	r := newRig(t)
	r.CountAnonymous("unauthenticated")
	if err := r.writeCounts(ended(t)); err == nil {
		t.Fatal("no error past the deadline")
	}
	r.CountAnonymous("unauthenticated")
	if err := r.writeCounts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := r.one(`SELECT sum(count) FROM audit_anonymous`); n != 2 {
		t.Errorf("%d refusals counted, want 2", n)
	}
}

func TestCountsOfTheLastSecondAreWrittenWhenRunEnds(t *testing.T) {
	r := newRig(t)
	stop := r.run()
	if _, err := r.Wait(bounded(t), r.log()); err != nil {
		t.Fatal(err)
	}
	r.CountAnonymous("unauthenticated")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := r.one(`SELECT coalesce(sum(count), 0) FROM audit_anonymous`); n != 1 {
		t.Errorf("%d refusals counted, want 1", n)
	}
}
