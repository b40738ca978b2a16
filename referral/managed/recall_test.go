package managed_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
)

// asked is what the managed agency is asked, one question.
func (s scene) asked(t *testing.T) referral.Recall {
	t.Helper()
	var page struct {
		Recalls []referral.Recall `json:"recalls"`
	}
	s.worker.Do(t, hubtest.Call{Method: http.MethodGet, Path: "/v1/recalls"}).Into(t, http.StatusOK, &page)
	if len(page.Recalls) != 1 {
		t.Fatalf("the agency is asked %+v", page.Recalls)
	}
	return page.Recalls[0]
}

// TestAnAnswerIsSignedForThePersonWhoGivesIt of an agency whose keys the hub holds, once.
func TestAnAnswerIsSignedForThePersonWhoGivesIt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, c := s.sent(t)
	s.open(t, s.worker, id, opening("need")).Into(t, http.StatusOK, new(opened))
	if a := s.own.Withdraw(t, c); a.Status != http.StatusCreated {
		t.Fatalf("withdrawing: %d %s", a.Status, a.Body)
	}
	if err := s.hub.Aftermath.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := s.asked(t)
	path := "/v1/managed/recalls/" + q.ID + "/answer"
	said := members{"jti": newID(), "answer": "kept", "art6": "c", "provision": "Care Act 2014 s42", "because": "legal-obligation"}
	content := s.hub.Content(t)
	for what, row := range map[string]struct {
		body   members
		by     *hubtest.Person
		path   string
		status int
		code   string
	}{
		"kept on her consent":    {said.with(members{"art6": "a"}), s.worker, path, 422, "consent-claim"},
		"help, of what is held":  {members{"jti": newID(), "answer": "goes-on"}, s.worker, path, 422, "consent-claim"},
		"no id of its own":       {said.with(members{"jti": "x"}), s.worker, path, 422, "consent-claim"},
		"nothing that was asked": {said, s.worker, "/v1/managed/recalls/" + newID() + "/answer", 404, "recall-not-found"},
		"no id":                  {said, s.worker, "/v1/managed/recalls/x/answer", 404, "recall-not-found"},
		"another agency's":       {said, s.hub.Person(t, s.own.ID, partners.Caseworker), path, 409, "not-managed"},
	} {
		a := row.by.Post(t, row.path, row.body)
		if a.Status != row.status || a.Problem().Code != row.code {
			t.Errorf("%s: %d %s, want %d %s", what, a.Status, a.Body, row.status, row.code)
		}
	}
	if diff := cmp.Diff(content["recall"], s.hub.Content(t)["recall"]); diff != "" {
		t.Errorf("a refusal left something behind: %s", diff)
	}
	var first, again proof.Receipt
	s.worker.Post(t, path, said).Into(t, http.StatusCreated, &first)
	s.worker.Post(t, path, said).Into(t, http.StatusCreated, &again)
	if first.Entry != again.Entry {
		t.Error("the same answer again has another receipt")
	}
	if e := s.entry(t, first); e.Act != "recall.answered" || e.User != s.worker.ID || e.State != "kept" || e.Target != q.ID {
		t.Errorf("logged %+v", e)
	}
	stated, err := record.ParseRecall(hubtest.Value[string](t, s.hub, `SELECT statement FROM recall WHERE id = $1::uuid`, q.ID))
	if err != nil || stated.Unverified().Act != s.worker.ID || stated.Unverified().Issuer != string(s.managed.ID) {
		t.Errorf("signed %+v, %v", stated.Unverified(), err)
	}
}
