package jose

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"handover/internal/strict"
)

// maxHeader bounds a decoded header. The largest legitimate one, a DPoP proof's
// with its RSA key, has about 850 bytes.
const maxHeader = 1 << 10

// maxName bounds kid and cty.
const maxName = 128

// base64url is RFC 7515 §2: no padding and no bits behind the last byte. The
// decoder still skips CR and LF wherever they stand, so split refuses those
// first; together one sequence of bytes has one spelling.
var base64url = base64.RawURLEncoding.Strict()

// split opens a compact serialization of n parts. The size is looked at before
// anything else, so that a huge token costs a comparison. JSON serializations
// cannot pass: they begin with a brace, which base64url does not have, and with
// them go several signatures, several recipients and unprotected headers.
func split(token string, n, limit int) ([][]byte, error) {
	if len(token) > limit {
		return nil, ErrTooLarge
	}
	if strings.Count(token, ".") != n-1 || strings.IndexByte(token, '\n') >= 0 || strings.IndexByte(token, '\r') >= 0 {
		return nil, ErrMalformed
	}
	parts := make([][]byte, 0, n)
	for part := range strings.SplitSeq(token, ".") {
		raw, err := base64url.DecodeString(part)
		if err != nil {
			return nil, ErrMalformed
		}
		parts = append(parts, raw)
	}
	return parts, nil
}

// decode reads a header into into, a pointer to a struct that names every
// allowed parameter. Whatever it does not name is refused, above all crit, zip,
// b64, jku, jwk, x5u, x5c, apu, apv and p2c: each either changes what the token
// means or makes the reader fetch, inflate or compute at the sender's wish
// (RFC 7515 §4.1.11, RFC 8725 §3.10). A parameter given twice is refused, since
// two readers may take different ones (RFC 7515 §4).
func decode(header []byte, into any) error {
	if len(header) > maxHeader || strict.Unmarshal(header, into) != nil {
		return ErrHeader
	}
	return nil
}

// text is a JSON string that says something. Null and "" are refused, so that a
// parameter is either absent or has a value.
type text string

var errText = errors.New("neither a string nor absent")

// UnmarshalJSON accepts a string of at least one character. data has been read as JSON
// already, so without an escape in it the string is what stands between the quotes.
func (t *text) UnmarshalJSON(data []byte) error {
	if data[0] == '"' && bytes.IndexByte(data, '\\') < 0 {
		*t = text(data[1 : len(data)-1])
	} else if strict.Unmarshal(data, (*string)(t)) != nil {
		return errText
	}
	if *t == "" {
		return errText
	}
	return nil
}

// raw is any JSON value, kept for a strict reader of its own.
type raw []byte

// UnmarshalJSON keeps a copy of data.
func (r *raw) UnmarshalJSON(data []byte) error {
	*r = slices.Clone(data)
	return nil
}

// urlSafe reports whether s is a name that can stand in a URL, a log line and a
// file name as it is: 1 to 128 of RFC 3986's unreserved characters.
func urlSafe(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for _, c := range []byte(s) {
		if !alphanumeric(c) && !strings.ContainsRune("-._~", rune(c)) {
			return false
		}
	}
	return true
}

// mediaType reports whether s has the characters of a media type without
// parameters (RFC 6838 §4.2), "application/" omitted or not.
func mediaType(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for _, c := range []byte(s) {
		if !alphanumeric(c) && !strings.ContainsRune("-._+/!#$&^", rune(c)) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
