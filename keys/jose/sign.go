package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"handover/internal/strict"
)

// SigningKey is a key to sign with, which may live elsewhere: Key is asked for
// the signature and may ask a server in turn, bounded by a context of its own.
type SigningKey struct {
	ID  string        // the kid
	Alg Algorithm     // ES256, EdDSA or, to authenticate with, PS256
	Key crypto.Signer // its Public is *ecdsa.PublicKey on P-256, ed25519.PublicKey or *rsa.PublicKey
}

// String says which key it is and nothing of it.
func (k SigningKey) String() string { return "signing key " + k.ID }

// GoString is String, so that %#v shows no more.
func (k SigningKey) GoString() string { return k.String() }

// Format prints String, whatever the verb.
func (k SigningKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue is String, for slog.
func (k SigningKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON refuses: Key may be an ed25519.PrivateKey, which is plain bytes.
func (k SigningKey) MarshalJSON() ([]byte, error) { return nil, errSecret }

// signedHeader names every parameter of a signed token's header.
type signedHeader struct {
	Alg text `json:"alg,omitempty"`
	Typ text `json:"typ,omitempty"`
	Kid text `json:"kid,omitempty"`
}

// proofHeader names every parameter of a DPoP proof's header (RFC 9449 §4.2).
type proofHeader struct {
	Typ text `json:"typ,omitempty"`
	Alg text `json:"alg,omitempty"`
	JWK raw  `json:"jwk,omitempty"`
}

// Sign returns payload as a compact JWS whose header holds exactly alg, typ and
// kid. typ "" leaves typ out, as some client assertions do (RFC 7523); everything
// else names its type, so that it cannot be taken for another (RFC 8725 §3.11).
// PS256 signs client assertions alone: every reader of anything else would refuse it.
// The header is written here and the payload is bytes: the library never builds
// JSON, in which it would leave names unescaped.
func Sign(typ string, payload []byte, key SigningKey) (string, error) {
	if err := key.check(); err != nil {
		return "", err
	}
	if key.Alg == PS256 && !slices.Contains(assertionTypes(), typ) {
		return "", ErrAlgorithm
	}
	header, err := strict.Marshal(signedHeader{Alg: text(key.Alg), Typ: text(typ), Kid: text(key.ID)})
	if err != nil {
		return "", ErrHeader
	}
	return sign(header, payload, key)
}

// SignProof returns payload as a DPoP proof: typ dpop+jwt, and in the place of
// kid the public key itself (RFC 9449 §4.2).
func SignProof(payload []byte, key PrivateKey) (string, error) {
	signer := key.Signer()
	if err := signer.check(); err != nil {
		return "", err
	}
	m := key.pub.members()
	m.Kid, m.Alg, m.Use = "", "", ""
	jwk, err := strict.Marshal(m)
	if err != nil {
		return "", ErrHeader
	}
	header, err := strict.Marshal(proofHeader{Typ: typeProof, Alg: text(signer.Alg), JWK: jwk})
	if err != nil {
		return "", ErrHeader
	}
	return sign(header, payload, signer)
}

// MarshalJSON writes the value as it was read.
func (r raw) MarshalJSON() ([]byte, error) { return r, nil }

// check refuses a key whose algorithm is not a signature's, whose curve is not
// the algorithm's (RFC 7518 §3.4 allows ES256 with P-256 only), or whose id or size
// readers would refuse.
func (k SigningKey) check() error {
	if !k.Alg.signs() {
		return ErrAlgorithm
	}
	if k.Key == nil || !urlSafe(k.ID) {
		return ErrKey
	}
	switch pub := k.Key.Public().(type) {
	case *ecdsa.PublicKey:
		if k.Alg != ES256 || pub.Curve != elliptic.P256() {
			return ErrKey
		}
	case ed25519.PublicKey:
		if k.Alg != EdDSA {
			return ErrKey
		}
	case *rsa.PublicKey:
		if k.Alg != PS256 || !fitsPS256(pub) {
			return ErrKey
		}
	default:
		return ErrKey
	}
	return nil
}

// sign joins header and payload and has them signed. An empty payload is
// refused: that is how a detached one looks (RFC 7515 appendix F).
func sign(header, payload []byte, key SigningKey) (string, error) {
	if len(payload) == 0 {
		return "", ErrMalformed
	}
	signer, err := jws.NewSigner(jwa.SignatureAlgorithm(key.Alg))
	if err != nil {
		return "", fmt.Errorf("signing token: %w", err)
	}
	size := signatureSize
	if pub, ok := key.Key.Public().(*rsa.PublicKey); ok {
		size = pub.Size()
	}
	token := make([]byte, 0, base64url.EncodedLen(len(header))+base64url.EncodedLen(len(payload))+2+base64url.EncodedLen(size))
	token = base64url.AppendEncode(token, header)
	token = append(token, '.')
	token = base64url.AppendEncode(token, payload)
	sig, err := signer.Sign(token, checkedSigner{key.Key})
	if err != nil {
		return "", fmt.Errorf("signing token: %w", err)
	}
	if len(sig) != size {
		return "", fmt.Errorf("signing token: %w", errSigner)
	}
	token = append(token, '.')
	token = base64url.AppendEncode(token, sig)
	return string(token), nil
}

var errSigner = errors.New("the signer answered something that is no signature")

// checkedSigner looks at what a signer answers before the library does, which
// panics when r or s is longer than the curve.
type checkedSigner struct{ crypto.Signer }

// Sign is crypto.Signer's.
func (s checkedSigner) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	sig, err := s.Signer.Sign(random, digest, opts)
	if err != nil {
		return nil, err
	}
	if _, pss := opts.(*rsa.PSSOptions); pss || opts.HashFunc() == 0 {
		return sig, nil // RSA or Ed25519; its length is checked by the caller
	}
	var p struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(sig, &p)
	if err != nil || len(rest) != 0 || p.R.Sign() <= 0 || p.S.Sign() <= 0 || p.R.BitLen() > 8*coordinate || p.S.BitLen() > 8*coordinate {
		return nil, errSigner
	}
	return sig, nil
}
