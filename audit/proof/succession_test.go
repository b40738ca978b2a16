package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

// signerOf is a key of the log "hub.example/v1/log", or of another one.
func signerOf(t testing.TB, seed byte, origin string) (note.Signer, proof.LogKey) {
	t.Helper()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	public, ok := private.Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("no Ed25519 key")
	}
	text, err := note.NewEd25519VerifierKey(origin, public)
	if err != nil {
		t.Fatal(err)
	}
	key, err := proof.ParseLogKey(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		t.Fatal(err)
	}
	return ed25519Signer{v, private}, key
}

type ed25519Signer struct {
	note.Verifier
	key ed25519.PrivateKey
}

func (s ed25519Signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

func signNote(t *testing.T, text string, signers ...note.Signer) string {
	t.Helper()
	signed, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

const line = "hub.example/v1/log"

func TestEachKeyOfALineSpeaksInItsTurn(t *testing.T) {
	s1, k1 := signerOf(t, 1, line)
	s2, k2 := signerOf(t, 2, line)
	s3, k3 := signerOf(t, 3, line)
	texts := []string{
		signNote(t, proof.Succession{Size: 10, From: k1, To: k2}.Text(), s1, s2),
		signNote(t, proof.Succession{Size: 20, From: k2, To: k3}.Text(), s2, s3),
	}
	for n, key := range []proof.LogKey{k1, k2, k3} {
		whole, err := key.Followed(texts)
		if err != nil {
			t.Fatalf("key %d: %v", n+1, err)
		}
		if whole.String() != key.String() || !whole.Knows(k1) || !whole.Knows(k3) || key.Knows(whole) == (n > 2) {
			t.Errorf("key %d does not know its line", n+1)
		}
		for _, c := range []struct {
			size   int64
			signer note.Signer
			ok     bool
		}{
			{0, s1, true}, {10, s1, true}, {11, s1, false}, {10, s2, false}, {11, s2, true}, {20, s2, true}, {21, s2, false},
			{9, s3, false}, {20, s3, false}, {21, s3, true}, {1 << 40, s3, true}, {1 << 40, s1, false},
		} {
			signed := signNote(t, proof.FormatCheckpoint(line, tlog.Tree{N: c.size}), c.signer)
			if tree, err := proof.OpenCheckpoint([]byte(signed), whole); (err == nil) != c.ok || c.ok && tree.N != c.size || !c.ok && !errors.Is(err, proof.ErrSignature) {
				t.Errorf("key %d: the checkpoint of %d by %08x: %v, want accepted %v", n+1, c.size, c.signer.KeyHash(), err, c.ok)
			}
		}
	}
	if whole, err := k1.Followed(nil); err != nil || len(whole.Successions()) != 0 {
		t.Errorf("a key that nobody followed: %v", err)
	}
}

func TestSuccessionsThatDoNotLeadFromTheKeyAreRefused(t *testing.T) {
	s1, k1 := signerOf(t, 1, line)
	s2, k2 := signerOf(t, 2, line)
	s3, k3 := signerOf(t, 3, line)
	s4, k4 := signerOf(t, 4, line)
	elsewhere, foreign := signerOf(t, 5, "other.example/v1/log")
	of := func(size int64, from, to proof.LogKey) string {
		return proof.Succession{Size: size, From: from, To: to}.Text()
	}
	first := signNote(t, of(10, k1, k2), s1, s2)
	for what, texts := range map[string][]string{
		"signed by the new key alone":  {signNote(t, of(10, k1, k2), s2)},
		"signed by the old key alone":  {signNote(t, of(10, k1, k2), s1)},
		"signed by another key":        {signNote(t, of(10, k1, k2), s2, s3)},
		"of other keys":                {signNote(t, of(10, k2, k3), s2, s3)},
		"a gap":                        {first, signNote(t, of(20, k3, k4), s3, s4)},
		"a fork":                       {first, signNote(t, of(10, k1, k3), s1, s3)},
		"going back":                   {first, signNote(t, of(9, k2, k3), s2, s3)},
		"to itself":                    {signNote(t, of(10, k1, k1), s1)},
		"to another log's key":         {signNote(t, of(10, k1, foreign), s1, elsewhere)},
		"another size than was signed": {strings.Replace(first, "\n10\n", "\n11\n", 1)},
		"a size of another spelling":   {signNote(t, strings.Replace(of(10, k1, k2), "\n10\n", "\n010\n", 1), s1, s2)},
		"a checkpoint":                 {signNote(t, proof.FormatCheckpoint(line, tlog.Tree{N: 10}), s1, s2)},
		"one more line":                {signNote(t, of(10, k1, k2)+"more\n", s1, s2)},
		"nothing":                      {""},
		"a note longer than any is":    {first + strings.Repeat(" ", 64<<10)},
	} {
		if got, err := k1.Followed(texts); err == nil {
			t.Errorf("%s: followed to %v", what, got.Successions())
		} else if !errors.Is(err, proof.ErrSignature) && !errors.Is(err, proof.ErrMalformed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := (proof.LogKey{}).Followed([]string{first}); err == nil && (proof.LogKey{}).Knows(k1) {
		t.Error("no key knows a line")
	}
	// A succession is no checkpoint.
	if _, err := proof.OpenCheckpoint([]byte(first), k1); err == nil {
		t.Error("a succession was taken for a checkpoint")
	}
}
