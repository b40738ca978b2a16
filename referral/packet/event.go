package packet

import (
	"handover/internal/codes"
	"handover/internal/fault"
)

// Event is what a packet does to its referral.
type Event string

// The events of a referral's life.
const (
	Request  Event = "request"
	Receive  Event = "receive"
	Ask      Event = "ask"
	Answer   Event = "answer"
	Accept   Event = "accept"
	Decline  Event = "decline"
	Redirect Event = "redirect"
	Start    Event = "start"
	Complete Event = "complete"
	Fail     Event = "fail"
	Withdraw Event = "withdraw"
	Message  Event = "message"
)

// rule says what an event's envelope states besides what every envelope does.
type rule struct {
	reasons  codes.List // the coded reason it must give
	outcomes codes.List // the coded outcome it must give
	service  bool       // it must name a service
	note     bool       // it must carry a note
	sections bool       // it may carry any section; otherwise the note is all it may carry
}

// rules has a row for every event; an event without one does not exist.
func rules() map[Event]rule {
	return map[Event]rule{
		Request:  {service: true, sections: true},
		Receive:  {},
		Ask:      {note: true},
		Answer:   {note: true, sections: true},
		Accept:   {},
		Decline:  {reasons: codes.DeclineReasons()},
		Redirect: {service: true},
		Start:    {},
		Complete: {outcomes: codes.Outcomes()},
		Fail:     {reasons: codes.FailReasons()},
		Withdraw: {reasons: codes.WithdrawReasons()},
		Message:  {note: true},
	}
}

// Asks is what an event's envelope states besides what every envelope does, for who asks a
// person for it. Lists that are empty ask for nothing.
type Asks struct {
	Reasons  codes.List // one of these codes
	Outcomes codes.List // one of these codes
	Service  bool       // a service, by id
	Note     bool       // a note, sealed
}

// Asks returns what the event asks for; nothing of an event that there is not.
func (e Event) Asks() Asks {
	r := rules()[e]
	return Asks{Reasons: r.reasons, Outcomes: r.outcomes, Service: r.service, Note: r.note}
}

// Events lists every event a partner can sign.
func Events() []Event {
	return []Event{Request, Receive, Ask, Answer, Accept, Decline, Redirect, Start, Complete, Fail, Withdraw, Message}
}

// What a packet can be refused for. Each names what to do; none echoes content.
var (
	ErrMalformed = fault.New(fault.Invalid, "packet-malformed", fault.Sender,
		"The packet is not the JSON document that the format describes. Build it again from docs/packet.md.")
	ErrTooLarge = fault.New(fault.TooLarge, "packet-too-large", fault.Sender,
		"The packet, its envelope or a section is over the size limit. Send less, or send it in parts.")
	ErrEnvelope = fault.New(fault.Unprocessable, "envelope-malformed", fault.Sender,
		"The envelope is not a compact JWS with exactly alg, typ and kid in its header and the claims of its event. Sign it again.")
	ErrClaim = fault.New(fault.Unprocessable, "envelope-claim", fault.Sender,
		"A claim of the envelope is missing, has the wrong form or does not belong to this event. The member claim names it.")
	ErrSignature = fault.New(fault.Unprocessable, "envelope-signature", fault.Sender,
		"The envelope's signature does not verify with the key it names. Sign it again with your current signing key.")
	ErrHub = fault.New(fault.Unprocessable, "wrong-hub", fault.Sender,
		"The envelope is meant for another hub. Sign it for this one.")
	ErrStale = fault.New(fault.Unprocessable, "envelope-stale", fault.Sender,
		"The envelope was signed more than 24 hours ago or in the future. Check your clock and sign again.")
	ErrExpired = fault.New(fault.Unprocessable, "envelope-expired", fault.Sender,
		"The envelope's time to be opened has passed, or is more than 90 days off. Sign again with another exp.")
	ErrManifest = fault.New(fault.Unprocessable, "manifest-mismatch", fault.Sender,
		"The sections of the packet are not the ones that the envelope signed. Seal and sign the packet again.")
	ErrSection = fault.New(fault.Unprocessable, "section-malformed", fault.Sender,
		"A section is not a compact JWE of the allowed algorithms. The member section names it. Seal it again.")
	ErrUnseal = fault.New(fault.Unprocessable, "section-unreadable", fault.Sender,
		"The section cannot be opened with this key, or does not hold what the envelope says. Decline it as unreadable.")
)
