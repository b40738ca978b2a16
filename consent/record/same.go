package record

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"maps"
	"slices"

	"handover/internal/strict"
)

// NewSubject returns a fresh random reference for one woman: 128 bits in base64url.
func NewSubject() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// SameAs reports whether two records say the same, whenever each was signed and its texts
// were sealed: no two seals are the same bytes, so who makes a record of the same texts again
// gives its circumstances the same salt. A subject that other leaves out is the one of c:
// whoever asks for a record again has not been told yet which reference was chosen for her.
func (c Claims) SameAs(other Claims) bool {
	if !slices.Equal(slices.Sorted(maps.Keys(c.Sealed)), slices.Sorted(maps.Keys(other.Sealed))) {
		return false
	}
	other.Sealed = c.Sealed
	if other.Subject == "" {
		other.Subject = c.Subject
	}
	other.IssuedAt = c.IssuedAt
	a, err := strict.Marshal(c)
	if err != nil {
		return false
	}
	b, err := strict.Marshal(other)
	return err == nil && bytes.Equal(a, b)
}
