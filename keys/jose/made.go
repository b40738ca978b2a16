package jose

import (
	"crypto"
	"crypto/x509"
	"fmt"

	"handover/internal/strict"
)

// PublicOf returns the key of another's making, such as one that lives in Vault, with
// its thumbprint as kid, or an error that is ErrKey. It is *ecdsa.PublicKey for ES256
// and ed25519.PublicKey for EdDSA, and is held to all that ParsePublicKey asks.
func PublicOf(alg Algorithm, key crypto.PublicKey) (PublicKey, error) {
	k, err := publicOf(alg, key)
	if err != nil {
		return PublicKey{}, err
	}
	jwk, err := strict.Marshal(k)
	if err != nil {
		return PublicKey{}, err
	}
	return ParsePublicKey(jwk)
}

// PKCS8 is the private key in the form in which others import keys (RFC 5958). Like
// JWK it gives the key away.
func (k PrivateKey) PKCS8() ([]byte, error) {
	if k.open == nil {
		return nil, ErrKey
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.open().key)
	if err != nil {
		return nil, fmt.Errorf("encoding a private key: %w", err)
	}
	return der, nil
}
