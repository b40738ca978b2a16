package jose

import (
	"bytes"
	"crypto"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
	"github.com/lestrrat-go/jwx/v2/jwk"
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

// Whatever comes, ParseSigned and ParseAssertion do not panic; what they accept has one
// spelling, and the library reads the same in it as the gate did.
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
	}
	f.Add(forgeSigned(f, `{"alg":"ES256","typ":"`+testType+`","kid":"k","crit":["x"]}`, testPayload, key))
	f.Add(forgeSigned(f, `{"alg":"ES256","alg":"ES256","typ":"`+testType+`","kid":"k"}`, testPayload, key))
	f.Add("..")
	f.Add(`{"payload":"","signatures":[]}`)
	f.Fuzz(func(t *testing.T, token string) {
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

// names are the members of a header, as a lenient reader sees them.
func names(t *testing.T, header []byte) []string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(header, &m); err != nil {
		t.Fatalf("%q is accepted and is no JSON: %v", header, err)
	}
	return slices.Sorted(maps.Keys(m))
}

// Whatever a header says, over an honest signature: what is accepted has the three
// parameters and no other, and means to the library what it means here.
func FuzzSignedHeader(f *testing.F) {
	key := newKey(f, ES256, P256)
	honest := `{"alg":"ES256","typ":"` + testType + `","kid":"` + key.KeyID() + `"}`
	for _, more := range []string{"", `,"crit":["x"]`, `,"b64":false`, `,"zip":"DEF"`, `,"jku":"https://attacker.example"`, `,"alg":"none"`, `,"\u0061lg":"none"`, `,"Alg":"none"`} {
		f.Add([]byte(strings.TrimSuffix(honest, "}") + more + "}"))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		token := forgeSigned(t, string(header), testPayload, key)
		s, err := ParseSigned(token, 8<<10, testType)
		if err != nil {
			return
		}
		if got := names(t, header); !slices.Equal(got, []string{"alg", "kid", "typ"}) {
			t.Errorf("%q is accepted with %q", header, got)
		}
		if s.alg != ES256 {
			return
		}
		named := key
		named.pub.kid = s.kid
		if payload, err := s.Verify(named.Public()); err != nil || !bytes.Equal(payload, testPayload) {
			t.Errorf("%q: %v over an honest signature", header, err)
		}
		if _, err := jws.Verify([]byte(token), jws.WithKey(jwa.ES256, key.Public().CryptoKey())); err != nil {
			t.Errorf("%q: the library says %v", header, err)
		}
	})
}

// Whatever a header says, over an honest seal: what is accepted has the five parameters
// and no other, and opens exactly where its ephemeral key is the one it was sealed with.
func FuzzSealedHeader(f *testing.F) {
	key := newKey(f, ECDHESA256KW, X25519)
	honest := goodSeal(key.KeyID())
	for _, more := range []string{"", `,"crit":["x"]`, `,"zip":"DEF"`, `,"apu":"QQ"`, `,"p2c":9`, `,"enc":"A128GCM"`, `,"epk":%EPK%`, `,"Epk":%EPK%`} {
		f.Add([]byte(strings.TrimSuffix(honest, "}") + more + "}"))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		token := forgery{header: string(header), plain: testPlain}.seal(t, key.Public())
		e, err := ParseEncrypted(token, 8<<10)
		if err != nil {
			return
		}
		parts, err := split(token, 5, len(token))
		if err != nil {
			t.Fatal(err)
		}
		if got := names(t, parts[0]); !slices.Equal(got, []string{"alg", "cty", "enc", "epk", "kid"}) {
			t.Errorf("%q is accepted with %q", header, got)
		}
		named := key
		named.pub.kid = e.kid
		plain, err := e.Decrypt(named)
		if (err == nil) != bytes.Equal(plain, testPlain) {
			t.Errorf("%q: %q, %v", header, plain, err)
		}
		private, err := key.open().agreement()
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := jwe.Decrypt([]byte(token), jwe.WithKey(jwa.ECDH_ES_A256KW, private))
		if !bytes.Equal(theirs, plain) {
			t.Errorf("%q: the library opens %q, %v", header, theirs, err)
		}
	})
}

// Whatever comes, VerifyProof does not panic; what it accepts has one spelling, and a
// header that is kept says the same as one that is read anew.
func FuzzVerifyProof(f *testing.F) {
	var known []ProofHeader
	for _, k := range []PrivateKey{newKey(f, ES256, P256), newKey(f, EdDSA, Ed25519), newKey(f, PS256, NoCurve)} {
		proof, err := SignProof(testPayload, k)
		if err != nil {
			f.Fatal(err)
		}
		_, h, err := ProofHeader{}.Verify(proof, 8<<10)
		if err != nil {
			f.Fatal(err)
		}
		known = append(known, h)
		f.Add(proof)
		jwk := mustJSON(f, k.Public())
		f.Add(b64([]byte(`{"typ":"dpop+jwt","alg":"`+string(k.pub.alg)+`","jwk":`+string(jwk)+`}`)) + proof[strings.IndexByte(proof, '.'):])
	}
	f.Add("..")
	f.Fuzz(func(t *testing.T, proof string) {
		payload, key, err := VerifyProof(proof, 8<<10)
		for _, h := range known {
			again, seen, errAgain := h.Verify(proof, 8<<10)
			if (err == nil) != (errAgain == nil) || !bytes.Equal(again, payload) || !seen.Key().Equal(key) {
				t.Errorf("%q: %v, and with a header at hand %v", proof, err, errAgain)
			}
		}
		if err != nil {
			return
		}
		if again := reencode(t, proof, 3); again != proof || len(payload) == 0 || key.KeyID() != key.Thumbprint() {
			t.Errorf("%q is accepted and re-encodes to %q", proof, again)
		}
	})
}

// Whatever comes, ParsePublicKey does not panic; an accepted key is written and read back
// as itself, and the library finds the same thumbprint.
func FuzzParsePublicKey(f *testing.F) {
	for _, kind := range everyKind {
		k := newKey(f, kind.alg, kind.curve)
		f.Add(mustJSON(f, k.Public()))
		f.Add(k.JWK())
	}
	f.Add([]byte(`{"kty":"oct","k":"c2VjcmV0"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParsePublicKey(text)
		if err != nil {
			return
		}
		canonical := mustJSON(t, k)
		again, err := ParsePublicKey(canonical)
		if err != nil {
			t.Fatalf("%s is written but not read: %v", canonical, err)
		}
		if !again.Equal(k) || !bytes.Equal(mustJSON(t, again), canonical) || again.Thumbprint() != k.Thumbprint() {
			t.Errorf("%q is not read back as itself", text)
		}
		if k.CryptoKey() == nil {
			t.Errorf("%q gives no key", text)
		}
		theirs, err := jwk.ParseKey(text)
		if err != nil {
			t.Fatalf("%q: the library says %v", text, err)
		}
		if sum, err := theirs.Thumbprint(crypto.SHA256); err != nil || b64(sum) != k.Thumbprint() {
			t.Errorf("%q: the library's thumbprint is %s, %v", text, b64(sum), err)
		}
	})
}

// Whatever comes, ParsePrivateKey does not panic, an accepted key is written and read back
// as itself, and its two parts are a pair.
func FuzzParsePrivateKey(f *testing.F) {
	for _, kind := range everyKind {
		k := newKey(f, kind.alg, kind.curve)
		f.Add(k.JWK())
		f.Add(mustJSON(f, k.Public()))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := ParsePrivateKey(text)
		if err != nil {
			return
		}
		again, err := ParsePrivateKey(k.JWK())
		if err != nil || !bytes.Equal(again.JWK(), k.JWK()) {
			t.Errorf("a private key is not read back: %v", err)
		}
		if !k.pub.alg.signs() {
			sealed, err := Encrypt(testPlain, k.Public(), "json")
			if err != nil {
				t.Fatal(err)
			}
			e, err := ParseEncrypted(sealed, len(sealed))
			if err != nil {
				t.Fatal(err)
			}
			if plain, err := e.Decrypt(k); err != nil || !bytes.Equal(plain, testPlain) {
				t.Errorf("what is sealed to the public part does not open: %v", err)
			}
			return
		}
		token, err := Sign("JWT", testPayload, k.Signer())
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseAssertion(token, len(token))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(k.Public()); err != nil {
			t.Errorf("what the private part signs is not the public part's: %v", err)
		}
	})
}
