package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// What of the library needs more than a token to be shown: each test here shows it first,
// and then that nothing of it passes. weaknesses_index_test.go lists them all.

// GHSA-4cf7-xm37-g63h, for which there is no release of v2: names of headers are written
// as they are, so whoever chooses a name writes members of her own, in what we sign.
func TestNamesCannotBreakOut(t *testing.T) {
	key, sealing := newKey(t, ES256, P256), newKey(t, ECDHESA256KW, P256)
	const name = `x":0,"admin`
	h := jws.NewHeaders()
	if err := errors.Join(h.Set(jws.TypeKey, testType), h.Set(jws.KeyIDKey, key.KeyID()), h.Set(name, true)); err != nil {
		t.Fatal(err)
	}
	signed, err := jws.Sign(testPayload, jws.WithKey(jwa.ES256, key.open().key, jws.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	if !writes(t, string(signed), "admin") {
		t.Error("the library has learnt to escape names of signed headers")
	}
	if _, err := ParseSigned(string(signed), 8<<10, testType); !errors.Is(err, ErrHeader) {
		t.Errorf("ParseSigned: %v, want ErrHeader", err)
	}
	e := jwe.NewHeaders()
	if err := errors.Join(e.Set(jwe.KeyIDKey, sealing.KeyID()), e.Set(jwe.ContentTypeKey, "json"), e.Set(name, true)); err != nil {
		t.Fatal(err)
	}
	sealed, err := jwe.Encrypt(testPlain, jwe.WithKey(jwa.ECDH_ES_A256KW, sealing.Public().agreement()),
		jwe.WithContentEncryption(jwa.A256GCM), jwe.WithProtectedHeaders(e))
	if err != nil {
		t.Fatal(err)
	}
	if !writes(t, string(sealed), "admin") {
		t.Error("the library has learnt to escape names of sealed headers")
	}
	if _, err := ParseEncrypted(string(sealed), 8<<10); !errors.Is(err, ErrHeader) {
		t.Errorf("ParseEncrypted: %v, want ErrHeader", err)
	}
	// Ours: a name is never the caller's, and a value is escaped.
	ours, err := Sign(`a","admin":"yes`, testPayload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	if writes(t, ours, "admin") {
		t.Error("a type breaks out of the header")
	}
	if _, err := Sign(testType, testPayload, SigningKey{ID: `k","admin":"yes`, Alg: ES256, Key: key.Signer().Key}); !errors.Is(err, ErrKey) {
		t.Errorf("Sign with such a kid: %v, want ErrKey", err)
	}
}

// writes reports whether the header of a token has a member of that name.
func writes(t *testing.T, token, name string) bool {
	t.Helper()
	first, _, _ := strings.Cut(token, ".")
	header, err := base64url.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(header, &members); err != nil {
		t.Fatalf("%s: %v", header, err)
	}
	_, ok := members[name]
	return ok
}

// What the library calls the public keys of a set has the symmetric ones in it, whole.
func TestSymmetricKeysAreNeverPublic(t *testing.T) {
	const secret = `{"kty":"oct","k":"c2VjcmV0","kid":"s","alg":"HS256"}`
	set, err := jwk.Parse([]byte(`{"keys":[` + secret + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	public, err := jwk.PublicSetOf(set)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(public); err != nil || !strings.Contains(string(text), "c2VjcmV0") {
		t.Errorf("the library has learnt: %s, %v", text, err)
	}
	if _, err := ParsePublicKey([]byte(secret)); !errors.Is(err, ErrKey) {
		t.Errorf("ParsePublicKey: %v, want ErrKey", err)
	}
	if _, err := ParsePrivateKey([]byte(secret)); !errors.Is(err, ErrKey) {
		t.Errorf("ParsePrivateKey: %v, want ErrKey", err)
	}
}

// A key says what it is for, and the library does not ask when it is handed one.
func TestUseOfAKeyIsHeeded(t *testing.T) {
	key := newKey(t, ES256, P256)
	read := func(alg Algorithm, use string) (theirs jwk.Key, ours PrivateKey) {
		m := key.members()
		m.Alg, m.Use = text(alg), text(use)
		ours, err := ParsePrivateKey(mustJSON(t, m))
		if err != nil {
			t.Fatal(err)
		}
		if theirs, err = jwk.ParseKey(ours.JWK()); err != nil {
			t.Fatal(err)
		}
		return theirs, ours
	}
	sealing, ourSealing := read(ECDHESA256KW, "enc")
	signing, ourSigning := read(ES256, "sig")

	token, err := Sign(testType, testPayload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	public, err := sealing.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify([]byte(token), jws.WithKey(jwa.ES256, public)); err != nil {
		t.Errorf("the library has learnt to refuse a key for sealing: %v", err)
	}
	s, err := ParseSigned(token, 8<<10, testType)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(ourSealing.Public()); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("Verify with a key for sealing: %v, want ErrAlgorithm", err)
	}

	token, err = Encrypt(testPlain, ourSealing.Public(), "json")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jwe.Decrypt([]byte(token), jwe.WithKey(jwa.ECDH_ES_A256KW, signing)); err != nil {
		t.Errorf("the library has learnt to refuse a key for signing: %v", err)
	}
	e, err := ParseEncrypted(token, 8<<10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Decrypt(ourSigning); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("Decrypt with a key for signing: %v, want ErrAlgorithm", err)
	}
	if _, err := Encrypt(testPlain, ourSigning.Public(), "json"); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("Encrypt to a key for signing: %v, want ErrAlgorithm", err)
	}
}

// A signature with its payload elsewhere: the library writes the payload into the JSON all
// the same, and takes the compact one. Nothing here is detached.
func TestDetachedPayloadsAreRefused(t *testing.T) {
	key := newKey(t, ES256, P256)
	h := jws.NewHeaders()
	if err := errors.Join(h.Set(jws.TypeKey, testType), h.Set(jws.KeyIDKey, key.KeyID())); err != nil {
		t.Fatal(err)
	}
	with := jws.WithKey(jwa.ES256, key.open().key, jws.WithProtectedHeaders(h))
	object, err := jws.Sign(nil, with, jws.WithDetachedPayload(testPayload), jws.WithJSON())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(object), b64(testPayload)) {
		t.Errorf("the library has learnt to leave the payload out: %s", object)
	}
	compact, err := jws.Sign(nil, with, jws.WithDetachedPayload(testPayload))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify(compact, jws.WithKey(jwa.ES256, key.Public().CryptoKey()), jws.WithDetachedPayload(testPayload)); err != nil {
		t.Errorf("the library refuses its own: %v", err)
	}
	for form, token := range map[string]string{"JSON": string(object), "compact": string(compact)} {
		if _, err := ParseSigned(token, 8<<10, testType); !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseSigned, %s: %v, want ErrMalformed", form, err)
		}
	}
	if _, err := Sign(testType, nil, key.Signer()); !errors.Is(err, ErrMalformed) {
		t.Errorf("Sign: %v, want ErrMalformed", err)
	}
}

// The library writes the parties' names into a header and derives the key without them, so
// that nobody can open what it sealed. Nor could it be trusted to mean them if it did.
func TestPartiesNamesAreRefused(t *testing.T) {
	for _, curve := range []Curve{P256, X25519} {
		key := newKey(t, ECDHESA256KW, curve)
		private, err := key.open().agreement()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{jwe.AgreementPartyUInfoKey, jwe.AgreementPartyVInfoKey} {
			h := jwe.NewHeaders()
			if err := errors.Join(h.Set(jwe.KeyIDKey, key.KeyID()), h.Set(jwe.ContentTypeKey, "json"), h.Set(name, []byte("Alice"))); err != nil {
				t.Fatal(err)
			}
			token, err := jwe.Encrypt(testPlain, jwe.WithKey(jwa.ECDH_ES_A256KW, key.Public().agreement()),
				jwe.WithContentEncryption(jwa.A256GCM), jwe.WithProtectedHeaders(h))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jwe.Decrypt(token, jwe.WithKey(jwa.ECDH_ES_A256KW, private)); err == nil {
				t.Errorf("the library has learnt to open its own with %s on %s", name, curve)
			}
			if _, err := ParseEncrypted(string(token), 8<<10); !errors.Is(err, ErrHeader) {
				t.Errorf("ParseEncrypted with %s on %s: %v, want ErrHeader", name, curve, err)
			}
		}
	}
}

// ECDH-ES means whatever curve a token names, to the library.
func TestSealingNeedsItsCurves(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		h := jwe.NewHeaders()
		if err := errors.Join(h.Set(jwe.KeyIDKey, "k"), h.Set(jwe.ContentTypeKey, "json")); err != nil {
			t.Fatal(err)
		}
		token, err := jwe.Encrypt(testPlain, jwe.WithKey(jwa.ECDH_ES_A256KW, &key.PublicKey),
			jwe.WithContentEncryption(jwa.A256GCM), jwe.WithProtectedHeaders(h))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jwe.Decrypt(token, jwe.WithKey(jwa.ECDH_ES_A256KW, key)); err != nil {
			t.Errorf("the library has learnt to refuse %s: %v", curve.Params().Name, err)
		}
		if _, err := ParseEncrypted(string(token), 8<<10); !errors.Is(err, ErrKey) {
			t.Errorf("ParseEncrypted on %s: %v, want ErrKey", curve.Params().Name, err)
		}
		point, err := key.PublicKey.Bytes() // 4, x and y
		if err != nil {
			t.Fatal(err)
		}
		half := len(point)/2 + 1
		public := fmt.Sprintf(`{"kty":"EC","crv":"%s","x":"%s","y":"%s","kid":"k","alg":"ECDH-ES+A256KW"}`,
			curve.Params().Name, b64(point[1:half]), b64(point[half:]))
		if _, err := ParsePublicKey([]byte(public)); !errors.Is(err, ErrKey) {
			t.Errorf("ParsePublicKey on %s: %v, want ErrKey", curve.Params().Name, err)
		}
	}
}

// A key server that answers nonsense ends the process, if the library is left with it.
func TestASignersNonsenseDoesNotPanic(t *testing.T) {
	key := newKey(t, ES256, P256)
	long, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).Lsh(big.NewInt(1), 300), big.NewInt(1)})
	if err != nil {
		t.Fatal(err)
	}
	nonsense := oddSigner{key.Signer().Key, long, nil}
	if got := verdictOf(func() error {
		_, err := jws.Sign(testPayload, jws.WithKey(jwa.ES256, nonsense))
		return err
	}); got != panics {
		t.Errorf("the library by itself %v it, not panics", got)
	}
	if _, err := Sign(testType, testPayload, SigningKey{ID: "k", Alg: ES256, Key: nonsense}); !errors.Is(err, errSigner) {
		t.Errorf("Sign: %v, want errSigner", err)
	}
}
