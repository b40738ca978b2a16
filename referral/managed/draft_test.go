package managed_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/managed"
)

// drafting is the managed agency's caseworker, as the desk sees her, with a draft that she kept.
func drafting(t *testing.T) (scene, partners.Caller, managed.Draft) {
	t.Helper()
	s := newScene(t)
	c := s.worker.Caller(t)
	d, err := s.hub.Desk.BeginDraft(t.Context(), c, managed.ReferralDraft)
	if err != nil {
		t.Fatal(err)
	}
	d.Answers = map[string][]string{"need.summary": {canary}, "need.needs": {"housing", "benefits"}, "risk.summary": {""}}
	if err := s.hub.Desk.KeepDraft(t.Context(), c, d); err != nil {
		t.Fatal(err)
	}
	kept, err := s.hub.Desk.Draft(t.Context(), c, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	return s, c, kept
}

// is reports whether a refusal is that one, with whatever members.
func is(err, want error) bool {
	return err != nil && errors.Is(err, want)
}

func TestADraftIsKeptSealedOpenedAndDropped(t *testing.T) {
	t.Parallel()
	s, c, d := drafting(t)
	want := map[string][]string{"need.summary": {canary}, "need.needs": {"housing", "benefits"}, "risk.summary": {""}}
	if diff := cmp.Diff(want, d.Answers); diff != "" || d.Kind != managed.ReferralDraft || d.Made.After(d.Changed) {
		t.Errorf("it opens as %+v:\n%s", d, diff)
	}
	if n := hubtest.Value[int](t, s.hub, `SELECT (SELECT count(*) FROM draft x WHERE x::text LIKE $1) + (SELECT count(*) FROM audit_entry
		WHERE convert_from(body, 'UTF8') LIKE $1)`, "%"+canary+"%"); n != 0 {
		t.Error("the database holds in clear what she wrote")
	}
	lines, err := s.hub.Desk.Drafts(t.Context(), c)
	if err != nil || len(lines) != 1 || lines[0].ID != d.ID || !lines[0].Changed.Equal(d.Changed) {
		t.Errorf("her drafts: %+v %v", lines, err)
	}
	var acts []string
	for _, e := range s.hub.Entries(t, 0) {
		if name, is := strings.CutPrefix(e.Act, "draft."); is {
			acts = append(acts, name)
			if e.Target != d.ID || e.User != c.User() || e.Partner != string(c.Partner()) {
				t.Errorf("logged %+v", e)
			}
		}
	}
	if diff := cmp.Diff([]string{"begin", "keep", "open"}, acts); diff != "" {
		t.Errorf("logged (-want +got):\n%s", diff)
	}
	s.hub.Reconciles(t)
	if err := s.hub.Desk.DropDraft(t.Context(), c, d.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.hub.Desk.Draft(t.Context(), c, d.ID); !is(err, managed.ErrDraftGone) {
		t.Errorf("a dropped draft: %v", err)
	}
	if err := s.hub.Desk.DropDraft(t.Context(), c, d.ID); !is(err, managed.ErrDraftGone) {
		t.Errorf("dropping it again: %v", err)
	}
	s.hub.Reconciles(t)
}

// TestADraftIsItsWritersAlone tries everything with it as everybody else.
func TestADraftIsItsWritersAlone(t *testing.T) {
	t.Parallel()
	s, c, d := drafting(t)
	elsewhere := s.hub.Managed(t, "elm-lane", partners.PrimaryCare)
	others := map[string]partners.Caller{
		"a colleague":       s.hub.Person(t, s.managed.ID, partners.Caseworker).Caller(t),
		"her manager":       s.hub.Person(t, s.managed.ID, partners.Manager).Caller(t),
		"another agency's":  s.hub.Person(t, elsewhere.ID, partners.Caseworker).Caller(t),
		"an administrator":  s.hub.Person(t, s.managed.ID, partners.Administrator).Caller(t),
		"an auditor":        s.hub.Person(t, s.managed.ID, partners.Auditor).Caller(t),
		"one with own keys": s.hub.Person(t, s.own.ID, partners.Caseworker).Caller(t),
	}
	before := s.hub.Logged(t)
	for name, other := range others {
		if _, err := s.hub.Desk.Draft(t.Context(), other, d.ID); !is(err, managed.ErrDraftGone) {
			t.Errorf("%s opens it: %v", name, err)
		}
		if err := s.hub.Desk.KeepDraft(t.Context(), other, d); !is(err, managed.ErrDraftGone) && !is(err, partners.ErrScope) {
			t.Errorf("%s keeps it: %v", name, err)
		}
		if err := s.hub.Desk.DropDraft(t.Context(), other, d.ID); !is(err, managed.ErrDraftGone) {
			t.Errorf("%s drops it: %v", name, err)
		}
		if lines, err := s.hub.Desk.Drafts(t.Context(), other); err != nil || len(lines) != 0 {
			t.Errorf("%s is shown %v, %v", name, lines, err)
		}
	}
	if n := s.hub.Logged(t); n != before {
		t.Errorf("%d entries were written", n-before)
	}
	for name, want := range map[string]error{"an administrator": partners.ErrScope, "an auditor": partners.ErrScope, "one with own keys": partners.ErrNotManaged} {
		if _, err := s.hub.Desk.BeginDraft(t.Context(), others[name], managed.ReferralDraft); !is(err, want) {
			t.Errorf("%s begins one: %v, want %v", name, err, want)
		}
	}
	if _, err := s.hub.Desk.BeginDraft(t.Context(), c, "novel"); !is(err, partners.ErrScope) {
		t.Errorf("a draft of what is none: %v", err)
	}
	if again, err := s.hub.Desk.Draft(t.Context(), c, d.ID); err != nil || again.Answers["need.summary"][0] != canary {
		t.Errorf("afterwards she opens %+v, %v", again, err)
	}
	s.hub.Exec(t, `UPDATE partner_user SET role = 'auditor' WHERE id = $1`, s.worker.ID)
	if _, err := s.hub.Desk.Draft(t.Context(), s.worker.Caller(t), d.ID); !is(err, partners.ErrScope) {
		t.Errorf("she became an auditor, and opens it: %v", err)
	}
}

// TestADraftThatWasMovedDoesNotOpen: its row is filled with another's, or given to somebody else.
func TestADraftThatWasMovedDoesNotOpen(t *testing.T) {
	t.Parallel()
	s, c, d := drafting(t)
	colleague := s.hub.Person(t, s.managed.ID, partners.Caseworker)
	begin := func(c partners.Caller, kind string) managed.Draft {
		made, err := s.hub.Desk.BeginDraft(t.Context(), c, kind)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	second, consent, hers := begin(c, managed.ReferralDraft), begin(c, managed.ConsentDraft), begin(colleague.Caller(t), managed.ReferralDraft)
	whole := hubtest.Value[string](t, s.hub, `SELECT sealed FROM draft WHERE id = $1`, d.ID)
	const fill = `UPDATE draft SET sealed = (SELECT sealed FROM draft o WHERE o.id = '%s') WHERE id = '%s'`
	for name, move := range map[string]struct{ sql, open string }{
		"into another draft of hers": {fmt.Sprintf(fill, d.ID, second.ID), second.ID},
		"into one of another kind":   {fmt.Sprintf(fill, d.ID, consent.ID), consent.ID},
		"from a colleague's":         {fmt.Sprintf(fill, hers.ID, d.ID), d.ID},
		"a colleague's row":          {fmt.Sprintf(`UPDATE draft SET user_id = '%s' WHERE id = '%s'`, c.User(), hers.ID), hers.ID},
		"cut short":                  {fmt.Sprintf(`UPDATE draft SET sealed = left(sealed, -4) WHERE id = '%s'`, d.ID), d.ID},
		"no token":                   {fmt.Sprintf(`UPDATE draft SET sealed = 'x' WHERE id = '%s'`, d.ID), d.ID},
	} {
		s.hub.Exec(t, move.sql)
		if opened, err := s.hub.Desk.Draft(t.Context(), c, move.open); !is(err, managed.ErrDraftGone) || len(opened.Answers) > 0 {
			t.Errorf("%s: opened %+v, %v", name, opened, err)
		}
		s.hub.Exec(t, `UPDATE draft SET sealed = $1 WHERE id = $2`, whole, d.ID)
	}
	if _, err := s.hub.Desk.Draft(t.Context(), c, d.ID); err != nil {
		t.Errorf("as it was it does not open: %v", err)
	}
	// And the nightly comparison finds what was moved.
	report, err := s.hub.Log.Reconcile(t.Context(), s.hub.DB.Owner, hubtest.Ledger())
	found := map[string]bool{}
	for _, difference := range report.Differences {
		found[difference.Key] = true
	}
	if err != nil || !found[second.ID] || !found[consent.ID] || !found[hers.ID] || found[d.ID] {
		t.Errorf("the comparison names %v, %v", slices.Sorted(maps.Keys(found)), err)
	}
}

func TestADraftIsKeptOnlyOnTopOfWhatWasOpened(t *testing.T) {
	t.Parallel()
	s, c, d := drafting(t)
	if err := s.hub.Desk.KeepDraft(t.Context(), c, d); err != nil {
		t.Fatal(err)
	}
	if err := s.hub.Desk.KeepDraft(t.Context(), c, d); !is(err, managed.ErrDraftChanged) {
		t.Errorf("keeping over what another window kept: %v", err)
	}
	d, err := s.hub.Desk.Draft(t.Context(), c, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	other := d
	other.Kind = managed.ConsentDraft
	if err := s.hub.Desk.KeepDraft(t.Context(), c, other); !is(err, managed.ErrDraftGone) {
		t.Errorf("as another kind: %v", err)
	}
	d.Answers["history.summary"] = []string{strings.Repeat("x", managed.DraftLimit)}
	if err := s.hub.Desk.KeepDraft(t.Context(), c, d); !is(err, managed.ErrDraftSize) {
		t.Errorf("too large: %v", err)
	}
	d.Answers["history.summary"] = []string{strings.Repeat("x", managed.DraftLimit-1000) + "\xff"}
	if err := s.hub.Desk.KeepDraft(t.Context(), c, d); err != nil {
		t.Errorf("just small enough: %v", err)
	}
	if d, err = s.hub.Desk.Draft(t.Context(), c, d.ID); err != nil || !strings.HasSuffix(d.Answers["history.summary"][0], "x\uFFFD") {
		t.Errorf("a large one opens with %v", err)
	}
	for n := range 49 {
		if _, err := s.hub.Desk.BeginDraft(t.Context(), c, managed.ReferralDraft); err != nil {
			t.Fatalf("draft %d: %v", n+2, err)
		}
	}
	if _, err := s.hub.Desk.BeginDraft(t.Context(), c, managed.ReferralDraft); !is(err, managed.ErrDraftMany) {
		t.Errorf("the 51st: %v", err)
	}
}

// TestDraftsGoWhenNobodyTouchesThem: two weeks on, and for nobody's partner alone.
func TestDraftsGoWhenNobodyTouchesThem(t *testing.T) {
	t.Parallel()
	s, c, d := drafting(t)
	fresh, err := s.hub.Desk.BeginDraft(t.Context(), c, managed.ReferralDraft)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.hub.Desk.ForgetDrafts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM draft`); n != 2 {
		t.Errorf("%d drafts are left, want both", n)
	}
	s.hub.Exec(t, `UPDATE draft SET changed_at = now() - interval '14 days 1 second' WHERE id = $1`, d.ID)
	if _, err := s.hub.Desk.Draft(t.Context(), c, d.ID); !is(err, managed.ErrDraftGone) {
		t.Errorf("before it is forgotten it opens: %v", err)
	}
	if err := s.hub.Desk.ForgetDrafts(t.Context()); err != nil {
		t.Fatal(err)
	}
	left := hubtest.Column[string](t, s.hub, `SELECT id::text FROM draft`)
	if diff := cmp.Diff([]string{fresh.ID}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// taken has the agency take its keys into its own hands.
func taken(t *testing.T, s scene, admin *hubtest.Person) {
	t.Helper()
	var begun struct {
		Code string `json:"code"`
	}
	admin.Post(t, "/v1/custody/takings", nil).Into(t, http.StatusCreated, &begun)
	a := s.managed.At(s.hub)
	a.Auth, a.DPoP = hubtest.Key(t, partners.Authentication), hubtest.Key(t, partners.Authentication)
	a.Signing, a.Sealing = hubtest.Key(t, partners.Signing), hubtest.Key(t, partners.Encryption)
	possession := hubtest.SignAs(t, partners.PossessionType, partners.Possession{Hub: hubtest.Issuer, Partner: a.ID, Key: a.Signing.KeyID()}, a.Signing.Signer())
	body := `{"code":"` + begun.Code + `","enrolment":"` + a.Statement(t, begun.Code) + `","possession":"` + possession + `"}`
	stranger := s.hub.Browser()
	var client struct {
		ID string `json:"client_id"`
	}
	stranger.Send(stranger.Request(t, http.MethodPost, "/v1/custody/take", "application/json", []byte(body))).Into(t, http.StatusCreated, &client)
	a.Client = client.ID
	a.Get(t, "/v1/custody/keys").Into(t, http.StatusOK, new(any))
	if confirmed := a.Do(t, hubtest.Call{Method: http.MethodPost, Path: "/v1/custody/confirm"}); confirmed.Status/100 != 2 {
		t.Fatalf("confirming: %d %s", confirmed.Status, confirmed.Body)
	}
}

// TestDraftsGoWithTheKey: an agency takes its keys, and the hub could never open them again.
func TestDraftsGoWithTheKey(t *testing.T) {
	t.Parallel()
	s, c, d := drafting(t)
	if err := s.hub.Operator.Renew(t.Context(), s.hub.Keys(), hubtest.Issuer, s.managed.ID); err != nil {
		t.Fatal(err)
	}
	if opened, err := s.hub.Desk.Draft(t.Context(), c, d.ID); err != nil || opened.Answers["need.summary"][0] != canary {
		t.Errorf("after a renewal it opens as %+v, %v", opened, err)
	}
	admin := s.hub.Person(t, s.managed.ID, partners.Administrator)
	taken(t, s, admin)
	if _, err := s.hub.Desk.Draft(t.Context(), c, d.ID); !is(err, partners.ErrNotManaged) && !is(err, managed.ErrDraftGone) {
		t.Errorf("the agency holds its keys, and the draft opens: %v", err)
	}
	if _, err := s.hub.Desk.BeginDraft(t.Context(), c, managed.ReferralDraft); !is(err, partners.ErrNotManaged) {
		t.Errorf("beginning another: %v", err)
	}
	if n := hubtest.Value[int](t, s.hub, `SELECT count(*) FROM draft`); n != 0 {
		t.Errorf("%d drafts are left", n)
	}
	s.hub.Reconciles(t)
}

// TestADraftIsNotOpenedUnlogged, nor by somebody who was signed out meanwhile.
func TestADraftIsNotOpenedUnlogged(t *testing.T) {
	t.Parallel()
	s, c, d := drafting(t)
	s.hub.Exec(t, `REVOKE INSERT ON audit_entry FROM handover_hub`)
	if opened, err := s.hub.Desk.Draft(t.Context(), c, d.ID); err == nil || len(opened.Answers) > 0 {
		t.Errorf("no entry can be written, and it opens as %+v, %v", opened, err)
	}
	s.hub.Exec(t, `GRANT INSERT ON audit_entry TO handover_hub`)
	before := s.hub.Logged(t)
	s.hub.Exec(t, `UPDATE partner_user SET signed_out_at = clock_timestamp() + interval '1 second' WHERE id = $1`, s.worker.ID)
	time.Sleep(time.Millisecond)
	if opened, err := s.hub.Desk.Draft(t.Context(), c, d.ID); !is(err, partners.ErrUnauthenticated) || len(opened.Answers) > 0 {
		t.Errorf("signed out, she opens %+v, %v", opened, err)
	}
	if err := s.hub.Desk.KeepDraft(t.Context(), c, d); !is(err, partners.ErrUnauthenticated) {
		t.Errorf("signed out, she keeps it: %v", err)
	}
	for _, e := range s.hub.Entries(t, before) {
		if e.Act != proof.Refused && strings.HasPrefix(e.Act, "draft.") {
			t.Errorf("logged %+v", e)
		}
	}
}
