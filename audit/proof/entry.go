// Package proof says what one entry of the audit log is, and verifies offline
// that an entry is in the log: receipts, inclusion proofs, consistency proofs and
// checkpoints. It needs nothing but the log's public key: no network, no
// database, no trust in the hub.
//
// The tree is RFC 6962's (§2.1), with SHA-256. A checkpoint is a C2SP
// tlog-checkpoint signed with Ed25519, an inclusion proof a C2SP tlog-proof.
// What the tree holds of an entry is a salted commitment to it and nothing else,
// so the tree may be shown to everybody and an entry can be erased for good by
// forgetting its salt, while every proof still verifies.
package proof

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"handover/internal/strict"
)

// What verification can find. Every error of this package wraps one of them and
// repeats nothing of what it refused.
var (
	// ErrMalformed means the text is not what it says it is, in form.
	ErrMalformed = errors.New("malformed")
	// ErrSignature means the checkpoint is not signed by the log's key.
	ErrSignature = errors.New("the checkpoint is not signed by this log")
	// ErrProof means the proof does not lead from the entry to the checkpoint.
	ErrProof = errors.New("the proof does not hold")
	// ErrMismatch means a receipt says something else than its entry.
	ErrMismatch = errors.New("the receipt does not say what its entry says")
)

// Version is the version of the entries this package writes and reads.
const Version = 1

// Entry is what one entry of the log says: who did what to which referral, in
// ids, codes and digests. It never carries a name, a need or any other content,
// so that reading the log teaches nothing about the woman referred.
type Entry struct {
	V        int       `json:"v"`                  // Version
	ID       string    `json:"id"`                 // UUIDv7, chosen by the hub
	Time     time.Time `json:"time"`               // the database's time, UTC, microseconds
	Act      string    `json:"act"`                // what was done: "referral.request", "section.open", "refused"…
	Partner  string    `json:"partner,omitempty"`  // who acted; "" is the hub itself, or a stranger
	Client   string    `json:"client,omitempty"`   // that partner's system
	User     string    `json:"user,omitempty"`     // that partner's user, by opaque id
	Other    string    `json:"other,omitempty"`    // the partner it concerns besides
	Referral string    `json:"referral,omitempty"` // referral id
	Event    string    `json:"event,omitempty"`    // what the packet did: "request", "accept"…
	Subject  string    `json:"subject,omitempty"`  // her random reference, in what says whom it is about: a request, a consent record, an override
	Envelope string    `json:"envelope,omitempty"` // base64url SHA-256 of the envelope
	State    string    `json:"state,omitempty"`    // the referral's state afterwards
	Consent  string    `json:"consent,omitempty"`  // id of the consent record relied on
	Override string    `json:"override,omitempty"` // id of the override relied on, in the place of a consent record
	Digest   string    `json:"digest,omitempty"`   // of a consent record, an override, a key, an agreement
	Sections []string  `json:"sections,omitempty"` // names of the sections concerned
	Reason   string    `json:"reason,omitempty"`   // coded
	Outcome  string    `json:"outcome,omitempty"`  // of a refusal: the problem's code
	Target   string    `json:"target,omitempty"`   // id of what administration changed, or of the packet that is to name an attachment; of a count: its hour
	Count    int64     `json:"count,omitzero"`     // how many, where one entry stands for many refusals of strangers

	Key *KeyChange `json:"key,omitempty"` // what changed of a public key of Partner
}

// Bytes returns the canonical bytes of e: JSON with the members in the order of
// their declaration, empty ones left out, time in UTC cut to microseconds. The
// same entry always gives the same bytes, which is what makes a commitment to
// them a commitment to the entry.
func (e Entry) Bytes() ([]byte, error) {
	e.Time, e.Key = e.Time.UTC().Truncate(time.Microsecond), e.Key.canonical()
	b, err := strict.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding log entry: %w", err)
	}
	return b, nil
}

// ParseEntry reads canonical bytes back. Bytes that Entry.Bytes would not have
// written are refused, so no two readers can see two meanings in one commitment.
func ParseEntry(body []byte) (Entry, error) {
	var e Entry
	if err := strict.Unmarshal(body, &e); err != nil {
		return Entry{}, fmt.Errorf("log entry: %w", ErrMalformed)
	}
	if e.V != Version {
		return Entry{}, fmt.Errorf("log entry of an unknown version: %w", ErrMalformed)
	}
	again, err := e.Bytes()
	if err != nil || !bytes.Equal(again, body) {
		return Entry{}, fmt.Errorf("log entry is not canonical: %w", ErrMalformed)
	}
	return e, nil
}

// leafDomain separates this commitment from every other SHA-256 in the system.
const leafDomain = "handover-audit-v1\x00"

// leafVersion begins the data of each leaf.
const leafVersion = 0x01

// LeafSize is the length of a leaf's data in bytes.
const LeafSize = 1 + sha256.Size

// Leaf returns the data of a leaf, the input of RFC 6962's leaf hash:
//
//	0x01 || SHA-256("handover-audit-v1" || 0x00 || salt || body)
//
// The salt is 32 random bytes of that entry alone. Without it whoever sees the
// tree could try all referral ids, or all partners and acts, against a leaf; with
// one salt for many entries, one leaked salt would open them all.
func Leaf(salt [32]byte, body []byte) []byte {
	h := sha256.New()
	h.Write([]byte(leafDomain))
	h.Write(salt[:])
	h.Write(body)
	return h.Sum([]byte{leafVersion})
}
