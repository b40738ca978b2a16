package jose

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"handover/internal/strict"
)

// This file is what an attacker has: tokens made by hand from package crypto, with
// any header she likes and a signature or seal that is right for it.

func newKey(t testing.TB, alg Algorithm, curve Curve) PrivateKey {
	t.Helper()
	k, err := Generate(alg, curve)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func b64(b []byte) string { return base64url.EncodeToString(b) }

// forgeSigned signs any header and payload with key.
func forgeSigned(t testing.TB, header string, payload []byte, key PrivateKey) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64(payload)
	return input + "." + b64(rawSignature(t, []byte(input), key))
}

func rawSignature(t testing.TB, input []byte, key PrivateKey) []byte {
	t.Helper()
	if key.pub.alg == EdDSA {
		sig, err := key.Signer().Key.Sign(rand.Reader, input, crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
	digest := sha256.Sum256(input)
	return ecdsaSignature(t, key.open().key.(*ecdsa.PrivateKey), digest[:])
}

// ecdsaSignature is r and s side by side (RFC 7518 §3.4), for any curve.
func ecdsaSignature(t testing.TB, key *ecdsa.PrivateKey, digest []byte) []byte {
	t.Helper()
	r, s, err := ecdsa.Sign(rand.Reader, key, digest)
	if err != nil {
		t.Fatal(err)
	}
	size := (key.Params().BitSize + 7) / 8
	sig := make([]byte, 2*size)
	r.FillBytes(sig[:size])
	s.FillBytes(sig[size:])
	return sig
}

// forgery is a sealed token whose every part can be chosen.
type forgery struct {
	header string // with %EPK% where the ephemeral key goes
	epk    string // instead of the true one
	plain  []byte
	zip    bool
	cbc    bool // A128CBC-HS256 in the place of A256GCM
}

// seal makes the token for the key.
func (f forgery) seal(t testing.TB, to PublicKey) string {
	t.Helper()
	recipient, ok := to.CryptoKey().(*ecdh.PublicKey)
	if !ok {
		t.Fatal("not a key for sealing")
	}
	mine, err := recipient.Curve().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	epk := f.epk
	if epk == "" {
		epk = epkJSON(mine.PublicKey())
	}
	z, err := mine.ECDH(recipient)
	if err != nil {
		t.Fatal(err)
	}
	cek := random(t, 32)
	wrapped := wrapKey(t, concatKDF(z, string(ECDHESA256KW), nil, nil, 32), cek)
	header := b64([]byte(strings.ReplaceAll(f.header, "%EPK%", epk)))
	plain := f.plain
	if f.zip {
		plain = deflate(t, plain)
	}
	iv, ct, tag := gcmSeal(t, cek, plain, []byte(header))
	if f.cbc {
		iv, ct, tag = cbcSeal(t, cek, plain, []byte(header))
	}
	return strings.Join([]string{header, b64(wrapped), b64(iv), b64(ct), b64(tag)}, ".")
}

func epkJSON(k *ecdh.PublicKey) string {
	b := k.Bytes()
	if k.Curve() == ecdh.P256() {
		return fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"%s","y":"%s"}`, b64(b[1:33]), b64(b[33:]))
	}
	return fmt.Sprintf(`{"kty":"OKP","crv":"X25519","x":"%s"}`, b64(b))
}

func random(t testing.TB, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

func gcm(t testing.TB, key []byte) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

func gcmSeal(t testing.TB, cek, plain, aad []byte) (iv, ct, tag []byte) {
	t.Helper()
	iv = random(t, 12)
	sealed := gcm(t, cek).Seal(nil, iv, plain, aad)
	return iv, sealed[:len(plain)], sealed[len(plain):]
}

// cbcSeal is A128CBC-HS256 (RFC 7518 §5.2.3).
func cbcSeal(t testing.TB, cek, plain, aad []byte) (iv, ct, tag []byte) {
	t.Helper()
	block, err := aes.NewCipher(cek[16:])
	if err != nil {
		t.Fatal(err)
	}
	iv = random(t, 16)
	pad := 16 - len(plain)%16
	ct = append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(ct, ct)
	return iv, ct, hmac256(cek[:16], aad, iv, ct, binary.BigEndian.AppendUint64(nil, uint64(len(aad))*8))[:16]
}

func deflate(t testing.TB, plain []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// concatKDF is RFC 7518 §4.6.2, for keys of at most 32 bytes.
func concatKDF(z []byte, alg string, apu, apv []byte, size int) []byte {
	h := sha256.New()
	h.Write([]byte{0, 0, 0, 1})
	h.Write(z)
	for _, part := range [][]byte{[]byte(alg), apu, apv} {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write(part)
	}
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(size*8)))
	return h.Sum(nil)[:size]
}

var wrapIV = bytes.Repeat([]byte{0xa6}, 8)

// wrapKey is RFC 3394 §2.2.1.
func wrapKey(t testing.TB, kek, key []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(kek)
	if err != nil {
		t.Fatal(err)
	}
	n := len(key) / 8
	out := append(bytes.Clone(wrapIV), key...)
	buf := make([]byte, 16)
	for j := range 6 {
		for i := 1; i <= n; i++ {
			copy(buf, out[:8])
			copy(buf[8:], out[8*i:])
			block.Encrypt(buf, buf)
			binary.BigEndian.PutUint64(out, binary.BigEndian.Uint64(buf)^uint64(n*j+i))
			copy(out[8*i:], buf[8:])
		}
	}
	return out
}

// unwrapKey is RFC 3394 §2.2.2.
func unwrapKey(t testing.TB, kek, wrapped []byte) ([]byte, error) {
	t.Helper()
	block, err := aes.NewCipher(kek)
	if err != nil {
		t.Fatal(err)
	}
	n := len(wrapped)/8 - 1
	out := bytes.Clone(wrapped)
	buf := make([]byte, 16)
	for j := 5; j >= 0; j-- {
		for i := n; i >= 1; i-- {
			binary.BigEndian.PutUint64(buf, binary.BigEndian.Uint64(out)^uint64(n*j+i))
			copy(buf[8:], out[8*i:8*i+8])
			block.Decrypt(buf, buf)
			copy(out, buf[:8])
			copy(out[8*i:], buf[8:])
		}
	}
	if !bytes.Equal(out[:8], wrapIV) {
		return nil, errors.New("key unwrap failed")
	}
	return out[8:], nil
}

func hmac256(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := strict.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
