package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	. "handover/audit/proof"
)

const origin = "hub.example/v1/log"

// bench is a log in memory: real entries, tree, key and signatures.
type bench struct {
	key    LogKey
	signer note.Signer
	salts  [][32]byte
	bodies [][]byte
	hashes []tlog.Hash
}

func (b *bench) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		out[i] = b.hashes[x]
	}
	return out, nil
}

// newBench returns a log of n entries under a key made from seed.
func newBench(t testing.TB, seed byte, n int) *bench {
	t.Helper()
	b := &bench{}
	b.key, b.signer = newKey(t, origin, seed)
	for i := range n {
		body, err := entry(i).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		salt := sha256.Sum256([]byte{seed, byte(i), byte(i >> 8)})
		hashes, err := tlog.StoredHashes(int64(i), Leaf(salt, body), b)
		if err != nil {
			t.Fatal(err)
		}
		b.salts, b.bodies, b.hashes = append(b.salts, salt), append(b.bodies, body), append(b.hashes, hashes...)
	}
	return b
}

func newKey(t testing.TB, origin string, seed byte) (LogKey, note.Signer) {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	vkey, err := note.NewEd25519VerifierKey(origin, private.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseLogKey(vkey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return key, edSigner{v, private}
}

type edSigner struct {
	note.Verifier
	private ed25519.PrivateKey
}

func (s edSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.private, msg), nil }

func entry(i int) Entry {
	return Entry{
		V: Version, ID: fmt.Sprintf("01980000-0000-7000-8000-%012d", i),
		Time: time.Date(2026, 11, 21, 9, 30, 0, i*1000, time.UTC), Act: "referral.request",
		Partner: "camden-outreach", Client: "camden-outreach.k3f9q", Other: "solace-example",
		Referral: "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ", Event: "request",
		Envelope: "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ", State: "requested",
		Consent: "c-1", Sections: []string{"need", "safe-contact"},
	}
}

func (b *bench) sign(t testing.TB, text string) []byte {
	t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, b.signer)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func (b *bench) tree(t testing.TB, size int64) tlog.Tree {
	t.Helper()
	root, err := tlog.TreeHash(size, b)
	if err != nil {
		t.Fatal(err)
	}
	return tlog.Tree{N: size, Hash: root}
}

func (b *bench) checkpoint(t testing.TB, size int64) []byte {
	t.Helper()
	return b.sign(t, FormatCheckpoint(origin, b.tree(t, size)))
}

func (b *bench) inclusion(t testing.TB, index, size int64) Inclusion {
	t.Helper()
	path, err := tlog.ProveRecord(size, index, b)
	if err != nil {
		t.Fatal(err)
	}
	return Inclusion{Index: index, Hashes: path, Checkpoint: b.checkpoint(t, size)}
}

func (b *bench) receipt(t testing.TB, index, size int64) Receipt {
	t.Helper()
	r, _, err := NewReceipt(b.bodies[index], b.salts[index], FormatProof(b.inclusion(t, index, size)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bytesOf(hashes []tlog.Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}

func TestEveryReceiptVerifiesByTwoLibraries(t *testing.T) {
	b := newBench(t, 1, 70)
	for size := int64(1); size <= 70; size++ {
		tree := b.tree(t, size)
		for index := range size {
			got, err := b.receipt(t, index, size).Verify(b.key)
			if err != nil {
				t.Fatalf("entry %d in a tree of %d: %v", index, size, err)
			}
			if diff := cmp.Diff(entry(int(index)), got); diff != "" {
				t.Fatalf("entry %d (-want +got):\n%s", index, diff)
			}
			p := b.inclusion(t, index, size)
			leaf := rfc6962.DefaultHasher.HashLeaf(Leaf(b.salts[index], b.bodies[index]))
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), uint64(size), leaf, bytesOf(p.Hashes), tree.Hash[:]); err != nil {
				t.Fatalf("second verifier, entry %d in a tree of %d: %v", index, size, err)
			}
		}
	}
}

func TestEveryConsistencyProofVerifiesByTwoLibraries(t *testing.T) {
	b := newBench(t, 1, 70)
	for newer := int64(1); newer <= 70; newer++ {
		for older := int64(1); older <= newer; older++ {
			path, err := tlog.ProveTree(newer, older, b)
			if err != nil {
				t.Fatal(err)
			}
			if err := VerifyConsistency(b.checkpoint(t, older), b.checkpoint(t, newer), path, b.key); err != nil {
				t.Fatalf("from %d to %d: %v", older, newer, err)
			}
			o, n := b.tree(t, older), b.tree(t, newer)
			if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(older), uint64(newer), bytesOf(path), o.Hash[:], n.Hash[:]); err != nil {
				t.Fatalf("second verifier, from %d to %d: %v", older, newer, err)
			}
		}
	}
}

func TestTheEmptyTreeIsTheBeginningOfEveryTree(t *testing.T) {
	b := newBench(t, 1, 3)
	for size := range int64(4) {
		if err := VerifyConsistency(b.checkpoint(t, 0), b.checkpoint(t, size), nil, b.key); err != nil {
			t.Errorf("from 0 to %d: %v", size, err)
		}
	}
	other := b.sign(t, FormatCheckpoint(origin, tlog.Tree{Hash: b.tree(t, 1).Hash}))
	if err := VerifyConsistency(other, b.checkpoint(t, 3), nil, b.key); !errors.Is(err, ErrProof) {
		t.Errorf("empty tree with another root: %v, want ErrProof", err)
	}
	if err := VerifyConsistency(b.checkpoint(t, 0), other, nil, b.key); !errors.Is(err, ErrProof) {
		t.Errorf("newer empty tree with another root: %v, want ErrProof", err)
	}
	if err := VerifyConsistency(b.checkpoint(t, 0), b.checkpoint(t, 3), tlog.TreeProof{{}}, b.key); !errors.Is(err, ErrProof) {
		t.Errorf("superfluous hash: %v, want ErrProof", err)
	}
}

func TestHistoryRewrittenAndSignedAgainIsRefused(t *testing.T) {
	honest := newBench(t, 1, 60)
	rapid.Check(t, func(t *rapid.T) {
		older := rapid.Int64Range(1, 60).Draw(t, "older")
		newer := rapid.Int64Range(older, 60).Draw(t, "newer")
		at := rapid.Int64Range(0, older-1).Draw(t, "changed entry")
		forged := honest.copied()
		forged.rewrite(int(at))
		path, err := tlog.ProveTree(newer, older, forged)
		if err != nil {
			t.Fatal(err)
		}
		err = VerifyConsistency(honest.mustCheckpoint(older), forged.mustCheckpoint(newer), path, honest.key)
		if !errors.Is(err, ErrProof) {
			t.Fatalf("entry %d changed between %d and %d: %v, want ErrProof", at, older, newer, err)
		}
	})
}

func TestACheckpointIsRefused(t *testing.T) {
	b := newBench(t, 1, 5)
	_, stranger := newKey(t, origin, 2)
	_, namesake := newKey(t, "other.example/v1/log", 1)
	good := FormatCheckpoint(origin, b.tree(t, 5))
	root := b.tree(t, 5).Hash.String()
	signedBy := func(text string, s note.Signer) []byte {
		n, err := note.Sign(&note.Note{Text: text}, s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, row := range []struct {
		name string
		note []byte
		want error
	}{
		{"signed by another key under the log's name", signedBy(good, stranger), ErrSignature},
		{"signed by the log's key under another name", signedBy(good, namesake), ErrSignature},
		{"not signed", []byte(good), ErrMalformed},
		{"text changed", bytes.Replace(b.sign(t, good), []byte("\n5\n"), []byte("\n4\n"), 1), ErrSignature},
		{"of another origin", b.sign(t, FormatCheckpoint("other.example/v1/log", b.tree(t, 5))), ErrSignature},
		{"with an extension line", b.sign(t, good+"more\n"), ErrMalformed},
		{"size with leading zero", b.sign(t, origin+"\n05\n"+root+"\n"), ErrMalformed},
		{"size with sign", b.sign(t, origin+"\n+5\n"+root+"\n"), ErrMalformed},
		{"negative size", b.sign(t, origin+"\n-5\n"+root+"\n"), ErrMalformed},
		{"size beyond 63 bits", b.sign(t, origin+"\n9223372036854775808\n"+root+"\n"), ErrMalformed},
		{"short root", b.sign(t, origin+"\n5\n"+root[:40]+"\n"), ErrMalformed},
		{"root with loose last bits", b.sign(t, origin+"\n5\n"+loosen(root)+"\n"), ErrMalformed},
		{"two lines", b.sign(t, origin+"\n5\n"), ErrMalformed},
		{"nothing", nil, ErrMalformed},
		{"too long", append(b.sign(t, good), bytes.Repeat([]byte("— w AAAAAAAA\n"), 8000)...), ErrSignature},
	} {
		if _, err := OpenCheckpoint(row.note, b.key); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	if _, err := OpenCheckpoint(b.sign(t, good), LogKey{}); !errors.Is(err, ErrSignature) {
		t.Errorf("zero key: %v, want ErrSignature", err)
	}
	got, err := OpenCheckpoint(b.sign(t, good), b.key)
	if err != nil || got != b.tree(t, 5) {
		t.Errorf("honest checkpoint: %v, %v", got, err)
	}
}

func TestACheckpointKeepsItsMeaningUnderWitnesses(t *testing.T) {
	b := newBench(t, 1, 5)
	_, witness := newKey(t, "witness.example", 9)
	n, err := note.Sign(&note.Note{Text: FormatCheckpoint(origin, b.tree(t, 5))}, b.signer, witness)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := OpenCheckpoint(n, b.key); err != nil || got != b.tree(t, 5) {
		t.Errorf("cosigned checkpoint: %v, %v", got, err)
	}
}

// TestLeafKnownAnswer fixes the commitment for every other implementation.
func TestLeafKnownAnswer(t *testing.T) {
	var salt [32]byte
	for i := range salt {
		salt[i] = byte(i)
	}
	input := append([]byte("handover-audit-v1\x00"), salt[:]...)
	input = append(input, `{"v":1}`...)
	sum := sha256.Sum256(input)
	if got, want := hex.EncodeToString(Leaf(salt, []byte(`{"v":1}`))), "01"+hex.EncodeToString(sum[:]); got != want {
		t.Errorf("Leaf = %s, want %s", got, want)
	}
	if got := len(Leaf(salt, nil)); got != LeafSize {
		t.Errorf("a leaf has %d bytes, want %d", got, LeafSize)
	}
}

func TestLogKeyHasOneForm(t *testing.T) {
	key, _ := newKey(t, origin, 1)
	if key.Origin() != origin {
		t.Errorf("Origin() = %q", key.Origin())
	}
	again, err := ParseLogKey(key.String())
	if err != nil || again.String() != key.String() {
		t.Errorf("ParseLogKey(String()) = %v, %v", again, err)
	}
	for _, bad := range []string{"", "x", origin, key.String() + "A", strings.Replace(key.String(), "hub", "hop", 1), "a b+00000000+AAAA"} {
		if _, err := ParseLogKey(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseLogKey(%q): %v, want ErrMalformed", bad, err)
		}
	}
}
