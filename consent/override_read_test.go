package consent_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
)

func TestAnOverrideIsLookedAtAgainOrEnded(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	from := o.pair.From
	ov := o.proposed(t, o.another)
	o.decided(t, ov, record.Approved)
	s := o.sends(t, ov, "")
	at := "/v1/overrides/" + ov.ID + "/review"
	late := o.lately(t)
	for name, row := range map[string]struct {
		a    hubtest.Answer
		code string
	}{
		"ended by a caseworker who did not propose it": {o.worker.Says(t, at, from.Review(t, o.worker.ID, ov, 0)), "manager-needed"},
		"by a caseworker":           {o.worker.Says(t, at, from.Review(t, o.worker.ID, ov, ov.ReviewAt)), "manager-needed"},
		"by who proposed it":        {o.another.Says(t, at, from.Review(t, o.another.ID, ov, ov.ReviewAt)), "second-person-needed"},
		"after it ends":             {o.manager.Says(t, at, from.Review(t, o.manager.ID, ov, ov.Expires+1)), "override-review-date"},
		"that is a decision":        {o.manager.Says(t, at, from.Decision(t, o.manager.ID, ov.ID, ov.Digest, record.Approved)), "consent-malformed"},
		"without having stepped up": {late.Says(t, at, from.Review(t, late.ID, ov, 0)), "step-up-required"},
	} {
		if got := row.a.Problem().Code; got != row.code {
			t.Errorf("%s: %d %s, want %s", name, row.a.Status, row.a.Body, row.code)
		}
	}
	if a := o.manager.Says(t, at, from.Review(t, o.manager.ID, ov, ov.ReviewAt+60)); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	o.opens(t, s, "")
	token := from.Review(t, o.another.ID, ov, 0)
	var first, again proof.Receipt
	o.another.Says(t, at, token).Into(t, http.StatusCreated, &first) // who proposed it may end it
	o.another.Says(t, at, token).Into(t, http.StatusCreated, &again)
	if first.State != "ended" || first.Entry != again.Entry {
		t.Errorf("%+v, then %+v", first, again)
	}
	o.opens(t, s, "override-ended")
	o.sends(t, ov, "override-ended")
	if a := o.manager.Says(t, at, from.Review(t, o.manager.ID, ov, ov.ReviewAt)); a.Problem().Code != "override-decided" {
		t.Errorf("an ended one goes on: %d %s", a.Status, a.Body)
	}
}

// A caseworker who finds that her emergency is none stops it herself, at night, without a manager.
func TestWhoeverProposedAnOverrideEndsIt(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ov := o.proposed(t, o.worker, hubtest.Emergency)
	s := o.sends(t, ov, "")
	at := "/v1/overrides/" + ov.ID + "/review"
	if a := o.worker.Says(t, at, o.pair.From.Review(t, o.worker.ID, ov, ov.ReviewAt)); a.Problem().Code != "manager-needed" {
		t.Errorf("she has it go on: %d %s", a.Status, a.Body)
	}
	if a := o.worker.Says(t, at, o.pair.From.Review(t, o.worker.ID, ov, 0)); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	o.opens(t, s, "override-ended")
}

// Until something may go on it, the recipient is told nothing of it; its texts she never sees.
func TestWhoSeesAnOverride(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	third := o.hub.Agency(t, "thorn-street", partners.Housing)
	ov := o.proposed(t, o.worker)
	read := func(a *hubtest.Agency) hubtest.Answer { return a.Get(t, "/v1/overrides/"+ov.ID) }
	for _, by := range []*hubtest.Agency{o.pair.To, third} {
		if a := read(by); a.Status != http.StatusNotFound || a.Problem().Code != "override-not-found" {
			t.Errorf("%s: %d %s", by.ID, a.Status, a.Body)
		}
	}
	o.decided(t, ov, record.Approved)
	var own, hers struct {
		Override, State string
		Steps           []string
		Sealed          map[string]string
	}
	read(o.pair.From).Into(t, http.StatusOK, &own)
	read(o.pair.To).Into(t, http.StatusOK, &hers)
	if own.Override != ov.Token || len(own.Steps) != 1 || len(own.Sealed) != 3 {
		t.Errorf("its agency reads %+v", own)
	}
	text, err := record.OpenText(ov.Issuer, ov.ID, "minimum", own.Sealed["minimum"], o.pair.From.Sealing)
	if err != nil || text != "because minimum" {
		t.Errorf("it opens %q, %v", text, err)
	}
	if hers.Override != ov.Token || hers.State != "approved" || len(hers.Sealed) != 0 {
		t.Errorf("the recipient reads %+v", hers)
	}
	if a := read(third); a.Problem().Code != "override-not-found" {
		t.Errorf("a third partner: %d %s", a.Status, a.Body)
	}
}

func TestAuditorsSeeOverridesAndWhichAreLate(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	oversight := o.hub.Agency(t, "city-oversight", partners.Oversight)
	auditor, overseer := o.hub.Person(t, o.pair.From.ID, partners.Auditor), o.hub.Person(t, oversight.ID, partners.Auditor)
	theirs := o.hub.Person(t, o.pair.To.ID, partners.Auditor)
	lapsed, due, fine := o.proposed(t, o.worker, hubtest.Emergency), o.proposed(t, o.worker), o.proposed(t, o.worker)
	o.decided(t, due, record.Approved)
	o.decided(t, fine, record.Refused)
	o.aged(t, lapsed, record.EmergencyLife)
	o.hub.Exec(t, `UPDATE consent_override_state SET review_at = now() - interval '1 minute' WHERE id = $1`, due.ID)
	type list struct {
		Overrides []map[string]any
		Counts    []map[string]any
	}
	see := func(by *hubtest.Person, query string) list {
		var l list
		by.Get(t, "/v1/overrides"+query).Into(t, http.StatusOK, &l)
		return l
	}
	for query, want := range map[string][]string{"": {fine.ID, due.ID, lapsed.ID}, "?late=approval": {lapsed.ID}, "?late=review": {due.ID}} {
		for _, by := range []*hubtest.Person{auditor, overseer} {
			var got []string
			for _, l := range see(by, query).Overrides {
				got = append(got, l["id"].(string))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s sees under %q:\n%s", by.Partner, query, diff)
			}
		}
	}
	l := see(overseer, "")
	want := []map[string]any{{"partner": string(o.pair.From.ID), "overrides": 3.0, "emergencies": 1.0, "refused": 1.0, "late_approval": 1.0, "late_review": 1.0}}
	if diff := cmp.Diff(want, l.Counts); diff != "" {
		t.Error(diff)
	}
	text, _ := json.Marshal(l)
	for _, secret := range []string{lapsed.Subject, lapsed.Token, lapsed.Digest, o.worker.ID} {
		if strings.Contains(string(text), secret) {
			t.Errorf("the list says more than codes: %s", text)
		}
	}
	if l := see(theirs, ""); len(l.Overrides) != 0 || len(l.Counts) != 0 {
		t.Errorf("the recipient's auditor sees %+v", l)
	}
	if a := overseer.Get(t, "/v1/overrides/"+lapsed.ID); a.Problem().Code != "override-not-found" {
		t.Errorf("oversight reads one: %d %s", a.Status, a.Body)
	}
	for _, query := range []string{"?late=everything", "?after=x", "?after=" + strings.ToUpper(lapsed.ID)} {
		if a := auditor.Get(t, "/v1/overrides"+query); a.Problem().Code != "override-query-invalid" {
			t.Errorf("%s: %d %s", query, a.Status, a.Body)
		}
	}
	if a := o.worker.Get(t, "/v1/overrides"); a.Problem().Code != "insufficient-scope" {
		t.Errorf("a caseworker: %d %s", a.Status, a.Body)
	}
}

// An oversight partner counts every override, and so sees where each stands. It reads one that
// names it as recipient no sooner than any other recipient would.
func TestOversightReadsNoOverrideThatIsNotDecided(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	overseer := o.hub.Agency(t, "an-overseer", partners.Oversight)
	made := o.pair.From.Override(t, o.worker.ID, overseer, hubtest.Subject())
	if a := o.worker.Propose(t, made); a.Status != http.StatusCreated {
		t.Fatalf("proposing: %d %s", a.Status, a.Body)
	}
	if a := overseer.Get(t, "/v1/overrides/"+made.ID); a.Problem().Code != "override-not-found" {
		t.Errorf("before it is decided: %d %s", a.Status, a.Body)
	}
	o.decided(t, made, record.Refused)
	if a := overseer.Get(t, "/v1/overrides/"+made.ID); a.Problem().Code != "override-not-found" {
		t.Errorf("after it was refused: %d %s", a.Status, a.Body)
	}
}
