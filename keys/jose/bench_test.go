package jose

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"testing"
)

// Each operation on 4 KiB stands beside its bare primitive, which neither encodes
// nor checks: run both in one go and compare, for the machine's speed drifts.
//
//	go test -bench . -count 5 ./keys/jose

const benchSize = 4 << 10

func BenchmarkES256Sign(b *testing.B) {
	key := newKey(b, ES256, P256)
	payload := random(b, benchSize)
	for b.Loop() {
		if _, err := Sign(testType, payload, key.Signer()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkES256SignBare(b *testing.B) {
	key := newKey(b, ES256, P256).open().key.(*ecdsa.PrivateKey)
	payload := random(b, benchSize)
	for b.Loop() {
		digest := sha256.Sum256(payload)
		if _, err := ecdsa.SignASN1(rand.Reader, key, digest[:]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEdDSASign(b *testing.B) {
	key := newKey(b, EdDSA, Ed25519)
	payload := random(b, benchSize)
	for b.Loop() {
		if _, err := Sign(testType, payload, key.Signer()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEdDSASignBare(b *testing.B) {
	key := newKey(b, EdDSA, Ed25519).open().key.(ed25519.PrivateKey)
	payload := random(b, benchSize)
	for b.Loop() {
		ed25519.Sign(key, payload)
	}
}

func benchVerify(b *testing.B, key PrivateKey) {
	typ, parse := testType, func(token string) (Signed, error) { return ParseSigned(token, 1<<14, testType) }
	if key.pub.alg == PS256 {
		typ, parse = testAssertion, func(token string) (Signed, error) { return ParseAssertion(token, 1<<14) }
	}
	pub := key.Public()
	token, err := Sign(typ, random(b, benchSize), key.Signer())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := parse(token)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Verify(pub); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkES256Verify(b *testing.B) { benchVerify(b, newKey(b, ES256, P256)) }
func BenchmarkEdDSAVerify(b *testing.B) { benchVerify(b, newKey(b, EdDSA, Ed25519)) }
func BenchmarkPS256Verify(b *testing.B) { benchVerify(b, newKey(b, PS256, NoCurve)) }

// The dearest signature that a stranger can have verified.
func BenchmarkPS256VerifyOf4096Bits(b *testing.B) { benchVerify(b, largestRSA()) }

func BenchmarkES256VerifyBare(b *testing.B) {
	key := newKey(b, ES256, P256).open().key.(*ecdsa.PrivateKey)
	payload := random(b, benchSize)
	digest := sha256.Sum256(payload)
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		digest := sha256.Sum256(payload)
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], sig) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkEdDSAVerifyBare(b *testing.B) {
	key := newKey(b, EdDSA, Ed25519).open().key.(ed25519.PrivateKey)
	payload := random(b, benchSize)
	sig := ed25519.Sign(key, payload)
	for b.Loop() {
		if !ed25519.Verify(key.Public().(ed25519.PublicKey), payload, sig) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkProofVerify(b *testing.B) {
	proof, err := SignProof(random(b, 200), newKey(b, ES256, P256))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := VerifyProof(proof, 1<<12); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParsePublicKey(b *testing.B) {
	for _, kind := range everyKind {
		jwk := mustJSON(b, newKey(b, kind.alg, kind.curve).Public())
		b.Run(string(kind.alg)+"-"+string(kind.curve), func(b *testing.B) {
			for b.Loop() {
				if _, err := ParsePublicKey(jwk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchEncrypt(b *testing.B, curve Curve) {
	to := newKey(b, ECDHESA256KW, curve).Public()
	plain := random(b, benchSize)
	for b.Loop() {
		if _, err := Encrypt(plain, to, "json"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkP256Encrypt(b *testing.B)   { benchEncrypt(b, P256) }
func BenchmarkX25519Encrypt(b *testing.B) { benchEncrypt(b, X25519) }

func benchEncryptBare(b *testing.B, curve Curve) {
	to := newKey(b, ECDHESA256KW, curve).Public().CryptoKey().(*ecdh.PublicKey)
	plain := random(b, benchSize)
	for b.Loop() {
		mine, err := to.Curve().GenerateKey(rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		z, err := mine.ECDH(to)
		if err != nil {
			b.Fatal(err)
		}
		gcmSeal(b, z, plain, nil)
	}
}

func BenchmarkP256EncryptBare(b *testing.B)   { benchEncryptBare(b, P256) }
func BenchmarkX25519EncryptBare(b *testing.B) { benchEncryptBare(b, X25519) }

func benchDecrypt(b *testing.B, curve Curve) {
	key := newKey(b, ECDHESA256KW, curve)
	token, err := Encrypt(random(b, benchSize), key.Public(), "json")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("gate", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseEncrypted(token, 1<<14); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("whole", func(b *testing.B) {
		for b.Loop() {
			e, err := ParseEncrypted(token, 1<<14)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := e.Decrypt(key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkP256Decrypt(b *testing.B)   { benchDecrypt(b, P256) }
func BenchmarkX25519Decrypt(b *testing.B) { benchDecrypt(b, X25519) }

func benchDecryptBare(b *testing.B, curve Curve) {
	to := newKey(b, ECDHESA256KW, curve).Public().CryptoKey().(*ecdh.PublicKey)
	mine, err := to.Curve().GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	z, err := mine.ECDH(to)
	if err != nil {
		b.Fatal(err)
	}
	iv, ct, tag := gcmSeal(b, z, random(b, benchSize), nil)
	ct = append(ct, tag...)
	for b.Loop() {
		z, err := mine.ECDH(to)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := gcm(b, z).Open(nil, iv, ct, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkP256DecryptBare(b *testing.B)   { benchDecryptBare(b, P256) }
func BenchmarkX25519DecryptBare(b *testing.B) { benchDecryptBare(b, X25519) }
