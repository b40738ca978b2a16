package proof

import (
	"encoding/base64"
	"fmt"
	"time"

	"handover/internal/ids"
)

// MediaType is the media type of a Receipt.
const MediaType = "application/vnd.handover.receipt+json"

// Receipt is what a partner keeps of a step: the log entry with its salt, and the
// proof that the log holds it. The other members repeat the entry for the reader's
// convenience; Verify refuses a receipt in which they differ from it.
type Receipt struct {
	Referral  string    `json:"referral,omitempty"`  // referral id
	Reference string    `json:"reference,omitempty"` // its short form, as R-7K3F-9Q2M
	Event     string    `json:"event,omitempty"`
	Envelope  string    `json:"envelope,omitempty"` // base64url SHA-256
	State     string    `json:"state,omitempty"`
	Consent   string    `json:"consent,omitempty"`
	Override  string    `json:"override,omitempty"`
	Time      time.Time `json:"time"`
	Entry     string    `json:"entry"` // base64url of the canonical bytes
	Salt      string    `json:"salt"`  // base64url of 32 bytes
	Proof     string    `json:"proof"` // C2SP tlog-proof@v1
}

// NewReceipt returns the receipt of the entry with the given canonical bytes and
// salt, and the entry. proof is a tlog-proof of its leaf. The proof is not verified.
func NewReceipt(body []byte, salt [32]byte, proof []byte) (Receipt, Entry, error) {
	e, err := ParseEntry(body)
	if err != nil {
		return Receipt{}, Entry{}, err
	}
	return ReceiptOf(e, body, salt, string(proof)), e, nil
}

// ReceiptOf is NewReceipt for who has the entry whose canonical bytes are body.
func ReceiptOf(e Entry, body []byte, salt [32]byte, proof string) Receipt {
	return Receipt{
		Referral:  e.Referral,
		Reference: ids.Reference(e.Referral),
		Event:     e.Event,
		Envelope:  e.Envelope,
		State:     e.State,
		Consent:   e.Consent,
		Override:  e.Override,
		Time:      e.Time,
		Entry:     base64.RawURLEncoding.EncodeToString(body),
		Salt:      base64.RawURLEncoding.EncodeToString(salt[:]),
		Proof:     proof,
	}
}

// Verify returns the entry that r proves to be in the log of key. It checks, in
// this order, that entry and salt are in the one form the log writes, that the
// salted commitment to them is included in the tree of the checkpoint (RFC 6962
// §2.1.1), that key signed this checkpoint, and that every other member of r says
// what the entry says: a program may show those members only because of that last
// check.
func (r Receipt) Verify(key LogKey) (Entry, error) {
	body, err := base64.RawURLEncoding.Strict().DecodeString(r.Entry)
	if err != nil {
		return Entry{}, fmt.Errorf("entry of the receipt: %w", ErrMalformed)
	}
	e, err := ParseEntry(body)
	if err != nil {
		return Entry{}, err
	}
	salt, err := base64.RawURLEncoding.Strict().DecodeString(r.Salt)
	if err != nil || len(salt) != 32 {
		return Entry{}, fmt.Errorf("salt of the receipt: %w", ErrMalformed)
	}
	p, err := ParseProof([]byte(r.Proof))
	if err != nil {
		return Entry{}, err
	}
	if _, err := p.Verify(Leaf([32]byte(salt), body), key); err != nil {
		return Entry{}, err
	}
	want := ReceiptOf(e, body, [32]byte(salt), r.Proof)
	if !want.Time.Equal(r.Time) {
		return Entry{}, ErrMismatch
	}
	want.Time = r.Time
	if want != r {
		return Entry{}, ErrMismatch
	}
	return e, nil
}
