package client

import (
	"context"
	"iter"
	"net/url"
	"time"
)

// Touched is a packet that a key of your agency signed, or of which something is sealed to
// it: what you must look at when somebody else may have the key.
type Touched struct {
	Reference string    `json:"reference"`
	ID        string    `json:"id"` // of the referral
	Event     string    `json:"event"`
	Envelope  string    `json:"envelope"` // digest
	Other     string    `json:"other"`    // the partner on the other side
	State     string    `json:"state"`    // of the referral now
	Transport string    `json:"transport"`
	Stored    time.Time `json:"stored"`
	Signed    bool      `json:"signed"` // the key signed the envelope
	Sealed    []string  `json:"sealed"` // sections, your own copies among them, that the key opens and the hub still holds
}

// SignedConsent is a consent record that a key of your agency signed, or whose withdrawal
// it did.
type SignedConsent struct {
	ID        string    `json:"id"`
	Recorded  time.Time `json:"recorded"`
	Expires   time.Time `json:"expires"`
	Withdrawn bool      `json:"withdrawn"`
	Signed    []string  `json:"signed"` // record, withdrawal, review; of an override: override, decision, override-review
}

// TouchedBy lists the packets that a key of your agency signed or opens, newest first,
// page by page as the loop asks for more. An error is yielded once and ends the list. Code
// of refusal, here and below: key-not-found.
func (c *Client) TouchedBy(ctx context.Context, kid string) iter.Seq2[Touched, error] {
	type page struct {
		Packets []Touched `json:"packets"`
	}
	return pages(ctx, c, "/v1/keys/"+url.PathEscape(kid)+"/packets", func(p page) []Touched { return p.Packets })
}

// SignedBy lists what a key of your agency signed about consent, in the same way.
func (c *Client) SignedBy(ctx context.Context, kid string) iter.Seq2[SignedConsent, error] {
	type page struct {
		Consents []SignedConsent `json:"consents"`
	}
	return pages(ctx, c, "/v1/keys/"+url.PathEscape(kid)+"/consents", func(p page) []SignedConsent { return p.Consents })
}
