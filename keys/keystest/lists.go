package keystest

import (
	"errors"
	"testing"
	"time"

	"handover/keys"
	"handover/keys/jose"
)

func lists(t *testing.T, s keys.Store) {
	if all, err := s.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("an empty store lists %v, %v", all, err)
	}
	b := rotate(t, s, "b", jose.EdDSA)
	old, now := rotate(t, s, "a", jose.ES256), rotate(t, s, "a", jose.ES256)
	all, err := s.List(t.Context())
	if err != nil || len(all) != 3 {
		t.Fatalf("listed %v, %v", all, err)
	}
	for i, want := range []struct {
		name   string
		number int
		key    jose.PublicKey
	}{{"a", 2, now}, {"a", 1, old}, {"b", 1, b}} {
		got := all[i]
		if got.Name != want.name || got.Number != want.number || !got.Key.Equal(want.key) || got.Holder == "" {
			t.Errorf("line %d is %+v, want %+v", i, got, want)
		}
		if age := time.Since(got.Made); age < -time.Minute || age > time.Minute {
			t.Errorf("line %d was made at %v", i, got.Made)
		}
	}
	if all[0].Made.Before(all[1].Made) {
		t.Error("the newest was made first")
	}
}

func ready(t *testing.T, s keys.Store) {
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

func rewraps(t *testing.T, s keys.Store) {
	blob, err := s.Wrap(t.Context(), []byte("kept"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := keys.Rewrap(t.Context(), s, blob, []byte("aad"))
	if err != nil || again == blob {
		t.Fatalf("wrapped anew it is the same: %v", err)
	}
	for _, b := range []string{blob, again} {
		if got, err := s.Unwrap(t.Context(), b, []byte("aad")); err != nil || string(got) != "kept" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if _, err := s.Unwrap(t.Context(), again, []byte("other")); !errors.Is(err, keys.ErrUnwrap) {
		t.Errorf("for another purpose: %v, want ErrUnwrap", err)
	}
	if _, err := keys.Rewrap(t.Context(), s, blob, []byte("other")); !errors.Is(err, keys.ErrUnwrap) {
		t.Errorf("rewrapped for another purpose: %v, want ErrUnwrap", err)
	}
}
