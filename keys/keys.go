// Package keys holds the hub's own keys: those that sign access tokens and
// checkpoints, and the one that wraps what is kept for others. Private signing
// keys do not leave a Store; whoever needs a signature asks for it.
//
// keys.go says what a Store promises. local.go is the Store that keeps its keys in
// a directory: root.go has the key that everything there is sealed under,
// version.go the sealed file of one version, durable.go how files are written.
// keys/vault is the Store whose keys are in HashiCorp Vault, mixed.go a Store that
// is moving from one to the other.
// keys/keystest is the proof of the promises that every implementation has to
// pass; keys/jose is what tokens are made of.
package keys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"time"

	"handover/internal/fault"
	"handover/keys/jose"
)

// Store holds keys by name. A name has versions: Rotate makes a new one, with
// which everything is signed from then on, and the one before stays valid for a
// while, so that what it signed a moment ago still verifies. All methods may be
// called at once, by several processes too.
type Store interface {
	// Public returns the valid versions of a key, newest first: the first is the
	// one to sign with, the others are still to be accepted. It returns
	// ErrUnknownKey when there is none.
	Public(ctx context.Context, name string) ([]jose.PublicKey, error)

	// Sign signs with the version kid, as crypto.Signer would: for ES256 digest
	// is a SHA-256, opts its hash, and the answer ASN.1; for EdDSA digest is the
	// whole message and opts is crypto.Hash(0). The version is named by the
	// caller, because a rotation between the writing of a header and its signature
	// would otherwise sign with another key than the header says. It returns
	// ErrUnknownKey when kid is no valid version, ErrDigest when digest and opts
	// are not what its algorithm signs.
	Sign(ctx context.Context, name, kid string, digest []byte, opts crypto.SignerOpts) ([]byte, error)

	// Rotate makes the newest version of a key, the first one when there is none,
	// and returns it once it is durable. alg is jose.ES256 or jose.EdDSA; any
	// other is ErrAlgorithm.
	Rotate(ctx context.Context, name string, alg jose.Algorithm) (jose.PublicKey, error)

	// Wrap seals plaintext so that only this Store can open it, and only when
	// given the same aad, which says what the plaintext is and whose: a blob moved
	// to another row does not open. The blob is printable and begins with who
	// wrapped it, as "local:v1:".
	Wrap(ctx context.Context, plaintext, aad []byte) (blob string, err error)

	// Unwrap opens what Wrap sealed. It returns ErrUnwrap when the blob is not
	// this Store's, was changed, or belongs to another aad.
	Unwrap(ctx context.Context, blob string, aad []byte) ([]byte, error)

	// List returns the valid versions of every key, by name and newest first, for
	// whoever looks after them. Nothing of it is private.
	List(ctx context.Context) ([]Version, error)

	// Ready returns nil when the Store could sign and open at this moment, and an
	// error that is ErrUnavailable and says why when it could not.
	Ready(ctx context.Context) error
}

// Version is what may be told of one version of a key.
type Version struct {
	Name   string
	Number int // counted by who holds it
	Key    jose.PublicKey
	Made   time.Time
	Holder string // who has the private part: "local" or "vault"
}

// The refusals of a Store.
var (
	ErrUnknownKey = errors.New("keys: there is no such valid key")
	ErrAlgorithm  = errors.New("keys: the algorithm is not one of signatures")
	ErrDigest     = errors.New("keys: the key's algorithm does not sign that")
	ErrName       = errors.New("keys: a key's name is 1 to 64 lower-case letters, digits and inner hyphens")
	ErrUnwrap     = errors.New("keys: the blob does not open here")
)

// ErrUnavailable is the answer of every method of a Store that cannot be asked now:
// Vault is sealed, dead, slow, or does not take the hub's credentials. Nothing was
// done, or nothing that anybody sees. It is a refusal of the hub's, so that whatever
// needed the key answers 503 and when to come again.
var ErrUnavailable = fault.New(fault.Unavailable, "keys-unavailable", fault.Hub,
	"The hub cannot use its keys now. Send the same request again after the time in Retry-After.").Retryable()

// Rewrap returns what blob holds, wrapped anew by s and bound to the same aad.
func Rewrap(ctx context.Context, s Store, blob string, aad []byte) (string, error) {
	plaintext, err := s.Unwrap(ctx, blob, aad)
	if err != nil {
		return "", err
	}
	defer clear(plaintext)
	return s.Wrap(ctx, plaintext, aad)
}

// CheckName returns ErrName for what is no name of a key. Names become part of a
// file's name and of a URL, so this is also what keeps a path out of both.
func CheckName(name string) error {
	if name == "" || len(name) > 64 || name[0] == '-' || name[len(name)-1] == '-' {
		return ErrName
	}
	for _, c := range []byte(name) {
		if c != '-' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return ErrName
		}
	}
	return nil
}

// Signs reports whether digest and opts are what alg signs: one SHA-256, or a
// whole message without the pre-hash and context variants of Ed25519, which no
// verifier here knows.
func Signs(alg jose.Algorithm, digest []byte, opts crypto.SignerOpts) bool {
	hash, plain := opts.(crypto.Hash)
	if !plain {
		return false
	}
	if alg == jose.ES256 {
		return hash == crypto.SHA256 && len(digest) == hash.Size()
	}
	return hash == 0
}

// Ensure makes the first version of a key unless there is a valid one.
func Ensure(ctx context.Context, s Store, name string, alg jose.Algorithm) error {
	_, err := s.Public(ctx, name)
	if errors.Is(err, ErrUnknownKey) {
		_, err = s.Rotate(ctx, name, alg)
	}
	return err
}

// Signer returns the newest version of a key for jose.Sign. It signs with that
// version, under ctx, for as long as the version is valid: take a new one for
// each act, since crypto.Signer has no room for a context.
func Signer(ctx context.Context, s Store, name string) (jose.SigningKey, error) {
	versions, err := s.Public(ctx, name)
	if err != nil {
		return jose.SigningKey{}, err
	}
	if len(versions) == 0 {
		return jose.SigningKey{}, ErrUnknownKey
	}
	return SignerOf(ctx, s, name, versions[0]), nil
}

// SignerOf returns one version of a key for jose.Sign: which one, the caller knows, because
// others have been told of it and of none newer. Whether it is valid shows when it signs.
// Like Signer's it is for one act.
func SignerOf(ctx context.Context, s Store, name string, version jose.PublicKey) jose.SigningKey {
	return jose.SigningKey{
		ID:  version.KeyID(),
		Alg: version.Algorithm(),
		Key: &signer{ctx: ctx, store: s, name: name, key: version},
	}
}

// signer is one version of a key as a crypto.Signer.
type signer struct {
	ctx   context.Context //nolint:containedctx // crypto.Signer takes none
	store Store
	name  string
	key   jose.PublicKey
}

// Public is the public part.
func (s *signer) Public() crypto.PublicKey { return s.key.CryptoKey() }

// Sign asks the store. The store has randomness of its own.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.store.Sign(s.ctx, s.name, s.key.KeyID(), digest, opts)
}

// Format prints which key it is, whatever the verb.
func (s *signer) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "signer "+s.key.KeyID())
}
