package vault

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"handover/keys"
	"handover/keys/jose"
)

// ErrOther means that Vault made a key of that name itself: an imported one cannot become
// a version of it.
var ErrOther = errors.New("a key of this name is in Vault already, of its own making: it takes none from elsewhere under it")

// Import brings versions of a key from another store, oldest first, so that their kids and
// all that they signed stay as they are. The private parts travel wrapped under Vault's
// own wrapping key, to be opened by transit alone. Versions that are there already are left
// as they are: after a failure it is run again.
func (s *Store) Import(ctx context.Context, name string, versions []jose.PrivateKey) error {
	if err := keys.CheckName(name); err != nil {
		return err
	}
	s.rotating.Lock()
	defer s.rotating.Unlock()
	for _, k := range versions {
		all, err := s.ask(ctx, name)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(all, func(v version) bool { return v.key.Equal(k.Public()) }) {
			continue
		}
		if err := s.bring(ctx, place{name, k.Public().Algorithm()}, k, all); err != nil {
			return fmt.Errorf("importing %s: %w", name, err)
		}
	}
	s.forget(name)
	return nil
}

// bring imports one version: the first of its transit key, or one more.
func (s *Store) bring(ctx context.Context, p place, k jose.PrivateKey, all []version) error {
	if err := s.imported(ctx, p); err != nil {
		return err
	}
	der, err := k.PKCS8()
	if err != nil {
		return err
	}
	defer clear(der)
	wrapped, err := s.wrapFor(ctx, der)
	if err != nil {
		return err
	}
	request := map[string]any{"ciphertext": base64.StdEncoding.EncodeToString(wrapped), "hash_function": "SHA256"}
	path := s.path("keys", p.String(), "import_version")
	if !slices.ContainsFunc(all, func(v version) bool { return v.place == p }) {
		path = s.path("keys", p.String(), "import")
		request["type"], request["allow_rotation"] = p.kind(), true
	}
	if _, err := s.write(ctx, path, request); err != nil {
		return err
	}
	fresh, err := s.ask(ctx, p.name)
	if err == nil && !slices.ContainsFunc(fresh, func(v version) bool { return v.key.Equal(k.Public()) }) {
		err = errors.New("another key came to Vault than the one that was sent")
	}
	return err
}

// imported returns ErrOther for a transit key that was not imported.
func (s *Store) imported(ctx context.Context, p place) error {
	secret, err := s.read(ctx, s.path("keys", p.String()))
	if err == nil && secret != nil && secret.Data["imported_key"] != true {
		return ErrOther
	}
	return err
}

// wrapFor wraps a private key for transit alone: under a fresh AES key by AES-KWP, and that
// key by RSA-OAEP with SHA-256 under transit's wrapping key.
func (s *Store) wrapFor(ctx context.Context, der []byte) ([]byte, error) {
	secret, err := s.read(ctx, s.path("wrapping_key"))
	if err != nil {
		return nil, err
	}
	var text string
	if secret != nil {
		text, _ = secret.Data["public_key"].(string)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no wrapping key came from Vault")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading Vault's wrapping key: %w", err)
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the wrapping key of Vault is no RSA key")
	}
	var once [32]byte
	defer clear(once[:])
	_, _ = rand.Read(once[:]) // never fails
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, once[:], nil)
	if err != nil {
		return nil, fmt.Errorf("wrapping a key for Vault: %w", err)
	}
	inner, err := wrapPadded(once[:], der)
	if err != nil {
		return nil, err
	}
	return append(sealed, inner...), nil
}
