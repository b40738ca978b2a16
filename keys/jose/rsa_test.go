package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const testAssertion = "client-authentication+jwt"

// newRSA makes a PS256 key of any size.
func newRSA(bits int) PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	pub, err := publicOf(PS256, &k.PublicKey)
	if err != nil {
		panic(err)
	}
	return PrivateKey{pub: pub, open: hide(&secret{key: k, d: k.D.Bytes()})}
}

// largestRSA is the dearest key that is accepted, made once, as it takes a second.
var largestRSA = sync.OnceValue(func() PrivateKey { return newRSA(maxModulus) })

// psHeader is the honest header of an assertion by key.
func psHeader(typ string, key PrivateKey) string {
	return `{"alg":"PS256","typ":"` + typ + `","kid":"` + key.KeyID() + `"}`
}

// forgePSS signs any header and payload with a salt and a hash of any length.
func forgePSS(t testing.TB, header string, key PrivateKey, hash crypto.Hash, salt int) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64(testPayload)
	h := hash.New()
	h.Write([]byte(input))
	sig, err := rsa.SignPSS(rand.Reader, key.open().key.(*rsa.PrivateKey), hash, h.Sum(nil), &rsa.PSSOptions{SaltLength: salt})
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(sig)
}

func TestAssertionIsReadBack(t *testing.T) {
	for _, key := range []PrivateKey{newKey(t, ES256, P256), newKey(t, EdDSA, Ed25519), newKey(t, PS256, NoCurve), newRSA(2056), newRSA(2051), largestRSA()} {
		for _, typ := range assertionTypes() {
			token, err := Sign(typ, testPayload, key.Signer())
			if err != nil {
				t.Fatal(err)
			}
			s, err := ParseAssertion(token, len(token))
			if err != nil {
				t.Fatal(err)
			}
			payload, err := s.Verify(parsePublic(t, string(mustJSON(t, key.Public()))))
			if err != nil || string(payload) != string(testPayload) || s.Type() != typ || s.Algorithm() != key.pub.alg {
				t.Errorf("%s of type %q: %s, %v", s.Algorithm(), s.Type(), payload, err)
			}
			// The same token in the place of a statement: PS256 has no business there.
			if _, err := ParseSigned(token, len(token), typ); key.pub.alg == PS256 != errors.Is(err, ErrAlgorithm) {
				t.Errorf("%s as a statement: %v", key.pub.alg, err)
			}
		}
	}
}

// What is refused for PS256 is not made either, and however it was made, it is refused.
func TestPS256AuthenticatesAlone(t *testing.T) {
	key := newKey(t, PS256, NoCurve)
	for _, typ := range []string{testType, "at+jwt", "jwt", "application/JWT", typeProof} {
		if token, err := Sign(typ, testPayload, key.Signer()); !errors.Is(err, ErrAlgorithm) || token != "" {
			t.Errorf("Sign of type %q: %v, want ErrAlgorithm", typ, err)
		}
		forged := forgePSS(t, psHeader(typ, key), key, crypto.SHA256, 32)
		if _, err := ParseSigned(forged, 8<<10, typ); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("ParseSigned of type %q: %v, want ErrAlgorithm", typ, err)
		}
		if _, err := ParseAssertion(forged, 8<<10); !errors.Is(err, ErrType) {
			t.Errorf("ParseAssertion of type %q: %v, want ErrType", typ, err)
		}
	}
}

// TestPS256SignatureCheatsAreRefused: library is what the library says by itself.
func TestPS256SignatureCheatsAreRefused(t *testing.T) {
	key, other := newKey(t, PS256, NoCurve), newKey(t, PS256, NoCurve)
	header := psHeader(testAssertion, key)
	made := func(hash crypto.Hash, salt int) string { return forgePSS(t, header, key, hash, salt) }
	good := made(crypto.SHA256, 32)
	cut := strings.LastIndexByte(good, '.') + 1
	sig, err := base64url.DecodeString(good[cut:])
	if err != nil {
		t.Fatal(err)
	}
	with := func(sig []byte) string { return good[:cut] + b64(sig) }
	digest := sha256.Sum256([]byte(good[:cut-1]))
	pkcs1, err := rsa.SignPKCS1v15(rand.Reader, key.open().key.(*rsa.PrivateKey), crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []cheat{
		{"nothing, so that the rows below mean something", good, nil, accepts},
		{"no salt", made(crypto.SHA256, 0), ErrSignature, accepts},
		{"a salt of a byte less", made(crypto.SHA256, 31), ErrSignature, accepts},
		{"a salt of a byte more", made(crypto.SHA256, 33), ErrSignature, accepts},
		{"the longest salt", made(crypto.SHA256, rsa.PSSSaltLengthAuto), ErrSignature, accepts},
		{"SHA-512", made(crypto.SHA512, 64), ErrSignature, refuses},
		{"SHA-384 with a salt of 32", made(crypto.SHA384, 32), ErrSignature, refuses},
		{"RS256 under the name of PS256", with(pkcs1), ErrSignature, refuses},
		{"another's key", forgePSS(t, header, other, crypto.SHA256, 32), ErrSignature, refuses},
		{"zeros", with(make([]byte, 256)), ErrSignature, refuses},
		{"one", with(append(make([]byte, 255), 1)), ErrSignature, refuses},
		{"the modulus", with(key.open().key.(*rsa.PrivateKey).N.Bytes()), ErrSignature, refuses},
		{"the modulus added", with(plusModulus(t, header, key)), ErrSignature, refuses},
		{"a zero before it", with(append([]byte{0}, sig...)), ErrSignature, refuses},
		{"a zero behind it", with(append(append([]byte{}, sig...), 0)), ErrSignature, refuses},
		{"a byte less", with(sig[:255]), ErrMalformed, refuses},
		{"more than any key makes", with(make([]byte, 513)), ErrMalformed, refuses},
		{"the length of the others", with(sig[:64]), ErrMalformed, refuses},
		{"no signature", with(nil), ErrMalformed, refuses},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := ParseAssertion(c.token, 8<<10)
			if err == nil {
				_, err = s.Verify(key.Public())
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if got := verdictOf(func() error {
				_, err := jws.Verify([]byte(c.token), jws.WithKey(jwa.PS256, key.Public().CryptoKey()))
				return err
			}); got != c.library {
				t.Errorf("the library by itself %v it, not %v", got, c.library)
			}
		})
	}
}

// plusModulus is a second number for the same signature, as long as the first: s + n.
func plusModulus(t *testing.T, header string, key PrivateKey) []byte {
	t.Helper()
	for range 1000 {
		token := forgePSS(t, header, key, crypto.SHA256, 32)
		sig, err := base64url.DecodeString(token[strings.LastIndexByte(token, '.')+1:])
		if err != nil {
			t.Fatal(err)
		}
		s := new(big.Int).SetBytes(sig)
		if s.Add(s, key.open().key.(*rsa.PrivateKey).N).BitLen() <= minModulus {
			return s.Bytes()
		}
	}
	t.Fatal("no signature leaves room for the modulus")
	return nil
}

func TestAnyChangedByteOfAPS256TokenIsRefused(t *testing.T) {
	key := newKey(t, PS256, NoCurve)
	token, err := Sign(testAssertion, testPayload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	for changed, what := range mutations(token) {
		if s, err := ParseAssertion(changed, 8<<10); err == nil {
			if _, err := s.Verify(key.Public()); err == nil {
				t.Errorf("%s is accepted", what)
			}
		}
	}
	proof, err := SignProof(testPayload, key)
	if err != nil {
		t.Fatal(err)
	}
	for changed, what := range mutations(proof) {
		if _, _, err := VerifyProof(changed, 8<<10); err == nil {
			t.Errorf("proof: %s is accepted", what)
		}
	}
}

// RFC 7638 §3.1.
func TestThumbprintOfAnRSAKeyIsRFC7638(t *testing.T) {
	k := parsePublic(t, `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"PS256","kid":"2011-04-29"}`)
	if got, want := k.Thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; got != want {
		t.Errorf("thumbprint %s, want %s", got, want)
	}
}

// odd is an odd number of so many bits, with the lowest ones set as they are.
func odd(bits int) *big.Int {
	n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
	return n.Add(n, big.NewInt(0x10001))
}

func TestRSAKeyCheatsAreRefused(t *testing.T) {
	n := string(integer(odd(2048)))
	jwk := func(n, members string) string {
		return `{"kty":"RSA","n":"` + n + `","e":"AQAB","kid":"k","alg":"PS256"` + members + `}`
	}
	good := jwk(n, "")
	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	sized := func(bits int) string { return jwk(string(integer(odd(bits))), "") }
	even := new(big.Int).Sub(odd(2048), big.NewInt(1))

	for _, c := range []struct {
		name, jwk string
		want      error
	}{
		{"nothing: 2048 bits", good, nil},
		{"nothing: 3072 bits and use", jwk(string(integer(odd(3072))), `,"use":"sig"`), nil},
		{"nothing: 4096 bits and the longest kid", strings.Replace(sized(4096), `"k"`, `"`+strings.Repeat("k", 128)+`"`, 1), nil},
		{"2047 bits", sized(2047), ErrKey},
		{"1024 bits", sized(1024), ErrKey},
		{"4097 bits", sized(4097), ErrKey},
		{"8192 bits", sized(8192), ErrKey},
		{"an even modulus", jwk(string(integer(even)), ""), ErrKey},
		{"a modulus of zero", jwk("AA", ""), ErrKey},
		{"a modulus with a leading zero", jwk(b64(append([]byte{0}, odd(2048).Bytes()...)), ""), ErrKey},
		{"a short modulus with leading zeros", jwk(b64(odd(2047).FillBytes(make([]byte, 512))), ""), ErrKey},
		{"n with padding", jwk(n+"==", ""), ErrKey},
		{"n with other trailing bits", jwk(n[:len(n)-1]+"R", ""), ErrKey},
		{"n with a line break", jwk(n[:100]+`\n`+n[100:], ""), ErrKey},
		{"n with a line break behind", jwk(n+`\r`, ""), ErrKey},
		{"n in the standard alphabet", jwk(strings.Replace(n, "A", "+", 1), ""), ErrKey},
		{"n a number", swap(`"`+n+`"`, odd(2048).String()), ErrKey},
		{"n null", swap(`"`+n+`"`, `null`), ErrKey},
		{"n twice", jwk(n, `,"n":"`+n+`"`), ErrKey},
		{"N in another case", swap(`"n"`, `"N"`), ErrKey},
		{"no n", swap(`"n":"`+n+`",`, ``), ErrKey},
		{"no e", swap(`"e":"AQAB",`, ``), ErrKey},
		{"e of 3", swap("AQAB", "Aw"), ErrKey},
		{"e of 1, with which every message is its own signature", swap("AQAB", "AQ"), ErrKey},
		{"e of 2", swap("AQAB", "Ag"), ErrKey},
		{"e of 17", swap("AQAB", "EQ"), ErrKey},
		{"e of 65539", swap("AQAB", "AQAD"), ErrKey},
		{"e of 2⁶⁴ + 65537", swap("AQAB", "AQAAAAAAAQAB"), ErrKey},
		{"e as long as n", swap("AQAB", n), ErrKey},
		{"e with a leading zero", swap("AQAB", "AAEAAQ"), ErrKey},
		{"e with padding", swap("AQAB", "AQAB="), ErrKey},
		{"e with a line break", swap("AQAB", `AQAB\n`), ErrKey},
		{"e a number", swap(`"AQAB"`, `65537`), ErrKey},
		{"e twice", jwk(n, `,"e":"AQAB"`), ErrKey},
		{"d", jwk(n, `,"d":"AQ"`), ErrPrivate},
		{"d, null", jwk(n, `,"d":null`), ErrKey},
		{"p alone", jwk(n, `,"p":"Aw"`), ErrPrivate},
		{"q alone", jwk(n, `,"q":"Aw"`), ErrPrivate},
		{"dp alone", jwk(n, `,"dp":"Aw"`), ErrPrivate},
		{"dq alone", jwk(n, `,"dq":"Aw"`), ErrPrivate},
		{"qi alone", jwk(n, `,"qi":"Aw"`), ErrPrivate},
		{"a third prime", jwk(n, `,"oth":[{"r":"Aw","d":"AQ","t":"AQ"}]`), ErrKey},
		{"a curve", jwk(n, `,"crv":"P-256"`), ErrKey},
		{"an empty curve", jwk(n, `,"crv":""`), ErrKey},
		{"x", jwk(n, `,"x":"AA"`), ErrKey},
		{"y", jwk(n, `,"y":"AA"`), ErrKey},
		{"kty EC", swap(`"RSA"`, `"EC"`), ErrKey},
		{"kty OKP", swap(`"RSA"`, `"OKP"`), ErrKey},
		{"kty in another case", swap(`"RSA"`, `"rsa"`), ErrKey},
		{"no kty", swap(`"kty":"RSA",`, ``), ErrKey},
		{"a certificate", jwk(n, `,"x5c":["MA=="]`), ErrKey},
		{"key_ops", jwk(n, `,"key_ops":["verify"]`), ErrKey},
		{"no alg", swap(`,"alg":"PS256"`, ``), ErrKey},
		{"alg RS256", swap("PS256", "RS256"), ErrKey},
		{"alg PS384", swap("PS256", "PS384"), ErrKey},
		{"alg ES256", swap("PS256", "ES256"), ErrKey},
		{"alg of sealing", swap("PS256", "RSA-OAEP-256"), ErrKey},
		{"use of sealing", jwk(n, `,"use":"enc"`), ErrKey},
		{"no kid", swap(`,"kid":"k"`, ``), ErrKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := ParsePublicKey([]byte(c.jwk))
			if !errors.Is(err, c.want) || (c.want != nil && !errors.Is(err, ErrKey)) || (err == nil) == k.IsZero() {
				t.Errorf("%v, %v, want %v", k, err, c.want)
			}
		})
	}
}

func TestPrivateRSAKeyCheatsAreRefused(t *testing.T) {
	key, other := newKey(t, PS256, NoCurve), newKey(t, PS256, NoCurve).members()
	k := key.open().key.(*rsa.PrivateKey)
	p, q, one := k.Primes[0], k.Primes[1], big.NewInt(1)
	add := func(a, b *big.Int) text { return integer(new(big.Int).Add(a, b)) }
	less := func(a *big.Int) *big.Int { return new(big.Int).Sub(a, one) }
	zeroBefore := func(a *big.Int) text { return text(b64(append([]byte{0}, a.Bytes()...))) }
	phi := new(big.Int).Mul(less(p), less(q))

	for _, c := range []struct {
		name   string
		change func(*members)
		good   bool
	}{
		{"nothing, so that the rows below mean something", func(*members) {}, true},
		{"the primes in the other order", func(m *members) {
			m.P, m.Q, m.DP, m.DQ = m.Q, m.P, m.DQ, m.DP
			m.QI = integer(new(big.Int).ModInverse(p, q))
		}, true},
		{"no d", func(m *members) { m.D = "" }, false},
		{"no p", func(m *members) { m.P = "" }, false},
		{"no q", func(m *members) { m.Q = "" }, false},
		{"neither prime", func(m *members) { m.P, m.Q = "", "" }, false},
		{"no dp", func(m *members) { m.DP = "" }, false},
		{"no dq", func(m *members) { m.DQ = "" }, false},
		{"no qi", func(m *members) { m.QI = "" }, false},
		{"d alone", func(m *members) { m.P, m.Q, m.DP, m.DQ, m.QI = "", "", "", "", "" }, false},
		{"another's d", func(m *members) { m.D = other.D }, false},
		{"another's modulus", func(m *members) { m.N = other.N }, false},
		{"another's primes", func(m *members) { m.P, m.Q = other.P, other.Q }, false},
		{"another's private part", func(m *members) { n := m.N; *m = other; m.N = n }, false},
		{"a qi of another order", func(m *members) { m.QI = integer(new(big.Int).ModInverse(p, q)) }, false},
		{"another dp", func(m *members) { m.DP = m.DQ }, false},
		{"dp with p - 1 added", func(m *members) { m.DP = add(k.Precomputed.Dp, less(p)) }, false},
		{"qi with p added", func(m *members) { m.QI = add(k.Precomputed.Qinv, p) }, false},
		{"d with φ(n) added", func(m *members) { m.D = add(k.D, phi) }, false},
		{"d of e", func(m *members) { m.D = exponentAQAB }, false},
		{"d of zero", func(m *members) { m.D = "AA" }, false},
		{"p of one", func(m *members) { m.P, m.Q = "AQ", m.N }, false},
		{"p of zero", func(m *members) { m.P = "AA" }, false},
		{"p twice", func(m *members) { m.Q = m.P }, false},
		{"an even prime", func(m *members) { m.P = integer(less(p)) }, false},
		{"d with a leading zero", func(m *members) { m.D = zeroBefore(k.D) }, false},
		{"p with a leading zero", func(m *members) { m.P = zeroBefore(p) }, false},
		{"q with a leading zero", func(m *members) { m.Q = zeroBefore(q) }, false},
		{"dp with a leading zero", func(m *members) { m.DP = zeroBefore(k.Precomputed.Dp) }, false},
		{"d with padding", func(m *members) { m.D += "=" }, false},
		{"p with a line break", func(m *members) { m.P += "\n" }, false},
		{"qi that is not base64url", func(m *members) { m.QI = "*" }, false},
		{"e of 3", func(m *members) { m.E = "Aw" }, false},
		{"a curve", func(m *members) { m.Crv = text(P256) }, false},
		{"x", func(m *members) { m.X = "AA" }, false},
		{"too large", func(m *members) { m.QI = text(strings.Repeat("A", 4<<10)) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := key.members()
			c.change(&m)
			got, err := ParsePrivateKey(mustJSON(t, m))
			if c.good != (err == nil) || (err != nil && !errors.Is(err, ErrKey)) || c.good == (got.open == nil) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	if again, err := ParsePrivateKey(largestRSA().JWK()); err != nil || again.members() != largestRSA().members() {
		t.Errorf("4096 bits: %v", err)
	}
	// A member of RSA's has no place in another private key.
	m := newKey(t, ES256, P256).members()
	m.QI = m.D
	if _, err := ParsePrivateKey(mustJSON(t, m)); !errors.Is(err, ErrKey) {
		t.Errorf("a P-256 key with qi: %v, want ErrKey", err)
	}
}

// The largest key fits in the header of a proof with all that may stand there.
func TestProofOfTheLargestKeyIsRead(t *testing.T) {
	key := largestRSA()
	jwk := mustJSON(t, key.Public()) // with kid, alg and use
	header := `{"typ":"dpop+jwt","alg":"PS256","jwk":` + string(jwk) + `}`
	got, err := SignProof(random(t, 600), key)
	if err != nil {
		t.Fatal(err)
	}
	for name, proof := range map[string]string{"ours": got, "with all members": forgePSS(t, header, key, crypto.SHA256, 32)} {
		if _, k, err := VerifyProof(proof, 4<<10); err != nil || !k.Equal(key.Public()) {
			t.Errorf("%s, %d bytes: %v", name, len(proof), err)
		}
	}
}

// A prime is as secret as d, however the key is printed.
func TestPrimesNeverShow(t *testing.T) {
	key := newKey(t, PS256, NoCurve)
	for _, prime := range key.open().key.(*rsa.PrivateKey).Primes {
		where := PrivateKey{open: hide(&secret{d: prime.Bytes()})} // what mustHide looks for
		for _, v := range []any{key, &key, key.Signer(), key.Signer().Key, []PrivateKey{key}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				mustHide(t, where, verb, fmt.Sprintf(verb, v))
			}
		}
	}
}
