package proof_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	. "handover/audit/proof"
	"handover/internal/strict"
)

// loosen sets one of the bits of base64 text that stand for nothing.
func loosen(s string) string {
	body := strings.TrimRight(s, "=")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	at := strings.IndexByte(alphabet, body[len(body)-1])
	return body[:len(body)-1] + string(alphabet[at|1]) + s[len(body):]
}

func TestAReceiptIsRefused(t *testing.T) {
	b, other := newBench(t, 1, 9), newBench(t, 2, 9)
	change := func(f func(*Receipt)) Receipt {
		r := b.receipt(t, 4, 9)
		f(&r)
		return r
	}
	for _, row := range []struct {
		name string
		r    Receipt
		want error
	}{
		{"from another log's key", other.receipt(t, 4, 9), ErrSignature},
		{"another entry's salt", change(func(r *Receipt) { r.Salt = b.receipt(t, 5, 9).Salt }), ErrProof},
		{"another entry's proof", change(func(r *Receipt) { r.Proof = b.receipt(t, 5, 9).Proof }), ErrProof},
		{"another entry", change(func(r *Receipt) { r.Entry = b.receipt(t, 5, 9).Entry }), ErrProof},
		{"short salt", change(func(r *Receipt) { r.Salt = r.Salt[:20] }), ErrMalformed},
		{"no salt", change(func(r *Receipt) { r.Salt = "" }), ErrMalformed},
		{"padded salt", change(func(r *Receipt) { r.Salt += "=" }), ErrMalformed},
		{"line break in the salt", change(func(r *Receipt) { r.Salt = r.Salt[:9] + "\n" + r.Salt[9:] }), ErrMismatch},
		{"line break in the entry", change(func(r *Receipt) { r.Entry = r.Entry[:9] + "\r\n" + r.Entry[9:] }), ErrMismatch},
		{"no entry", change(func(r *Receipt) { r.Entry = "" }), ErrMalformed},
		{"no proof", change(func(r *Receipt) { r.Proof = "" }), ErrMalformed},
		{"other referral", change(func(r *Receipt) { r.Referral = "x" }), ErrMismatch},
		{"other reference", change(func(r *Receipt) { r.Reference = "R-0000-0000" }), ErrMismatch},
		{"other event", change(func(r *Receipt) { r.Event = "accept" }), ErrMismatch},
		{"other envelope", change(func(r *Receipt) { r.Envelope = "x" }), ErrMismatch},
		{"other state", change(func(r *Receipt) { r.State = "accepted" }), ErrMismatch},
		{"other consent", change(func(r *Receipt) { r.Consent = "c-2" }), ErrMismatch},
		{"no consent", change(func(r *Receipt) { r.Consent = "" }), ErrMismatch},
		{"other time", change(func(r *Receipt) { r.Time = r.Time.Add(time.Nanosecond) }), ErrMismatch},
		{"empty", Receipt{}, ErrMalformed},
	} {
		if e, err := row.r.Verify(b.key); !errors.Is(err, row.want) || !cmp.Equal(e, Entry{}) {
			t.Errorf("%s: %v, %v, want %v", row.name, e, err, row.want)
		}
	}
	if _, err := b.receipt(t, 4, 9).Verify(LogKey{}); !errors.Is(err, ErrSignature) {
		t.Errorf("zero key: %v, want ErrSignature", err)
	}
	if _, err := b.receipt(t, 4, 9).Verify(b.key); err != nil {
		t.Errorf("honest receipt: %v", err)
	}
}

// TestAChangedByteOfAReceiptIsRefusedOrMeansTheSame goes through all bytes of one
// receipt, with each of several changes, and through random edits.
func TestAChangedByteOfAReceiptIsRefusedOrMeansTheSame(t *testing.T) {
	b := newBench(t, 1, 21)
	honest := b.receipt(t, 13, 21)
	text, err := strict.Marshal(honest)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	judge := func(t interface {
		Fatalf(string, ...any)
	}, changed []byte) {
		var r Receipt
		if err := strict.Unmarshal(changed, &r); err != nil {
			refused++
			return
		}
		e, err := r.Verify(b.key)
		if err != nil {
			refused++
			return
		}
		r.Time = honest.Time // Verify has compared it; another spelling is another struct
		r.Proof = honest.Proof
		if !cmp.Equal(e, entry(13)) || r != honest {
			t.Fatalf("changed receipt verifies with another meaning:\n%s", changed)
		}
	}
	for i := range text {
		for _, x := range []byte{1, 2, 4, 8, 16, 32, 64, 128} {
			changed := bytes.Clone(text)
			changed[i] ^= x
			judge(t, changed)
		}
		judge(t, append(bytes.Clone(text[:i]), text[i+1:]...))
	}
	if refused < 9*len(text)*99/100 {
		t.Errorf("only %d of %d changes refused", refused, 9*len(text))
	}
	rapid.Check(t, func(t *rapid.T) {
		changed := bytes.Clone(text)
		for range rapid.IntRange(1, 3).Draw(t, "edits") {
			changed[rapid.IntRange(0, len(text)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		judge(t, changed)
	})
}
