// Package ids knows the identifiers and digests of the wire formats, each in its one
// spelling: a second spelling of the same bytes would pass for another thing.
package ids

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"strings"

	"github.com/google/uuid"
)

// Digest returns the SHA-256 of s in base64url without padding, 43 characters.
func Digest(s string) string { return DigestOf([]byte(s)) }

// DigestOf is Digest of bytes, of which it makes no copy: for what is to be overwritten.
func DigestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// IsDigest reports whether s has the form of a digest.
func IsDigest(s string) bool { return IsBytes(s, sha256.Size) }

// IsBytes reports whether s is n bytes of base64url. The length is compared too,
// because the decoder skips line breaks wherever they stand.
func IsBytes(s string, n int) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(b) == n && len(s) == base64.RawURLEncoding.EncodedLen(n)
}

// IsSubject reports whether s has the form of a subject reference: 128 random bits
// in base64url. Anything a person could have chosen (a name, a number) has another
// form, so it cannot reach the hub by mistake in this place.
func IsSubject(s string) bool { return IsBytes(s, 16) }

// IsUUID reports whether s is a UUID (RFC 9562 §4). The parser alone takes braces, or
// any two characters in their place, a URN and capitals too.
func IsUUID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}

// IsUUIDv7 reports whether s is a UUID of version 7 (RFC 9562 §5.7).
func IsUUIDv7(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s && id.Version() == 7 && id.Variant() == uuid.RFC4122
}

// IsName reports whether s could be a partner's id or the name of a category.
func IsName(s string) bool {
	return s != "" && len(s) <= 40 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// IsClient reports whether s could be a client id. What could not never reaches the
// database, which would refuse some of it as an error of ours.
func IsClient(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ""
}

// IsUser reports whether s could be a user's opaque id: at most 64 letters, digits,
// hyphens and underscores, so that no e-mail address and no full name passes for one.
func IsUser(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// crockford is the alphabet people can read aloud: no I, L, O or U.
var crockford = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// Reference returns the short form of a referral's id that people read to each
// other: R-XXXX-XXXX, its first 40 bits in Crockford's base 32. It is no key: it says
// nothing about her, and nothing is decided by it. What is no id has the reference "".
func Reference(referral string) string {
	if !IsDigest(referral) {
		return ""
	}
	b, _ := base64.RawURLEncoding.DecodeString(referral) // a digest, as was just seen
	s := crockford.EncodeToString(b[:5])
	return "R-" + s[:4] + "-" + s[4:]
}

// ParseReference reads a reference as people write and type it, and returns its one spelling:
// in small letters too, with O for 0 and I or L for 1, without the R, the hyphens, or with
// spaces in it.
func ParseReference(s string) (reference string, ok bool) {
	if len(s) > 40 {
		return "", false
	}
	s = strings.NewReplacer("-", "", "–", "", " ", "", "O", "0", "I", "1", "L", "1").Replace(strings.ToUpper(s))
	if len(s) == 9 {
		s = strings.TrimPrefix(s, "R")
	}
	if b, err := crockford.DecodeString(s); err != nil || len(b) != 5 || len(s) != 8 { // the decoder skips line breaks
		return "", false
	}
	return "R-" + s[:4] + "-" + s[4:], true
}

// ReferencePrefixes are the first seven characters that the ids of a reference can begin with;
// none for what is no reference. Forty bits are six characters of base64url and four bits of
// the seventh.
func ReferencePrefixes(reference string) []string {
	spelled, ok := ParseReference(reference)
	if !ok {
		return nil
	}
	b, _ := crockford.DecodeString(spelled[2:6] + spelled[7:]) // it is one, as was just seen
	var prefixes []string
	for rest := range byte(4) {
		prefixes = append(prefixes, base64.RawURLEncoding.EncodeToString(append(b[:5:5], rest<<6))[:7])
	}
	return prefixes
}
