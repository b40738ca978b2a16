package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handover/internal/strict"
	"handover/keys/jose"
)

// The uses of a key. A key has one.
const (
	Authentication = "authentication"
	Signing        = "signing"
	Encryption     = "encryption"
)

// skew is how far the clocks of hub and partners may differ.
const skew = 60 * time.Second

// Key is a partner's public key with the time in which it counts. As JSON it is a
// JWK with the members handover_use, nbf, exp and, once revoked, revoked
// (NumericDates in seconds).
type Key struct {
	jose.PublicKey
	Use       string // Authentication, Signing or Encryption
	NotBefore time.Time
	NotAfter  time.Time
	Revoked   time.Time // zero while it stands
}

// ValidAt reports whether a signature made at t by this key counts now: made within
// its validity, and the key not revoked since. Revocation reaches back, because a
// stolen key can be made to sign any date.
func (k Key) ValidAt(t time.Time) bool {
	return k.Revoked.IsZero() && !t.Before(k.NotBefore.Add(-skew)) && t.Before(k.NotAfter)
}

// members of a key that are ours, beside those of the JWK.
type validity struct {
	Use       string `json:"handover_use"`
	NotBefore int64  `json:"nbf"`
	NotAfter  int64  `json:"exp"`
	Revoked   int64  `json:"revoked,omitzero"`
}

// MarshalJSON writes the key as a member of a JWK set.
func (k Key) MarshalJSON() ([]byte, error) {
	raw, err := k.PublicKey.MarshalJSON()
	if err != nil {
		return nil, err
	}
	members := map[string]any{}
	if err := strict.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	members["handover_use"], members["nbf"], members["exp"] = k.Use, k.NotBefore.Unix(), k.NotAfter.Unix()
	if !k.Revoked.IsZero() {
		members["revoked"] = k.Revoked.Unix()
	}
	return strict.Marshal(members)
}

var errKeyUse = errors.New("the key's handover_use does not fit its algorithm")

// UnmarshalJSON reads a member of a JWK set: our own four members strictly, and the
// rest as a JWK without a private part and with nothing unknown in it.
func (k *Key) UnmarshalJSON(data []byte) error {
	members := map[string]jsontext.Value{}
	if err := strict.Unmarshal(data, &members); err != nil {
		return err
	}
	own := map[string]jsontext.Value{}
	for _, name := range []string{"handover_use", "nbf", "exp", "revoked"} {
		if value, ok := members[name]; ok {
			own[name] = value
			delete(members, name)
		}
	}
	var v validity
	if err := reread(own, &v); err != nil {
		return err
	}
	var key jose.PublicKey
	if err := reread(members, &key); err != nil {
		return err
	}
	if !fits(v.Use, key.Algorithm()) {
		return errKeyUse
	}
	*k = Key{PublicKey: key, Use: v.Use, NotBefore: time.Unix(v.NotBefore, 0), NotAfter: time.Unix(v.NotAfter, 0)}
	if v.Revoked != 0 {
		k.Revoked = time.Unix(v.Revoked, 0)
	}
	return nil
}

// fits reports whether a key of the algorithm can be put to the use.
func fits(use string, a jose.Algorithm) bool {
	switch use {
	case Authentication:
		return a == jose.ES256 || a == jose.EdDSA || a == jose.PS256
	case Signing:
		return a == jose.ES256 || a == jose.EdDSA
	case Encryption:
		return a == jose.ECDHESA256KW
	}
	return false
}

// reread decodes members that were taken apart.
func reread(members map[string]jsontext.Value, into any) error {
	data, err := strict.Marshal(members)
	if err != nil {
		return err
	}
	return strict.Unmarshal(data, into)
}

// Keys returns all public keys of a partner, newest first, outlived and revoked
// ones among them, so that old signatures can be judged. It asks the hub each time.
//
// That a key is the partner's is the hub's word. Before something weighty goes to a
// partner for the first time, compare the thumbprint with her by telephone.
func (c *Client) Keys(ctx context.Context, partner string) ([]Key, error) {
	set, err := get[struct {
		Keys []Key `json:"keys"`
	}](ctx, c, "/v1/partners/"+url.PathEscape(partner)+"/jwks.json", nil)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(set.Keys, func(a, b Key) int { return b.NotBefore.Compare(a.NotBefore) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[partner] = keySet{at: c.now(), keys: set.Keys}
	return set.Keys, nil
}

// keySet is a partner's keys as the hub gave them a moment ago.
type keySet struct {
	at   time.Time
	keys []Key
}

// keySetLife is how long keys are taken from memory to verify signatures. Sealing
// always asks: what is sealed to a key that was revoked a minute ago is read by
// whoever stole it.
const keySetLife = time.Minute

// signingKey returns the signing key of a partner that a statement names.
func (c *Client) signingKey(ctx context.Context, partner, kid string) (Key, error) {
	c.mu.Lock()
	set := c.known[partner]
	c.mu.Unlock()
	if c.now().Sub(set.at) < keySetLife {
		if k, ok := findKey(set.keys, kid); ok {
			return k, nil
		}
	}
	found, err := c.Keys(ctx, partner)
	if err != nil {
		return Key{}, err
	}
	k, ok := findKey(found, kid)
	if !ok {
		return Key{}, fmt.Errorf("%w: %s has no signing key %s", ErrForged, partner, kid)
	}
	return k, nil
}

func findKey(set []Key, kid string) (Key, bool) {
	i := slices.IndexFunc(set, func(k Key) bool { return k.Use == Signing && k.KeyID() == kid })
	if i < 0 {
		return Key{}, false
	}
	return set[i], true
}

// sealingKey returns the newest encryption key of a partner that counts now.
func (c *Client) sealingKey(ctx context.Context, partner string) (jose.PublicKey, error) {
	found, err := c.Keys(ctx, partner)
	if err != nil {
		return jose.PublicKey{}, err
	}
	for _, k := range found {
		if k.Use == Encryption && k.ValidAt(c.now()) {
			return k.PublicKey, nil
		}
	}
	return jose.PublicKey{}, &Problem{Type: "about:blank", Code: "recipient-inactive", Party: "recipient",
		Title: "The recipient has no encryption key that counts now. Ask its administrator to enrol one."}
}
