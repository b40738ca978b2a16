package hubtest

import (
	"fmt"
	"testing"

	"handover/partners"
	"handover/referral/packet"
)

// Pair is two agencies between which everything may pass that the firewall lets
// through: agreements both ways, a service, and a recorded consent of one woman.
type Pair struct {
	From, To  *Agency
	Service   string // of To
	Agreement string // from From to To
	Back      string // from To to From
	Consent   Consent
}

// Pair makes two new agencies: one that sends, of category vawg-service, and one that
// receives, of category to.
func (h *Hub) Pair(t testing.TB, to partners.Category) Pair {
	t.Helper()
	n := h.pairs.Add(1)
	p := Pair{From: h.Agency(t, partners.ID(fmt.Sprintf("sender-%d", n)), partners.VAWGService),
		To: h.Agency(t, partners.ID(fmt.Sprintf("receiver-%d", n)), to)}
	p.Service = h.Offer(t, p.To)
	p.Agreement, p.Back = h.Agree(t, p.From, p.To), h.Agree(t, p.To, p.From)
	p.Consent = p.From.Record(t, Subject(), p.Named())
	return p
}

// Named is how a consent names the receiving agency so that either side may rely on
// it: by its id, and police as police too.
func (p Pair) Named() []string {
	named := []string{string(p.To.ID), string(p.From.ID)}
	if p.To.Category == partners.Police {
		named = append(named, "category:police")
	}
	return named
}

// Request drafts a request that is accepted.
func (p Pair) Request(sections ...string) Draft {
	return p.From.Request(p.To, p.Service, p.Consent, sections...)
}

// Sent sends a request and returns it.
func (p Pair) Sent(t testing.TB, sections ...string) Sealed {
	t.Helper()
	s := p.Request(sections...).Seal(t)
	p.From.Sent(t, s)
	return s
}

// Step takes the next step of a referral, which must be possible, and returns its
// packet, whose digest is the referral's new head. Events that need a note carry one.
func (p Pair) Step(t testing.TB, by *Agency, e packet.Event, referral, prev string) Sealed {
	t.Helper()
	other := p.To
	if by == p.To {
		other = p.From
	}
	d := by.Event(other, e, referral, prev)
	if e == packet.Ask || e == packet.Answer || e == packet.Message {
		d = d.With(p.Consent, "note")
	}
	s := d.Seal(t)
	by.Sent(t, s)
	return s
}
