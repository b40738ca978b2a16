// Package managed signs and opens for agencies with no IT: those whose keys the hub holds.
// It acts for one signed-in person and one act at a time; each act is in the log, and what
// is signed names her.
//
// sign.go composes, seals and signs what she asks for, and say.go what a woman said to her;
// both file it through the same doors as everybody else's: referral.Store.File and the
// consents' Record and Withdraw decide.
// open.go has sections released by referral.Store.OpenHere, waits until that stands under
// a signed checkpoint, and only then decrypts. store.go asks what an act rests on. http.go
// is /v1/managed.
//
// The signing key does not leave the key store. The private encryption key is unwrapped
// for the one act, overwritten after it, and never kept for the next: in between it and
// what it opens are in the hub's memory, which is the price of having no keys of one's own.
package managed

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"

	"handover/internal/ids"
	"handover/internal/strict"
	"handover/partners"
	"handover/referral/packet"
)

// Request asks for a referral to be opened with another partner.
type Request struct {
	ID         string      `json:"jti"` // UUIDv7, chosen by who asks: the same request again finds its receipt
	To         partners.ID `json:"to"`
	Consent    string      `json:"consent,omitempty"`  // id of the record it rests on, which also says whom it is about
	Override   string      `json:"override,omitempty"` // or of an override of her agency
	Purpose    string      `json:"purpose"`
	Urgency    string      `json:"urgency"`
	Service    string      `json:"service"`
	Area       string      `json:"area"`
	OnwardFrom string      `json:"onward_from,omitempty"`

	Content map[string]packet.Content `json:"-"` // by section
}

// Step asks for a later step of a referral.
type Step struct {
	ID      string       `json:"jti"`
	Event   packet.Event `json:"event"`
	Prev    string       `json:"prev"`              // the newest envelope as she saw it
	Consent string       `json:"consent,omitempty"` // id of the record it rests on, if it carries content
	Reason  string       `json:"reason,omitempty"`
	Outcome string       `json:"outcome,omitempty"`
	Service string       `json:"service,omitempty"` // of another partner; for redirect

	Override string `json:"override,omitempty"` // in the place of a record

	Content map[string]packet.Content `json:"-"`
}

// person refuses a system alone. What the hub signs names who did it, and what it opens is
// opened for her eyes: a token that lies in some program stands for nobody.
func person(c partners.Caller) error {
	if c.User() == "" {
		return partners.ErrNoPerson
	}
	return nil
}

// digest is the keyed digest of a request, by which the same one is known again. It covers
// who asks, for what, and the content by its digests; without the key it can be compared
// with no guess at the content.
func (d *Desk) digest(ctx context.Context, c partners.Caller, act string, request any, content map[string]packet.Content) ([]byte, error) {
	secret, err := d.secret(ctx)
	if err != nil {
		return nil, err
	}
	digests := make(map[string]string, len(content))
	for name, data := range content {
		digests[name] = ids.DigestOf(data)
	}
	text, err := strict.Marshal(struct {
		Act     string            `json:"act"`
		Partner partners.ID       `json:"partner"`
		User    string            `json:"user"`
		Request any               `json:"request"`
		Content map[string]string `json:"content"`
	}{act, c.Partner(), c.User(), request, digests})
	if err != nil {
		return nil, fmt.Errorf("digesting a request: %w", err)
	}
	mac := hmac.New(sha256.New, secret)
	mac.Write(text)
	return mac.Sum(nil), nil
}

// wipe overwrites content that has been sealed or shown.
func wipe(content map[string]packet.Content) {
	for _, data := range content {
		clear(data)
	}
}
