package keys_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"handover/keys"
	"handover/keys/jose"
)

// Every way in which a version's file can be wrong is an error that names the file
// and shows nothing of it, and nothing is signed or published meanwhile.
func TestDamagedKeyFileIsNamedAndNotUsed(t *testing.T) {
	other := t.TempDir()
	rotate(t, openLocal(t, other), "key", jose.ES256)

	edit := func(change func(m map[string]any)) func(*testing.T, string, []byte) []byte {
		return func(t *testing.T, _ string, b []byte) []byte {
			var m map[string]any
			if err := json.Unmarshal(b, &m); err != nil {
				t.Fatal(err)
			}
			change(m)
			b, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	from := func(dir, name string) func(*testing.T, string, []byte) []byte {
		return func(t *testing.T, own string, _ []byte) []byte {
			if dir == "" {
				return read(t, filepath.Join(own, name))
			}
			return read(t, filepath.Join(dir, name))
		}
	}
	for name, change := range map[string]func(*testing.T, string, []byte) []byte{
		"empty":              func(*testing.T, string, []byte) []byte { return nil },
		"cut short":          func(_ *testing.T, _ string, b []byte) []byte { return b[:len(b)/2] },
		"cut by one byte":    func(_ *testing.T, _ string, b []byte) []byte { return b[:len(b)-1] },
		"zeros":              func(_ *testing.T, _ string, b []byte) []byte { return make([]byte, len(b)) },
		"too long":           func(_ *testing.T, _ string, b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 1<<20)...) },
		"written twice":      func(_ *testing.T, _ string, b []byte) []byte { return append(b, b...) },
		"of another store":   from(other, "key.1.key"),
		"the version before": from("", "key.1.key"),
		"another key's":      from("", "other.2.key"),
		"an unknown member":  edit(func(m map[string]any) { m["note"] = "x" }),
		"another format":     edit(func(m map[string]any) { m["v"] = 2 }),
		"another name":       edit(func(m map[string]any) { m["name"] = "other" }),
		"another version":    edit(func(m map[string]any) { m["version"] = 3 }),
		"another time":       edit(func(m map[string]any) { m["made"] = "2020-01-01T00:00:00Z" }),
		"another kid":        edit(func(m map[string]any) { m["public"].(map[string]any)["kid"] = "root" }),
		"another alg": edit(func(m map[string]any) {
			m["public"].(map[string]any)["alg"] = "ECDH-ES+A256KW"
			delete(m["public"].(map[string]any), "use")
		}),
		"no private part": edit(func(m map[string]any) { delete(m, "sealed") }),
		"no public part":  edit(func(m map[string]any) { delete(m, "public") }),
		"a changed private part": edit(func(m map[string]any) {
			m["sealed"] = strings.Replace(m["sealed"].(string), "local:v1:", "local:v1:A", 1)
		}),
		"a private part unframed": edit(func(m map[string]any) { m["sealed"] = strings.TrimPrefix(m["sealed"].(string), "local:v1:") }),
		"a public key of her own": edit(func(m map[string]any) { m["public"] = attackerKey(t) }),
		"a point of her own": edit(func(m map[string]any) {
			var k map[string]any
			if err := json.Unmarshal(attackerKey(t), &k); err != nil {
				t.Fatal(err)
			}
			k["kid"] = m["public"].(map[string]any)["kid"]
			m["public"] = k
		}),
		"a blob that was wrapped":  wrapped,
		"a private key unsealed":   edit(func(m map[string]any) { m["sealed"] = "local:v1:" + canary }),
		"a private key in clear":   func(*testing.T, string, []byte) []byte { return []byte(`{"d":"` + canary + `"}`) },
		"a file that cannot be it": func(*testing.T, string, []byte) []byte { return []byte(canary) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := openLocal(t, dir)
			rotate(t, l, "key", jose.ES256)
			now := rotate(t, l, "key", jose.ES256)
			rotate(t, l, "other", jose.ES256)
			rotate(t, l, "other", jose.ES256)
			path := filepath.Join(dir, "key.2.key")
			if err := os.WriteFile(path, change(t, dir, read(t, path)), 0o600); err != nil {
				t.Fatal(err)
			}

			l = openLocal(t, dir) // a process that has not read it before
			versions, err := l.Public(t.Context(), "key")
			if err == nil || len(versions) != 0 || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), canary) {
				t.Errorf("Public: %v, %v", versions, err)
			}
			if err := signs(t, l, "key", now.KeyID()); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("Sign: %v", err)
			}
			if err := keys.Ensure(t.Context(), l, "key", jose.ES256); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("Ensure: %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "key.3.key")); err == nil {
				t.Error("a new key was made in the place of one that an operator may restore")
			}
			if len(kids(t, l, "other")) != 2 {
				t.Error("the other key suffers too")
			}
		})
	}
}

const canary = "Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5LWNhbmE"

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// attackerKey is a public key whose private part she has.
func attackerKey(t *testing.T) json.RawMessage {
	t.Helper()
	k, err := jose.Generate(jose.ES256, jose.P256)
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// wrapped puts a key into the file that the store itself was made to wrap, under
// the very words that a key file is bound to.
func wrapped(t *testing.T, dir string, b []byte) []byte {
	k, err := jose.Generate(jose.ES256, jose.P256)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	aad := "handover key file v1\nkey\n2\n" + k.KeyID() + "\nES256\n" + m["made"].(string)
	blob, err := openLocal(t, dir).Wrap(t.Context(), k.JWK(), []byte(aad))
	if err != nil {
		t.Fatal(err)
	}
	public, err := k.Public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	m["sealed"], m["public"] = blob, json.RawMessage(public)
	if b, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDamagedStoreDoesNotOpen(t *testing.T) {
	remove := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	write := func(content string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name, file string
		damage     func(*testing.T, string)
		want       error
	}{
		{"root file missing", "root.key", remove, nil},
		{"root file empty", "root.key", write(""), nil},
		{"root file short", "root.key", write("c2hvcnQ"), nil},
		{"root file of 31 bytes", "root.key", write(strings.Repeat("A", 42)), nil},
		{"root file with other trailing bits", "root.key", write(strings.Repeat("A", 42) + "B"), nil},
		{"root file with more lines", "root.key", write(strings.Repeat("A", 43) + "\n\n"), nil},
		{"another root file", "root.key", write(strings.Repeat("A", 43) + "\n"), keys.ErrRoot},
		{"store.json missing", "store.json", remove, nil},
		{"store.json empty", "store.json", write(""), nil},
		{"store.json of nothing", "store.json", write("{}"), nil},
		{"store.json of another format", "store.json", write(`{"v":2,"root":"file","check":"local:v1:AAAA"}`), nil},
		{"store.json with a check that is none", "store.json", write(`{"v":1,"root":"file","check":"local:v1:AAAA"}`), keys.ErrRoot},
		{"store.json with another root", "store.json", write(`{"v":1,"root":"none","check":"local:v1:AAAA"}`), keys.ErrRoot},
		{"store.json with an unknown member", "store.json", write(`{"v":1,"root":"file","check":"local:v1:AAAA","x":1}`), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			rotate(t, openLocal(t, dir), "key", jose.ES256)
			before := read(t, filepath.Join(dir, "key.1.key"))
			path := filepath.Join(dir, c.file)
			c.damage(t, path)

			l, err := keys.OpenLocal(dir, keys.RootFile(filepath.Join(dir, "root.key")))
			if err == nil || l != nil {
				t.Fatal("it opens")
			}
			if c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if c.want == nil && !strings.Contains(err.Error(), path) {
				t.Errorf("%v does not name %s", err, path)
			}
			if !bytes.Equal(read(t, filepath.Join(dir, "key.1.key")), before) {
				t.Error("the key file has changed")
			}
			if _, err := os.Stat(filepath.Join(dir, "root.key")); c.file == "root.key" && c.name == "root file missing" && err == nil {
				t.Error("a new root file was made beside keys that it cannot open")
			}
		})
	}
}

// A passphrase store cannot be made to compute for ever, nor with fewer rounds.
func TestPassphraseParametersAreBounded(t *testing.T) {
	dir := t.TempDir()
	words := keys.Passphrase("correct horse battery staple")
	if _, err := keys.OpenLocal(dir, words); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "store.json")
	good := string(read(t, path))
	for _, c := range [][2]string{
		{`"rounds":1000000`, `"rounds":1`},
		{`"rounds":1000000`, `"rounds":0`},
		{`"rounds":1000000`, `"rounds":-1`},
		{`"rounds":1000000`, `"rounds":4000000000`},
		{`"salt":"`, `"salt":"AA`},
		{`"salt":"`, `"salt":"*`},
	} {
		changed := strings.Replace(good, c[0], c[1], 1)
		if changed == good {
			t.Fatalf("%s is not in %s", c[0], good)
		}
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.OpenLocal(dir, words); !errors.Is(err, keys.ErrRoot) {
			t.Errorf("%s: %v, want ErrRoot", c[1], err)
		}
	}
}

// What a process leaves that died while writing is not read and not in the way.
func TestHalfWrittenFilesAreNoKeys(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir)
	k := rotate(t, l, "key", jose.ES256)
	for _, name := range []string{".new-1", "key.2.key.tmp", "key.02.key", "key.+2.key", "key.0.key", "key.-1.key", "key.key", ".key", "key.2", "a.b.3.key"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := kids(t, openLocal(t, dir), "key"); len(got) != 1 || got[0] != k.KeyID() {
		t.Errorf("versions %v, want %v", got, k.KeyID())
	}
	rotate(t, l, "key", jose.ES256)
	if got := kids(t, l, "key"); len(got) != 2 {
		t.Errorf("%d versions, want 2", len(got))
	}
}

// Whoever takes a version's file away takes the key out of use at once.
func TestRemovedVersionIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir)
	old, now := rotate(t, l, "key", jose.ES256), rotate(t, l, "key", jose.ES256)
	if err := signs(t, l, "key", old.KeyID()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "key.1.key")); err != nil {
		t.Fatal(err)
	}
	if err := signs(t, l, "key", old.KeyID()); !errors.Is(err, keys.ErrUnknownKey) {
		t.Errorf("the removed version: %v, want ErrUnknownKey", err)
	}
	if got := kids(t, l, "key"); len(got) != 1 || got[0] != now.KeyID() {
		t.Errorf("versions %v, want %v", got, now.KeyID())
	}
}
