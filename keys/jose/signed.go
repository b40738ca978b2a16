package jose

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// typeProof is the typ of a DPoP proof (RFC 9449 §4.2).
const typeProof = "dpop+jwt"

// signatureSize is the length of an ES256 and of an EdDSA signature
// (RFC 7518 §3.4, RFC 8032 §5.1.6).
const signatureSize = 64

// Signed is a token that has passed the gate and whose signature NOBODY HAS
// CHECKED. Only ParseSigned makes one; Verify turns it into a payload to rely on.
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
// typ be absent, which only client assertions may (RFC 7523). The header holds
// typ, alg (ES256 or EdDSA) and kid, and nothing else.
//
// It returns ErrTooLarge, ErrMalformed, ErrHeader, ErrType or ErrAlgorithm, and
// looks in that order.
func ParseSigned(token string, limit int, typ ...string) (Signed, error) {
	parts, err := splitSigned(token, limit)
	if err != nil {
		return Signed{}, err
	}
	var h signedHeader
	if err := decode(parts[0], &h); err != nil {
		return Signed{}, err
	}
	if !slices.Contains(typ, string(h.Typ)) {
		return Signed{}, ErrType
	}
	if !Algorithm(h.Alg).signs() {
		return Signed{}, ErrAlgorithm
	}
	if !urlSafe(string(h.Kid)) {
		return Signed{}, ErrHeader
	}
	return signedOf(token, parts, Algorithm(h.Alg), string(h.Typ), string(h.Kid)), nil
}

// splitSigned opens the three parts and refuses a detached payload and a
// signature that is not one.
func splitSigned(token string, limit int) ([][]byte, error) {
	parts, err := split(token, 3, limit)
	if err != nil {
		return nil, err
	}
	if len(parts[1]) == 0 || len(parts[2]) != signatureSize {
		return nil, ErrMalformed
	}
	return parts, nil
}

func signedOf(token string, parts [][]byte, alg Algorithm, typ, kid string) Signed {
	return Signed{
		alg: alg, typ: typ, kid: kid,
		input:   token[:strings.LastIndexByte(token, '.')],
		payload: parts[1], signature: parts[2],
	}
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

// ProofHeader is the header of a DPoP proof as its sender spelled it, and the key it
// embeds. A client puts the same header on all of its proofs, so whoever keeps it
// spares reading and checking the key again, which costs a third of a verification.
type ProofHeader struct {
	text string
	alg  Algorithm
	key  PublicKey
}

// VerifyProof reads a DPoP proof of at most limit bytes and returns its payload
// and the key it was signed with, with its thumbprint as kid (RFC 9449 §4.3,
// points 2 and 4 to 7: well-formed, typ, alg, signature by the embedded key, no
// private key). The header holds typ, alg and jwk, and nothing else; of the jwk,
// kty, crv, x and y count, and alg, use and kid may be there if they are right.
//
// The key is the sender's own, so the signature alone proves nothing about who
// she is: the caller compares the thumbprint with what a token is bound to.
func VerifyProof(token string, limit int) (payload []byte, key PublicKey, err error) {
	payload, h, err := ProofHeader{}.Verify(token, limit)
	return payload, h.key, err
}

// Verify does what VerifyProof does, without reading the header anew if its bytes are
// those of h. It returns the header to keep for the next proof.
func (h ProofHeader) Verify(token string, limit int) (payload []byte, seen ProofHeader, err error) {
	parts, err := splitSigned(token, limit)
	if err != nil {
		return nil, ProofHeader{}, err
	}
	text, _, _ := strings.Cut(token, ".")
	if h.key.IsZero() || text != h.text {
		if h, err = readProofHeader(parts[0]); err != nil {
			return nil, ProofHeader{}, err
		}
		h.text = strings.Clone(text)
	}
	payload, err = signedOf(token, parts, h.alg, typeProof, h.key.kid).Verify(h.key)
	if err != nil {
		return nil, ProofHeader{}, err
	}
	return payload, h, nil
}

// Key is the key that the header embeds, with its thumbprint as kid.
func (h ProofHeader) Key() PublicKey { return h.key }

// Equal reports whether both are the same bytes.
func (h ProofHeader) Equal(other ProofHeader) bool { return h.text == other.text }

func readProofHeader(header []byte) (ProofHeader, error) {
	var h proofHeader
	if err := decode(header, &h); err != nil {
		return ProofHeader{}, err
	}
	if h.Typ != typeProof {
		return ProofHeader{}, ErrType
	}
	if !Algorithm(h.Alg).signs() {
		return ProofHeader{}, ErrAlgorithm
	}
	key, err := embeddedKey(h.JWK, h.Alg)
	if err != nil {
		return ProofHeader{}, err
	}
	return ProofHeader{alg: Algorithm(h.Alg), key: key}, nil
}

// embeddedKey makes the key of a proof's jwk member for the proof's algorithm.
// A kid in it is the sender's word, so the thumbprint takes its place.
func embeddedKey(jwk raw, alg text) (PublicKey, error) {
	if jwk == nil {
		return PublicKey{}, ErrHeader
	}
	m, err := parseMembers(jwk)
	if err != nil {
		return PublicKey{}, err
	}
	if m.D != "" {
		return PublicKey{}, fmt.Errorf("%w: %w", ErrKey, ErrPrivate)
	}
	if m.Alg != "" && m.Alg != alg {
		return PublicKey{}, ErrAlgorithm
	}
	m.Alg, m.Kid = alg, "thumbprint"
	key, err := m.public()
	if err != nil {
		return PublicKey{}, err
	}
	key.kid = key.Thumbprint()
	return key, nil
}
