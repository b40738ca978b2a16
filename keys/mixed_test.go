package keys_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"handover/keys"
	"handover/keys/jose"
	"handover/keys/keystest"
)

func TestMixedConforms(t *testing.T) {
	keystest.Conform(t, func(t *testing.T) keys.Store {
		return keys.Mixed{Store: openLocal(t, t.TempDir()), Former: openLocal(t, t.TempDir())}
	})
}

func TestWhatTheFormerStoreHasGoesOnCounting(t *testing.T) {
	former, first := openLocal(t, t.TempDir()), openLocal(t, t.TempDir())
	m := keys.Mixed{Store: first, Former: former}
	old := rotate(t, former, "access-token", jose.ES256)
	blob, err := former.Wrap(t.Context(), []byte("kept"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	if got := kids(t, m, "access-token"); !slices.Equal(got, []string{old.KeyID()}) {
		t.Errorf("before the move %v, want %s", got, old.KeyID())
	}
	if err := keys.Ensure(t.Context(), m, "access-token", jose.ES256); err != nil || len(kids(t, m, "access-token")) != 1 {
		t.Errorf("a key that is still to be moved was taken for missing: %v", err)
	}
	fresh := rotate(t, m, "access-token", jose.ES256)
	if got := kids(t, m, "access-token"); !slices.Equal(got, []string{fresh.KeyID(), old.KeyID()}) {
		t.Errorf("after it %v, want the new one first", got)
	}
	for _, k := range []jose.PublicKey{fresh, old} {
		if err := signs(t, m, "access-token", k.KeyID()); err != nil {
			t.Error(err)
		}
	}
	if got, err := m.Unwrap(t.Context(), blob, []byte("aad")); err != nil || string(got) != "kept" {
		t.Errorf("the former's blob gives %q, %v", got, err)
	}
	if _, err := m.Unwrap(t.Context(), blob, []byte("other")); !errors.Is(err, keys.ErrUnwrap) {
		t.Errorf("for another purpose: %v", err)
	}
	moved, err := keys.Rewrap(t.Context(), m, blob, []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := first.Unwrap(t.Context(), moved, []byte("aad")); err != nil || string(got) != "kept" {
		t.Errorf("wrapped anew it is not the first's: %q, %v", got, err)
	}
	if all, err := m.List(t.Context()); err != nil || len(all) != 2 {
		t.Errorf("listed %v, %v", all, err)
	}
}

// away is a store that cannot be asked.
type away struct{ keys.Store }

func (away) Public(context.Context, string) ([]jose.PublicKey, error) {
	return nil, keys.ErrUnavailable
}

func (away) Sign(context.Context, string, string, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, keys.ErrUnavailable
}

// A former store that is away takes nothing from the first; but a key that may be there
// is not unknown.
func TestAStoreThatIsAwayIsNotAnEmptyOne(t *testing.T) {
	here := openLocal(t, t.TempDir())
	k := rotate(t, here, "access-token", jose.ES256)
	digest := sha256.Sum256(nil)

	m := keys.Mixed{Store: here, Former: away{}}
	if got := kids(t, m, "access-token"); len(got) != 1 {
		t.Errorf("%v, want the first's", got)
	}
	if _, err := m.Sign(t.Context(), "access-token", k.KeyID(), digest[:], crypto.SHA256); err != nil {
		t.Error(err)
	}
	if _, err := m.Public(t.Context(), "checkpoint"); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("a key of the one that is away: %v, want ErrUnavailable", err)
	}
	if err := keys.Ensure(t.Context(), m, "checkpoint", jose.EdDSA); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("a second key was made beside the one that is away: %v", err)
	}
	m = keys.Mixed{Store: away{}, Former: here}
	if _, err := m.Public(t.Context(), "access-token"); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("the first away: %v, want ErrUnavailable", err)
	}
}
