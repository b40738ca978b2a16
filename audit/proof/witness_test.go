package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	cosign "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	. "handover/audit/proof"
)

// witness is a witness whose clock and honesty are the test's.
type witness struct {
	Witness
	name    string
	private ed25519.PrivateKey
}

func newWitness(t testing.TB, name string, seed byte) witness {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))
	vkey, err := WitnessKey(name, private.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	w, err := ParseWitness(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return witness{w, name, private}
}

// line is the witness's cosignature at a time under the text of a checkpoint.
func (w witness) line(at uint64, checkpoint []byte) []byte {
	text, _, _ := bytes.Cut(checkpoint, []byte("\n\n"))
	return w.signed(at, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s\n", at, text))
}

func (w witness) signed(at uint64, message []byte) []byte {
	_, rest, _ := strings.Cut(w.Key, "+")
	hash, _, _ := strings.Cut(rest, "+")
	raw := binary.BigEndian.AppendUint64(unhex(hash), at)
	raw = append(raw, ed25519.Sign(w.private, message)...)
	return fmt.Appendf(nil, "— %s %s\n", w.name, base64.StdEncoding.EncodeToString(raw))
}

func unhex(s string) []byte {
	var n uint32
	_, _ = fmt.Sscanf(s, "%08x", &n)
	return binary.BigEndian.AppendUint32(nil, n)
}

func mustPolicy(t testing.TB, lines ...string) Policy {
	t.Helper()
	p, err := ParsePolicy(strings.Join(lines, "\n") + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const now = 1795000000

// TestACheckpointCountsOnlyWithItsQuorum puts a signed checkpoint together in every way
// that somebody who holds the log's key, and at most one witness, can.
func TestACheckpointCountsOnlyWithItsQuorum(t *testing.T) {
	b := newBench(t, 1, 20)
	charity, borough, auditor := newWitness(t, "charity.example/w", 11), newWitness(t, "borough.example/w", 12), newWitness(t, "auditor.example/w", 13)
	stranger := newWitness(t, "stranger.example/w", 14)
	impostor := witness{Witness: stranger.Witness, name: charity.name, private: stranger.private}
	impostor.Key = charity.Key // the line bears the charity's name and hash
	policy := mustPolicy(t, "witness charity "+charity.Key, "witness borough "+borough.Key, "witness auditor "+auditor.Key,
		"group parties 2 charity borough auditor", "quorum parties")
	key := b.key.Witnessed(policy)
	cp, other := b.mustCheckpoint(20), b.mustCheckpoint(19)
	rewritten := newBench(t, 2, 20)
	rewritten.signer = b.signer
	forked := rewritten.mustCheckpoint(20)
	loose := func(line []byte) []byte { // the last digit's spare bits, which no decoder but a strict one sees
		at := bytes.LastIndexByte(line, '=')
		for ; line[at] == '='; at-- {
		}
		const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
		line = bytes.Clone(line)
		line[at] = digits[strings.IndexByte(digits, line[at])|1]
		return line
	}
	plain := func(signer note.Signer) []byte { // a signature of a log where a cosignature should be
		signed, err := note.Sign(&note.Note{Text: FormatCheckpoint(origin, tlog.Tree{N: 20})}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return signed[bytes.Index(signed, []byte("\n\n"))+2:]
	}
	for _, row := range []struct {
		name string
		note [][]byte
		want error
	}{
		{"two of three", [][]byte{cp, charity.line(now, cp), borough.line(now, cp)}, nil},
		{"two others of three, in another order", [][]byte{cp, auditor.line(now, cp), borough.line(now+9, cp)}, nil},
		{"all three", [][]byte{cp, auditor.line(now, cp), borough.line(now, cp), charity.line(now, cp)}, nil},
		{"two, and a stranger", [][]byte{cp, charity.line(now, cp), stranger.line(now, cp), borough.line(now, cp)}, nil},
		{"none", [][]byte{cp}, ErrUnwitnessed},
		{"one", [][]byte{cp, charity.line(now, cp)}, ErrUnwitnessed},
		{"one twice", [][]byte{cp, charity.line(now, cp), charity.line(now, cp)}, ErrUnwitnessed},
		{"one at two times", [][]byte{cp, charity.line(now, cp), charity.line(now+1, cp)}, ErrUnwitnessed},
		{"one, and a stranger", [][]byte{cp, charity.line(now, cp), stranger.line(now, cp)}, ErrUnwitnessed},
		{"one, and a stranger under another's name", [][]byte{cp, borough.line(now, cp), impostor.line(now, cp)}, ErrSignature},
		{"a quorum on the tree before", [][]byte{cp, charity.line(now, other), borough.line(now, other)}, ErrSignature},
		{"a quorum on the history before it was rewritten", [][]byte{forked, charity.line(now, cp), borough.line(now, cp)}, ErrSignature},
		{"a quorum that the log did not sign", [][]byte{rawText(cp), charity.line(now, cp), borough.line(now, cp)}, ErrSignature},
		{"a time changed", [][]byte{cp, charity.line(now, cp), retimed(t, borough.line(now, cp))}, ErrSignature},
		{"no time", [][]byte{cp, charity.line(now, cp), borough.line(0, cp)}, ErrMalformed},
		{"a time that is no time", [][]byte{cp, charity.line(now, cp), borough.line(1<<63, cp)}, ErrMalformed},
		{"a time after all years", [][]byte{cp, charity.line(now, cp), borough.line(1<<62, cp)}, ErrMalformed},
		{"loose base64", [][]byte{cp, charity.line(now, cp), loose(borough.line(now, cp))}, ErrMalformed},
		{"a witness's signature without cosignature's form", [][]byte{cp, charity.line(now, cp), borough.signed(now, cp)}, ErrSignature},
		{"the log's signature twice", [][]byte{cp, plain(b.signer), charity.line(now, cp)}, ErrUnwitnessed},
		{"a cut line", [][]byte{cp, charity.line(now, cp), bytes.TrimSuffix(borough.line(now, cp), []byte("\n"))}, ErrMalformed},
	} {
		signed := bytes.Join(row.note, nil)
		tree, err := OpenCheckpoint(signed, key)
		if !errors.Is(err, row.want) || row.want != nil && tree != (tlog.Tree{}) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	// Whoever has no policy, or puts it down, asks for the log's signature only.
	for _, k := range []LogKey{b.key, key.Alone(), b.key.Witnessed(Policy{})} {
		if _, err := OpenCheckpoint(cp, k); err != nil {
			t.Errorf("without a policy: %v", err)
		}
	}
	_, err := OpenCheckpoint(bytes.Join([][]byte{cp, borough.line(now, cp)}, nil), key)
	if want := "1 of 3 have (borough), and the policy asks for 2 of (charity, borough, auditor)"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("the refusal says %q, want it to end in %q", err, want)
	}
}

// rawText is a checkpoint whose signature is taken away.
func rawText(cp []byte) []byte {
	text, _, _ := bytes.Cut(cp, []byte("\n\n"))
	return append(text[:len(text):len(text)], "\n\n"...)
}

// retimed gives a cosignature a later time.
func retimed(t *testing.T, line []byte) []byte {
	t.Helper()
	fields := bytes.Fields(line)
	raw, err := base64.StdEncoding.DecodeString(string(fields[2]))
	if err != nil {
		t.Fatal(err)
	}
	raw[11]++
	return fmt.Appendf(nil, "— %s %s\n", fields[1], base64.StdEncoding.EncodeToString(raw))
}

// TestALogDoesNotWitnessItself: a policy names a witness, and its key turns out to be
// the log's, or one that the log goes over to later.
func TestALogDoesNotWitnessItself(t *testing.T) {
	s1, k1 := signerOf(t, 1, origin)
	s2, k2 := signerOf(t, 2, origin)
	self, next, honest := newWitness(t, "w.example/1", 1), newWitness(t, "w.example/2", 2), newWitness(t, "w.example/3", 3)
	text := FormatCheckpoint(origin, tlog.Tree{N: 5, Hash: tlog.Hash{1}})
	cp := []byte(signNote(t, text, s1))
	succession := signNote(t, Succession{Size: 10, From: k1, To: k2}.Text(), s1, s2)
	followed, err := k1.Followed([]string{succession})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		key  LogKey
		by   witness
		want error
	}{
		{"another's key", k1, honest, nil},
		{"the log's key", k1, self, ErrUnwitnessed},
		{"a key that is not the log's yet", k1, next, nil},
		{"the key that follows the log's", followed, next, ErrUnwitnessed},
		{"another's key, by the line of keys", followed, honest, nil},
	} {
		policy := mustPolicy(t, "witness w "+row.by.Key, "quorum w")
		_, err := OpenCheckpoint(append(bytes.Clone(cp), row.by.line(now, cp)...), row.key.Witnessed(policy))
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
	if _, err := self.Cosigned(cp, self.line(now, cp), k1); !errors.Is(err, ErrSignature) {
		t.Errorf("gathering the log's own cosignature: %v", err)
	}
	if _, err := ParsePolicy("log " + k1.String() + "\nwitness w " + self.Key + "\nquorum w\n"); !errors.Is(err, ErrMalformed) {
		t.Errorf("a policy of both: %v", err)
	}
	policy := mustPolicy(t, "log "+k2.String(), "quorum none")
	if _, err := OpenCheckpoint(cp, k1.Witnessed(policy)); !errors.Is(err, ErrSignature) {
		t.Errorf("a policy of another log: %v", err)
	}
	if _, err := OpenCheckpoint(cp, followed.Witnessed(policy)); err != nil {
		t.Errorf("a policy of a later key of the log: %v", err)
	}
}

// TestOnlyTheWitnesssOwnLineIsGathered looks at answers that a witness, or somebody in
// its place, can give.
func TestOnlyTheWitnesssOwnLineIsGathered(t *testing.T) {
	b := newBench(t, 1, 20)
	w, stranger := newWitness(t, "charity.example/w", 11), newWitness(t, "stranger.example/w", 14)
	cp, other := b.mustCheckpoint(20), b.mustCheckpoint(19)
	own := w.line(now, cp)
	for _, row := range []struct {
		name   string
		answer []byte
		want   error
	}{
		{"its line", own, nil},
		{"its line among others'", bytes.Join([][]byte{stranger.line(now, cp), own, stranger.line(now+1, cp)}, nil), nil},
		{"its line twice", bytes.Repeat(own, 2), nil},
		{"nothing", nil, ErrSignature},
		{"a stranger's line", stranger.line(now, cp), ErrSignature},
		{"its line for another tree", w.line(now, other), ErrSignature},
		{"no time", w.line(0, cp), ErrMalformed},
		{"text", []byte("gone fishing\n"), ErrMalformed},
		{"a second note", append([]byte("\nother\n\n"), own...), ErrSignature},
		{"its line, then text", append(bytes.Clone(own), "\nmore\n"...), ErrMalformed},
		{"more than a note may have", bytes.Repeat(own, 2000), ErrSignature},
	} {
		got, err := w.Cosigned(cp, row.answer, b.key)
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
		if row.want == nil && (got.Line != string(own) || got.Time.Unix() != now) {
			t.Errorf("%s: %+v", row.name, got)
		}
	}
	policy := mustPolicy(t, "witness charity "+w.Key, "witness stranger "+stranger.Key, "group g all charity stranger", "quorum g")
	by := map[string]Cosignature{}
	for name, who := range map[string]witness{"stranger": stranger, "charity": w} {
		c, err := who.Cosigned(cp, who.line(now, cp), b.key)
		if err != nil {
			t.Fatal(err)
		}
		by[name] = c
	}
	signed := policy.Cosign(cp, by)
	if want := bytes.Join([][]byte{cp, own, stranger.line(now, cp)}, nil); !bytes.Equal(signed, want) {
		t.Errorf("cosigned in the policy's order:\n%s\nwant\n%s", signed, want)
	}
	if _, err := OpenCheckpoint(signed, b.key.Witnessed(policy)); err != nil {
		t.Error(err)
	}
}

// TestAWitnesssKeyHasOneSpelling changes each character of a key.
func TestAWitnesssKeyHasOneSpelling(t *testing.T) {
	w := newWitness(t, "charity.example/w", 11)
	for i := range w.Key {
		changed := []byte(w.Key)
		changed[i] ^= 1
		if got, err := ParseWitness(string(changed)); err == nil && got.Key != string(changed) || err == nil && bytes.HasPrefix(changed, []byte(w.name+"+")) {
			t.Errorf("%s was read", changed)
		}
	}
	_, log := signerOf(t, 1, origin)
	for _, key := range []string{"", "charity.example/w", log.String(), w.Key + "=", w.Key + "+", strings.ToUpper(w.Key)} {
		if _, err := ParseWitness(key); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// TestCosignaturesAreThoseOfOtherPrograms has a signer by other people sign.
func TestCosignaturesAreThoseOfOtherPrograms(t *testing.T) {
	b := newBench(t, 1, 20)
	cp := b.mustCheckpoint(20)
	skey, vkey, err := note.GenerateKey(nil, "charity.example/w")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := cosign.NewSignerForCosignatureV1(skey)
	if err != nil {
		t.Fatal(err)
	}
	if vkey, err = cosign.VKeyToCosignatureV1(vkey); err != nil {
		t.Fatal(err)
	}
	w, err := ParseWitness(vkey)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(cp, note.VerifierList(b.signer.(edSigner).Verifier))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := note.Sign(opened, signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Cosigned(cp, bytes.TrimPrefix(signed, cp), b.key); err != nil {
		t.Error(err)
	}
	if _, err := OpenCheckpoint(signed, b.key.Witnessed(mustPolicy(t, "witness w "+vkey, "quorum w"))); err != nil {
		t.Error(err)
	}
}

// FuzzWitnessed: whatever is opened under a policy is a checkpoint that is opened
// without it, to the same tree.
func FuzzWitnessed(f *testing.F) {
	b := newBench(f, 1, 20)
	w := newWitness(f, "charity.example/w", 11)
	cp := b.mustCheckpoint(20)
	key := b.key.Witnessed(mustPolicy(f, "witness w "+w.Key, "quorum w"))
	good := append(bytes.Clone(cp), w.line(now, cp)...)
	f.Add(good)
	f.Add(append(bytes.Clone(good), w.line(now+1, cp)...))
	f.Fuzz(func(t *testing.T, signed []byte) {
		tree, err := OpenCheckpoint(signed, key)
		if err != nil {
			return
		}
		alone, err := OpenCheckpoint(signed, b.key)
		if err != nil || alone != tree || !bytes.HasPrefix(signed, cp[:bytes.Index(cp, []byte("\n\n"))]) {
			t.Fatalf("%v, %v, %v", tree, alone, err)
		}
	})
}
