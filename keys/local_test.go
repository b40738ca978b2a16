package keys_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handover/keys"
	"handover/keys/jose"
	"handover/keys/keystest"
)

func openLocal(t testing.TB, dir string) *keys.Local {
	t.Helper()
	l, err := keys.OpenLocal(dir, keys.RootFile(filepath.Join(dir, "root.key")))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLocalConforms(t *testing.T) {
	keystest.Conform(t, func(t *testing.T) keys.Store { return openLocal(t, t.TempDir()) })
}

func rotate(t testing.TB, s keys.Store, name string, alg jose.Algorithm) jose.PublicKey {
	t.Helper()
	k, err := s.Rotate(t.Context(), name, alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func kids(t testing.TB, s keys.Store, name string) []string {
	t.Helper()
	versions, err := s.Public(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	var kids []string
	for _, k := range versions {
		kids = append(kids, k.KeyID())
	}
	return kids
}

func signs(t testing.TB, s keys.Store, name, kid string) error {
	t.Helper()
	digest := sha256.Sum256([]byte("message"))
	_, err := s.Sign(t.Context(), name, kid, digest[:], crypto.SHA256)
	return err
}

func TestKeysSurviveAReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	first := openLocal(t, dir)
	old, now := rotate(t, first, "access-token", jose.ES256), rotate(t, first, "access-token", jose.ES256)
	blob, err := first.Wrap(t.Context(), []byte("kept"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}

	second := openLocal(t, dir)
	if got, want := kids(t, second, "access-token"), []string{now.KeyID(), old.KeyID()}; !slices.Equal(got, want) {
		t.Errorf("versions %v, want %v", got, want)
	}
	if err := signs(t, second, "access-token", old.KeyID()); err != nil {
		t.Error(err)
	}
	if got, err := second.Unwrap(t.Context(), blob, []byte("aad")); err != nil || string(got) != "kept" {
		t.Errorf("unwrapped %q, %v", got, err)
	}
	// And what one process makes, the other has at once.
	newest := rotate(t, first, "access-token", jose.EdDSA)
	if got := kids(t, second, "access-token"); len(got) != 3 || got[0] != newest.KeyID() {
		t.Errorf("versions %v, want %v first", got, newest.KeyID())
	}
}

func TestVersionRetiresAfterItsOverlap(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	l := openLocal(t, dir)
	l.Now = func() time.Time { return now }
	l.RetireAfter = 10 * time.Minute

	first := rotate(t, l, "access-token", jose.ES256)
	now = now.Add(365 * 24 * time.Hour)
	if got := kids(t, l, "access-token"); len(got) != 1 {
		t.Errorf("the only version has retired by age alone: %v", got)
	}
	second := rotate(t, l, "access-token", jose.ES256)

	now = now.Add(10*time.Minute - time.Microsecond)
	if got, want := kids(t, l, "access-token"), []string{second.KeyID(), first.KeyID()}; !slices.Equal(got, want) {
		t.Errorf("in the overlap %v, want %v", got, want)
	}
	if err := signs(t, l, "access-token", first.KeyID()); err != nil {
		t.Errorf("in the overlap: %v", err)
	}

	now = now.Add(time.Microsecond)
	if got, want := kids(t, l, "access-token"), []string{second.KeyID()}; !slices.Equal(got, want) {
		t.Errorf("after the overlap %v, want %v", got, want)
	}
	if err := signs(t, l, "access-token", first.KeyID()); !errors.Is(err, keys.ErrUnknownKey) {
		t.Errorf("after the overlap: %v, want ErrUnknownKey", err)
	}
	if err := signs(t, l, "access-token", second.KeyID()); err != nil {
		t.Error(err)
	}
}

func TestPrivatePartIsDestroyedAtTheRotationAfterRetirement(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	l := openLocal(t, dir)
	l.Now = func() time.Time { return now }
	sealed := func(n int) bool {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("key.%d.key", n)))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(b, []byte(`"sealed"`))
	}
	first := rotate(t, l, "key", jose.ES256)
	second := rotate(t, l, "key", jose.ES256)
	rotate(t, l, "key", jose.ES256)
	if !sealed(1) || !sealed(2) || !sealed(3) {
		t.Error("a valid version has lost its private part")
	}
	if got := kids(t, l, "key"); len(got) != 3 {
		t.Errorf("%d versions, want 3", len(got))
	}
	now = now.Add(keys.Overlap)
	rotate(t, l, "key", jose.ES256)
	if sealed(1) || sealed(2) || !sealed(3) || !sealed(4) {
		t.Errorf("sealed: %v %v %v %v, want only the last two", sealed(1), sealed(2), sealed(3), sealed(4))
	}
	for _, k := range []jose.PublicKey{first, second} {
		if err := signs(t, l, "key", k.KeyID()); !errors.Is(err, keys.ErrUnknownKey) {
			t.Errorf("a destroyed version: %v, want ErrUnknownKey", err)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "key.1.key"))
	if err != nil || !bytes.Contains(b, []byte(first.KeyID())) {
		t.Errorf("the public part is not on record any more: %s, %v", b, err)
	}
	// A store with a longer overlap does without the destroyed ones.
	other := openLocal(t, dir)
	other.Now, other.RetireAfter = l.Now, 1000*time.Hour
	if got := kids(t, other, "key"); len(got) != 2 {
		t.Errorf("%d versions, want 2", len(got))
	}
	// And the process that destroyed them has forgotten them.
	l.RetireAfter = other.RetireAfter
	if got := kids(t, l, "key"); len(got) != 2 {
		t.Errorf("%d versions, want 2", len(got))
	}
}

// Each version's overlap is counted from its own successor, not from the newest.
func TestOverlapsRunSideBySide(t *testing.T) {
	dir := t.TempDir()
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	now := start
	l := openLocal(t, dir)
	l.Now = func() time.Time { return now }
	l.RetireAfter = 10 * time.Minute
	at := func(minutes int) { now = start.Add(time.Duration(minutes) * time.Minute) }

	rotate(t, l, "key", jose.ES256)
	at(5)
	second := rotate(t, l, "key", jose.ES256)
	at(12)
	third := rotate(t, l, "key", jose.ES256)
	if got := kids(t, l, "key"); len(got) != 3 {
		t.Errorf("%d versions, want 3", len(got))
	}
	at(16)
	want := []string{third.KeyID(), second.KeyID()}
	if got := kids(t, l, "key"); !slices.Equal(got, want) {
		t.Errorf("versions %v, want %v", got, want)
	}
	rotate(t, l, "key", jose.ES256)
	for n, want := range map[int]bool{1: false, 2: true, 3: true} {
		b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("key.%d.key", n)))
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(b, []byte(`"sealed"`)); got != want {
			t.Errorf("version %d sealed %v, want %v", n, got, want)
		}
	}
}

// Several processes rotate one key at once, and each of their keys is there.
func TestProcessesRotatingAtOnceLoseNoKey(t *testing.T) {
	const processes, each = 4, 5
	if dir := os.Getenv("KEYS_TEST_ROTATE"); dir != "" {
		l := openLocal(t, dir)
		for range each {
			fmt.Println("kid:", rotate(t, l, "key", jose.ES256).KeyID())
		}
		return
	}
	dir := filepath.Join(t.TempDir(), "keys") // which they make at once, too
	var commands []*exec.Cmd
	var outputs []*bytes.Buffer
	for range processes {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessesRotatingAtOnceLoseNoKey$", "-test.v")
		c.Env = append(os.Environ(), "KEYS_TEST_ROTATE="+dir)
		out := new(bytes.Buffer)
		c.Stdout, c.Stderr = out, out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		commands, outputs = append(commands, c), append(outputs, out)
	}
	var made []string
	for i, c := range commands {
		if err := c.Wait(); err != nil {
			t.Fatalf("%v: %s", err, outputs[i])
		}
		for line := range strings.Lines(outputs[i].String()) {
			if kid, ok := strings.CutPrefix(line, "kid: "); ok {
				made = append(made, strings.TrimSpace(kid))
			}
		}
	}
	got := kids(t, openLocal(t, dir), "key")
	slices.Sort(made)
	slices.Sort(got)
	if len(made) != processes*each || !slices.Equal(got, made) {
		t.Errorf("%d keys are there of %d made", len(got), len(made))
	}
}

// A new store that is opened many times at once is one store.
func TestOpeningAtOnceMakesOneStore(t *testing.T) {
	for range 10 {
		dir := filepath.Join(t.TempDir(), "keys")
		stores := make([]*keys.Local, 16)
		var group sync.WaitGroup
		start := make(chan struct{})
		for i := range stores {
			group.Go(func() {
				<-start
				var err error
				if stores[i], err = keys.OpenLocal(dir, keys.RootFile(filepath.Join(dir, "root.key"))); err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		group.Wait()
		if t.Failed() {
			return
		}
		blob, err := stores[0].Wrap(t.Context(), []byte("x"), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range append(stores, openLocal(t, dir)) {
			if got, err := s.Unwrap(t.Context(), blob, nil); err != nil || string(got) != "x" {
				t.Fatalf("%q, %v", got, err)
			}
		}
	}
}

func BenchmarkLocal(b *testing.B) {
	l := openLocal(b, b.TempDir())
	rotate(b, l, "key", jose.ES256)
	k := rotate(b, l, "key", jose.ES256)
	digest := sha256.Sum256([]byte("x"))
	blob, err := l.Wrap(b.Context(), make([]byte, 300), []byte("aad"))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Public", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Public(b.Context(), "key"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Sign", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Sign(b.Context(), "key", k.KeyID(), digest[:], crypto.SHA256); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Unwrap", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Unwrap(b.Context(), blob, []byte("aad")); err != nil {
				b.Fatal(err)
			}
		}
	})
}
