package referral

import (
	"slices"

	"handover/partners"
	"handover/referral/packet"
)

// State is where a referral stands: FHIR Task's status codes.
type State string

// The states of a referral.
const (
	Requested  State = "requested"
	Received   State = "received"
	Accepted   State = "accepted"
	Rejected   State = "rejected"
	InProgress State = "in-progress"
	Completed  State = "completed"
	Failed     State = "failed"
	Cancelled  State = "cancelled"
)

// States lists every state.
func States() []State {
	return []State{Requested, Received, Accepted, Rejected, InProgress, Completed, Failed, Cancelled}
}

// Final reports whether nothing can follow the state.
func (s State) Final() bool {
	switch s {
	case Rejected, Completed, Failed, Cancelled:
		return true
	}
	return false
}

// Side is which partner of a referral takes a step.
type Side string

// The sides of a referral.
const (
	SenderSide    Side = "sender"
	RecipientSide Side = "recipient"
	EitherSide    Side = "either"
	HubSide       Side = "hub" // the hub itself, because of what she said
)

// Allows returns nil if the caller's token carries the scope of the side: to send for
// the sender's steps, to receive for the recipient's.
func (s Side) Allows(c partners.Caller) error {
	need := partners.ReferralsReceive
	if s == SenderSide {
		need = partners.ReferralsSend
	}
	if c.Has(need) || s == EitherSide && c.Has(partners.ReferralsSend) {
		return nil
	}
	return partners.ErrScope.With("scope", string(need))
}

// step is one row of the business machine.
type step struct {
	Event packet.Event
	By    Side
	From  []State // none for the request, which begins
	To    State   // "" stays where it is
}

// steps is the business machine, whole. An event without a row cannot happen.
func steps() []step {
	open := []State{Requested, Received, Accepted, InProgress}
	return []step{
		{packet.Request, SenderSide, nil, Requested},
		{packet.Receive, RecipientSide, []State{Requested}, Received},
		{packet.Ask, RecipientSide, []State{Received}, ""},
		{packet.Answer, SenderSide, []State{Received}, ""},
		{packet.Accept, RecipientSide, []State{Requested, Received}, Accepted},
		{packet.Decline, RecipientSide, []State{Requested, Received}, Rejected},
		{packet.Redirect, RecipientSide, []State{Requested, Received}, Rejected},
		{packet.Start, RecipientSide, []State{Accepted}, InProgress},
		{packet.Complete, RecipientSide, []State{Accepted, InProgress}, Completed},
		{packet.Fail, RecipientSide, []State{Accepted, InProgress}, Failed},
		{packet.Withdraw, SenderSide, open, Cancelled},
		{packet.Withdraw, HubSide, []State{Requested, Received}, Cancelled}, // she withdrew her consent
		{packet.Message, EitherSide, open, ""},
	}
}

// next returns the state after event taken by side in state from, or ErrParty or
// ErrState.
func next(event packet.Event, side Side, from State) (State, error) {
	var refused error = ErrState.With("state", string(from))
	for _, s := range steps() {
		if s.Event != event {
			continue
		}
		if s.By != EitherSide && s.By != side {
			refused = ErrParty
			continue
		}
		if !slices.Contains(s.From, from) {
			return "", ErrState.With("state", string(from))
		}
		if s.To == "" {
			return from, nil
		}
		return s.To, nil
	}
	return "", refused
}

// Possible returns the events that a side of the referral may take now, in the order of the
// machine. It is for who offers them to a person; what she takes is decided again, under a
// lock, when it arrives.
func (m Summary) Possible(side Side) []packet.Event {
	var all []packet.Event
	for _, s := range steps() {
		mine := s.By == side || s.By == EitherSide
		if mine && slices.Contains(s.From, State(m.State)) && (s.Event != packet.Answer || m.Asked) {
			all = append(all, s.Event)
		}
	}
	return all
}

// SideOf is the side that the caller, who was shown the referral, is on.
func (m Summary) SideOf(c partners.Caller) Side {
	if m.Sender == string(c.Partner()) {
		return SenderSide
	}
	return RecipientSide
}

// sideOf is the side that the caller, who can see the referral, is on.
func (r *row) sideOf(c partners.Caller) Side {
	if string(c.Partner()) == r.sender {
		return SenderSide
	}
	return RecipientSide
}

// Transport is how far a packet has come.
type Transport string

// The transport states of a packet. They only go forward.
const (
	Stored    Transport = "stored"    // it is here
	Delivered Transport = "delivered" // it was listed to its recipient
	Opened    Transport = "opened"    // a section of it was released
)

// moves is the transport machine, whole.
func moves() map[Transport][]Transport {
	return map[Transport][]Transport{
		Stored:    {Delivered, Opened},
		Delivered: {Opened},
		Opened:    {},
	}
}

// before lists the transport states from which t can be reached, for the guard of
// an UPDATE.
func before(t Transport) []Transport {
	var from []Transport
	for _, s := range []Transport{Stored, Delivered, Opened} {
		if slices.Contains(moves()[s], t) {
			from = append(from, s)
		}
	}
	return from
}
