package partners

import (
	"slices"
	"time"

	"handover/internal/strict"
	"handover/keys/jose"
)

// Use is what a key is for. A key has one use: a signature made to authenticate
// must never be passed off as a signature under a referral.
type Use string

// The uses of a key.
const (
	Authentication Use = "authentication" // client assertions at the token endpoint
	Signing        Use = "signing"        // envelopes, consent records, withdrawals
	Encryption     Use = "encryption"     // sections sealed to the partner
)

// Key is a partner's public key with the time in which it counts.
type Key struct {
	jose.PublicKey
	Use       Use
	Custody   Custody
	NotBefore time.Time
	NotAfter  time.Time
	Revoked   time.Time // zero while it stands
}

// ValidAt reports whether a signature made at t by this key counts now: made
// within its validity, and the key not revoked since. Revocation reaches back,
// because a stolen key can be made to sign any date.
func (k Key) ValidAt(t time.Time) bool {
	return k.Revoked.IsZero() && !t.Before(k.NotBefore.Add(-Skew)) && t.Before(k.NotAfter)
}

// Ring holds the keys that the statements of one issuer are judged by, read in one
// transaction. Until its batch has run it is empty.
type Ring struct {
	signing []Key
	sealing map[ID][]Key
}

// Signing returns the issuer's signing key kid, if a signature made at t by it counts.
func (r *Ring) Signing(kid string, t time.Time) (Key, bool) {
	for _, k := range r.signing {
		if k.KeyID() == kid && k.ValidAt(t) {
			return k, true
		}
	}
	return Key{}, false
}

// Named returns the issuer's signing key kid, whether or not what it signed counts.
func (r *Ring) Named(kid string) (Key, bool) {
	i := slices.IndexFunc(r.signing, func(k Key) bool { return k.KeyID() == kid })
	if i < 0 {
		return Key{}, false
	}
	return r.signing[i], true
}

// Sealing returns the encryption keys of a partner to which content may be sealed
// at t, newest first.
func (r *Ring) Sealing(to ID, t time.Time) []jose.PublicKey {
	var current []jose.PublicKey
	for _, k := range r.sealing[to] {
		if k.ValidAt(t) {
			current = append(current, k.PublicKey)
		}
	}
	return current
}

// Skew is how far the clocks of hub and partner may differ.
const Skew = 60 * time.Second

// fits reports whether a key of the algorithm can be put to the use. PS256
// authenticates and no more: whoever is shown a signed statement, years later too,
// needs to know two algorithms.
func (u Use) fits(a jose.Algorithm) bool {
	switch u {
	case Authentication:
		return a == jose.ES256 || a == jose.EdDSA || a == jose.PS256
	case Signing:
		return a == jose.ES256 || a == jose.EdDSA
	case Encryption:
		return a == jose.ECDHESA256KW
	}
	return false
}

// freshFor is how long whoever was given keys may take them from memory (RFC 9111 §5.2.2.1):
// a minute, or until the first of those that count runs out. Whoever seals to a key that
// was revoked in that minute is refused and told the current one.
func freshFor(keys []Key, now time.Time) time.Duration {
	fresh := time.Minute
	for _, k := range keys {
		if k.ValidAt(now) {
			fresh = min(fresh, k.NotAfter.Sub(now))
		}
	}
	return fresh
}

// JWKSet renders keys as a JWK set (RFC 7517 §5), each with members of our own
// (RFC 7517 §4 has readers ignore them): handover_use, custody (who holds the private
// part), nbf, exp and, when it was revoked, revoked, as NumericDates. Revoked and outlived keys stay in the set, so
// that old signatures can be judged.
func JWKSet(keys []Key) ([]byte, error) {
	members, err := jwks(keys)
	if err != nil {
		return nil, err
	}
	return strict.Marshal(map[string]any{"keys": members})
}

// jwks renders keys as the members of a JWK set.
func jwks(keys []Key) ([]map[string]any, error) {
	members := []map[string]any{}
	for _, k := range keys {
		raw, err := k.PublicKey.MarshalJSON()
		if err != nil {
			return nil, err
		}
		jwk := map[string]any{}
		if err := strict.Unmarshal(raw, &jwk); err != nil {
			return nil, err
		}
		jwk["handover_use"] = string(k.Use)
		jwk["custody"] = string(k.Custody)
		jwk["nbf"] = k.NotBefore.Unix()
		jwk["exp"] = k.NotAfter.Unix()
		if !k.Revoked.IsZero() {
			jwk["revoked"] = k.Revoked.Unix()
		}
		members = append(members, jwk)
	}
	return members, nil
}
