package jose

import (
	"crypto"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"testing"
)

// oddSigner answers what it is told to.
type oddSigner struct {
	crypto.Signer
	sig []byte
	err error
}

func (s oddSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return s.sig, s.err }

func TestSignRefusesWhatItCannotSignWith(t *testing.T) {
	es, ed, x := newKey(t, ES256, P256), newKey(t, EdDSA, Ed25519), newKey(t, ECDHESA256KW, P256)
	ps := newKey(t, PS256, NoCurve)
	odd := func(k PrivateKey, sig []byte, err error) SigningKey {
		s := k.Signer()
		s.Key = oddSigner{s.Key, sig, err}
		return s
	}
	der := func(r, s *big.Int) []byte {
		b, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	one, huge := big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 256)
	down := errors.New("the key server is down")

	for _, c := range []struct {
		name    string
		payload string
		key     SigningKey
		want    error
	}{
		{"no key", "x", SigningKey{}, ErrAlgorithm},
		{"no signer", "x", SigningKey{ID: "k", Alg: ES256}, ErrKey},
		{"no id", "x", SigningKey{Alg: ES256, Key: es.Signer().Key}, ErrKey},
		{"an id that readers refuse", "x", SigningKey{ID: "a b", Alg: ES256, Key: es.Signer().Key}, ErrKey},
		{"a key for sealing", "x", x.Signer(), ErrAlgorithm},
		{"ES256 with an Ed25519 key", "x", SigningKey{ID: "k", Alg: ES256, Key: ed.Signer().Key}, ErrKey},
		{"EdDSA with a P-256 key", "x", SigningKey{ID: "k", Alg: EdDSA, Key: es.Signer().Key}, ErrKey},
		{"ES256 with an RSA key", "x", SigningKey{ID: "k", Alg: ES256, Key: ps.Signer().Key}, ErrKey},
		{"PS256 with a P-256 key", "x", SigningKey{ID: "k", Alg: PS256, Key: es.Signer().Key}, ErrKey},
		{"PS256 under a statement", "x", ps.Signer(), ErrAlgorithm},
		{"no payload", "", es.Signer(), ErrMalformed},
		{"a signer that fails", "x", odd(es, nil, down), down},
		{"a signer that answers nothing", "x", odd(es, nil, nil), errSigner},
		{"a signer whose r is too long", "x", odd(es, der(huge, one), nil), errSigner},
		{"a signer whose s is negative", "x", odd(es, der(one, big.NewInt(-1)), nil), errSigner},
		{"a signer that adds to its answer", "x", odd(es, append(der(one, one), 0), nil), errSigner},
		{"an Ed25519 signer of another length", "x", odd(ed, make([]byte, 63), nil), errSigner},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := Sign(testType, []byte(c.payload), c.key)
			if !errors.Is(err, c.want) || token != "" {
				t.Errorf("%q, %v, want %v", token, err, c.want)
			}
		})
	}
}
