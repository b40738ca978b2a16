// Package keystest proves the promises of keys.Store. Every implementation runs
// Conform in its own tests, so that all of them can take each other's place.
package keystest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"handover/keys"
	"handover/keys/jose"
)

// Conform runs the suite. open gives an empty store, or one in which the test's
// names are free, to be closed by t.Cleanup; it is called once for each test.
func Conform(t *testing.T, open func(t *testing.T) keys.Store) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, keys.Store)
	}{
		{"UnknownKeyIsSaidToBeUnknown", unknownKey},
		{"NameThatIsNoneIsRefused", names},
		{"OnlySigningKeysAreMade", algorithms},
		{"SignatureIsTheNamedVersions", signatures},
		{"OnlyWhatTheAlgorithmSignsIsSigned", digests},
		{"RotationOverlaps", overlap},
		{"SignerSignsTokens", tokens},
		{"SignerEndsWithItsContext", signerContext},
		{"EnsureMakesOneKeyOnce", ensure},
		{"NamesAreSeparate", separation},
		{"RotationsAtOnceLoseNoKey", rotations},
		{"WrappedOpensWithItsPurposeOnly", wraps},
		{"ChangedBlobDoesNotOpen", blobs},
		{"EndedCallDoesNothing", ended},
		{"SignerPrintsNoKey", prints},
		{"ListTellsWhatIsValid", lists},
		{"StoreThatAnswersIsReady", ready},
		{"RewrappedIsBoundAsBefore", rewraps},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func rotate(t *testing.T, s keys.Store, name string, alg jose.Algorithm) jose.PublicKey {
	t.Helper()
	k, err := s.Rotate(t.Context(), name, alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func public(t *testing.T, s keys.Store, name string) []jose.PublicKey {
	t.Helper()
	versions, err := s.Public(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return versions
}

// sign signs message as the key's algorithm wants it given.
func sign(ctx context.Context, s keys.Store, name string, key jose.PublicKey, message []byte) ([]byte, error) {
	if key.Algorithm() == jose.EdDSA {
		return s.Sign(ctx, name, key.KeyID(), message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return s.Sign(ctx, name, key.KeyID(), digest[:], crypto.SHA256)
}

// Verifies reports whether sig is key's over message, by package crypto alone.
func Verifies(key jose.PublicKey, message, sig []byte) bool {
	switch k := key.CryptoKey().(type) {
	case *ecdsa.PublicKey:
		digest := sha256.Sum256(message)
		return ecdsa.VerifyASN1(k, digest[:], sig)
	case ed25519.PublicKey:
		return ed25519.Verify(k, message, sig)
	}
	return false
}

func unknownKey(t *testing.T, s keys.Store) {
	if versions, err := s.Public(t.Context(), "absent"); !errors.Is(err, keys.ErrUnknownKey) || len(versions) != 0 {
		t.Errorf("Public: %v, %v, want ErrUnknownKey", versions, err)
	}
	if _, err := keys.Signer(t.Context(), s, "absent"); !errors.Is(err, keys.ErrUnknownKey) {
		t.Errorf("Signer: %v, want ErrUnknownKey", err)
	}
	for _, kid := range []string{"", "absent", "../absent"} {
		if _, err := s.Sign(t.Context(), "absent", kid, make([]byte, 32), crypto.SHA256); !errors.Is(err, keys.ErrUnknownKey) {
			t.Errorf("Sign: %v, want ErrUnknownKey", err)
		}
		rotate(t, s, "present", jose.ES256)
		if _, err := s.Sign(t.Context(), "present", kid, make([]byte, 32), crypto.SHA256); !errors.Is(err, keys.ErrUnknownKey) {
			t.Errorf("Sign with kid %q: %v, want ErrUnknownKey", kid, err)
		}
	}
}

func names(t *testing.T, s keys.Store) {
	for _, name := range []string{"", "A", "a_b", "a.b", "a.1.key", "../a", "a/b", "a b", "a\n", "a\x00", "-a", "a-", "é", strings.Repeat("a", 65)} {
		if _, err := s.Rotate(t.Context(), name, jose.ES256); !errors.Is(err, keys.ErrName) {
			t.Errorf("Rotate %q: %v, want ErrName", name, err)
		}
		if _, err := s.Public(t.Context(), name); !errors.Is(err, keys.ErrName) {
			t.Errorf("Public %q: %v, want ErrName", name, err)
		}
		if _, err := s.Sign(t.Context(), name, "k", make([]byte, 32), crypto.SHA256); !errors.Is(err, keys.ErrName) {
			t.Errorf("Sign %q: %v, want ErrName", name, err)
		}
	}
	for _, name := range []string{"a", "7", "access-token", strings.Repeat("a", 64)} {
		rotate(t, s, name, jose.ES256)
	}
}

func algorithms(t *testing.T, s keys.Store) {
	for _, alg := range []jose.Algorithm{"", "none", "HS256", "ES384", jose.PS256, jose.ECDHESA256KW} {
		if _, err := s.Rotate(t.Context(), "key", alg); !errors.Is(err, keys.ErrAlgorithm) {
			t.Errorf("%q: %v, want ErrAlgorithm", alg, err)
		}
	}
	if _, err := s.Public(t.Context(), "key"); !errors.Is(err, keys.ErrUnknownKey) {
		t.Errorf("a refused rotation left something: %v", err)
	}
	for _, alg := range []jose.Algorithm{jose.ES256, jose.EdDSA} {
		if k := rotate(t, s, "key", alg); k.Algorithm() != alg || k.KeyID() == "" {
			t.Errorf("made %v %q, want %v", k.Algorithm(), k.KeyID(), alg)
		}
	}
}

func signatures(t *testing.T, s keys.Store) {
	message := []byte("who could read this, who did read it")
	for _, alg := range []jose.Algorithm{jose.ES256, jose.EdDSA} {
		name := strings.ToLower(string(alg))
		old, now := rotate(t, s, name, alg), rotate(t, s, name, alg)
		for i, k := range []jose.PublicKey{old, now} {
			sig, err := sign(t.Context(), s, name, k, message)
			if err != nil {
				t.Fatal(err)
			}
			if !Verifies(k, message, sig) {
				t.Errorf("%s: the signature is not version %d's", alg, i)
			}
			if Verifies([]jose.PublicKey{now, old}[i], message, sig) {
				t.Errorf("%s: the signature is the other version's", alg)
			}
			if Verifies(k, []byte("another message"), sig) {
				t.Errorf("%s: the signature is over anything", alg)
			}
		}
	}
}

func digests(t *testing.T, s keys.Store) {
	es, ed := rotate(t, s, "es", jose.ES256), rotate(t, s, "ed", jose.EdDSA)
	for _, c := range []struct {
		what, name, kid string
		digest          []byte
		opts            crypto.SignerOpts
	}{
		{"a message for a digest", "es", es.KeyID(), []byte("message"), crypto.SHA256},
		{"no digest", "es", es.KeyID(), nil, crypto.SHA256},
		{"a SHA-512 digest", "es", es.KeyID(), make([]byte, 64), crypto.SHA512},
		{"a SHA-512 digest said to be SHA-256", "es", es.KeyID(), make([]byte, 64), crypto.SHA256},
		{"no hash", "es", es.KeyID(), make([]byte, 32), crypto.Hash(0)},
		{"no options", "es", es.KeyID(), make([]byte, 32), nil},
		{"Ed25519 with SHA-256", "ed", ed.KeyID(), make([]byte, 32), crypto.SHA256},
		{"Ed25519ph", "ed", ed.KeyID(), make([]byte, 64), crypto.SHA512},
		{"Ed25519ctx", "ed", ed.KeyID(), []byte("message"), &ed25519.Options{Context: "c"}},
		{"Ed25519 with no options", "ed", ed.KeyID(), []byte("message"), nil},
	} {
		if sig, err := s.Sign(t.Context(), c.name, c.kid, c.digest, c.opts); !errors.Is(err, keys.ErrDigest) || sig != nil {
			t.Errorf("%s: %v, want ErrDigest", c.what, err)
		}
	}
}

func overlap(t *testing.T, s keys.Store) {
	var made []jose.PublicKey
	for i := range 3 {
		made = slices.Insert(made, 0, rotate(t, s, "key", jose.ES256))
		if got := public(t, s, "key"); !slices.EqualFunc(got, made, jose.PublicKey.Equal) {
			t.Fatalf("after rotation %d: %v, want %v", i, got, made)
		}
	}
	for i, k := range made {
		sig, err := sign(t.Context(), s, "key", k, []byte("message"))
		if err != nil || !Verifies(k, []byte("message"), sig) {
			t.Errorf("version %d of 3 does not sign any more: %v", 3-i, err)
		}
	}
}

func tokens(t *testing.T, s keys.Store) {
	payload := []byte(`{"iss":"https://hub.example"}`)
	for _, alg := range []jose.Algorithm{jose.ES256, jose.EdDSA} {
		name := strings.ToLower(string(alg))
		first := rotate(t, s, name, alg)
		old, err := keys.Signer(t.Context(), s, name)
		if err != nil {
			t.Fatal(err)
		}
		second := rotate(t, s, name, alg)
		now, err := keys.Signer(t.Context(), s, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			signer jose.SigningKey
			key    jose.PublicKey
		}{{old, first}, {now, second}} {
			token, err := jose.Sign("at+jwt", payload, c.signer)
			if err != nil {
				t.Fatal(err)
			}
			signed, err := jose.ParseSigned(token, 4<<10, "at+jwt")
			if err != nil {
				t.Fatal(err)
			}
			got, err := signed.Verify(c.key)
			if err != nil || !bytes.Equal(got, payload) {
				t.Errorf("%s: %q, %v", alg, got, err)
			}
			if !slices.ContainsFunc(public(t, s, name), c.key.Equal) {
				t.Errorf("%s: the key of a valid token is not published", alg)
			}
		}
	}
}

func signerContext(t *testing.T, s keys.Store) {
	rotate(t, s, "key", jose.ES256)
	ctx, cancel := context.WithCancel(t.Context())
	key, err := keys.Signer(ctx, s, "key")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jose.Sign("at+jwt", []byte("{}"), key); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := jose.Sign("at+jwt", []byte("{}"), key); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v, want context.Canceled", err)
	}
}

func ensure(t *testing.T, s keys.Store) {
	for range 3 {
		if err := keys.Ensure(t.Context(), s, "key", jose.EdDSA); err != nil {
			t.Fatal(err)
		}
	}
	if got := public(t, s, "key"); len(got) != 1 || got[0].Algorithm() != jose.EdDSA {
		t.Errorf("%v, want one EdDSA key", got)
	}
	if err := keys.Ensure(t.Context(), s, "not a name", jose.EdDSA); !errors.Is(err, keys.ErrName) {
		t.Errorf("%v, want ErrName", err)
	}
}

func separation(t *testing.T, s keys.Store) {
	a := rotate(t, s, "key", jose.ES256)
	b := rotate(t, s, "key-1", jose.ES256)
	for name, want := range map[string]jose.PublicKey{"key": a, "key-1": b} {
		if got := public(t, s, name); len(got) != 1 || !got[0].Equal(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if _, err := sign(t.Context(), s, "key", b, []byte("m")); !errors.Is(err, keys.ErrUnknownKey) {
		t.Errorf("signing under another's name: %v, want ErrUnknownKey", err)
	}
}

func rotations(t *testing.T, s keys.Store) {
	const each, at = 4, 4
	made := make(chan string, each*at)
	var group sync.WaitGroup
	for range at {
		group.Go(func() {
			for range each {
				k, err := s.Rotate(t.Context(), "key", jose.EdDSA)
				if err != nil {
					t.Error(err)
					return
				}
				made <- k.KeyID()
				if _, err := s.Public(t.Context(), "key"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	close(made)
	var want []string
	for kid := range made {
		want = append(want, kid)
	}
	var got []string
	for _, k := range public(t, s, "key") {
		got = append(got, k.KeyID())
	}
	slices.Sort(want)
	slices.Sort(got)
	if len(want) != each*at || !slices.Equal(got, want) {
		t.Errorf("%d keys are there of %d made", len(got), len(want))
	}
}

func ended(t *testing.T, s keys.Store) {
	k := rotate(t, s, "key", jose.ES256)
	blob, err := s.Wrap(t.Context(), []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, errPublic := s.Public(ctx, "key")
	_, errSign := sign(ctx, s, "key", k, []byte("x"))
	_, errRotate := s.Rotate(ctx, "key", jose.ES256)
	_, errWrap := s.Wrap(ctx, []byte("x"), nil)
	_, errUnwrap := s.Unwrap(ctx, blob, nil)
	for what, err := range map[string]error{"Public": errPublic, "Sign": errSign, "Rotate": errRotate, "Wrap": errWrap, "Unwrap": errUnwrap} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", what, err)
		}
	}
	if got := public(t, s, "key"); len(got) != 1 {
		t.Errorf("%d versions, want 1: the ended rotation made one", len(got))
	}
}

func prints(t *testing.T, s keys.Store) {
	rotate(t, s, "key", jose.EdDSA)
	key, err := keys.Signer(t.Context(), s, "key")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got, want := fmt.Sprintf(verb, key), "signing key "+key.ID; got != want {
			t.Errorf("%s prints %q, want %q", verb, got, want)
		}
		if got, want := fmt.Sprintf(verb, key.Key), "signer "+key.ID; got != want {
			t.Errorf("%s prints %q, want %q", verb, got, want)
		}
	}
}
