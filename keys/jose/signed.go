package jose

import (
	"crypto/rsa"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// signatureSize is the length of an ES256 and of an EdDSA signature
// (RFC 7518 §3.4, RFC 8032 §5.1.6). One of PS256 is as long as its key's modulus.
const signatureSize = 64

// assertionTypes are the types that a client assertion may name: none or JWT, as
// RFC 7523 has it, or the one that tells it from other tokens (RFC 8725 §3.11).
func assertionTypes() []string { return []string{"", "JWT", "client-authentication+jwt"} }

// Signed is a token that has passed the gate and whose signature NOBODY HAS
// CHECKED. Only ParseSigned and ParseAssertion make one; Verify turns it into a
// payload to rely on.
type Signed struct {
	alg       Algorithm
	typ       string
	kid       string
	input     string // what was signed: header and payload as they came (RFC 7515 §5.2)
	payload   []byte
	signature []byte
}

// ParseSigned passes a compact JWS of at most limit bytes through the gate. typ
// lists the types that may stand here, compared byte by byte; "" among them lets
// typ be absent. The header holds typ, alg (ES256 or EdDSA) and kid, and nothing else.
// PS256 is refused: what is signed here is kept and judged by others, who need to know
// no more than two algorithms.
//
// It returns ErrTooLarge, ErrMalformed, ErrHeader, ErrType or ErrAlgorithm, and
// looks in that order, but for a signature that has not the length of its alg's.
func ParseSigned(token string, limit int, typ ...string) (Signed, error) {
	return parseSigned(token, limit, typ, ES256, EdDSA)
}

// ParseAssertion does what ParseSigned does for a client assertion (RFC 7523), which
// may be signed with PS256 too (FAPI 2.0 §5.4.1), and whose type may be absent.
func ParseAssertion(token string, limit int) (Signed, error) {
	return parseSigned(token, limit, assertionTypes(), ES256, EdDSA, PS256)
}

// parseSigned lets through what is of one of the types and algorithms. Each place
// lists its own (RFC 8725 §3.1), so that a new algorithm is let in nowhere by itself.
func parseSigned(token string, limit int, types []string, algs ...Algorithm) (Signed, error) {
	parts, err := splitSigned(token, limit)
	if err != nil {
		return Signed{}, err
	}
	var h signedHeader
	if err := decode(parts[0], &h); err != nil {
		return Signed{}, err
	}
	if !slices.Contains(types, string(h.Typ)) {
		return Signed{}, ErrType
	}
	if !slices.Contains(algs, Algorithm(h.Alg)) {
		return Signed{}, ErrAlgorithm
	}
	if !urlSafe(string(h.Kid)) {
		return Signed{}, ErrHeader
	}
	return signedOf(token, parts, Algorithm(h.Alg), string(h.Typ), string(h.Kid))
}

// splitSigned opens the three parts and refuses a detached payload.
func splitSigned(token string, limit int) ([][]byte, error) {
	parts, err := split(token, 3, limit)
	if err != nil {
		return nil, err
	}
	if len(parts[1]) == 0 {
		return nil, ErrMalformed
	}
	return parts, nil
}

// signedOf refuses a signature whose length is none that alg makes.
func signedOf(token string, parts [][]byte, alg Algorithm, typ, kid string) (Signed, error) {
	size := len(parts[2])
	if alg != PS256 && size != signatureSize || alg == PS256 && (size < minModulus/8 || size > maxModulus/8) {
		return Signed{}, ErrMalformed
	}
	return Signed{
		alg: alg, typ: typ, kid: kid,
		input:   token[:strings.LastIndexByte(token, '.')],
		payload: parts[1], signature: parts[2],
	}, nil
}

// KeyID is the kid that the token names. It is a claim until Verify.
func (s Signed) KeyID() string { return s.kid }

// Algorithm is the algorithm that the token names.
func (s Signed) Algorithm() Algorithm { return s.alg }

// Type is the typ that the token names, "" when it has none.
func (s Signed) Type() string { return s.typ }

// UnverifiedPayload is what the token says, which anyone may have written. It is
// there to find the key with and for nothing else, and must not be changed.
func (s Signed) UnverifiedPayload() []byte { return s.payload }

// Format prints which key the token names and nothing that it says.
func (s Signed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "signed token naming "+s.kid) }

// LogValue is what Format prints, for slog.
func (s Signed) LogValue() slog.Value { return slog.StringValue("signed token naming " + s.kid) }

// Verify returns the payload when its signature is key's. The caller chose the
// key; the token has only named it, so its kid and alg must be the token's
// (ErrKey, ErrAlgorithm), whatever a set of keys may hold besides (RFC 8725
// §3.1). Anything else is ErrSignature. The payload must not be changed.
func (s Signed) Verify(key PublicKey) ([]byte, error) {
	if key.IsZero() || key.kid != s.kid {
		return nil, ErrKey
	}
	if key.alg != s.alg || !key.alg.signs() {
		return nil, ErrAlgorithm
	}
	if k, ok := key.key.(*rsa.PublicKey); ok {
		if verifyPS256(k, s.input, s.signature) != nil {
			return nil, ErrSignature
		}
		return s.payload, nil
	}
	// The library is given the bytes, the algorithm and the key, and parses
	// nothing: there is no second reader to disagree with the gate.
	v, err := jws.NewVerifier(jwa.SignatureAlgorithm(s.alg))
	if err != nil {
		return nil, ErrAlgorithm
	}
	if v.Verify([]byte(s.input), s.signature, key.key) != nil {
		return nil, ErrSignature
	}
	return s.payload, nil
}
