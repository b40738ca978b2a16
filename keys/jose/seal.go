package jose

import (
	"crypto/ecdh"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
	"github.com/lestrrat-go/jwx/v2/x25519"
)

// Encrypt seals plaintext to one key as a compact JWE: ECDH-ES+A256KW with a
// fresh ephemeral key, A256GCM, and a header that holds exactly alg, enc, kid,
// cty and epk. Only the holder of the private part can open it, and nobody can
// change it; anybody can have made it. It returns ErrAlgorithm for a key that is
// not for sealing, ErrHeader for a cty that is no media type, and ErrMalformed
// for an empty plaintext.
func Encrypt(plaintext []byte, to PublicKey, cty string) (string, error) {
	if to.IsZero() {
		return "", ErrKey
	}
	if to.alg != ECDHESA256KW {
		return "", ErrAlgorithm
	}
	if !mediaType(cty) {
		return "", ErrHeader
	}
	if len(plaintext) == 0 {
		return "", ErrMalformed
	}
	header := jwe.NewHeaders()
	if err := header.Set(jwe.KeyIDKey, to.kid); err != nil {
		return "", fmt.Errorf("sealing: %w", err)
	}
	if err := header.Set(jwe.ContentTypeKey, cty); err != nil {
		return "", fmt.Errorf("sealing: %w", err)
	}
	// apu and apv stay out: the library derives the key without them and could
	// not open the result itself.
	token, err := jwe.Encrypt(plaintext,
		jwe.WithKey(jwa.ECDH_ES_A256KW, to.agreement()),
		jwe.WithContentEncryption(jwa.A256GCM),
		jwe.WithProtectedHeaders(header))
	if err != nil {
		return "", fmt.Errorf("sealing: %w", err)
	}
	return string(token), nil
}

// agreement is the key in the type that the library wants for ECDH.
func (k PublicKey) agreement() any {
	if p, ok := k.key.(*ecdh.PublicKey); ok {
		return x25519.PublicKey(p.Bytes())
	}
	return k.key
}
