package casework

import "handover/referral/packet"

// act is what a page says of a decision and asks for it. What the machine allows, and which
// codes an event states, the rooms below know; this is the words.
type act struct {
	Event  packet.Event
	Choice string // in a list of what can be done
	Hint   string // beside it
	Title  string // of its page
	Button string // that does it
	Why    string // the question that its reason or outcome answers
	Next   string // what happens then
	Done   string // when it was done
	Note   []box  // what a note may say, in small boxes
	Warns  bool   // it ends something
}

// box is one small question of a note: small, since a large empty box is filled with
// everything that might matter.
type box struct{ Name, Label, Hint string }

// boxMost is how many characters one box takes.
const boxMost = 500

const notHere = " Do not write her name, where she is, health or immigration."

func contactBoxes() []box {
	return []box{
		{"who", "Who will help her", "A first name and a team, as Ayo, outreach team." + notHere},
		{"when", "When you will first contact her", "A day and a time." + notHere},
	}
}

// acts are all of them, in the order in which they are offered.
func acts() []act {
	return []act{
		{Event: packet.Receive, Choice: "Say that a person has seen it", Hint: "It is not accepted by that.", Title: "Say that you have seen it", Button: "Confirm that you have it",
			Next: "The other agency sees that a person has this. The time to decide goes on.", Done: "The other agency sees that you have this referral."},
		{Event: packet.Accept, Choice: "Accept", Hint: "You will help her.", Title: "Accept this referral", Button: "Confirm and accept", Note: contactBoxes(),
			Next: "The other agency sees that you have accepted, and colleagues that you have it. Contact her as she said is safe, and record it here when you have.", Done: "You have accepted this referral."},
		{Event: packet.Ask, Choice: "Ask a question", Hint: "The time to decide stops until they answer.", Title: "Ask the other agency", Button: "Confirm and ask",
			Note: []box{{"question", "What you need to know", "Ask only what you need to decide." + notHere}},
			Next: "The other agency reads your question. The time to decide stops until they answer.", Done: "Your question was sent."},
		{Event: packet.Answer, Choice: "Answer their question", Title: "Answer the question", Button: "Confirm and answer",
			Note: []box{{"answer", "Your answer", "Answer what they asked and no more." + notHere}},
			Next: "The other agency reads your answer. Its time to decide goes on.", Done: "Your answer was sent."},
		{Event: packet.Decline, Choice: "Decline", Hint: "You cannot help her.", Title: "Decline this referral", Button: "Confirm and decline", Warns: true,
			Why: "Why can you not take it?", Note: []box{{"help", "What would help them to find somebody else", "Say what you could not offer." + notHere}},
			Next: "The other agency sees your answer and looks for somebody else. You cannot open it as open work any more.", Done: "You have declined this referral."},
		{Event: packet.Redirect, Choice: "Name a better service", Hint: "Another agency should be asked instead.", Title: "Name a better service", Button: "Confirm and send it back", Warns: true,
			Why: "Which service should be asked?", Next: "The other agency sees which service you named. It asks her before it sends anything there. Nothing is passed on by itself.", Done: "You have named a better service."},
		{Event: packet.Start, Choice: "Record first contact", Hint: "You have been in touch with her.", Title: "Record first contact", Button: "Confirm first contact",
			Next: "The other agency sees that you are in touch with her.", Done: "First contact is recorded."},
		{Event: packet.Complete, Choice: "Complete", Hint: "The help has been given.", Title: "Complete this referral", Button: "Confirm and complete", Warns: true,
			Why: "What came of it?", Note: []box{{"outcome-note", "What the other agency must know of it", "In one or two sentences." + notHere}},
			Next: "The other agency sees what came of it. After 30 days your agency can open nothing of it any more.", Done: "You have completed this referral."},
		{Event: packet.Fail, Choice: "End without an outcome", Hint: "Help could not be given.", Title: "End this referral without an outcome", Button: "Confirm and end", Warns: true,
			Why: "Why did it end?", Note: []box{{"fail-note", "What the other agency must know of it", "In one or two sentences." + notHere}},
			Next: "The other agency sees that this ended and why. After 30 days your agency can open nothing of it any more.", Done: "You have ended this referral."},
		{Event: packet.Withdraw, Choice: "Withdraw it", Hint: "You take the referral back.", Title: "Withdraw this referral", Button: "Confirm and withdraw", Warns: true,
			Why: "Why do you take it back?", Next: "The other agency can open nothing of it any more. What it has not opened is destroyed.", Done: "You have withdrawn this referral."},
		{Event: packet.Message, Choice: "Send a note", Title: "Send a note", Button: "Confirm and send",
			Note: []box{{"note", "Your note", "One thing that the other agency needs for this referral." + notHere}},
			Next: "The other agency can open your note. Nobody else can.", Done: "Your note was sent."},
	}
}

// actOf finds what is said of an event.
func actOf(e packet.Event) (act, bool) {
	for _, a := range acts() {
		if a.Event == e {
			return a, true
		}
	}
	return act{}, false
}

// Asks reports whether something has to be asked before it can be confirmed.
func (a act) Asks() bool {
	asks := a.Event.Asks()
	return len(asks.Reasons)+len(asks.Outcomes) > 0 || asks.Service || asks.Note
}

// offered lists what her side may do now, as the machine says.
func offered(s *seen) (all []act) {
	if s.Own {
		return nil
	}
	possible := s.Possible(s.Side)
	for _, a := range acts() {
		for _, e := range possible {
			if a.Event == e {
				all = append(all, a)
			}
		}
	}
	return all
}

// may reports whether the event is among what her side may do now.
func may(s *seen, e packet.Event) bool {
	for _, a := range offered(s) {
		if a.Event == e {
			return true
		}
	}
	return false
}

// happened tells what a step was, to either side.
func happened(e packet.Event, byHub bool) string {
	if byHub {
		return "Cancelled, because she took her consent back"
	}
	return map[packet.Event]string{
		packet.Request: "Sent", packet.Receive: "Seen by a person", packet.Ask: "Asked a question", packet.Answer: "Answered the question",
		packet.Accept: "Accepted", packet.Decline: "Declined", packet.Redirect: "Named a better service", packet.Start: "First contact made",
		packet.Complete: "Completed", packet.Fail: "Ended without an outcome", packet.Withdraw: "Withdrawn", packet.Message: "Sent a note",
	}[e]
}
