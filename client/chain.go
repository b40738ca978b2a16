package client

import (
	"fmt"
	"slices"
	"time"

	"handover/referral/packet"
)

// Claims are what an envelope states.
type Claims = packet.Claims

// keyFinder returns the signing key of a partner that has this kid.
type keyFinder func(partner, kid string) (Key, error)

// openEnvelope verifies one envelope with the key of the partner that it names.
// doubt says why a good signature does not count, "" when it does: it was made
// outside the key's validity, or the key has been revoked since, so that somebody
// else may have made it.
func openEnvelope(token string, find keyFinder) (e packet.Envelope, key Key, doubt string, err error) {
	stated, err := packet.ParseEnvelope(token)
	if err != nil {
		return packet.Envelope{}, Key{}, "", fmt.Errorf("%w: an envelope is malformed", ErrForged)
	}
	if key, err = find(stated.Unverified().Issuer, stated.KeyID()); err != nil {
		return packet.Envelope{}, Key{}, "", err
	}
	if e, err = stated.Verify(key.PublicKey); err != nil {
		return packet.Envelope{}, Key{}, "", fmt.Errorf("%w: the signature of %s", ErrForged, stated.Unverified().Issuer)
	}
	return e, key, key.doubt(time.Unix(e.IssuedAt, 0)), nil
}

// doubt says why a signature made at t by the key does not count, or "".
func (k Key) doubt(t time.Time) string {
	switch {
	case k.ValidAt(t):
		return ""
	case !k.Revoked.IsZero():
		return "the key was revoked on " + day(k.Revoked) + ", so somebody else may have signed this"
	}
	return "the key did not count on " + day(t)
}

// before is the key as it stood before it was revoked.
func (k Key) before() Key {
	k.Revoked = time.Time{}
	return k
}

func day(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

// chain is the envelopes of one referral so far, each of which belongs where it is.
type chain struct {
	hub   string
	links []packet.Envelope
	state string
	asked bool
}

// add appends an envelope, or says why it does not belong there.
func (h *chain) add(e packet.Envelope) string {
	if e.Hub != h.hub {
		return "it was signed for another hub"
	}
	if len(h.links) == 0 {
		if e.Event != packet.Request {
			return "a referral begins with a request"
		}
	} else if bad := h.follows(e); bad != "" {
		return bad
	}
	to, ok := h.after(e)
	if !ok {
		return fmt.Sprintf("the step %s is not possible for %s in the state %s", e.Event, e.Issuer, h.state)
	}
	h.links, h.state = append(h.links, e), to
	h.asked = (h.asked || e.Event == packet.Ask) && e.Event != packet.Answer
	return ""
}

// follows checks that an envelope continues the chain: prev binds each step to
// everything before it, so neither partner nor hub can take one out, put one in or
// change the order.
func (h *chain) follows(e packet.Envelope) string {
	first, last := h.links[0], h.links[len(h.links)-1]
	between := e.Issuer == first.Issuer && e.Audience == first.Audience ||
		e.Issuer == first.Audience && e.Audience == first.Issuer ||
		e.ByHub() && e.Audience == first.Audience // for the hub of the chain, as add has checked
	switch {
	case e.Referral != first.Digest():
		return "it belongs to another referral"
	case e.Prev != last.Digest():
		return "its prev is not the digest of the step before"
	case !between:
		return "it is not between the two partners of the referral"
	}
	return ""
}

// step is one row of the machine that docs/states.md draws.
type step struct {
	event packet.Event
	by    string // sender, recipient, either or hub
	from  []string
	to    string // "" stays
}

// machine is the life of a referral. The verifier has its own, so that a state which
// the signed steps do not lead to is noticed, whoever claims it.
func machine() []step {
	open := []string{"requested", "received", "accepted", "in-progress"}
	return []step{
		{packet.Request, "sender", []string{""}, "requested"},
		{packet.Receive, "recipient", open[:1], "received"},
		{packet.Ask, "recipient", open[1:2], ""},
		{packet.Answer, "sender", open[1:2], ""},
		{packet.Accept, "recipient", open[:2], "accepted"},
		{packet.Decline, "recipient", open[:2], "rejected"},
		{packet.Redirect, "recipient", open[:2], "rejected"},
		{packet.Start, "recipient", open[2:3], "in-progress"},
		{packet.Complete, "recipient", open[2:], "completed"},
		{packet.Fail, "recipient", open[2:], "failed"},
		{packet.Withdraw, "sender", open, "cancelled"},
		{packet.Withdraw, "hub", open[:2], "cancelled"}, // she withdrew her consent: all that a hub may do of itself
		{packet.Message, "either", open, ""},
	}
}

// after returns the state that an envelope leads to, if it is possible now.
func (h *chain) after(e packet.Envelope) (string, bool) {
	by := "sender"
	switch {
	case e.ByHub():
		by = "hub"
	case len(h.links) > 0 && e.Issuer != h.links[0].Issuer:
		by = "recipient"
	}
	for _, s := range machine() {
		if s.event != e.Event || s.by != by && (s.by != "either" || by == "hub") {
			continue
		}
		possible := slices.Contains(s.from, h.state) && (e.Event != packet.Answer || h.asked)
		if s.to == "" {
			return h.state, possible
		}
		return s.to, possible
	}
	return "", false
}
