package jose

import "strings"

// typeProof is the typ of a DPoP proof (RFC 9449 §4.2).
const typeProof = "dpop+jwt"

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
// private key). The header holds typ, alg (ES256, EdDSA or PS256) and jwk, and nothing
// else; of the jwk, kty, crv, x and y (kty, n and e for RSA) count, and alg, use and
// kid may be there if they are right.
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
	s, err := signedOf(token, parts, h.alg, typeProof, h.key.kid)
	if err != nil {
		return nil, ProofHeader{}, err
	}
	if payload, err = s.Verify(h.key); err != nil {
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
	m, err := parsePublicMembers(jwk)
	if err != nil {
		return PublicKey{}, err
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
