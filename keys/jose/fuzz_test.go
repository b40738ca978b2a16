package jose

import (
	"bytes"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jws"
)

// reencode writes the parts of an accepted token again.
func reencode(t *testing.T, token string, n int) string {
	t.Helper()
	parts, err := split(token, n, len(token))
	if err != nil {
		t.Fatal(err)
	}
	again := make([]string, n)
	for i, p := range parts {
		again[i] = b64(p)
	}
	return strings.Join(again, ".")
}

// Whatever comes, ParseSigned, ParseAssertion and VerifyProof do not panic; what they
// accept has one spelling, and the library reads the same in it as the gate did.
func FuzzParseSigned(f *testing.F) {
	key, ed, ps := newKey(f, ES256, P256), newKey(f, EdDSA, Ed25519), newKey(f, PS256, NoCurve)
	for _, k := range []PrivateKey{key, ed, ps} {
		typ := testType
		if k.pub.alg == PS256 {
			typ = testAssertion
		}
		token, err := Sign(typ, testPayload, k.Signer())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
		proof, err := SignProof(testPayload, k)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(proof)
	}
	f.Add(forgeSigned(f, `{"alg":"ES256","typ":"`+testType+`","kid":"k","crit":["x"]}`, testPayload, key))
	f.Add(forgeSigned(f, `{"alg":"ES256","alg":"ES256","typ":"`+testType+`","kid":"k"}`, testPayload, key))
	f.Add("..")
	f.Add(`{"payload":"","signatures":[]}`)
	f.Fuzz(func(t *testing.T, token string) {
		if payload, k, err := VerifyProof(token, 8<<10); err == nil {
			if again := reencode(t, token, 3); again != token || len(payload) == 0 || k.KeyID() != k.Thumbprint() {
				t.Errorf("proof %q is accepted and re-encodes to %q", token, again)
			}
		}
		s, err := ParseSigned(token, 8<<10, testType, "")
		if err == nil && s.alg == PS256 {
			t.Errorf("%q is accepted for a statement", token)
		}
		if err != nil {
			s, err = ParseAssertion(token, 8<<10)
		}
		if err != nil {
			return
		}
		if again := reencode(t, token, 3); again != token {
			t.Errorf("%q is accepted and re-encodes to %q", token, again)
		}
		for _, k := range []PrivateKey{key, ed, ps} {
			k.pub.kid = s.kid // so that the arithmetic is reached
			_, _ = s.Verify(k.Public())
		}
		m, err := jws.Parse([]byte(token))
		if err != nil {
			t.Fatalf("the library cannot read what the gate accepts: %v", err)
		}
		h := m.Signatures()[0].ProtectedHeaders()
		if string(h.Algorithm()) != string(s.alg) || h.KeyID() != s.kid || h.Type() != s.typ || !bytes.Equal(m.Payload(), s.payload) {
			t.Errorf("the library reads %v, the gate %v %v %v", h, s.alg, s.typ, s.kid)
		}
	})
}

// Whatever comes, ParseEncrypted and Decrypt do not panic, and what is accepted
// has one spelling.
func FuzzParseEncrypted(f *testing.F) {
	keys := map[Curve]PrivateKey{P256: newKey(f, ECDHESA256KW, P256), X25519: newKey(f, ECDHESA256KW, X25519)}
	for _, k := range keys {
		token, err := Encrypt(testPlain, k.Public(), "json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
		f.Add(forgery{header: strings.Replace(goodSeal(k.KeyID()), `"cty"`, `"zip":"DEF","cty"`, 1), plain: testPlain, zip: true}.seal(f, k.Public()))
	}
	f.Add("....")
	f.Fuzz(func(t *testing.T, token string) {
		e, err := ParseEncrypted(token, 8<<10)
		if err != nil {
			return
		}
		if again := reencode(t, token, 5); again != token {
			t.Errorf("%q is accepted and re-encodes to %q", token, again)
		}
		// Under the token's own kid, so that the library is reached.
		k := keys[e.crv]
		k.pub.kid = e.kid
		plain, err := e.Decrypt(k)
		if (err == nil) == (plain == nil) {
			t.Errorf("plaintext %q with error %v", plain, err)
		}
	})
}

// Whatever comes, no parser of keys panics, and an accepted key is written and read
// back as itself.
func FuzzParsePublicKey(f *testing.F) {
	for _, kind := range everyKind {
		k := newKey(f, kind.alg, kind.curve)
		f.Add(mustJSON(f, k.Public()))
		f.Add(k.JWK())
	}
	f.Add([]byte(`{"kty":"oct","k":"c2VjcmV0"}`))
	f.Fuzz(func(t *testing.T, jwk []byte) {
		if k, err := ParsePrivateKey(jwk); err == nil {
			again, err := ParsePrivateKey(k.JWK())
			if err != nil || !bytes.Equal(again.JWK(), k.JWK()) {
				t.Errorf("private key %q is not read back: %v", jwk, err)
			}
		}
		k, err := ParsePublicKey(jwk)
		if err != nil {
			return
		}
		canonical := mustJSON(t, k)
		again, err := ParsePublicKey(canonical)
		if err != nil {
			t.Fatalf("%s is written but not read: %v", canonical, err)
		}
		if !again.Equal(k) || !bytes.Equal(mustJSON(t, again), canonical) || again.Thumbprint() != k.Thumbprint() {
			t.Errorf("%q is not read back as itself", jwk)
		}
		if k.CryptoKey() == nil {
			t.Errorf("%q gives no key", jwk)
		}
	})
}
