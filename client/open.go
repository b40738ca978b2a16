package client

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"handover/audit/proof"
	"handover/internal/codes"
	"handover/internal/strict"
	"handover/referral/packet"
)

// Opening says what to open and why.
type Opening struct {
	Referral string   // id
	Envelope string   // digest of the packet's envelope; "" for the request
	Sections []string // none for all that the packet has
	Reason   string   // coded: triage, decide, provide-service, safeguard, resend, subject-access
}

// Opened is the content of a packet, which its sender signed and nobody else could
// read on the way.
type Opened struct {
	Referral    string             `json:"referral"`
	Envelope    string             `json:"envelope"`              // digest
	From        string             `json:"from"`                  // who signed it
	Sections    map[string]Content `json:"sections"`              // as JSON their lengths: see Content
	Attachments []OpenedAttachment `json:"attachments,omitempty"` // in order of their names
	Doubt       string             `json:"doubt,omitempty"`       // why the signature does not count any more
	SignedFor   string             `json:"signed_for,omitempty"`  // that the hub signed it, and for whom; "" where its sender did
	Unfit       []Misfit           `json:"unfit,omitempty"`       // what is not as its schema says: shown all the same, to be read with care
	Stale       bool               `json:"stale,omitempty"`       // safe-contact counts no more: she is asked again before anything else
	Outside     bool               `json:"outside,omitempty"`     // now is outside the times that she said are safe: nobody calls
	Receipt     Receipt            `json:"receipt"`
}

// Open has sections of a packet released, and opens them. A recipient is given what
// was sealed to her, a sender her own copies. The release is decided anew (firewall,
// agreement, consent) and logged, with the reason, before anything is given out.
//
// The sender's signature has been verified and holds every section that is returned;
// a section that cannot be opened, or is not what was signed, is a Problem with the
// code section-unreadable: decline the referral as unreadable. Codes of refusal:
// referral-not-found, section-not-found, packet-expired, referral-closed, and those
// of the basis: consent-withdrawn, consent-expired, not-covered, no-agreement.
func (c *Client) Open(ctx context.Context, o Opening) (Opened, error) {
	r, err := c.Referral(ctx, o.Referral)
	if err != nil {
		return Opened{}, err
	}
	event, err := r.pick(o.Envelope)
	if err != nil {
		return Opened{}, err
	}
	names := slices.Clone(o.Sections)
	if len(names) == 0 {
		names = slices.Collect(maps.Keys(event.Claims.Sections))
	}
	slices.Sort(names)
	sealed, receipt, err := c.release(ctx, o.Referral, event, names, o.Reason)
	if err != nil {
		return Opened{}, err
	}
	opened := Opened{Referral: o.Referral, Envelope: event.Digest, From: event.Claims.Issuer,
		Sections: map[string]Content{}, Doubt: event.Doubt, SignedFor: event.SignedFor, Receipt: receipt}
	for _, name := range names {
		if codes.IsAttachment(name) {
			a, err := c.openAttachment(ctx, o.Referral, event, name, sealed[name])
			if err != nil {
				return Opened{}, local(err)
			}
			opened.Attachments = append(opened.Attachments, a)
			continue
		}
		if opened.Sections[name], err = c.unseal(event.opened, name, sealed[name]); err != nil {
			return Opened{}, local(err)
		}
	}
	opened.judge(c.now())
	return opened, nil
}

// pick finds the event with that digest, or the request.
func (r Referral) pick(digest string) (Event, error) {
	for _, e := range r.Chain {
		if e.Digest == digest || digest == "" {
			return e, nil
		}
	}
	return Event{}, notThere()
}

// release has the hub give out sealed sections, and verifies its receipt.
func (c *Client) release(ctx context.Context, referral string, e Event, names []string, reason string) (map[string]string, Receipt, error) {
	body, err := strict.Marshal(struct {
		Envelope string   `json:"envelope"`
		Sections []string `json:"sections"`
		Reason   string   `json:"reason"`
	}{e.Digest, names, reason})
	if err != nil {
		return nil, Receipt{}, fmt.Errorf("writing an opening: %w", err)
	}
	r, err := c.do(ctx, call{method: http.MethodPost, path: "/v1/referrals/" + referral + "/open", body: body,
		mediaType: "application/json"})
	if err != nil {
		return nil, Receipt{}, err
	}
	answer, err := read[struct {
		Sections map[string]string `json:"sections"`
		Receipt  Receipt           `json:"receipt"`
	}](r)
	if err != nil {
		return nil, Receipt{}, err
	}
	act := "section.open"
	if e.Claims.Issuer == c.partner {
		act = "copy.open"
	}
	return answer.Sections, answer.Receipt, c.prove(ctx, answer.Receipt, proof.Entry{Act: act, Partner: c.partner,
		Referral: referral, Envelope: e.Digest, Sections: names, Reason: reason})
}

// unseal tries the keys that may open a section. Which one it needs stands in the
// section; a key that has been replaced still opens what was sealed to it.
func (c *Client) unseal(e packet.Envelope, name, jwe string) (content Content, err error) {
	err = packet.ErrUnseal.With("section", name) // with no key at all
	for _, key := range c.keys.Encryption {
		if content, err = e.Unseal(name, jwe, key); err == nil {
			return content, nil
		}
	}
	return nil, err
}
