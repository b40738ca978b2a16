package keystest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"handover/keys"
)

func wraps(t *testing.T, s keys.Store) {
	aad := []byte("camden-outreach|kid|encryption|1")
	for _, plain := range [][]byte{{0}, []byte("a private key"), bytes.Repeat([]byte("x"), 64<<10)} {
		blob, err := s.Wrap(t.Context(), plain, aad)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile(`^[a-z]+:v[0-9]+:[A-Za-z0-9+/_=-]+$`).MatchString(blob) {
			t.Errorf("blob %.40q does not say who wrapped it", blob)
		}
		got, err := s.Unwrap(t.Context(), blob, aad)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes came back as %d: %v", len(plain), len(got), err)
		}
		again, err := s.Wrap(t.Context(), plain, aad)
		if err != nil || again == blob {
			t.Errorf("wrapped twice it is the same: %v", err)
		}
		for _, other := range [][]byte{nil, {}, aad[:len(aad)-1], append(bytes.Clone(aad), '0'), []byte("lambeth-housing|kid|encryption|1")} {
			if got, err := s.Unwrap(t.Context(), blob, other); !errors.Is(err, keys.ErrUnwrap) || got != nil {
				t.Errorf("for %q: %v, want ErrUnwrap", other, err)
			}
		}
	}
	blob, err := s.Wrap(t.Context(), []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Unwrap(t.Context(), blob, []byte{}); err != nil || string(got) != "x" {
		t.Errorf("no aad and an empty one differ: %v", err)
	}
}

func blobs(t *testing.T, s keys.Store) {
	aad := []byte("purpose")
	blob, err := s.Wrap(t.Context(), []byte("a private key"), aad)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, blob string) {
		t.Helper()
		if got, err := s.Unwrap(t.Context(), blob, aad); !errors.Is(err, keys.ErrUnwrap) || got != nil {
			t.Errorf("%s: %v, want ErrUnwrap", what, err)
		}
	}
	body := strings.LastIndexByte(blob, ':') + 1
	for i := range len(blob) {
		changed := []byte(blob)
		changed[i] = 'A'
		if blob[i] == 'A' {
			changed[i] = 'B'
		}
		refused(fmt.Sprintf("byte %d changed", i), string(changed))
		refused(fmt.Sprintf("cut to %d", i), blob[:i])
	}
	refused("a line break in it", blob[:body+4]+"\n"+blob[body+4:])
	refused("a line break behind it", blob+"\n")
	refused("no frame", blob[body:])
	refused("a frame of another store", "elsewhere:v1:"+blob[body:])
	refused("a version that does not exist", strings.Replace(blob, ":v1:", ":v9999:", 1))
	refused("nothing in the frame", blob[:body])
	refused("two of them", blob+blob)
}
