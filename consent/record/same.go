package record

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"

	"handover/internal/strict"
)

// NewSubject returns a fresh random reference for one woman: 128 bits in base64url.
func NewSubject() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// SameAs reports whether two records say the same, whenever each was signed. A subject that
// other leaves out is the one of c: whoever asks for a record again has not been told yet
// which reference was chosen for her.
func (c Claims) SameAs(other Claims) bool {
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
