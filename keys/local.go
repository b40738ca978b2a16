package keys

import (
	"context"
	"crypto"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"handover/keys/jose"
)

// Overlap is how long a version stays valid after a newer one was made, unless
// Local.RetireAfter says otherwise. It has to outlive what the key signs and the
// caches of those who read its public part; access tokens live ten minutes.
const Overlap = time.Hour

// frame begins every blob that a Local sealed, and says by what.
const frame = "local:v1:"

// maxBlob bounds what Unwrap looks at.
const maxBlob = 1 << 20

// Local is the Store that keeps its keys in a directory, one sealed file for each
// version of a key. Whoever has the directory alone has nothing; whoever has the
// root key too has everything, so both are backed up and neither with the other.
//
// Several processes may use one directory at once. A version's file is written
// once, under a name that only one of them can take, and is never changed while
// it is valid, so there is no lock to be left behind by a process that died.
type Local struct {
	// RetireAfter is how long a version stays valid after a newer one was made.
	// OpenLocal sets it to Overlap; set it before the first use.
	RetireAfter time.Duration
	// Now tells the time at which versions are made and retire.
	Now func() time.Time

	dir   string
	rings *rings

	mu     sync.Mutex        // guards what follows
	opened map[file]*version // so that a file is opened once; right for ever, since a version's file does not change
	listed listing           // so that the directory is read once for each change of it
}

// rings are the two keys derived from the root key. They are two so that no blob
// made for a caller can ever be passed off as a key file, nor the reverse.
type rings struct {
	files cipher.AEAD
	wraps cipher.AEAD
}

var _ Store = (*Local)(nil)

// OpenLocal opens the key store in dir, and makes it (directory, root file if the
// root key is a file, and store.json) when there is none. It returns an error
// that is ErrRoot when the root key is not the store's, and one that names the
// file when a file is missing, damaged or readable by others.
func OpenLocal(dir string, root RootKey) (*Local, error) {
	ring, err := open(dir, root)
	if err != nil {
		return nil, fmt.Errorf("opening key store: %w", err)
	}
	return &Local{
		RetireAfter: Overlap,
		Now:         time.Now,
		dir:         dir,
		rings:       ring,
		opened:      map[file]*version{},
	}, nil
}

// Format prints where the store is, whatever the verb: never a key.
func (l *Local) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "key store in "+l.dir) }

// LogValue is what Format prints, for slog.
func (l *Local) LogValue() slog.Value { return slog.StringValue("key store in " + l.dir) }

// Public is Store's. The keys come out of the sealed files, not from the public
// part that stands beside them, so that whoever can write to the directory cannot
// have a key of her own published.
func (l *Local) Public(ctx context.Context, name string) ([]jose.PublicKey, error) {
	versions, err := l.valid(ctx, name)
	if err != nil {
		return nil, err
	}
	public := make([]jose.PublicKey, len(versions))
	for i, v := range versions {
		public[i] = v.key.Public()
	}
	return public, nil
}

// Sign is Store's.
func (l *Local) Sign(ctx context.Context, name, kid string, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	versions, err := l.valid(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		if v.key.KeyID() != kid {
			continue
		}
		if !Signs(v.key.Public().Algorithm(), digest, opts) {
			return nil, ErrDigest
		}
		sig, err := v.key.Signer().Key.Sign(rand.Reader, digest, opts)
		if err != nil {
			return nil, fmt.Errorf("signing with %s: %w", name, err)
		}
		return sig, nil
	}
	return nil, ErrUnknownKey
}

// Rotate is Store's. It first destroys the private parts that have retired since
// the last time: a key that nobody may use any more can only be stolen.
func (l *Local) Rotate(ctx context.Context, name string, alg jose.Algorithm) (jose.PublicKey, error) {
	if err := check(ctx, name); err != nil {
		return jose.PublicKey{}, err
	}
	curve := jose.P256
	switch alg {
	case jose.ES256:
	case jose.EdDSA:
		curve = jose.Ed25519
	default:
		return jose.PublicKey{}, ErrAlgorithm
	}
	if err := l.destroyRetired(name); err != nil {
		return jose.PublicKey{}, fmt.Errorf("rotating %s: %w", name, err)
	}
	key, err := jose.Generate(alg, curve)
	if err != nil {
		return jose.PublicKey{}, fmt.Errorf("rotating %s: %w", name, err)
	}
	for {
		err := l.add(name, key)
		if err == nil {
			return key.Public(), nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return jose.PublicKey{}, fmt.Errorf("rotating %s: %w", name, err)
		}
		// Another process took that number: ours is the next one.
		if err := ctx.Err(); err != nil {
			return jose.PublicKey{}, err
		}
	}
}

// Wrap is Store's. Nonces are random, so one root key is good for 2^32 blobs
// (NIST SP 800-38D §8.3).
func (l *Local) Wrap(ctx context.Context, plaintext, aad []byte) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return seal(l.rings.wraps, plaintext, aad), nil
}

// Unwrap is Store's.
func (l *Local) Unwrap(ctx context.Context, blob string, aad []byte) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return unseal(l.rings.wraps, blob, aad)
}

// check refuses a call that has ended and a name that is none.
func check(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return CheckName(name)
}

// List is Store's.
func (l *Local) List(ctx context.Context) ([]Version, error) {
	found, err := l.list()
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, f := range found {
		names[f.name] = true
	}
	var all []Version
	for _, name := range slices.Sorted(maps.Keys(names)) {
		versions, err := l.valid(ctx, name)
		if err != nil && !errors.Is(err, ErrUnknownKey) {
			return nil, err
		}
		for _, v := range versions {
			all = append(all, Version{Name: name, Number: v.number, Key: v.key.Public(), Made: v.made, Holder: "local"})
		}
	}
	return all, ctx.Err()
}

// Export returns the private keys of the valid versions of a key, oldest first: for whoever
// moves them to another store, and for nobody else.
func (l *Local) Export(ctx context.Context, name string) ([]jose.PrivateKey, error) {
	versions, err := l.valid(ctx, name)
	if err != nil {
		return nil, err
	}
	private := make([]jose.PrivateKey, len(versions))
	for i, v := range versions {
		private[len(versions)-1-i] = v.key
	}
	return private, nil
}

// Ready is Store's: what was opened stays open.
func (l *Local) Ready(ctx context.Context) error { return ctx.Err() }

// seal returns plaintext sealed as a blob. The AEAD puts a fresh random nonce in
// front.
func seal(ring cipher.AEAD, plaintext, aad []byte) string {
	return frame + base64.RawURLEncoding.EncodeToString(ring.Seal(nil, nil, plaintext, aad))
}

// unseal opens a blob, in its one spelling only.
func unseal(ring cipher.AEAD, blob string, aad []byte) ([]byte, error) {
	text, framed := strings.CutPrefix(blob, frame)
	if !framed || len(blob) > maxBlob {
		return nil, ErrUnwrap
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || base64.RawURLEncoding.EncodeToString(sealed) != text {
		return nil, ErrUnwrap
	}
	plaintext, err := ring.Open(nil, nil, sealed, aad)
	if err != nil {
		return nil, ErrUnwrap
	}
	return plaintext, nil
}
