// Package jose signs, verifies, seals and opens the tokens of the exchange:
// compact JWS (RFC 7515) and compact JWE (RFC 7516), and nothing else of JOSE.
//
// It is pure: bytes and keys in, verified bytes out; no clock, no network, no
// file. It is the only importer of the JOSE library, and it stands in front of
// it as a gate, because the library by itself is generous: it skips an unknown
// crit, takes the last of two alg members, reads several spellings of one
// signature, verifies ES256 with a P-521 key and PS256 with any salt, and inflates
// zip. Read it in the order a token meets it:
//
//	gate.go       size, compact form, strict base64url, strict header
//	signed.go     ParseSigned, ParseAssertion and Verify
//	proof.go      VerifyProof for DPoP
//	encrypted.go  ParseEncrypted and Decrypt
//	seal.go       Encrypt
//	chunk.go      EncryptChunk, ParseChunk and their ContentKey
//	sign.go       Sign and SignProof
//	public.go     PublicKey, its points (point.go) and its JWK
//	rsa.go        what PS256 alone needs
//	private.go    PrivateKey, which never prints itself
//
// weaknesses_index_test.go lists every weakness of the library that is known, with the
// tests that show it and show that it does not pass.
//
// A token that the gate lets through has one spelling. A signed statement still
// has not: an ES256 signature (r, s) has a twin (r, n−s). So whoever asks "have
// I seen this before?" asks by the claims and the signer, never by the token.
package jose

import "errors"

// Algorithm is one way to sign or to seal. There is no other (RFC 8725 §3.1).
type Algorithm string

// The algorithms.
const (
	ES256        Algorithm = "ES256"          // ECDSA with P-256 and SHA-256, RFC 7518 §3.4
	EdDSA        Algorithm = "EdDSA"          // Ed25519, RFC 8037 §3.1
	PS256        Algorithm = "PS256"          // RSASSA-PSS with SHA-256, RFC 7518 §3.5; it authenticates and signs no statement
	ECDHESA256KW Algorithm = "ECDH-ES+A256KW" // with P-256 or X25519, RFC 7518 §4.6, RFC 8037 §3.2
)

// Curve is the group a key lives in.
type Curve string

// The curves.
const (
	P256    Curve = "P-256"
	Ed25519 Curve = "Ed25519"
	X25519  Curve = "X25519"
	NoCurve Curve = "" // of an RSA key
)

// fits reports whether a key of the curve can be used with the algorithm, so
// that no pair is ever tried that no standard defines.
func (a Algorithm) fits(c Curve) bool {
	switch a {
	case ES256:
		return c == P256
	case EdDSA:
		return c == Ed25519
	case PS256:
		return c == NoCurve
	case ECDHESA256KW:
		return c == P256 || c == X25519
	}
	return false
}

// signs reports whether the algorithm is one of signatures.
func (a Algorithm) signs() bool { return a == ES256 || a == EdDSA || a == PS256 }

// use is the JWK "use" of a key of this algorithm (RFC 7517 §4.2).
func (a Algorithm) use() string {
	if a.signs() {
		return "sig"
	}
	return "enc"
}

// The ways in which a token or a key is refused. None echoes what was sent.
var (
	ErrTooLarge  = errors.New("jose: the token is over its size limit")
	ErrMalformed = errors.New("jose: the token is not one compact JWS or JWE in strict base64url")
	ErrHeader    = errors.New("jose: the header is not strict JSON with exactly the parameters allowed here")
	ErrType      = errors.New("jose: the token is of another type")
	ErrAlgorithm = errors.New("jose: the algorithm is not allowed here or not the key's")
	ErrKey       = errors.New("jose: the key cannot be used for this")
	ErrPrivate   = errors.New("jose: a private key was given where a public key belongs; it is no longer secret")
	ErrSignature = errors.New("jose: the signature is not the key's over these bytes")
	ErrDecrypt   = errors.New("jose: the token does not open with this key")
)
