package witness_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
	"handover/audit/witness"
	"handover/internal/httpd"
)

// TestAddCheckpointAnswersAsC2SPSays asks a witness that has cosigned 10 entries.
func TestAddCheckpointAnswersAsC2SPSays(t *testing.T) {
	a, forked := newHistory(t, 1, 40, 0, ""), newHistory(t, 1, 40, 5, " changed")
	stranger := newHistory(t, 2, 40, 0, "")
	other := newHistory(t, 3, 40, 0, "")
	follower, _ := logKey(t, "other.example/v1/log", 3)
	elsewhere := other.sign(proof.FormatCheckpoint("other.example/v1/log", tlog.Tree{N: 1, Hash: tlog.Hash{1}}), follower)
	extended := a.sign(proof.FormatCheckpoint(origin, tlog.Tree{N: 20}) + "extension\n")
	_, hashes, _, err := proof.ParseConsistency(a.request(10, 20))
	if err != nil {
		t.Fatal(err)
	}
	empty := proof.FormatConsistency(10, nil, a.checkpoint(20))
	short := proof.FormatConsistency(10, hashes[1:], a.checkpoint(20))
	long := proof.FormatConsistency(10, append(hashes[:len(hashes):len(hashes)], tlog.Hash{}), a.checkpoint(20))
	superfluous := proof.FormatConsistency(10, hashes, a.checkpoint(10))
	for _, row := range []struct {
		name   string
		body   []byte
		status int
		says   string // of 409
	}{
		{"the next tree", a.request(10, 20), 200, ""},
		{"the same tree", a.request(10, 10), 200, ""},
		{"the next tree, cosigned by others", append(a.request(10, 20), "— w.example/x AAAAAAAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"...), 200, ""},

		{"from too far back", a.request(0, 20), 409, "10\n"},
		{"from further back", a.request(7, 20), 409, "10\n"},
		{"from too far on", a.request(15, 20), 409, "10\n"},
		{"an earlier tree", a.request(5, 7), 409, "10\n"},
		{"the same size of a rewritten history", forked.request(10, 10), 409, ""},
		{"a rewritten history", forked.request(10, 20), 422, ""},
		{"a history rewritten after what was cosigned", newHistory(t, 1, 40, 9, " changed").request(10, 20), 422, ""},
		{"a rewritten history from the start", forked.request(0, 20), 409, "10\n"},
		{"no proof", empty, 422, ""},
		{"a proof too short", short, 422, ""},
		{"a proof too long", long, 422, ""},
		{"a proof where none is needed", superfluous, 422, ""},

		{"another key", stranger.request(10, 20), 403, ""},
		{"no signature", bytes.Split(a.request(10, 20), []byte("—"))[0], 400, ""},
		{"another log", proof.FormatConsistency(0, nil, elsewhere), 404, ""},
		{"the key under another log's name", proof.FormatConsistency(0, nil, a.sign(proof.FormatCheckpoint("other.example/v1/log", tlog.Tree{N: 1}))), 404, ""},
		{"the old size above the new", a.request(20, 10), 400, ""},
		{"an extension line", proof.FormatConsistency(10, nil, extended), 400, ""},
		{"nothing", nil, 400, ""},
		{"text", []byte("hello\n"), 400, ""},
		{"no checkpoint", append([]byte("old 10\n\n"+origin+"\n"), "hello\n"...), 400, ""},
		{"a number of another spelling", bytes.Replace(a.request(10, 20), []byte("old 10"), []byte("old 010"), 1), 400, ""},
		{"a proof that never ends", append(append([]byte("old 10\n"), bytes.Repeat([]byte("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), 65)...), a.request(0, 20)[6:]...), 400, ""},
		{"more than a request may have", bytes.Repeat([]byte("x"), 200<<10), 400, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			skey, path := newState(t)
			w := open(t, skey, path, a.key)
			if _, err := w.Add(a.request(0, 10)); err != nil {
				t.Fatal(err)
			}
			router := httpd.Router()
			w.Mount(router)
			server := httptest.NewServer(router)
			defer server.Close()
			answer, err := http.Post(server.URL+"/add-checkpoint", "text/plain", bytes.NewReader(row.body))
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != row.status {
				t.Fatalf("%d %s, %v; want %d", answer.StatusCode, text, err, row.status)
			}
			if isSize := answer.Header.Get("Content-Type") == "text/x.tlog.size"; isSize != (row.says != "") || isSize && string(text) != row.says {
				t.Errorf("it says %q as %s", text, answer.Header.Get("Content-Type"))
			}
			_, _, checkpoint, _ := proof.ParseConsistency(row.body)
			if _, err := w.Self().Cosigned(checkpoint, text, a.key); (err == nil) != (row.status == 200) {
				t.Errorf("the cosignature: %v\n%s", err, text)
			}
			// Whatever was refused has changed nothing.
			if _, err := w.Add(a.request(10, 30)); err != nil && row.status != 200 {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestAStateThatCannotBeTrustedIsNoStart takes the state away or changes it, under a
// witness that runs and before one starts. Starting at nothing, it would cosign any
// history that the log's key signs.
func TestAStateThatCannotBeTrustedIsNoStart(t *testing.T) {
	a, b := newHistory(t, 1, 40, 0, ""), newHistory(t, 2, 40, 0, "")
	edit := func(change func(string) string) func(*testing.T, string, string) {
		return func(t *testing.T, path, _ string) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := change(string(text))
			if changed == string(text) {
				t.Fatal("nothing was changed")
			}
			if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, row := range []struct {
		name    string
		do      func(t *testing.T, path, early string)
		running bool // only the running witness can tell
	}{
		{"deleted", func(t *testing.T, path, _ string) { remove(t, path) }, false},
		{"deleted with its lock", func(t *testing.T, path, _ string) { remove(t, path); remove(t, path+".lock") }, false},
		{"emptied", edit(func(string) string { return "" }), false},
		{"cut short", edit(func(s string) string { return s[:len(s)-10] }), false},
		{"cut by its line end", edit(func(s string) string { return s[:len(s)-1] }), false},
		{"without its checkpoint", edit(func(s string) string { return s[:strings.Index(s, "[")] + "[]}\n" }), true},
		{"with another size", edit(func(s string) string { return strings.Replace(s, `\n20\n`, `\n10\n`, 1) }), false},
		{"with spaces", edit(func(s string) string { return strings.Replace(s, ":", ": ", 1) }), false},
		{"of another version", edit(func(s string) string { return strings.Replace(s, `"v":1`, `"v":2`, 1) }), false},
		{"of another key", func(t *testing.T, path, _ string) {
			remove(t, path)
			remove(t, path+".lock")
			if _, _, err := witness.NewKey("borough.example/witness", path); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"of the same log under another key", edit(func(s string) string {
			_, rest, _ := strings.Cut(s, `["`)
			return strings.Replace(s, rest[:strings.Index(rest, `"`)], strings.ReplaceAll(string(b.checkpoint(20)), "\n", `\n`), 1)
		}), false},
		{"an earlier one", func(t *testing.T, path, early string) {
			if err := os.WriteFile(path, []byte(early), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			skey, path := newState(t)
			w := open(t, skey, path, a.key)
			if _, err := w.Add(a.request(0, 10)); err != nil {
				t.Fatal(err)
			}
			early, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Add(a.request(10, 20)); err != nil {
				t.Fatal(err)
			}
			row.do(t, path, string(early))
			for _, body := range [][]byte{a.request(20, 30), a.request(10, 30), a.request(0, 30)} {
				if line, err := w.Add(body); !errors.Is(err, witness.ErrState) || line != nil {
					t.Errorf("running: %s, %v", line, err)
				}
			}
			if err := w.Ready(); !errors.Is(err, witness.ErrState) {
				t.Errorf("ready: %v", err)
			}
			if _, err := witness.Open(skey, path, []proof.LogKey{a.key}); !row.running && !errors.Is(err, witness.ErrState) {
				t.Errorf("starting: %v", err)
			}
		})
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestAKeyBeginsOnce: no command gives a key a fresh state, and none writes over one.
func TestAKeyBeginsOnce(t *testing.T) {
	_, path := newState(t)
	if _, _, err := witness.NewKey("charity.example/witness", path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a state: %v", err)
	}
	remove(t, path+".lock")
	if _, _, err := witness.NewKey("charity.example/witness", path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a state without its lock: %v", err)
	}
	if _, _, err := witness.NewKey("a name", filepath.Join(t.TempDir(), "state")); err == nil {
		t.Error("a name with a space was taken")
	}
	if _, err := witness.Open("PRIVATE+KEY+x", path, nil); err == nil {
		t.Error("half a key was taken")
	}
}

// TestAWitnessFollowsTheLogsKeys: the log goes over to another key by a statement of the
// one before, or loses it and the operator names the next by hand.
func TestAWitnessFollowsTheLogsKeys(t *testing.T) {
	first, second, stranger := newHistory(t, 1, 40, 0, ""), newHistory(t, 2, 40, 0, ""), newHistory(t, 3, 40, 0, "")
	statement := string(first.sign(proof.Succession{Size: 20, From: first.key, To: second.key}.Text(), second.signer))
	followed, err := first.key.Followed([]string{statement})
	if err != nil {
		t.Fatal(err)
	}
	for _, logs := range [][]proof.LogKey{{followed}, {first.key, second.key}} {
		skey, path := newState(t)
		w := open(t, skey, path, first.key)
		if _, err := w.Add(first.request(0, 20)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Add(second.request(20, 30)); !errors.Is(err, witness.ErrSignature) {
			t.Errorf("before it was told: %v", err)
		}
		w = open(t, skey, path, logs...)
		if _, err := w.Add(stranger.request(20, 30)); !errors.Is(err, witness.ErrSignature) {
			t.Errorf("a stranger's key: %v", err)
		}
		if _, err := w.Add(second.request(20, 30)); err != nil {
			t.Errorf("after it was told: %v", err)
		}
		if _, err := w.Add(second.request(30, 35)); err != nil {
			t.Errorf("under the new key: %v", err)
		}
	}
}

// TestSeveralLogsDoNotMix: one witness for two hubs.
func TestSeveralLogsDoNotMix(t *testing.T) {
	a := newHistory(t, 1, 40, 0, "")
	otherSigner, otherKey := logKey(t, "other.example/v1/log", 1) // even the same key
	root, err := tlog.TreeHash(30, a)
	if err != nil {
		t.Fatal(err)
	}
	other := a.sign(proof.FormatCheckpoint("other.example/v1/log", tlog.Tree{N: 30, Hash: root}), otherSigner)
	skey, path := newState(t)
	w := open(t, skey, path, a.key, otherKey)
	for _, body := range [][]byte{a.request(0, 10), proof.FormatConsistency(0, nil, other), a.request(10, 20)} {
		if _, err := w.Add(body); err != nil {
			t.Fatal(err)
		}
	}
	w = open(t, skey, path, a.key) // it keeps the other log's state though nobody follows it now
	if _, err := w.Add(a.request(20, 30)); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, skey, path, a.key, otherKey).Add(proof.FormatConsistency(0, nil, other))
	if conflict, ok := errors.AsType[*witness.ConflictError](err); !ok || conflict.Size != 30 {
		t.Errorf("the other log from the start: %v", err)
	}
}

// TestARewrittenHistoryIsTold: the witness's own log keeps both signed checkpoints, which
// together show what the log's operator did.
func TestARewrittenHistoryIsTold(t *testing.T) {
	a, forked := newHistory(t, 1, 40, 0, ""), newHistory(t, 1, 40, 5, " changed")
	skey, path := newState(t)
	w := open(t, skey, path, a.key)
	var said strings.Builder
	w.Logger = slog.New(slog.NewTextHandler(&said, nil))
	if _, err := w.Add(a.request(0, 10)); err != nil {
		t.Fatal(err)
	}
	if said.Len() > 0 {
		t.Errorf("it cried wolf: %s", said.String())
	}
	if _, err := w.Add(proof.FormatConsistency(10, nil, a.checkpoint(20))); !errors.Is(err, witness.ErrProof) {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "if the log can show none that does") || strings.Contains(said.String(), "another history") {
		t.Errorf("a stranger's proof of an honest checkpoint accuses the log: %s", said.String())
	}
	said.Reset()
	if _, err := w.Add(forked.request(10, 20)); !errors.Is(err, witness.ErrProof) {
		t.Fatal(err)
	}
	if _, err := w.Add(forked.request(10, 10)); !errors.Is(err, witness.ErrForked) {
		t.Fatal(err)
	}
	for _, part := range []string{"level=ERROR", "another history", strings.Split(string(a.checkpoint(10)), "\n")[2], strings.Split(string(forked.checkpoint(20)), "\n")[2]} {
		if !strings.Contains(said.String(), part) {
			t.Errorf("it did not say %q:\n%s", part, said.String())
		}
	}
}
