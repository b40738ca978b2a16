package casework_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/managed"
	"handover/referral/packet"
)

// TestTheWholeLifeIsDecidedInPages: every event by the side whose it is, each asked, confirmed
// and told, with notes that only the other side opens, and a thread in which both read them.
func TestTheWholeLifeIsDecidedInPages(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.sent(t)
	at := "/referrals/" + id
	s.takes.step(t, id, "receive", nil)
	s.takes.step(t, id, "ask", url.Values{"question": {canary + "? ground floor?"}})
	s.takes.get(t, at+"?done=ask").must(t, http.StatusOK, "Your question was sent.", "A question was asked: the time to decide stops").mustNot(t, canary)
	s.takes.get(t, at+"/decide/answer").must(t, http.StatusOK, "You cannot do this now")

	thread := s.sends.get(t, at+"/messages").must(t, http.StatusOK, "Asked a question. Sealed.", "Answer the question").mustNot(t, canary)
	thread = s.sends.press(t, thread, at+"/messages", nil).must(t, http.StatusOK, canary+"? ground floor?")
	confirm := s.sends.press(t, thread, at+"/decide/answer", url.Values{"answer": {"Any floor."}, "to": {"check"}}).must(t, http.StatusOK, "Any floor.", "What happens next")
	s.sends.press(t, confirm, at+"/decide/answer", url.Values{"to": {"confirm"}}).leads(t, at+"?done=answer")

	both := s.takes.press(t, s.takes.get(t, at+"/messages"), at+"/messages", nil).must(t, http.StatusOK, canary+"? ground floor?", "Any floor.", "Ayo Example")
	if both.mustNot(t, "Sam Sample"); strings.Index(both.text, "ground floor") > strings.Index(both.text, "Any floor") {
		t.Error("the thread does not begin with the oldest")
	}
	s.takes.step(t, id, "accept", nil)
	s.takes.step(t, id, "start", nil)
	s.takes.step(t, id, "message", url.Values{"note": {"Seen today."}})
	s.takes.step(t, id, "complete", url.Values{"outcome": {"housed"}, "outcome-note": {"Keys on Monday."}})
	over := s.sends.get(t, at).must(t, http.StatusOK, "Completed by Agency rosewood", "Housed", "Nothing can follow", "Notes between the agencies (4)")
	over.mustNot(t, "/decide", "Ayo Example")
	for _, p := range []page{s.sends.get(t, at+"/decide"), s.takes.get(t, at+"/decide")} {
		p.must(t, http.StatusOK, "Nothing can be done now")
	}
	if n := s.acts(t, "section.read", id); n != 2 {
		t.Errorf("%d acts opened sections of the other side, want 2", n)
	}
	s.hub.Reconciles(t)
}

// TestEveryEndIsDecidedInPages: the answers after which nothing follows, each with what is
// asked for it.
func TestEveryEndIsDecidedInPages(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	better := s.hub.Offer(t, s.hub.Managed(t, "elm-house", partners.VAWGService))
	for _, row := range []struct {
		event  string
		sender bool
		before []string
		asked  url.Values
		wrong  string // of nothing asked
		told   string
	}{
		{event: "decline", asked: url.Values{"reason": {"no-capacity"}, "help": {"No room until May."}}, wrong: "Choose a reason", told: "No capacity now"},
		{event: "redirect", asked: url.Values{"service": {better}}, wrong: "Choose a service", told: "Named a better service"},
		{event: "fail", before: []string{"accept"}, asked: url.Values{"reason": {"could-not-reach"}}, wrong: "Choose a reason", told: "She could not be reached"},
		{event: "complete", before: []string{"accept"}, asked: url.Values{"outcome": {"engaged"}}, wrong: "Choose what came of it", told: "Engaged with the service"},
		{event: "withdraw", sender: true, asked: url.Values{"reason": {"sent-in-error"}}, wrong: "Choose a reason", told: "Sent in error"},
	} {
		t.Run(row.event, func(t *testing.T) {
			id, by := s.sent(t), s.takes
			if row.sender {
				by = s.sends
			}
			for _, event := range row.before {
				by.step(t, id, event, nil)
			}
			at := "/referrals/" + id + "/decide/" + row.event
			p := by.press(t, by.get(t, at), at, url.Values{"to": {"check"}}).must(t, http.StatusUnprocessableEntity, "There is a problem", row.wrong)
			if !strings.Contains(string(p.Body), "<title>Error: ") {
				t.Error("its title does not say that something is wrong")
			}
			by.step(t, id, row.event, row.asked)
			by.get(t, "/referrals/"+id).must(t, http.StatusOK, row.told)
		})
	}
}

// TestPressingTwiceIsOneAct: also at the same moment.
func TestPressingTwiceIsOneAct(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.sent(t)
	at := "/referrals/" + id + "/decide/accept"
	form := s.takes.get(t, at).form(t, at, url.Values{"to": {"confirm"}})
	requests := []*http.Request{}
	for range 4 {
		requests = append(requests, s.takes.Request(t, http.MethodPost, at, "application/x-www-form-urlencoded", []byte(form.Encode())))
	}
	for _, a := range hubtest.Together(4, func(i int) hubtest.Answer { return s.hub.Do(requests[i]) }) {
		read(a).leads(t, "/referrals/"+id+"?done=accept")
	}
	read(s.takes.Form(t, at, form)).leads(t, "/referrals/"+id+"?done=accept")
	if n := s.acts(t, "referral.accept", id); n != 1 {
		t.Errorf("it was accepted %d times", n)
	}
}

// TestNobodyDecidesAboutWhatHasMoved: what happened since she read it is told, nothing is done,
// and what she wrote is still there.
func TestNobodyDecidesAboutWhatHasMoved(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	id := s.sent(t)
	at := "/referrals/" + id + "/decide/accept"
	first := s.takes.get(t, at)
	asked := s.takes.press(t, first, at, url.Values{"to": {"change"}}).must(t, http.StatusOK, "Who will help her", "Do not write her name")
	written := s.takes.press(t, asked, at, url.Values{"to": {"check"}, "who": {"Ayo, outreach"}}).must(t, http.StatusOK, "Who will help her: Ayo, outreach")
	s.takes.step(t, id, "receive", nil)
	moved := s.takes.press(t, written, at, url.Values{"to": {"confirm"}}).must(t, http.StatusConflict,
		"has moved since you read it", "Seen by a person by Ayo Example of Agency rosewood", "Who will help her: Ayo, outreach")
	if n := s.acts(t, "referral.accept", id); n != 0 {
		t.Fatal("it was accepted all the same")
	}
	s.takes.press(t, moved, at, url.Values{"to": {"confirm"}}).leads(t, "/referrals/"+id+"?done=accept")
	other := newID()
	stale := first.form(t, at, url.Values{"to": {"confirm"}, "act": {other}})
	read(s.takes.Form(t, at, stale)).must(t, http.StatusConflict, "You cannot do this now", "The referral is now: Accepted", "Accepted, by Ayo Example of Agency rosewood")
	s.takes.get(t, at+"?seen="+id).must(t, http.StatusOK, "You cannot do this now")
	s.takes.get(t, "/referrals/"+id+"/decide/start?seen="+id).must(t, http.StatusOK, "Since you read it", "Accepted by Ayo Example of Agency rosewood")
	for _, p := range []page{read(s.takes.Form(t, at, url.Values{"to": {"check"}})), read(s.takes.Form(t, "/referrals/"+id+"/decide/nothing", url.Values{}))} {
		p.mustNot(t, "Confirm and accept")
	}
}

// TestANoteThatCannotBeSentStopsNoDecision: where she did not agree that a note goes back, the
// page says so and decides without one.
func TestANoteThatCannotBeSentStopsNoDecision(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	consent := s.agreed(t, s.only)
	id := s.refer(t, consent, s.sections(nil))
	at := "/referrals/" + id
	const not = "She did not agree that a note goes to Agency willow-outreach."
	s.takes.get(t, at+"/decide/decline").must(t, http.StatusOK, "No note can go with this.", not).mustNot(t, "<textarea")
	s.takes.get(t, at+"/messages").must(t, http.StatusOK, not, "A note cannot be sent").mustNot(t, "<textarea")
	s.takes.step(t, id, "receive", nil)
	s.takes.get(t, at+"/decide/ask").must(t, http.StatusOK, not).mustNot(t, "<textarea")
	note := s.takes.get(t, at+"/decide/accept").form(t, at+"/decide/accept", url.Values{"to": {"confirm"}, "who": {"Ayo"}})
	refused := read(s.takes.Form(t, at+"/decide/accept", note)).must(t, http.StatusForbidden, not, "You can go on without a note")
	confirm := s.takes.press(t, refused, at+"/decide/accept", url.Values{"to": {"check"}, "without": {"yes"}}).must(t, http.StatusOK, "Note None")
	s.takes.press(t, confirm, at+"/decide/accept", url.Values{"to": {"confirm"}}).leads(t, at+"?done=accept")

	id = s.sent(t)
	if err := s.hub.Operator.EndAgreement(t.Context(), s.back); err != nil {
		t.Fatal(err)
	}
	at = "/referrals/" + id + "/decide/accept"
	note = s.takes.get(t, at).form(t, at, url.Values{"to": {"confirm"}, "who": {"Ayo"}})
	refused = read(s.takes.Form(t, at, note)).must(t, http.StatusForbidden, "The note cannot be sent:", "You can go on without a note")
	confirm = s.takes.press(t, refused, at, url.Values{"to": {"check"}, "without": {"yes"}}).must(t, http.StatusOK, "Note None")
	s.takes.press(t, confirm, at, url.Values{"to": {"confirm"}}).leads(t, "/referrals/"+id+"?done=accept")
}

// TestANoteIsShort: a large empty box is filled with everything.
func TestANoteIsShort(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	at := "/referrals/" + s.sent(t) + "/decide/message"
	long := s.sends.press(t, s.sends.get(t, at), at, url.Values{"to": {"check"}, "note": {strings.Repeat("é", 501)}})
	long.must(t, http.StatusUnprocessableEntity, "Write at most 500 characters", strings.Repeat("é", 501))
	s.sends.press(t, s.sends.get(t, at), at, url.Values{"to": {"check"}, "note": {" \r\n "}}).must(t, http.StatusUnprocessableEntity, "Write the note")
	s.sends.press(t, s.sends.get(t, at), at, url.Values{"to": {"check"}, "note": {strings.Repeat("é", 500)}}).must(t, http.StatusOK, "Confirm and send")
}

// TestAnOverrideIsToldAndCarriesNoNoteBack.
func TestAnOverrideIsToldAndCarriesNoNoteBack(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	now := s.hub.Now()
	o := record.OverrideClaims{ID: newID(), Subject: record.NewSubject(), Purpose: "protect-from-harm", Recipient: string(s.to.ID), Sections: []string{"need", "note", "risk", "safe-contact"},
		Agreement: "refused", Reason: "child-at-risk", AtRisk: []string{"child"}, Told: "no", NotTold: "unsafe",
		Bases: record.Bases{{Article6: "d", Article9: "c", Article10: "official-authority"}}, Gate: record.Gate{Pathway: "none"}, Emergency: true,
		ValidFrom: now.Unix(), Expires: now.Unix() + 3600, ReviewAt: now.Unix() + 1800}
	texts := map[string]string{}
	for _, p := range record.OverrideParts() {
		texts[p.Code] = canary
	}
	if _, err := s.hub.Desk.Propose(t.Context(), s.sends.Caller, managed.Proposal{Claims: o, Texts: texts}); err != nil {
		t.Fatal(err)
	}
	content := s.sections(nil)
	entry, err := s.hub.Desk.Refer(t.Context(), s.sends.Caller, managed.Request{ID: newID(), To: s.to.ID, Override: o.ID, Purpose: "protect-from-harm", Urgency: "emergency",
		Service: s.service, Area: hubtest.Area, Content: content})
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := s.hub.Log.Receipt(t.Context(), entry)
	if err != nil {
		t.Fatal(err)
	}
	at := "/referrals/" + receipt.Referral
	s.takes.get(t, at).must(t, http.StatusOK, "This was shared without her agreement", "It is an emergency").mustNot(t, canary)
	s.takes.get(t, at+"/messages").must(t, http.StatusOK, "Ring the other agency", "A note cannot be sent")
	s.takes.step(t, receipt.Referral, "accept", nil)
	s.sends.step(t, receipt.Referral, string(packet.Message), url.Values{"note": {"She is at the desk."}})
}
