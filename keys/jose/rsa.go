package jose

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
)

// A modulus has at least the 2048 bits of RFC 7518 §3.5. The upper bound is ours: the
// time of a verification grows with the square of a size that its sender chose.
const (
	minModulus = 2048
	maxModulus = 4096
)

// The one public exponent, and how a JWK spells it. A small one has a history of
// forgeries, and a large one makes each verification dearer at its sender's wish.
const (
	exponent     = 65537
	exponentAQAB = "AQAB"
)

// modulus makes the key of a JWK's n and e (RFC 7518 §6.3.1), or returns ErrKey unless
// each is in its one spelling: the least bytes that hold the number, in base64url
// without what a decoder would skip. The thumbprint is taken from the spelling, so
// with two of them one key could pass for two.
//
// Whether n is the product of two large primes cannot be seen. A sender who chose it
// badly lets others sign in her name, as one who publishes her private key does.
func modulus(n, e string) (*rsa.PublicKey, error) {
	k := &rsa.PublicKey{N: new(big.Int), E: exponent}
	b, err := base64url.DecodeString(n)
	if err == nil {
		k.N.SetBytes(b)
	}
	if err != nil || e != exponentAQAB || string(integer(k.N)) != n || !fitsPS256(k) {
		return nil, fmt.Errorf("%w: n and e are not an odd modulus of 2048 to 4096 bits and AQAB, in base64url without leading zeros", ErrKey)
	}
	return k, nil
}

// fitsPS256 reports whether readers would accept the key.
func fitsPS256(k *rsa.PublicKey) bool {
	return k.E == exponent && k.N.Bit(0) == 1 && minModulus <= k.N.BitLen() && k.N.BitLen() <= maxModulus
}

// integer is the Base64urlUInt of RFC 7518 §2.
func integer(i *big.Int) text { return text(base64url.EncodeToString(i.Bytes())) }

// verifyPS256 returns nil when signature is k's over input, with a salt of 32 bytes.
// RFC 7518 §3.5 wants the salt as long as the hash; the library takes any length, an
// empty salt too, which makes two kinds of signature of one and is why it is not asked.
func verifyPS256(k *rsa.PublicKey, input string, signature []byte) error {
	digest := sha256.Sum256([]byte(input))
	return rsa.VerifyPSS(k, crypto.SHA256, digest[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
}

// secretRSA makes the private key of d, p and q (RFC 7518 §6.3.2), whose other members
// follow from these and are compared by the caller.
func (m members) secretRSA() (*secret, error) {
	numbers := make([]*big.Int, 0, 4)
	for _, s := range []text{m.N, m.D, m.P, m.Q} {
		b, err := base64url.DecodeString(string(s))
		if err != nil {
			return nil, fmt.Errorf("%w: n, d, p or q is not base64url", ErrKey)
		}
		numbers = append(numbers, new(big.Int).SetBytes(b))
	}
	k := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: numbers[0], E: exponent}, D: numbers[1], Primes: numbers[2:]}
	if k.D.Cmp(k.N) >= 0 || k.Validate() != nil {
		return nil, fmt.Errorf("%w: the private part is out of range", ErrKey)
	}
	k.Precompute()
	return &secret{key: k, d: k.D.Bytes()}, nil
}
