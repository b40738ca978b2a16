package keys_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

func TestPassphraseOpensItsStoreOnly(t *testing.T) {
	dir := t.TempDir()
	words := "correct horse battery staple"
	l, err := keys.OpenLocal(dir, keys.Passphrase(words))
	if err != nil {
		t.Fatal(err)
	}
	k := rotate(t, l, "key", jose.ES256)
	if l, err = keys.OpenLocal(dir, keys.Passphrase(words)); err != nil {
		t.Fatal(err)
	}
	if got := kids(t, l, "key"); !slices.Equal(got, []string{k.KeyID()}) {
		t.Errorf("versions %v, want %v", got, k.KeyID())
	}
	for what, c := range map[string]struct {
		root keys.RootKey
		want error
	}{
		"another passphrase":    {keys.Passphrase(words + "r"), keys.ErrRoot},
		"a short one":           {keys.Passphrase("fifteen letters"), keys.ErrPassphrase},
		"none":                  {keys.Passphrase(""), keys.ErrPassphrase},
		"nothing at all":        {keys.RootKey{}, keys.ErrPassphrase},
		"a file in its place":   {keys.RootFile(filepath.Join(t.TempDir(), "root.key")), keys.ErrRoot},
		"a file that is a path": {keys.RootFile(dir), keys.ErrRoot},
	} {
		if _, err := keys.OpenLocal(dir, c.root); !errors.Is(err, c.want) || strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	// And the other way about.
	dir = t.TempDir()
	openLocal(t, dir)
	if _, err := keys.OpenLocal(dir, keys.Passphrase(words)); !errors.Is(err, keys.ErrRoot) {
		t.Errorf("a passphrase for a file: %v, want ErrRoot", err)
	}
}

func TestTwoPassphraseStoresShareNothing(t *testing.T) {
	words := keys.Passphrase("correct horse battery staple")
	a, err := keys.OpenLocal(t.TempDir(), words)
	if err != nil {
		t.Fatal(err)
	}
	b, err := keys.OpenLocal(t.TempDir(), words)
	if err != nil {
		t.Fatal(err)
	}
	blob, err := a.Wrap(t.Context(), []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Unwrap(t.Context(), blob, nil); !errors.Is(err, keys.ErrUnwrap) {
		t.Errorf("the salt does nothing: %v, want ErrUnwrap", err)
	}
}

func TestRootFileIsMadeForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	openLocal(t, dir)
	rotate(t, openLocal(t, dir), "key", jose.ES256)
	for _, name := range []string{"root.key", "store.json", "key.1.key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v, want 0600", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: mode %v, %v, want 0700", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%v is left behind, %v", entries, err)
	}
}

func TestFilesThatOthersCanUseAreRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "root.key")
	openLocal(t, dir)
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o620, 0o602, 0o644, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := keys.OpenLocal(dir, keys.RootFile(path))
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("a root file of mode %o: %v", mode, err)
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		openLocal(t, dir)
	}
	if err := os.Chmod(dir, 0o770); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenLocal(dir, keys.RootFile(path)); err == nil || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("a directory of mode 0770: %v", err)
	}
}

// A root file that an operator made is taken, wherever it lies.
func TestRootFileMayBeGiven(t *testing.T) {
	path := filepath.Join(t.TempDir(), "given")
	secret := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := keys.OpenLocal(t.TempDir(), keys.RootFile(path))
	if err != nil {
		t.Fatal(err)
	}
	b, err := keys.OpenLocal(t.TempDir(), keys.RootFile(path))
	if err != nil {
		t.Fatal(err)
	}
	// The directory can be lost and what was wrapped opens all the same.
	blob, err := a.Wrap(t.Context(), []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Unwrap(t.Context(), blob, nil); err != nil || string(got) != "x" {
		t.Errorf("%q, %v", got, err)
	}
}

// Nothing that lies in the directory, nor the error about it, tells a private key.
func TestDirectoryTellsNothing(t *testing.T) {
	dir, root := t.TempDir(), filepath.Join(t.TempDir(), "root.key")
	l, err := keys.OpenLocal(dir, keys.RootFile(root))
	if err != nil {
		t.Fatal(err)
	}
	rotate(t, l, "key", jose.ES256)
	secret, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, bytes.TrimSpace(secret)) || bytes.Contains(b, []byte(`"d"`)) {
			t.Errorf("%s holds a secret: %s", e.Name(), b)
		}
	}
}

func TestStorePrintsNoKey(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir)
	rotate(t, l, "key", jose.EdDSA)
	kids(t, l, "key")
	secret, err := os.ReadFile(filepath.Join(dir, "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	words := keys.Passphrase("correct horse battery staple")
	type holder struct {
		Root, root keys.RootKey
		Store      *keys.Local
		store      *keys.Local
	}
	h := holder{words, words, l, l}
	for _, v := range []any{l, words, &words, h, &h, []keys.RootKey{words}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			mustHide(t, fmt.Sprintf(verb, v), secret)
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		mustHide(t, log.String(), secret)
		b, _ := json.Marshal(v)
		mustHide(t, string(b), secret)
	}
	if got, want := fmt.Sprintf("%+v", l), "key store in "+dir; got != want {
		t.Errorf("prints %q, want %q", got, want)
	}
}

func mustHide(t *testing.T, s string, secret []byte) {
	t.Helper()
	words := "correct horse battery staple"
	for _, bad := range []string{words, fmt.Sprintf("%x", words), fmt.Sprintf("%d", []byte(words)), string(bytes.TrimSpace(secret))} {
		if strings.Contains(s, strings.Trim(bad, "[]")) {
			t.Errorf("shows the root key: %s", s)
		}
	}
	if strings.Contains(s, "aes.") || strings.Contains(s, "gcm") || strings.Contains(s, "GCM") {
		t.Errorf("shows the inside of a cipher: %.200s", s)
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
