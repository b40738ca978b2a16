package vault

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"handover/keys"
	"handover/keys/jose"
)

// Sign is keys.Store's.
func (s *Store) Sign(ctx context.Context, name, kid string, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	v, err := s.find(ctx, name, kid)
	if err != nil {
		return nil, err
	}
	if !keys.Signs(v.key.Algorithm(), digest, opts) {
		return nil, keys.ErrDigest
	}
	request := map[string]any{
		"input":       base64.StdEncoding.EncodeToString(digest),
		"key_version": v.number, // or a rotation in between would sign with another
	}
	if v.key.Algorithm() == jose.ES256 {
		request["prehashed"], request["hash_algorithm"], request["marshaling_algorithm"] = true, "sha2-256", "asn1"
	}
	secret, err := s.write(ctx, s.path("sign", v.place.String()), request)
	if errors.Is(err, errRefused) { // it was destroyed a moment ago
		s.forget(name)
		return nil, keys.ErrUnknownKey
	}
	if err != nil {
		return nil, err
	}
	var text string
	if secret != nil {
		text, _ = secret.Data["signature"].(string)
	}
	sig, err := unframe(text, v.number)
	if err != nil {
		return nil, fmt.Errorf("signing with %s: %w", name, err)
	}
	return sig, nil
}

// find returns the valid version of that kid. When it is not among those in memory,
// another process may just have made it.
func (s *Store) find(ctx context.Context, name, kid string) (version, error) {
	for range 2 {
		valid, err := s.valid(ctx, name)
		if err != nil {
			return version{}, err
		}
		for _, v := range valid {
			if v.key.KeyID() == kid {
				return v, nil
			}
		}
		s.forget(name)
	}
	return version{}, keys.ErrUnknownKey
}

// unframe returns the bytes of "vault:v<number>:<base64>".
func unframe(text string, number int) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, "vault:v"+strconv.Itoa(number)+":")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(raw) == 0 {
		return nil, errors.New("vault's answer is not of the version that was asked for")
	}
	return raw, nil
}

// Rotate is keys.Store's. It first destroys what has retired since the last time. Vault
// does not say which version a rotation made, so one process makes one at a time and
// reads the newest; should two processes rotate at once, both of their versions are
// there, and both may be told of the newer one.
func (s *Store) Rotate(ctx context.Context, name string, alg jose.Algorithm) (jose.PublicKey, error) {
	if err := ctx.Err(); err != nil {
		return jose.PublicKey{}, err
	}
	if err := keys.CheckName(name); err != nil {
		return jose.PublicKey{}, err
	}
	if alg != jose.ES256 && alg != jose.EdDSA {
		return jose.PublicKey{}, keys.ErrAlgorithm
	}
	s.rotating.Lock()
	defer s.rotating.Unlock()
	all, err := s.ask(ctx, name)
	if err != nil {
		return jose.PublicKey{}, err
	}
	if err := s.destroy(ctx, all); err != nil {
		return jose.PublicKey{}, fmt.Errorf("rotating %s: %w", name, err)
	}
	p := place{name, alg}
	if err := s.make(ctx, p, all); err != nil {
		return jose.PublicKey{}, fmt.Errorf("rotating %s: %w", name, err)
	}
	if all, err = s.ask(ctx, name); err != nil {
		return jose.PublicKey{}, err
	}
	for _, v := range all {
		if v.place == p {
			return v.key, nil
		}
	}
	return jose.PublicKey{}, fmt.Errorf("rotating %s: %w", name, errors.New("vault has not made it"))
}

// make makes a new version in p, the first one when it has none.
func (s *Store) make(ctx context.Context, p place, all []version) error {
	for _, v := range all {
		if v.place == p {
			_, err := s.write(ctx, s.path("keys", p.String(), "rotate"), nil)
			return err
		}
	}
	_, err := s.write(ctx, s.path("keys", p.String()), map[string]any{"type": p.kind()})
	return err
}

// destroy has Vault destroy the private parts of versions that have retired: a key that
// nobody may use any more can only be stolen. Vault keeps the newest of each transit
// key, whatever its age.
func (s *Store) destroy(ctx context.Context, all []version) error {
	valid := s.current(all)
	oldest := map[place]int{} // the oldest version to keep
	for i, v := range all {
		at, seen := oldest[v.place]
		if !seen || i < len(valid) && v.number < at {
			oldest[v.place] = v.number
		}
	}
	for _, v := range all[len(valid):] {
		if v.number >= oldest[v.place] {
			continue
		}
		if err := s.trim(ctx, v.place, oldest[v.place]); err != nil {
			return err
		}
		oldest[v.place] = 0 // done
	}
	return nil
}

// trim destroys all versions of a transit key before the given one.
func (s *Store) trim(ctx context.Context, p place, before int) error {
	for _, step := range []struct {
		path string
		data map[string]any
	}{
		{s.path("keys", p.String(), "config"), map[string]any{"min_decryption_version": before, "min_encryption_version": before}},
		{s.path("keys", p.String(), "trim"), map[string]any{"min_available_version": before}},
	} {
		if _, err := s.write(ctx, step.path, step.data); err != nil {
			return fmt.Errorf("destroying retired versions: %w", err)
		}
	}
	return nil
}
