package jose

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"math/big"
	"slices"
)

const coordinate = 32 // bytes, on each of the three curves

// point makes the key whose coordinates are x and y (y absent but on P-256), or
// returns ErrKey unless they are one honest point in its one spelling.
//
// The library checks less: an off-curve or low-order point turns a key agreement
// into an oracle for the private key or into a constant, and an Ed25519 key of
// low order verifies signatures over messages that nobody signed, so that its
// owner could deny whatever she signed.
func point(c Curve, x, y []byte) (crypto.PublicKey, error) {
	if len(x) != coordinate {
		return nil, ErrKey
	}
	switch {
	case c == P256 && len(y) == coordinate:
		return pointP256(x, y)
	case c == Ed25519 && len(y) == 0:
		return pointEd25519(x)
	case c == X25519 && len(y) == 0:
		return pointX25519(x)
	}
	return nil, ErrKey
}

// pointP256 refuses coordinates off the curve or not below the field's prime.
func pointP256(x, y []byte) (*ecdsa.PublicKey, error) {
	k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		return nil, ErrKey
	}
	return k, nil
}

// pointEd25519 refuses encodings that are no point (RFC 8032 §5.1.3), second
// spellings of a point, and the eight points of low order.
func pointEd25519(b []byte) (ed25519.PublicKey, error) {
	p := prime25519()
	y := littleEndian(b)
	y.SetBit(y, 255, 0) // the sign of x
	if y.Cmp(p) >= 0 || lowOrder(y, p) {
		return nil, ErrKey
	}
	// x² = (y²−1)/(d·y²+1) must be a square other than 0, which is the x of order 1
	// and 2; v/w is one exactly when v·w is.
	y2 := new(big.Int).Mul(y, y)
	v := new(big.Int).Sub(y2, big.NewInt(1))
	w := new(big.Int).Mul(y2, edwardsD())
	w.Add(w, big.NewInt(1))
	if big.Jacobi(v.Mod(v.Mul(v, w), p), p) != 1 {
		return nil, ErrKey
	}
	return ed25519.PublicKey(slices.Clone(b)), nil
}

// lowOrder reports whether y belongs to a point of order 4 or 8: y is 0, or
// doubling gives y = 0, that is x² = −y² on −x² + y² = 1 + d·x²·y², or
// d·y⁴ + 2·y² − 1 = 0.
func lowOrder(y, p *big.Int) bool {
	if y.Sign() == 0 {
		return true
	}
	y2 := new(big.Int).Mul(y, y)
	sum := new(big.Int).Mul(edwardsD(), y2)
	sum.Add(sum, big.NewInt(2)).Mul(sum, y2).Sub(sum, big.NewInt(1))
	return sum.Mod(sum, p).Sign() == 0
}

// pointX25519 refuses second spellings of a coordinate and the points of low
// order, for which every private key gives the same, public, shared secret
// (RFC 7748 §6.1).
func pointX25519(b []byte) (*ecdh.PublicKey, error) {
	p := prime25519()
	u := littleEndian(b)
	if u.Cmp(p) >= 0 || lowOrderX25519(u, p) {
		return nil, ErrKey
	}
	k, err := ecdh.X25519().NewPublicKey(b)
	if err != nil {
		return nil, ErrKey
	}
	return k, nil
}

// lowOrderX25519 reports whether u belongs to a point, of the curve or of its
// twist, whose order divides 8: u is 0 (order 1 or 2) or ±1 (order 4), or doubling,
// which is (u²−1)² / 4u(u²+Au+1), gives 1. The twist has no point of order 8.
func lowOrderX25519(u, p *big.Int) bool {
	one := big.NewInt(1)
	if u.Sign() == 0 || u.Cmp(one) == 0 || new(big.Int).Add(u, one).Cmp(p) == 0 {
		return true
	}
	u2 := new(big.Int).Mul(u, u)
	above := new(big.Int).Sub(u2, one)
	above.Mul(above, above)
	below := new(big.Int).Mul(u, big.NewInt(486662))
	below.Add(below, u2).Add(below, one).Mul(below, u).Lsh(below, 2)
	above.Sub(above, below)
	return above.Mod(above, p).Sign() == 0
}

// prime25519 is 2^255 − 19.
func prime25519() *big.Int {
	p := new(big.Int).Lsh(big.NewInt(1), 255)
	return p.Sub(p, big.NewInt(19))
}

// edwardsD is the curve constant −121665/121666 modulo the prime (RFC 8032 §5.1).
func edwardsD() *big.Int {
	d, _ := new(big.Int).SetString("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3", 16)
	return d
}

func littleEndian(b []byte) *big.Int {
	r := slices.Clone(b)
	slices.Reverse(r)
	return new(big.Int).SetBytes(r)
}
