package client

import (
	"context"
	"fmt"
	"time"

	"handover/internal/ids"
	"handover/referral/packet"
)

// Summary is a referral as its two parties list it: the hub's word. Times are the
// hub's.
type Summary struct {
	ID        string    `json:"id"`
	Reference string    `json:"reference"` // what people read to each other: R-XXXX-XXXX
	Sender    string    `json:"sender"`
	Recipient string    `json:"recipient"`
	State     string    `json:"state"`
	Transport string    `json:"transport"` // of the request: stored, delivered, opened, expired
	Asked     bool      `json:"asked"`     // the recipient waits for the sender's answer
	Purpose   string    `json:"purpose"`
	Urgency   string    `json:"urgency"`
	Service   string    `json:"service"`
	Area      string    `json:"area"`
	Head      string    `json:"head"` // digest of the newest envelope: prev of the next
	Created   time.Time `json:"created"`
	Changed   time.Time `json:"changed"`
	Withdrawn bool      `json:"withdrawn,omitzero"` // the hub cancelled it, because she withdrew her consent
}

// Referral is a referral with its whole chain, oldest first, verified: every step is
// signed by the partner it names and stands where it belongs, and the summary says
// what the steps lead to.
type Referral struct {
	Summary
	Chain []Event `json:"chain"`
}

// Event is one packet of the chain, without its content.
type Event struct {
	Event     string          `json:"event"`
	Envelope  string          `json:"envelope"` // the signed envelope
	Digest    string          `json:"digest"`
	State     string          `json:"state"` // of the referral after it
	Stored    time.Time       `json:"stored"`
	Transport string          `json:"transport"`            // stored, delivered, opened
	Receipt   *Receipt        `json:"receipt,omitempty"`    // with History, and of what the hub did itself; verified
	Claims    Claims          `json:"claims"`               // what the envelope states
	Doubt     string          `json:"doubt,omitempty"`      // why its signature does not count any more
	SignedFor string          `json:"signed_for,omitempty"` // that the hub signed it, and for whom; "" where its partner did
	ByHub     string          `json:"by_hub,omitempty"`     // what the hub did of itself, and why; "" where a partner took the step
	opened    packet.Envelope // the same, verified
}

// Referral reads a referral that you sent or received. Its code of refusal is
// referral-not-found; a chain that does not hold is ErrForged.
func (c *Client) Referral(ctx context.Context, id string) (Referral, error) {
	if !ids.IsDigest(id) {
		return Referral{}, notThere()
	}
	r, err := get[Referral](ctx, c, "/v1/referrals/"+id, nil)
	if err != nil {
		return Referral{}, err
	}
	if err := c.openChain(ctx, id, r.Chain); err != nil {
		return Referral{}, err
	}
	for i := range r.Chain {
		if r.Chain[i].ByHub == "" {
			r.Chain[i].Receipt = nil // none was asked for, so none has been verified
		}
	}
	return r, r.fits(id)
}

// openChain verifies the envelopes of a chain and fills in what they state.
func (c *Client) openChain(ctx context.Context, id string, events []Event) error {
	find := c.signerOf(ctx)
	held := &chain{hub: c.hub}
	for i := range events {
		e := &events[i]
		var err error
		var key Key
		if e.opened, key, e.Doubt, err = openEnvelope(e.Envelope, find); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		e.SignedFor = key.signedFor(e.opened.Issuer, e.opened.Act)
		if bad := held.add(e.opened); bad != "" {
			return fmt.Errorf("step %d: %w: %s", i+1, ErrForged, bad)
		}
		e.Claims = e.opened.Claims
		if e.opened.ReferralID() != id || e.Digest != e.opened.Digest() || e.Event != string(e.opened.Event) || e.State != held.state {
			return fmt.Errorf("step %d: %w: the hub describes it otherwise", i+1, ErrForged)
		}
		if e.ByHub = hubDid(e.Claims); e.ByHub != "" {
			if err := c.proveStep(ctx, *e, id); err != nil {
				return fmt.Errorf("step %d: %w", i+1, err)
			}
		}
	}
	if len(events) == 0 {
		return fmt.Errorf("%w: the chain is empty", ErrForged)
	}
	return nil
}

// fits holds the summary against the chain, which has been verified.
func (r Referral) fits(id string) error {
	first, last := r.Chain[0].opened, r.Chain[len(r.Chain)-1]
	same := r.ID == id && r.Sender == first.Issuer && r.Recipient == first.Audience && r.Purpose == first.Purpose &&
		r.Urgency == first.Urgency && r.Service == first.Service && r.Area == first.Area &&
		r.Head == last.Digest && r.State == last.State && r.Reference == ids.Reference(id) && r.Withdrawn == (last.ByHub != "")
	if !same {
		return fmt.Errorf("%w: the summary says otherwise", ErrForged)
	}
	return nil
}

// History is the chain of a referral with the receipt of every step, all of it
// verified, the receipts against the pinned log key.
func (c *Client) History(ctx context.Context, id string) ([]Event, error) {
	if !ids.IsDigest(id) {
		return nil, notThere()
	}
	answer, err := get[struct {
		Referral string  `json:"referral"`
		Events   []Event `json:"events"`
	}](ctx, c, "/v1/referrals/"+id+"/events", nil)
	if err != nil {
		return nil, err
	}
	if err := c.openChain(ctx, id, answer.Events); err != nil {
		return nil, err
	}
	for i, e := range answer.Events {
		if err := c.proveStep(ctx, e, id); err != nil {
			return nil, fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return answer.Events, nil
}

// notThere is what the hub would answer, for what cannot be an id.
func notThere() error {
	return &Problem{Type: "about:blank", Status: 404, Code: "referral-not-found", Party: "sender",
		Title: "There is no such referral that you may see. Check the id."}
}
