package vault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"handover/keys"
)

// kek is the transit key under which Wrap seals: AES-256-GCM with random nonces, so one
// version of it is good for 2^32 blobs (NIST SP 800-38D §8.3).
const kek = "kek"

// maxBlob bounds what Unwrap looks at.
const maxBlob = 1 << 20

// frame is the front of a blob, in its one spelling: Vault itself reads v0 and v01 as v1.
var frame = regexp.MustCompile(`^vault:v[1-9][0-9]{0,8}:`)

// Wrap is keys.Store's. The key must be there: a hub whose token may not create keys
// cannot make one by mistake (deploy/vault).
func (s *Store) Wrap(ctx context.Context, plaintext, aad []byte) (string, error) {
	secret, err := s.write(ctx, s.path("encrypt", kek), map[string]any{
		"plaintext":       base64.StdEncoding.EncodeToString(plaintext),
		"associated_data": base64.StdEncoding.EncodeToString(aad),
	})
	if errors.Is(err, errRefused) {
		return "", unavailable("Vault has no key that wraps: run hub keys init")
	}
	if err != nil {
		return "", err
	}
	var blob string
	if secret != nil {
		blob, _ = secret.Data["ciphertext"].(string)
	}
	if !frame.MatchString(blob) {
		return "", errors.New("wrapping: vault's answer is no ciphertext")
	}
	return blob, nil
}

// Unwrap is keys.Store's. The blob is looked at before Vault sees it: one blob has one
// spelling here.
func (s *Store) Unwrap(ctx context.Context, blob string, aad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	text := strings.TrimPrefix(blob, frame.FindString(blob))
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if len(blob) > maxBlob || text == blob || err != nil || base64.StdEncoding.EncodeToString(raw) != text {
		return nil, keys.ErrUnwrap
	}
	secret, err := s.write(ctx, s.path("decrypt", kek), map[string]any{
		"ciphertext":      blob,
		"associated_data": base64.StdEncoding.EncodeToString(aad),
	})
	if errors.Is(err, errRefused) {
		return nil, keys.ErrUnwrap
	}
	if err != nil {
		return nil, err
	}
	encoded, ok := "", false
	if secret != nil {
		encoded, ok = secret.Data["plaintext"].(string)
	}
	plaintext, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil {
		return nil, errors.New("unwrapping: vault's answer is no plaintext")
	}
	return plaintext, nil
}

// RotateWrapping makes a new version of the key that wraps, the first one when there is
// none, and returns its number. Blobs of the older ones still open.
func (s *Store) RotateWrapping(ctx context.Context) (int, error) {
	now, err := s.wrapping(ctx)
	if err != nil {
		return 0, err
	}
	if now == 0 {
		return 1, s.EnsureWrapping(ctx)
	}
	if _, err := s.write(ctx, s.path("keys", kek, "rotate"), nil); err != nil {
		return 0, fmt.Errorf("rotating the key that wraps: %w", err)
	}
	return s.wrapping(ctx)
}

// EnsureWrapping makes the key that wraps unless there is one.
func (s *Store) EnsureWrapping(ctx context.Context) error {
	now, err := s.wrapping(ctx)
	if err != nil || now > 0 {
		return err
	}
	if _, err := s.write(ctx, s.path("keys", kek), map[string]any{"type": "aes256-gcm96"}); err != nil {
		return fmt.Errorf("making the key that wraps: %w", err)
	}
	return nil
}

// wrapping is the newest version of the key that wraps, or 0.
func (s *Store) wrapping(ctx context.Context) (int, error) {
	secret, err := s.read(ctx, s.path("keys", kek))
	if err != nil || secret == nil {
		return 0, err
	}
	return number(secret.Data["latest_version"]), nil
}
