package witness_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
	"handover/audit/witness"
)

const origin = "hub.example/v1/log"

// history is a log in memory, by somebody who has its key.
type history struct {
	t      testing.TB
	signer note.Signer
	key    proof.LogKey
	hashes []tlog.Hash
}

func (h *history) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = h.hashes[x]
	}
	return out, nil
}

// newHistory is a log of n entries. From the entry `from` on it is the one called name:
// two of them with the same seed are the same log, rewritten and signed with its key.
func newHistory(t testing.TB, seed byte, n, from int, name string) *history {
	t.Helper()
	h := &history{t: t}
	h.signer, h.key = logKey(t, origin, seed)
	for i := range n {
		leaf := fmt.Appendf(nil, "entry %d", i)
		if i >= from {
			leaf = append(leaf, name...)
		}
		hashes, err := tlog.StoredHashes(int64(i), leaf, h)
		if err != nil {
			t.Fatal(err)
		}
		h.hashes = append(h.hashes, hashes...)
	}
	return h
}

func logKey(t testing.TB, origin string, seed byte) (note.Signer, proof.LogKey) {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	vkey, err := note.NewEd25519VerifierKey(origin, private.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	key, err := proof.ParseLogKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return signer{v, private}, key
}

type signer struct {
	note.Verifier
	private ed25519.PrivateKey
}

func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.private, msg), nil }

// checkpoint is the checkpoint of the first n entries.
func (h *history) checkpoint(n int64) []byte {
	h.t.Helper()
	root, err := tlog.TreeHash(n, h)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.sign(proof.FormatCheckpoint(origin, tlog.Tree{N: n, Hash: root}))
}

func (h *history) sign(text string, also ...note.Signer) []byte {
	h.t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, append(also, h.signer)...)
	if err != nil {
		h.t.Fatal(err)
	}
	return signed
}

// request is what the log sends to a witness that is at old.
func (h *history) request(old, n int64) []byte {
	h.t.Helper()
	var hashes tlog.TreeProof
	if old > 0 && old < n {
		var err error
		if hashes, err = tlog.ProveTree(n, old, h); err != nil {
			h.t.Fatal(err)
		}
	}
	return proof.FormatConsistency(old, hashes, h.checkpoint(n))
}

// newState makes a witness's key and state in a folder of the test.
func newState(t testing.TB) (skey, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "state")
	skey, _, err := witness.NewKey("charity.example/witness", path)
	if err != nil {
		t.Fatal(err)
	}
	return skey, path
}

func open(t testing.TB, skey, path string, logs ...proof.LogKey) *witness.Witness {
	t.Helper()
	w, err := witness.Open(skey, path, logs)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
