package client

import (
	"context"
	"fmt"
	"slices"
	"time"

	"handover/referral/packet"
)

// Step is the next step of a referral, by either side.
type Step struct {
	Referral string // id
	Event    string // receive, ask, answer, accept, decline, redirect, start, complete, fail, withdraw, message
	Reason   string // coded; for decline, fail and withdraw
	Outcome  string // coded; for complete
	Service  string // of another partner, that takes this; for redirect

	// Sections carries a note ({"note": …}); an answer may carry any section. What
	// has sections needs her consent to the other side reading them.
	Sections map[string]Content
	Consent  string
	Override string // or what your agency shares without her agreement

	Attachments []SealedAttachment // of an answer, attachment-1 the first

	// Prev is the digest of the newest envelope you decided on (Summary.Head). With
	// it the step is refused as referral-moved when anything has happened since; ""
	// takes the newest there is.
	Prev    string
	ID      string    // UUIDv7, the idempotency key; default a new one
	Expires time.Time // default 28 days
	Act     string    // the worker, by opaque id
}

// SealStep makes the packet of a step: it holds the sections to their schemas as Seal does,
// reads the referral, whose chain it verifies, seals and signs. Nothing is sent; save the packet, then Post it.
func (c *Client) SealStep(ctx context.Context, s Step) ([]byte, error) {
	whole, err := c.complete(s.Sections)
	if err != nil {
		return nil, err
	}
	r, err := c.Referral(ctx, s.Referral)
	if err != nil {
		return nil, err
	}
	claims := packet.Claims{
		Event: packet.Event(s.Event), Referral: r.ID, Prev: r.Head, Reason: s.Reason, Outcome: s.Outcome, Service: s.Service,
		ID: s.ID, Act: s.Act, Audience: r.Sender,
	}
	if r.Sender == c.partner {
		claims.Audience = r.Recipient
	} else if r.Recipient != c.partner {
		return nil, fmt.Errorf("%w: you are no party to this referral", ErrForged)
	}
	if s.Prev != "" {
		claims.Prev = s.Prev
	}
	if !s.Expires.IsZero() {
		claims.Expires = s.Expires.Unix()
	}
	if len(s.Sections)+len(s.Attachments) > 0 {
		on, err := c.restsOn(ctx, s.Consent, s.Override)
		if err != nil {
			return nil, err
		}
		claims.Basis = &on.basis
	}
	if err := c.guardSafeContact(ctx, claims.Audience, r.Purpose, whole); err != nil {
		return nil, err
	}
	sections := attach(&claims, whole, s.Attachments)
	return c.seal(ctx, claims, sections, true)
}

// Step is SealStep and Post, and both again when the other side's key was replaced in
// between. Codes of refusal: not-your-step, step-not-possible
// (the member state names the state), referral-moved (read it again and decide
// again), and, for what has sections, those of Send.
func (c *Client) Step(ctx context.Context, s Step, files ...Attachment) (_ Receipt, err error) {
	if s.ID, err = newID(s.ID); err != nil {
		return Receipt{}, err
	}
	put, err := c.putAll(ctx, s.ID, files)
	if err != nil {
		return Receipt{}, err
	}
	s.Attachments = slices.Concat(put, s.Attachments)
	return c.sendFresh(ctx, func() ([]byte, error) { return c.SealStep(ctx, s) })
}
