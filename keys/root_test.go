package keys_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"handover/keys"
	"handover/keys/jose"
)

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
