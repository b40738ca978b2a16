package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
// JWK with the members handover_use, custody, nbf, exp and, once revoked, revoked
// (NumericDates in seconds).
type Key struct {
	jose.PublicKey
	Use       string // Authentication, Signing or Encryption
	Custody   string // HeldByPartner or HeldByHub
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
	Custody   string `json:"custody,omitempty"` // "" is HeldByPartner
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
	members["custody"] = cmp.Or(k.Custody, HeldByPartner)
	if !k.Revoked.IsZero() {
		members["revoked"] = k.Revoked.Unix()
	}
	return strict.Marshal(members)
}

var (
	errKeyUse     = errors.New("the key's handover_use does not fit its algorithm")
	errKeyCustody = errors.New("the key's custody is none that is known")
)

// UnmarshalJSON reads a member of a JWK set: our own members strictly, and the
// rest as a JWK without a private part and with nothing unknown in it.
func (k *Key) UnmarshalJSON(data []byte) error {
	members := map[string]jsontext.Value{}
	if err := strict.Unmarshal(data, &members); err != nil {
		return err
	}
	own := map[string]jsontext.Value{}
	for _, name := range []string{"handover_use", "custody", "nbf", "exp", "revoked"} {
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
	if v.Custody = cmp.Or(v.Custody, HeldByPartner); v.Custody != HeldByPartner && v.Custody != HeldByHub {
		return errKeyCustody
	}
	*k = Key{PublicKey: key, Use: v.Use, Custody: v.Custody, NotBefore: time.Unix(v.NotBefore, 0), NotAfter: time.Unix(v.NotAfter, 0)}
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

// Keys returns all public keys of a partner, newest first, outlived and revoked ones among
// them, so that old signatures can be judged. It asks the hub each time for what is new, and
// has verified it: each key has its entry in the log, and the history of the keys goes on
// from what was known here. A hub that shows anything else is a *SwappedKey.
//
// That a key is the partner's is the hub's word the first time. Before something weighty goes
// to a partner for the first time, compare the thumbprint with her by telephone (AcceptKey).
func (c *Client) Keys(ctx context.Context, partner string) ([]Key, error) {
	set, err := c.keysOf(ctx, partner)
	return set.keys, err
}

// keySet is a partner's keys as the hub gave them a moment ago, and what is known of them.
type keySet struct {
	at    time.Time
	keys  []Key
	known KnownKeys
}

// keySetLife is how long keys are taken from memory to verify signatures. Sealing
// always asks: what is sealed to a key that was revoked a minute ago is read by
// whoever stole it.
const keySetLife = time.Minute

// keysOf asks the hub for what is new of a partner's keys, verifies it and keeps it.
func (c *Client) keysOf(ctx context.Context, partner string) (keySet, error) {
	kept, err := c.memory.Known(partner)
	if err != nil {
		return keySet{}, err
	}
	read, err := c.readHistory(ctx, partner, kept, kept)
	if err != nil {
		return keySet{}, err
	}
	if err := c.keep(read.known); err != nil {
		return keySet{}, err
	}
	set := keySet{at: c.now(), keys: read.keys, known: read.known}
	slices.SortStableFunc(set.keys, func(a, b Key) int { return b.NotBefore.Compare(a.NotBefore) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known[partner] = set
	return set, nil
}

// keep keeps what was seen, unless somebody has kept more meanwhile.
func (c *Client) keep(known KnownKeys) error {
	c.keeping.Lock()
	defer c.keeping.Unlock()
	kept, err := c.memory.Known(known.Partner)
	if err != nil {
		return err
	}
	if len(kept.Entries) >= len(known.Entries) {
		return nil
	}
	return c.memory.Keep(known)
}

// signingKey returns the signing key of a partner that a statement names.
func (c *Client) signingKey(ctx context.Context, partner, kid string) (Key, error) {
	c.mu.Lock()
	set := c.known[partner]
	c.mu.Unlock()
	if c.now().Sub(set.at) < keySetLife {
		if k, ok := findKey(set.keys, kid); ok {
			return k, set.known.refuse(kid)
		}
	}
	set, err := c.keysOf(ctx, partner)
	if err != nil {
		return Key{}, err
	}
	k, ok := findKey(set.keys, kid)
	if !ok {
		return Key{}, fmt.Errorf("%w: %s has no signing key %s", ErrForged, partner, kid)
	}
	return k, set.known.refuse(kid)
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
	set, err := c.keysOf(ctx, partner)
	if err != nil {
		return jose.PublicKey{}, err
	}
	for _, k := range set.keys {
		if k.Use == Encryption && k.ValidAt(c.now()) {
			return k.PublicKey, set.known.refuse(k.KeyID())
		}
	}
	return jose.PublicKey{}, &Problem{Type: "about:blank", Code: "recipient-inactive", Party: "recipient",
		Title: "The recipient has no encryption key that counts now. Ask its administrator to enrol one."}
}
