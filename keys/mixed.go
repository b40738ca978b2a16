package keys

import (
	"context"
	"crypto"
	"errors"
	"slices"

	"handover/keys/jose"
)

// Mixed is a Store that is moving from one to another: what is new is made in the
// first, and what the second still has goes on counting. So hubs that have moved and
// hubs that have not accept each other's tokens and open each other's blobs, in whatever
// order they are restarted.
type Mixed struct {
	Store        // where keys and blobs are made
	Former Store // which may be away: then what it has does not count
}

var _ Store = Mixed{}

// Public is Store's: the first's versions, then those of the former that the first has
// not. A key that only the former has is still the key to sign with.
func (m Mixed) Public(ctx context.Context, name string) ([]jose.PublicKey, error) {
	all, err := m.Store.Public(ctx, name)
	if err != nil && !errors.Is(err, ErrUnknownKey) {
		return nil, err
	}
	former, errFormer := m.Former.Public(ctx, name)
	if errFormer != nil {
		if err != nil && !errors.Is(errFormer, ErrUnknownKey) {
			return nil, errFormer
		}
		return all, err
	}
	for _, k := range former {
		if !slices.ContainsFunc(all, k.Equal) {
			all = append(all, k)
		}
	}
	return all, nil
}

// Sign is Store's.
func (m Mixed) Sign(ctx context.Context, name, kid string, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	sig, err := m.Store.Sign(ctx, name, kid, digest, opts)
	if errors.Is(err, ErrUnknownKey) {
		return m.Former.Sign(ctx, name, kid, digest, opts)
	}
	return sig, err
}

// Unwrap is Store's. A blob says who wrapped it, so only that one is asked to open it.
func (m Mixed) Unwrap(ctx context.Context, blob string, aad []byte) ([]byte, error) {
	plaintext, err := m.Store.Unwrap(ctx, blob, aad)
	if errors.Is(err, ErrUnwrap) {
		return m.Former.Unwrap(ctx, blob, aad)
	}
	return plaintext, err
}

// List is Store's: what both have, each with its holder.
func (m Mixed) List(ctx context.Context) ([]Version, error) {
	all, err := m.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	former, err := m.Former.List(ctx)
	if err != nil {
		return nil, err
	}
	return append(all, former...), nil
}
