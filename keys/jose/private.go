package jose

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"handover/internal/strict"
)

// PrivateKey is a private key with its public part. However it is printed,
// logged or encoded, nothing of it shows but its kid; only JWK gives it away,
// and is called so that a reviewer can search for it. The zero value is no key.
type PrivateKey struct {
	pub  PublicKey
	open opaque
}

// opaque holds a secret where reflection cannot follow: package fmt prints the
// unexported fields of other people's structs without asking the type, and for
// some verbs even what a pointer points to, but it cannot look into a closure.
type opaque func() *secret

// hide puts s out of sight.
func hide(s *secret) opaque { return func() *secret { return s } }

// secret is what must not be printed.
type secret struct {
	key crypto.PrivateKey // *ecdsa.PrivateKey, ed25519.PrivateKey, *rsa.PrivateKey or, for X25519, *ecdh.PrivateKey
	d   []byte            // the scalar or seed, 32 bytes; of an RSA key the private exponent
}

// Generate makes a new key for alg on curve, with its thumbprint as kid; for PS256
// on NoCurve, with 2048 bits. It returns ErrAlgorithm when the two do not fit.
func Generate(alg Algorithm, curve Curve) (PrivateKey, error) {
	if !alg.fits(curve) {
		return PrivateKey{}, ErrAlgorithm
	}
	s, err := generate(curve)
	if err != nil {
		return PrivateKey{}, fmt.Errorf("generating key: %w", err)
	}
	pub, err := publicOf(alg, s.public())
	if err != nil {
		return PrivateKey{}, err
	}
	return PrivateKey{pub: pub, open: hide(s)}, nil
}

func generate(curve Curve) (*secret, error) {
	switch curve {
	case P256:
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		d, err := k.Bytes()
		return &secret{key: k, d: d}, err
	case Ed25519:
		_, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return &secret{key: k, d: k.Seed()}, nil
	case X25519:
		k, err := ecdh.X25519().GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return &secret{key: k, d: k.Bytes()}, nil
	case NoCurve:
		k, err := rsa.GenerateKey(rand.Reader, minModulus)
		if err != nil {
			return nil, err
		}
		return &secret{key: k, d: k.D.Bytes()}, nil
	}
	return nil, ErrKey
}

// ParsePrivateKey reads one private JWK: the members of ParsePublicKey and d (for
// RSA, p, q, dp, dq and qi too). It returns an error that is ErrKey unless both parts
// are one pair, since signing with a pair that does not match gives the private part
// away.
func ParsePrivateKey(jwk []byte) (PrivateKey, error) {
	m, err := parseMembers(jwk, maxPrivateJWK)
	if err != nil {
		return PrivateKey{}, err
	}
	if m.D == "" {
		return PrivateKey{}, fmt.Errorf("%w: no private part", ErrKey)
	}
	pub, err := m.public()
	if err != nil {
		return PrivateKey{}, err
	}
	s, err := m.secret()
	if err != nil {
		return PrivateKey{}, err
	}
	twin, err := publicOf(pub.alg, s.public())
	if err != nil {
		return PrivateKey{}, err
	}
	// What follows from the private part, written anew, is what was read: so the two
	// are a pair, nothing stands there that belongs to another kty, and each number
	// has its one spelling.
	twin.kid, m.Use = pub.kid, text(pub.alg.use())
	k := PrivateKey{pub: twin, open: hide(s)}
	if k.members() != m {
		return PrivateKey{}, fmt.Errorf("%w: the private and the public part are no pair", ErrKey)
	}
	return k, nil
}

// secret makes the private key of the private members; public has accepted the others.
func (m members) secret() (*secret, error) {
	if Curve(m.Crv) == NoCurve {
		return m.secretRSA()
	}
	d, err := decodeMember(string(m.D))
	if err != nil {
		return nil, err
	}
	var key crypto.PrivateKey
	switch Curve(m.Crv) {
	case P256:
		key, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	case Ed25519:
		key = ed25519.NewKeyFromSeed(d) // 32 bytes, as decodeMember saw
	case X25519:
		key, err = ecdh.X25519().NewPrivateKey(d)
	default:
		err = ErrKey
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the private part is out of range", ErrKey)
	}
	return &secret{key: key, d: d}, nil
}

func (s *secret) public() crypto.PublicKey {
	switch k := s.key.(type) {
	case *ecdsa.PrivateKey:
		return &k.PublicKey
	case ed25519.PrivateKey:
		return k.Public()
	case *rsa.PrivateKey:
		return &k.PublicKey
	case *ecdh.PrivateKey:
		return k.PublicKey()
	}
	return nil
}

// Public is the public part.
func (k PrivateKey) Public() PublicKey { return k.pub }

// KeyID is the key's kid.
func (k PrivateKey) KeyID() string { return k.pub.kid }

// JWK is the key with its private part as canonical JSON (RFC 7517), or nil for
// the zero value. It must be sealed before it is stored.
func (k PrivateKey) JWK() []byte {
	if k.open == nil {
		return nil
	}
	b, err := strict.Marshal(k.members())
	if err != nil {
		return nil // not reached: members are plain strings
	}
	return b
}

// members gives the canonical members of both parts.
func (k PrivateKey) members() members {
	m, s := k.pub.members(), k.open()
	m.D = text(base64url.EncodeToString(s.d))
	if r, ok := s.key.(*rsa.PrivateKey); ok {
		m.P, m.Q = integer(r.Primes[0]), integer(r.Primes[1])
		m.DP, m.DQ, m.QI = integer(r.Precomputed.Dp), integer(r.Precomputed.Dq), integer(r.Precomputed.Qinv)
	}
	return m
}

// Signer is the key as Sign takes it, for a key that signs.
func (k PrivateKey) Signer() SigningKey {
	if k.open == nil || !k.pub.alg.signs() {
		return SigningKey{}
	}
	return SigningKey{ID: k.pub.kid, Alg: k.pub.alg, Key: &localSigner{open: k.open}}
}

// localSigner is a private key in memory as a crypto.Signer that prints nothing.
type localSigner struct{ open opaque }

// Public is the public part.
func (s *localSigner) Public() crypto.PublicKey { return s.open().public() }

// Sign is crypto.Signer's.
func (s *localSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signer, ok := s.open().key.(crypto.Signer)
	if !ok {
		return nil, ErrKey
	}
	return signer.Sign(random, digest, opts)
}

// MarshalJSON refuses: keys leave by JWK only.
func (s *localSigner) MarshalJSON() ([]byte, error) { return nil, errSecret }

// Format prints that there is a key, whatever the verb.
func (s *localSigner) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "private key") }

// errSecret is returned to whoever would encode a private key by accident.
var errSecret = errors.New("jose: a private key is not encoded as a value")

// String says which key it is and nothing of it.
func (k PrivateKey) String() string { return "private key " + k.pub.kid }

// GoString is String, so that %#v shows no more.
func (k PrivateKey) GoString() string { return k.String() }

// Format prints String, whatever the verb.
func (k PrivateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue is String, for slog.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON refuses: keys leave by JWK only.
func (k PrivateKey) MarshalJSON() ([]byte, error) { return nil, errSecret }

// MarshalText refuses: keys leave by JWK only.
func (k PrivateKey) MarshalText() ([]byte, error) { return nil, errSecret }
