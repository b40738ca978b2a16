package casework_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral"
)

// asked has a woman take back what a referral rests on that was accepted and opened, and
// returns the id of what each agency is asked.
func (s scene) asked(t *testing.T) (id, held, help string) {
	t.Helper()
	consent := s.agreed(t)
	id = s.refer(t, consent, s.sections(nil))
	at := "/referrals/" + id
	s.takes.press(t, s.takes.get(t, at), at+"/open", need()).must(t, http.StatusOK, canary)
	s.takes.step(t, id, "accept", nil)
	s.take(t, consent)
	if err := s.hub.Aftermath.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	question := func(w worker, q referral.Question) string {
		found, _, err := s.hub.Referrals.Recalls(t.Context(), w.Caller, false, 0)
		if err != nil || len(found) != 1 || found[0].Question != q {
			t.Fatal(err, found)
		}
		return found[0].ID
	}
	return id, question(s.takes, referral.StillHeld), question(s.sends, referral.DoesHelpGoOn)
}

// TestAfterAWithdrawalEachAgencyAnswers: who holds something keeps it on a basis and deletes it
// later; who sent it says that help ends, and withdraws.
func TestAfterAWithdrawalEachAgencyAnswers(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id, held, help := s.asked(t)
	at := "/recalls/" + held
	s.takes.get(t, "/referrals/"+id).must(t, http.StatusOK, "She has taken her consent back", "See what your agency is asked")
	s.takes.get(t, "/recalls").must(t, http.StatusOK, "Is it deleted?", "Your agency was given: what she needs and how to reach her safely").mustNot(t, canary)
	p := s.takes.get(t, at).must(t, http.StatusOK, "Is everything that your agency was given deleted?")
	p = s.takes.press(t, p, at, url.Values{"to": {"basis"}}).must(t, http.StatusUnprocessableEntity, "Choose an answer")
	p = s.takes.press(t, p, at, url.Values{"to": {"basis"}, "answer": {"kept"}}).must(t, http.StatusOK, "Why must it be kept?", "Do not write anything about her")
	p.mustNot(t, `value="a"`, `value="le-part3"`) // her consent, which she took back, is no basis
	p = s.takes.press(t, p, at, url.Values{"to": {"reasons"}}).must(t, http.StatusUnprocessableEntity, "Choose why it must be kept", "Choose the lawful basis")
	p = s.takes.press(t, p, at, url.Values{"to": {"reasons"}, "because": {"legal-obligation"}, "art6": {"c"}, "provision": {"the law"}}).
		must(t, http.StatusUnprocessableEntity, "Name the Act")
	p = s.takes.press(t, p, at, url.Values{"to": {"reasons"}, "provision": {"Care Act 2014 s42"}}).must(t, http.StatusOK, "Check your answer", "The law obliges us to keep it")
	confirm := p.form(t, at, url.Values{"to": {"confirm"}})
	read(s.takes.Form(t, at, confirm)).leads(t, "/recalls?done=answer")
	read(s.takes.Form(t, at, confirm)).leads(t, "/recalls?done=answer") // pressed twice
	s.takes.get(t, "/recalls?done=answer").must(t, http.StatusOK, "Your answer is recorded.", "Your agency is asked nothing", "Say that it is deleted now")
	p = s.takes.press(t, s.takes.get(t, at), at, url.Values{"to": {"basis"}, "answer": {"deleted"}}).must(t, http.StatusOK, "Deleted, wherever it was")
	s.takes.press(t, p, at, url.Values{"to": {"confirm"}}).leads(t, "/recalls?done=answer")
	s.takes.press(t, s.takes.get(t, at), at, url.Values{"to": {"confirm"}, "answer": {"kept"}, "because": {"legal-claims"}, "art6": {"f"}}).
		must(t, http.StatusUnprocessableEntity, "an answer stands")

	at = "/recalls/" + help
	p = s.sends.press(t, s.sends.get(t, at).must(t, http.StatusOK, "Does help go on?"), at, url.Values{"to": {"basis"}, "answer": {"ends"}}).must(t, http.StatusOK, "Help ends")
	p = s.sends.press(t, p, at, url.Values{"to": {"confirm"}})
	p.leads(t, "/referrals/"+id+"/decide/withdraw")
	s.sends.step(t, id, "withdraw", url.Values{"reason": {"consent-withdrawn"}})
	s.hub.Reconciles(t)
}

// TestNobodyElseAnswers: what another agency is asked is not there; who audits or administers
// finds no page; an agency with its own keys is told how.
func TestNobodyElseAnswers(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, held, help := s.asked(t)
	answer := url.Values{"act": {newID()}, "answer": {"deleted"}, "to": {"confirm"}}
	for _, at := range []string{"/recalls/" + held, "/recalls/" + newID(), "/recalls/x"} {
		missing := s.sends.get(t, "/recalls/"+newID())
		for _, p := range []page{s.sends.get(t, at), read(s.sends.Form(t, at, answer))} {
			if p.must(t, http.StatusNotFound); p.text != missing.text {
				t.Errorf("%s: %s", at, p.text)
			}
		}
	}
	if wrong := read(s.sends.Form(t, "/recalls/"+help, answer)); wrong.Status != http.StatusUnprocessableEntity || !strings.Contains(wrong.text, "Choose an answer") {
		t.Errorf("an answer to the other question: %d %s", wrong.Status, wrong.text)
	}
	for _, role := range []partners.Role{partners.Auditor, partners.Administrator} {
		_, b := s.hub.Joined(t, s.to.ID, "Someone Example", role)
		w := worker{Browser: b}
		for _, p := range []page{w.get(t, "/recalls"), w.get(t, "/recalls/"+held), read(w.Form(t, "/recalls/"+held, answer))} {
			p.must(t, http.StatusNotFound)
		}
	}
	h := hubtest.New(t)
	pair := h.Pair(t, partners.BoroughOutreach)
	sent := pair.Sent(t)
	pair.To.Open(t, sent.Digest, "", "need")
	if a := pair.From.Withdraw(t, pair.Consent); a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if err := h.Aftermath.Round(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := join(t, h, pair.To, "Ayo Example")
	found, _, err := h.Referrals.Recalls(t.Context(), w.Caller, false, 0)
	if err != nil || len(found) != 1 {
		t.Fatal(err, found)
	}
	w.get(t, "/recalls/"+found[0].ID).must(t, http.StatusOK, "it signs its answer itself", "handover recall answer "+found[0].ID).mustNot(t, "<form method=\"post\" action=\"/recalls")
	read(w.Form(t, "/recalls/"+found[0].ID, answer)).must(t, http.StatusOK, "it signs its answer itself")
}
