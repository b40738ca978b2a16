package client

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"handover/consent/record"
	"handover/internal/strict"
)

// Bundle is everything a third person needs to verify a referral offline: the signed
// envelopes with their receipts, the consent records they rest on, the partners'
// public keys and the log's. It holds no content.
type Bundle struct {
	V        int    `json:"v"`       // 1
	Hub      string `json:"hub"`     // issuer URL
	LogKey   string `json:"log_key"` // as whoever made the bundle had pinned it
	Referral string `json:"referral"`

	// By which the log's keys followed each other, if they did.
	Successions []string `json:"successions,omitempty"`

	// With which the hub signed steps of its own, if it took any.
	HubKeys []HubKey `json:"hub_keys,omitempty"`

	Partners map[string]BundlePartner `json:"partners"`
	Events   []BundleEvent            `json:"events"` // oldest first
	Consents []BundleConsent          `json:"consents,omitempty"`

	Overrides []BundleOverride `json:"overrides,omitempty"`
}

// BundlePartner is what the bundle says of a partner.
type BundlePartner struct {
	Category string      `json:"category,omitempty"`
	Keys     []Key       `json:"keys"`
	History  []KeyChange `json:"key_history,omitempty"` // of all changes of the keys, from the first
}

// BundleEvent is one step.
type BundleEvent struct {
	Envelope string  `json:"envelope"`
	Receipt  Receipt `json:"receipt"`
}

// BundleConsent is one consent record that a step rests on, with its withdrawal if
// there was one. The receipt is of the newest of the two.
type BundleConsent struct {
	Record     string  `json:"record"`
	Withdrawal string  `json:"withdrawal,omitempty"`
	Receipt    Receipt `json:"receipt"`
}

// BundleOverride is one override that a step rests on, with the decision and reviews of it.
// The receipt is of the newest of them.
type BundleOverride struct {
	Override string   `json:"override"`
	Steps    []string `json:"steps"`
	Receipt  Receipt  `json:"receipt"`
}

// Bundle collects the bundle of a referral that you sent or received. It is verified
// on the way, as History is.
func (c *Client) Bundle(ctx context.Context, id string) (Bundle, error) {
	events, err := c.History(ctx, id)
	if err != nil {
		return Bundle{}, err
	}
	b := Bundle{V: 1, Hub: c.hub, LogKey: c.LogKey().String(), Successions: c.LogKey().Successions(), Referral: id, Partners: map[string]BundlePartner{}}
	signers := []string{events[0].Claims.Issuer, events[0].Claims.Audience}
	var relied, overrides []string
	for _, e := range events {
		if e.ByHub != "" {
			if b.HubKeys, err = c.HubKeys(ctx); err != nil {
				return Bundle{}, err
			}
			if !slices.Contains(relied, e.Receipt.Consent) {
				relied = append(relied, e.Receipt.Consent)
			}
		}
		b.Events = append(b.Events, BundleEvent{Envelope: e.Envelope, Receipt: *e.Receipt})
		if basis := e.Claims.Basis; basis != nil && basis.Consent != "" && !slices.Contains(relied, basis.Consent) {
			relied = append(relied, basis.Consent)
		} else if basis != nil && basis.Override != "" && !slices.Contains(overrides, basis.Override) {
			overrides = append(overrides, basis.Override)
		}
	}
	for _, id := range relied {
		stored, err := c.Consent(ctx, id)
		if Code(err) == "consent-not-found" {
			continue // not hers to see; Verify says so
		}
		if err != nil {
			return Bundle{}, err
		}
		b.Consents = append(b.Consents, BundleConsent{stored.Record, stored.Withdrawal, stored.Receipt})
		signers = append(signers, stored.Claims.Issuer)
		if w, err := record.ParseWithdrawal(stored.Withdrawal); err == nil {
			signers = append(signers, w.Unverified().Issuer)
		}
	}
	for _, id := range overrides {
		stored, err := c.Override(ctx, id)
		if Code(err) == "override-not-found" {
			continue
		}
		if err != nil {
			return Bundle{}, err
		}
		b.Overrides = append(b.Overrides, BundleOverride{stored.Override, stored.Steps, stored.Receipt})
		signers = append(signers, stored.Claims.Issuer)
	}
	return b, c.addPartners(ctx, &b, signers)
}

// addPartners adds the keys and the category of each signer. A partner that takes
// part no more has keys still, and is in no directory.
func (c *Client) addPartners(ctx context.Context, b *Bundle, signers []string) error {
	for _, id := range signers {
		if _, ok := b.Partners[id]; ok {
			continue
		}
		if _, err := c.keysOf(ctx, id); err != nil {
			return err
		}
		whole, err := c.readHistory(ctx, id, KnownKeys{}, KnownKeys{})
		if err != nil {
			return err
		}
		about, err := c.Partner(ctx, id)
		if err != nil && Code(err) != "not-found" {
			return err
		}
		b.Partners[id] = BundlePartner{Category: about.Category, Keys: whole.keys, History: whole.changes}
	}
	return nil
}

// Bytes is the bundle as JSON.
func (b Bundle) Bytes() ([]byte, error) {
	data, err := strict.Marshal(b)
	if err != nil {
		return nil, err
	}
	v := jsontext.Value(data)
	if err := v.Indent(); err != nil {
		return nil, err
	}
	return append(v, '\n'), nil
}

// ParseBundle reads a bundle. Nothing of it is verified yet.
func ParseBundle(data []byte) (Bundle, error) {
	var b Bundle
	if err := strict.Unmarshal(data, &b); err != nil || b.V != 1 {
		return Bundle{}, ErrDocument
	}
	return b, nil
}
