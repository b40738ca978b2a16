package referral

import (
	"time"

	"handover/referral/clock"
	"handover/referral/packet"
)

// due is what of a referral is due next: nothing while at is nil.
type due struct {
	at   *time.Time
	next clock.Due
	from time.Time // what the clocks count from
}

// what is next, as the column has it.
func (d due) what() *string {
	if d.at == nil {
		return nil
	}
	s := string(d.next)
	return &s
}

// dueBy is d of a referral of that urgency. No service says as yet when it works, so all have
// the usual hours.
func dueBy(urgency string, d clock.Due, from time.Time) due {
	at, ok := clock.By(urgency, d, from, clock.Usual())
	if !ok {
		return due{from: from}
	}
	return due{at: &at, next: d, from: from}
}

// firstDue is by when a referral that comes now has to be delivered. The packet's urgency has
// been checked; of one without a clock it is now.
func firstDue(urgency string, now time.Time) time.Time {
	if d := dueBy(urgency, clock.Delivered, now); d.at != nil {
		return *d.at
	}
	return now
}

// after is what is due once the event has been filed that leaves the referral in a state. While
// the ball is with the sender nothing is; her answer starts the clocks anew, since nobody could
// decide without it. Nothing is due once first contact was made, nor after the end.
func (r *row) after(event packet.Event, to State, now time.Time) due {
	switch {
	case to.Final(), to == InProgress, event == packet.Ask:
		return due{from: r.dueFrom}
	case event == packet.Answer:
		return dueBy(r.urgency, clock.Decided, now)
	case to == Accepted:
		return dueBy(r.urgency, clock.FirstContact, r.dueFrom)
	case event == packet.Receive && r.dueFor == clock.Delivered: // whoever has it was shown it
		return dueBy(r.urgency, clock.Opened, r.dueFrom)
	}
	return dueBy(r.urgency, r.dueFor, r.dueFrom)
}

// delivered is what is due once the request was listed to its recipient, and whether that
// changes anything.
func (r *row) delivered() (due, bool) {
	return dueBy(r.urgency, clock.Opened, r.dueFrom), r.dueFor == clock.Delivered
}

// opened is what is due once a section of the request was released to its recipient, and
// whether that changes anything.
func (r *row) opened() (due, bool) {
	return dueBy(r.urgency, clock.Decided, r.dueFrom), r.dueFor == clock.Delivered || r.dueFor == clock.Opened
}

// ends is when the consent ends that a request rests on; nil of one that rests on none.
func (l *look) ends(p packet.Opened) *time.Time {
	if p.Basis == nil || p.Basis.Consent == "" {
		return nil
	}
	at := l.grants.Of(p.Basis.Consent).Ends()
	if at.IsZero() {
		return nil
	}
	return &at
}
