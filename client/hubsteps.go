package client

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/referral/packet"
)

// HubKey is a public key that the hub signs its own steps with, and the receipt of the log's
// entry that says so. As JSON it is a JWK with the member receipt.
type HubKey struct {
	jose.PublicKey
	Receipt Receipt
}

// MarshalJSON writes the key as a member of a JWK set.
func (k HubKey) MarshalJSON() ([]byte, error) {
	raw, err := k.PublicKey.MarshalJSON()
	if err != nil {
		return nil, err
	}
	members := map[string]jsontext.Value{}
	if err := strict.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	if members["receipt"], err = strict.Marshal(k.Receipt); err != nil {
		return nil, err
	}
	return strict.Marshal(members)
}

// UnmarshalJSON reads what MarshalJSON writes, strictly: a private part is refused.
func (k *HubKey) UnmarshalJSON(data []byte) error {
	members := map[string]jsontext.Value{}
	if err := strict.Unmarshal(data, &members); err != nil {
		return err
	}
	var read HubKey
	if err := strict.Unmarshal(members["receipt"], &read.Receipt); err != nil {
		return err
	}
	delete(members, "receipt")
	if err := reread(members, &read.PublicKey); err != nil {
		return err
	}
	*k = read
	return nil
}

// shownBy returns the key as one that signs, if entry is the log's word that it is the
// hub's, or says what is wrong. There is no end to it: what is signed with it counts only
// as far as it is in the log as well.
func (k HubKey) shownBy(entry proof.Entry) (Key, string) {
	if entry.Act != proof.HubKey || entry.Partner != "" || entry.Digest != k.Thumbprint() || !fits(Signing, k.Algorithm()) {
		return Key{}, "the log does not say of the key " + k.Thumbprint() + " that it is the hub's"
	}
	return Key{PublicKey: k.PublicKey, Use: Signing, Custody: HeldByPartner, NotBefore: entry.Time, NotAfter: entry.Time.AddDate(100, 0, 0)}, ""
}

// HubKeys returns the public keys of the hub's own steps, each proved by the log.
func (c *Client) HubKeys(ctx context.Context) ([]HubKey, error) {
	r, err := c.do(ctx, call{method: http.MethodGet, path: "/v1/hub/jwks.json", stranger: true})
	if err != nil {
		return nil, err
	}
	answer, err := read[struct {
		Keys []HubKey `json:"keys"`
	}](r)
	if err != nil {
		return nil, err
	}
	for _, k := range answer.Keys {
		entry, err := c.verified(ctx, k.Receipt)
		if err != nil {
			return nil, fmt.Errorf("%w: a key of the hub: %w", ErrProof, err)
		}
		if _, bad := k.shownBy(entry); bad != "" {
			return nil, fmt.Errorf("%w: %s", ErrProof, bad)
		}
	}
	return answer.Keys, nil
}

// signerOf finds the key that an envelope is verified with: one of the partner that it names,
// or, of a step that the hub took itself, one of the hub's.
func (c *Client) signerOf(ctx context.Context) keyFinder {
	return func(issuer, kid string) (Key, error) {
		if issuer != c.hub {
			return c.signingKey(ctx, issuer, kid)
		}
		all, err := c.HubKeys(ctx)
		if err != nil {
			return Key{}, err
		}
		for _, k := range all {
			if k.KeyID() != kid {
				continue
			}
			entry, err := c.verified(ctx, k.Receipt)
			if err != nil {
				return Key{}, fmt.Errorf("%w: %w", ErrProof, err)
			}
			key, _ := k.shownBy(entry)
			return key, nil
		}
		return Key{}, fmt.Errorf("%w: the hub has no key %s", ErrForged, kid)
	}
}

// otherwise names the member in which the log's entry is another than that of a step which
// leads to state, or "".
func otherwise(entry proof.Entry, claims packet.Claims, digest, referral, state string) string {
	expected := entryOf(claims, digest, referral)
	expected.State = state
	if claims.ByHub() && entry.Partner != "" {
		return "partner"
	}
	return difference(entry, expected)
}

// proveStep verifies the receipt of a step of a chain.
func (c *Client) proveStep(ctx context.Context, e Event, referral string) error {
	if e.Receipt == nil {
		return fmt.Errorf("%w: there is no receipt", ErrProof)
	}
	entry, err := c.verified(ctx, *e.Receipt)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	if differs := otherwise(entry, e.Claims, e.Digest, referral, e.State); differs != "" {
		return fmt.Errorf("%w: the receipt is of something else, by its %s", ErrProof, differs)
	}
	return nil
}

// hubDid says in words what the hub did of itself, or "".
func hubDid(claims packet.Claims) string {
	if !claims.ByHub() {
		return ""
	}
	return "the hub cancelled it itself, because she withdrew her consent"
}

// hubKeys takes the keys of the hub's own steps, as far as the log has them.
func (x *examination) hubKeys() {
	for _, k := range x.bundle.HubKeys {
		entry, _, bad := openReceipt(k.Receipt, x.logKey)
		var key Key
		if bad == "" {
			key, bad = k.shownBy(entry)
		}
		x.check("keys of the hub", bad, "the log has the key %s as the hub's since %s", k.KeyID(), day(entry.Time))
		if bad == "" {
			x.keys[x.bundle.Hub] = append(x.keys[x.bundle.Hub], key)
		}
	}
}

// revoked checks that a step which the hub took because she withdrew a consent follows that
// withdrawal: without one the hub has ended the referral of its own accord. withdrawn is when
// the record was withdrawn, zero if it was not. Which record it was, the log says: that of
// the request, or one that followed it.
func (x *examination) revoked(about string, claims record.Claims, withdrawn time.Time) {
	for i, e := range x.held.links {
		if !e.ByHub() || x.logged[i].consent != claims.ID {
			continue
		}
		bad := ""
		switch {
		case claims.Subject != x.held.links[0].Subject:
			bad = fmt.Sprintf("step %d rests on a consent of somebody else", i+1)
		case withdrawn.IsZero() || x.logged[i].at.Before(withdrawn):
			bad = fmt.Sprintf("the hub says in step %d that she had withdrawn it, and the log does not", i+1)
		}
		x.check(about, bad, "withdrawn before the hub cancelled the referral in step %d", i+1)
	}
}
