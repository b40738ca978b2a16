package jose

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"

	"handover/internal/strict"
)

// maxJWK bounds a public key's JSON, maxPrivateJWK a private one's. Legitimate ones
// have about 250 bytes, of RSA keys at most 900 and 3,400.
const (
	maxJWK        = 1 << 10
	maxPrivateJWK = 4 << 10
)

// members are the members of a JWK (RFC 7517 §4, RFC 7518 §6.2, §6.3, RFC 8037 §2)
// that are allowed here, in the order in which they are written. Anything else,
// such as x5c, x5u, key_ops, oth or k, is refused.
type members struct {
	Kty text `json:"kty,omitempty"`
	Crv text `json:"crv,omitempty"`
	X   text `json:"x,omitempty"`
	Y   text `json:"y,omitempty"`
	N   text `json:"n,omitempty"`
	E   text `json:"e,omitempty"`
	D   text `json:"d,omitempty"`
	P   text `json:"p,omitempty"`
	Q   text `json:"q,omitempty"`
	DP  text `json:"dp,omitempty"`
	DQ  text `json:"dq,omitempty"`
	QI  text `json:"qi,omitempty"`
	Kid text `json:"kid,omitempty"`
	Alg text `json:"alg,omitempty"`
	Use text `json:"use,omitempty"`
}

// PublicKey is a public key with its one algorithm and its id. Only
// ParsePublicKey, VerifyProof and PrivateKey.Public make one, so whoever holds one
// holds an honest point of the right curve, or an RSA key of a size that can be
// borne. The zero value fits nothing.
type PublicKey struct {
	alg  Algorithm
	crv  Curve
	kid  string
	x, y string           // base64url, as in the JWK
	n    string           // likewise, of an RSA key, which has neither x nor y
	key  crypto.PublicKey // *ecdsa.PublicKey, ed25519.PublicKey, *rsa.PublicKey or, for X25519, *ecdh.PublicKey
}

// ParsePublicKey reads one JWK, or returns an error that is ErrKey. kty, crv, x,
// kid and alg are required (and y on P-256; n and e in the place of crv and x for
// RSA), use is optional and must agree with alg; kid is the RFC 7638 thumbprint or any name of 1 to 128 URL-safe
// characters. A key with a private part is refused with ErrPrivate too, so that
// its owner can be told to make a new one.
func ParsePublicKey(jwk []byte) (PublicKey, error) {
	m, err := parsePublicMembers(jwk)
	if err != nil {
		return PublicKey{}, err
	}
	return m.public()
}

// parsePublicMembers decodes the JSON of a JWK that must have no private part: not d,
// nor one of the primes, from which d follows (RFC 7518 §6.3.2).
func parsePublicMembers(jwk []byte) (members, error) {
	m, err := parseMembers(jwk, maxJWK)
	if err == nil && m.D+m.P+m.Q+m.DP+m.DQ+m.QI != "" {
		return members{}, fmt.Errorf("%w: %w", ErrKey, ErrPrivate)
	}
	return m, err
}

// parseMembers decodes a JWK's JSON of at most limit bytes.
func parseMembers(jwk []byte, limit int) (members, error) {
	var m members
	if len(jwk) > limit || strict.Unmarshal(jwk, &m) != nil {
		return members{}, fmt.Errorf("%w: not a JWK with exactly the members allowed here", ErrKey)
	}
	return m, nil
}

// public checks the members of the public part and makes the key.
func (m members) public() (PublicKey, error) {
	k := PublicKey{alg: Algorithm(m.Alg), crv: Curve(m.Crv), kid: string(m.Kid), x: string(m.X), y: string(m.Y), n: string(m.N)}
	if !k.alg.fits(k.crv) {
		return PublicKey{}, fmt.Errorf("%w: alg does not fit crv", ErrKey)
	}
	if string(m.Kty) != k.kty() {
		return PublicKey{}, fmt.Errorf("%w: kty does not fit crv", ErrKey)
	}
	if m.Use != "" && string(m.Use) != k.alg.use() {
		return PublicKey{}, fmt.Errorf("%w: use does not fit alg", ErrKey)
	}
	if !urlSafe(k.kid) {
		return PublicKey{}, fmt.Errorf("%w: kid is not 1 to 128 URL-safe characters", ErrKey)
	}
	var err error
	switch {
	case k.crv == NoCurve && m.X+m.Y == "":
		k.key, err = modulus(k.n, string(m.E))
	case k.crv != NoCurve && m.N+m.E == "":
		k.key, err = coordinates(k.crv, k.x, k.y)
	default:
		err = fmt.Errorf("%w: a member of another kty", ErrKey)
	}
	if err != nil {
		return PublicKey{}, err
	}
	return k, nil
}

// coordinates decodes and checks a point as a JWK carries it.
func coordinates(c Curve, x, y string) (crypto.PublicKey, error) {
	xs, err := decodeMember(x)
	if err != nil {
		return nil, err
	}
	ys, err := decodeMember(y)
	if err != nil {
		return nil, err
	}
	key, err := point(c, xs, ys)
	if err != nil {
		return nil, fmt.Errorf("%w: not a point of the curve that is fit for use", ErrKey)
	}
	return key, nil
}

// decodeMember decodes x, y or d: nothing, or 32 bytes in exactly 43 characters,
// which leaves no room for the line breaks that the decoder would skip.
func decodeMember(s string) ([]byte, error) {
	if s == "" {
		return nil, nil
	}
	b, err := base64url.DecodeString(s)
	if err != nil || len(b) != coordinate || len(s) != base64url.EncodedLen(coordinate) {
		return nil, fmt.Errorf("%w: x, y or d is not 32 bytes of base64url", ErrKey)
	}
	return b, nil
}

// KeyID is the key's kid.
func (k PublicKey) KeyID() string { return k.kid }

// Algorithm is the one algorithm that the key may be used with.
func (k PublicKey) Algorithm() Algorithm { return k.alg }

// Curve is the curve that the key lives on, or NoCurve.
func (k PublicKey) Curve() Curve { return k.crv }

// Thumbprint is the RFC 7638 SHA-256 thumbprint in base64url. It depends on the
// key alone, not on kid or alg, so it shows one key used in two places.
func (k PublicKey) Thumbprint() string {
	// RFC 7638 §3.2, §3.3: the required members in lexicographic order; every
	// value here is of an alphabet that JSON does not escape.
	required := fmt.Sprintf(`{"crv":"%s","kty":"%s","x":"%s"}`, k.crv, k.kty(), k.x)
	switch k.crv {
	case P256:
		required = fmt.Sprintf(`{"crv":"%s","kty":"%s","x":"%s","y":"%s"}`, k.crv, k.kty(), k.x, k.y)
	case NoCurve:
		required = fmt.Sprintf(`{"e":"%s","kty":"%s","n":"%s"}`, exponentAQAB, k.kty(), k.n)
	}
	sum := sha256.Sum256([]byte(required))
	return base64url.EncodeToString(sum[:])
}

// CryptoKey is the key for package crypto: *ecdsa.PublicKey for ES256,
// ed25519.PublicKey for EdDSA, *rsa.PublicKey for PS256, *ecdh.PublicKey for
// ECDH-ES+A256KW.
func (k PublicKey) CryptoKey() crypto.PublicKey {
	p, ok := k.key.(*ecdsa.PublicKey)
	if !ok || k.alg != ECDHESA256KW {
		return k.key
	}
	agreement, err := p.ECDH()
	if err != nil {
		return nil // not reached: the point was checked when the key was made
	}
	return agreement
}

// Equal reports whether both are the same key with the same id and algorithm.
func (k PublicKey) Equal(other PublicKey) bool {
	return k.alg == other.alg && k.crv == other.crv && k.kid == other.kid && k.x == other.x && k.y == other.y && k.n == other.n
}

// IsZero reports whether k is the zero value, which is no key.
func (k PublicKey) IsZero() bool { return k.key == nil }

// MarshalJSON writes the canonical JWK: kty, crv, x, y on P-256 (kty, n, e for RSA),
// kid, alg, use. The same key always gives the same bytes.
func (k PublicKey) MarshalJSON() ([]byte, error) {
	if k.IsZero() {
		return nil, ErrKey
	}
	return strict.Marshal(k.members())
}

// UnmarshalJSON is ParsePublicKey.
func (k *PublicKey) UnmarshalJSON(data []byte) error {
	parsed, err := ParsePublicKey(data)
	if err != nil {
		return err
	}
	*k = parsed
	return nil
}

// members gives the canonical members of the public part.
func (k PublicKey) members() members {
	m := members{
		Kty: text(k.kty()), Crv: text(k.crv), X: text(k.x), Y: text(k.y), N: text(k.n),
		Kid: text(k.kid), Alg: text(k.alg), Use: text(k.alg.use()),
	}
	if k.crv == NoCurve {
		m.E = exponentAQAB
	}
	return m
}

func (k PublicKey) kty() string {
	switch k.crv {
	case P256:
		return "EC"
	case NoCurve:
		return "RSA"
	}
	return "OKP"
}

// publicOf makes the PublicKey of a key that this process made or opened, with
// its thumbprint as kid.
func publicOf(alg Algorithm, key crypto.PublicKey) (PublicKey, error) {
	k := PublicKey{alg: alg, key: key}
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		b, err := key.Bytes()
		if err != nil || len(b) != 1+2*coordinate {
			return PublicKey{}, ErrKey
		}
		k.crv = P256
		k.x, k.y = base64url.EncodeToString(b[1:1+coordinate]), base64url.EncodeToString(b[1+coordinate:])
	case ed25519.PublicKey:
		k.crv, k.x = Ed25519, base64url.EncodeToString(key)
	case *rsa.PublicKey:
		k.crv, k.n = NoCurve, base64url.EncodeToString(key.N.Bytes())
	case *ecdh.PublicKey:
		k.crv, k.x = X25519, base64url.EncodeToString(key.Bytes())
	default:
		return PublicKey{}, ErrKey
	}
	if !alg.fits(k.crv) {
		return PublicKey{}, ErrKey
	}
	k.kid = k.Thumbprint()
	return k, nil
}
