package jose

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
	"github.com/lestrrat-go/jwx/v2/x25519"
)

// encA256GCM is the one content encryption (RFC 7518 §5.3).
const encA256GCM = "A256GCM"

// Sizes of the parts of a sealed token: a 256-bit key wrapped by RFC 3394, and
// the nonce and tag of AES-GCM (RFC 7518 §4.4, §5.3).
const (
	wrappedKeySize = 40
	nonceSize      = 12
	tagSize        = 16
)

// encryptedHeader names every parameter of a sealed token's header.
type encryptedHeader struct {
	Alg text      `json:"alg"`
	Enc text      `json:"enc"`
	Kid text      `json:"kid"`
	Cty text      `json:"cty"`
	Epk ephemeral `json:"epk"`
}

// ephemeral is the sender's key of one token (RFC 7518 §4.6.1.1).
type ephemeral struct {
	Kty text `json:"kty"`
	Crv text `json:"crv"`
	X   text `json:"x"`
	Y   text `json:"y"`
}

// Encrypted is a sealed token that has passed the gate. Whether it opens, and
// with whose key, is not known: any of its bytes may be wrong. Only
// ParseEncrypted makes one.
type Encrypted struct {
	token string
	kid   string
	cty   string
	crv   Curve
}

// ParseEncrypted passes a compact JWE of at most limit bytes through the gate.
// The header holds alg (ECDH-ES+A256KW), enc (A256GCM), kid, cty and epk, and
// nothing else; epk must be an honest point of its curve, so that no private key
// is ever multiplied with a chosen one (RFC 8725 §3.4). zip is refused with all
// the rest: two kilobytes of it would grow to megabytes, and the length of
// compressed text tells about its content.
//
// It returns ErrTooLarge, ErrMalformed, ErrHeader, ErrAlgorithm or ErrKey, and
// looks in that order.
func ParseEncrypted(token string, limit int) (Encrypted, error) {
	parts, err := split(token, 5, limit)
	if err != nil {
		return Encrypted{}, err
	}
	if len(parts[1]) != wrappedKeySize || len(parts[2]) != nonceSize || len(parts[3]) == 0 || len(parts[4]) != tagSize {
		return Encrypted{}, ErrMalformed
	}
	var h encryptedHeader
	if err := decode(parts[0], &h); err != nil {
		return Encrypted{}, err
	}
	if Algorithm(h.Alg) != ECDHESA256KW || h.Enc != encA256GCM {
		return Encrypted{}, ErrAlgorithm
	}
	if !urlSafe(string(h.Kid)) || !mediaType(string(h.Cty)) {
		return Encrypted{}, ErrHeader
	}
	if err := h.Epk.check(); err != nil {
		return Encrypted{}, err
	}
	return Encrypted{token: token, kid: string(h.Kid), cty: string(h.Cty), crv: Curve(h.Epk.Crv)}, nil
}

// check refuses an ephemeral key that is not an honest point of a curve for
// key agreement.
func (e ephemeral) check() error {
	if e.Kty == "" || e.Crv == "" || e.X == "" {
		return ErrHeader
	}
	if !ECDHESA256KW.fits(Curve(e.Crv)) || string(e.Kty) != (PublicKey{crv: Curve(e.Crv)}).kty() {
		return ErrKey
	}
	_, err := coordinates(Curve(e.Crv), string(e.X), string(e.Y))
	return err
}

// KeyID is the kid of the recipient's key.
func (e Encrypted) KeyID() string { return e.kid }

// ContentType is the cty: what the plaintext is. It is authenticated only when
// Decrypt has succeeded.
func (e Encrypted) ContentType() string { return e.cty }

// Format prints which key the token names and nothing that it holds.
func (e Encrypted) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "sealed token naming "+e.kid)
}

// LogValue is what Format prints, for slog.
func (e Encrypted) LogValue() slog.Value { return slog.StringValue("sealed token naming " + e.kid) }

// Fits returns nil when the token names key and was sealed on its curve, so that
// a hub without the private part can refuse at once what the recipient could
// never open. It returns ErrKey or ErrAlgorithm.
func (e Encrypted) Fits(key PublicKey) error {
	if key.IsZero() || key.kid != e.kid {
		return ErrKey
	}
	if key.alg != ECDHESA256KW {
		return ErrAlgorithm
	}
	if key.crv != e.crv {
		return ErrKey
	}
	return nil
}

// Decrypt returns the plaintext, which is authentic: not a bit of the token is
// other than its sender made it. Who the sender is, only a signature can say.
// A key that the token does not fit is ErrKey or ErrAlgorithm; everything else
// is ErrDecrypt, without telling which part was wrong.
func (e Encrypted) Decrypt(key PrivateKey) ([]byte, error) {
	if key.open == nil {
		return nil, ErrKey
	}
	if err := e.Fits(key.pub); err != nil {
		return nil, err
	}
	private, err := key.open().agreement()
	if err != nil {
		return nil, err
	}
	plaintext, err := jwe.Decrypt([]byte(e.token),
		jwe.WithKey(jwa.ECDH_ES_A256KW, private),
		jwe.WithMaxDecompressBufferSize(0)) // nothing is inflated, were the gate to fail
	if err != nil {
		return nil, ErrDecrypt
	}
	return plaintext, nil
}

// agreement is the key in the type that the library wants for ECDH.
func (s *secret) agreement() (any, error) {
	switch k := s.key.(type) {
	case *ecdsa.PrivateKey:
		return k, nil
	case *ecdh.PrivateKey:
		return x25519.PrivateKey(slices.Concat(k.Bytes(), k.PublicKey().Bytes())), nil
	}
	return nil, ErrKey
}
