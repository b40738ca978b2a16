package audit

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"handover/audit/proof"
)

// EntryID names one entry. It is a UUIDv7 (RFC 9562 §5.7), so entries of one time
// lie together in the database, and it says nothing but that time.
type EntryID [16]byte

// newEntryID returns an id for an entry of time t: 48 bits of milliseconds, then
// 74 random bits.
func newEntryID(t time.Time, random [10]byte) EntryID {
	var id EntryID
	binary.BigEndian.PutUint64(id[:8], uint64(t.UnixMilli())<<16)
	copy(id[6:], random[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// ParseEntryID reads what String writes.
func ParseEntryID(s string) (EntryID, error) {
	var id EntryID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return EntryID{}, errors.New("not an entry id")
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return EntryID{}, errors.New("not an entry id")
	}
	if id.String() != s { // one spelling: lower case
		return EntryID{}, errors.New("not an entry id")
	}
	return id, nil
}

// String returns the usual form, 8-4-4-4-12 lower-case hexadecimal digits.
func (id EntryID) String() string {
	var s [36]byte
	hex.Encode(s[:8], id[:4])
	hex.Encode(s[9:13], id[4:6])
	hex.Encode(s[14:18], id[6:8])
	hex.Encode(s[19:23], id[8:10])
	hex.Encode(s[24:], id[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// Time is when the entry was made, to the millisecond: the id says it even of an entry that says
// nothing any more.
func (id EntryID) Time() time.Time { return id.at() }

// at returns the time in the id, in milliseconds.
func (id EntryID) at() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16))
}

// sealed is an entry ready to be written: its canonical bytes, the salt that is
// its own, and the leaf that commits to both.
type sealed struct {
	id   EntryID
	e    proof.Entry
	body []byte
	salt [32]byte
	leaf []byte
}

// seal gives e its version, id and salt. The caller has set everything else; an entry
// without time, or of an act that proof.Acts does not list, is the caller's mistake.
func seal(e proof.Entry) (sealed, error) {
	if e.Act == "" || e.Time.IsZero() {
		return sealed{}, errors.New("a log entry needs an act and a time")
	}
	if _, known := proof.ActOf(e.Act); !known {
		return sealed{}, errors.New("a log entry of an act that is not on the list (audit/proof/acts.go)")
	}
	var random [42]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	s := sealed{id: newEntryID(e.Time, [10]byte(random[:10])), salt: [32]byte(random[10:])}
	e.V = proof.Version
	e.ID = s.id.String()
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	body, err := e.Bytes()
	if err != nil {
		return sealed{}, fmt.Errorf("sealing log entry: %w", err)
	}
	s.e, s.body, s.leaf = e, body, proof.Leaf(s.salt, body)
	return s, nil
}

// basis is the id by which the entry is found among those of one consent record or override:
// an entry rests on one of them and never on both.
func (s sealed) basis() string { return cmp.Or(s.e.Consent, s.e.Override) }

// commits reports whether the leaf is the commitment to salt and body. An erased
// entry has nothing left to compare.
func (s stored) commits() bool {
	if len(s.leaf) != proof.LeafSize {
		return false
	}
	if s.salt == nil && s.body == nil {
		return true
	}
	return len(s.salt) == 32 && bytes.Equal(s.leaf, proof.Leaf([32]byte(s.salt), s.body))
}
