package jose

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"
)

var testPlain = []byte(`{"section":"need","salt":"c2FsdA"}`)

func TestSealedTokenIsReadBack(t *testing.T) {
	for _, curve := range []Curve{P256, X25519} {
		t.Run(string(curve), func(t *testing.T) {
			key := newKey(t, ECDHESA256KW, curve)
			token, err := Encrypt(testPlain, key.Public(), "handover-section+json")
			if err != nil {
				t.Fatal(err)
			}
			e, err := ParseEncrypted(token, len(token))
			if err != nil {
				t.Fatal(err)
			}
			if e.KeyID() != key.KeyID() || e.ContentType() != "handover-section+json" {
				t.Errorf("read %q %q", e.KeyID(), e.ContentType())
			}
			plain, err := e.Decrypt(key)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(plain, testPlain) {
				t.Errorf("plaintext %q, want %q", plain, testPlain)
			}
			again, err := Encrypt(testPlain, key.Public(), "handover-section+json")
			if err != nil {
				t.Fatal(err)
			}
			if again == token {
				t.Error("sealing twice gave the same token")
			}
		})
	}
}

func TestEncryptRefusesWhatReadersWouldRefuse(t *testing.T) {
	key := newKey(t, ECDHESA256KW, P256).Public()
	for _, c := range []struct {
		name, plain, cty string
		to               PublicKey
		want             error
	}{
		{"no key", "x", "json", PublicKey{}, ErrKey},
		{"a key for signing", "x", "json", newKey(t, ES256, P256).Public(), ErrAlgorithm},
		{"no plaintext", "", "json", key, ErrMalformed},
		{"no content type", "x", "", key, ErrHeader},
		{"a content type that breaks out", "x", `json","zip":"DEF`, key, ErrHeader},
		{"a content type too long", "x", strings.Repeat("a", 129), key, ErrHeader},
	} {
		t.Run(c.name, func(t *testing.T) {
			if token, err := Encrypt([]byte(c.plain), c.to, c.cty); !errors.Is(err, c.want) || token != "" {
				t.Errorf("%q, %v, want %v", token, err, c.want)
			}
		})
	}
}

// libraryOpens compares what the library does by itself with what is known.
func libraryOpens(t *testing.T, c cheat, key PrivateKey) {
	t.Helper()
	got := verdictOf(func() error {
		_, err := jwe.Decrypt([]byte(c.token), jwe.WithKey(jwa.ECDH_ES_A256KW, key.open().key))
		return err
	})
	if got != c.library {
		t.Errorf("the library by itself %v it, not %v", got, c.library)
	}
}

func TestSealedHeaderCheatsAreRefused(t *testing.T) {
	key := newKey(t, ECDHESA256KW, P256)
	kid := key.KeyID()
	with := func(members string) forgery {
		return forgery{header: strings.TrimSuffix(goodSeal(kid), "}") + members + "}", plain: testPlain}
	}
	instead := func(old, new string) forgery {
		return forgery{header: strings.Replace(goodSeal(kid), old, new, 1), plain: testPlain}
	}
	epk := func(jwk string) forgery { return forgery{header: goodSeal(kid), plain: testPlain, epk: jwk} }
	x, y := key.pub.x, key.pub.y
	bomb := instead(`"cty":"json"`, `"cty":"json","zip":"DEF"`)
	bomb.zip, bomb.plain = true, make([]byte, 1<<20)
	cbc := instead("A256GCM", "A128CBC-HS256")
	cbc.cbc = true

	for _, c := range []struct {
		name    string
		forgery forgery
		want    error
		library verdict
	}{
		{"nothing, so that the rows below mean something", with(``), nil, accepts},
		{"zip that grows from 2 KiB to 1 MiB", bomb, ErrHeader, accepts},
		{"unknown crit", with(`,"crit":["urn:example:x"],"urn:example:x":true`), ErrHeader, accepts},
		{"apu", with(`,"apu":"QWxpY2U"`), ErrHeader, refuses},
		{"apv", with(`,"apv":"Qm9i"`), ErrHeader, refuses},
		{"empty apu", with(`,"apu":""`), ErrHeader, accepts},
		{"p2c", with(`,"p2s":"c2FsdHNhbHQ","p2c":2147483647`), ErrHeader, accepts},
		{"jku", with(`,"jku":"https://attacker.example/jwks.json"`), ErrHeader, accepts},
		{"jwk", with(`,"jwk":%EPK%`), ErrHeader, accepts},
		{"x5u", with(`,"x5u":"https://attacker.example/cert.pem"`), ErrHeader, accepts},
		{"x5c", with(`,"x5c":["MA=="]`), ErrHeader, accepts},
		{"b64 false without crit", with(`,"b64":false`), ErrHeader, accepts},
		{"typ", with(`,"typ":"JWE"`), ErrHeader, accepts},
		{"iv and tag of another key wrap", with(`,"iv":"AAAAAAAAAAAAAAAA","tag":"AAAAAAAAAAAAAAAAAAAAAA"`), ErrHeader, accepts},
		{"unknown member", with(`,"note":"x"`), ErrHeader, accepts},
		{"alg twice", instead(`{"alg"`, `{"alg":"dir","alg"`), ErrHeader, accepts},
		{"enc twice", instead(`"enc"`, `"enc":"A128GCM","enc"`), ErrHeader, accepts},
		{"kid twice", with(`,"kid":"other"`), ErrHeader, accepts},
		{"epk twice", with(`,"epk":%EPK%`), ErrHeader, accepts},
		{"no kid", instead(`"kid":"`+kid+`",`, ``), ErrHeader, accepts},
		{"empty kid", instead(kid, ``), ErrHeader, accepts},
		{"kid that is not URL-safe", instead(kid, `a/b`), ErrHeader, accepts},
		{"no cty", instead(`"cty":"json",`, ``), ErrHeader, accepts},
		{"cty with parameters", instead(`"cty":"json"`, `"cty":"text/html; charset=utf-7"`), ErrHeader, accepts},
		{"no epk", instead(`,"epk":%EPK%`, ``), ErrHeader, refuses},
		{"null epk", epk(`null`), ErrHeader, refuses},
		{"an enc that nobody asked for", cbc, ErrMalformed, accepts},
		{"enc of 128 bits", instead("A256GCM", "A128GCM"), ErrAlgorithm, refuses},
		{"no enc", instead(`"enc":"A256GCM",`, ``), ErrAlgorithm, refuses},
		{"alg ECDH-ES", instead("ECDH-ES+A256KW", "ECDH-ES"), ErrAlgorithm, refuses},
		{"alg ECDH-ES+A128KW", instead("ECDH-ES+A256KW", "ECDH-ES+A128KW"), ErrAlgorithm, refuses},
		{"alg dir", instead("ECDH-ES+A256KW", "dir"), ErrAlgorithm, refuses},
		{"alg RSA1_5", instead("ECDH-ES+A256KW", "RSA1_5"), ErrAlgorithm, refuses},
		{"alg PBES2", instead("ECDH-ES+A256KW", "PBES2-HS256+A128KW"), ErrAlgorithm, refuses},
		{"no alg", instead(`"alg":"ECDH-ES+A256KW",`, ``), ErrAlgorithm, refuses},
		{"epk with a private part", epk(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"%s","y":"%s","d":"%s"}`, x, y, x)), ErrHeader, refuses},
		{"epk with a kid", epk(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"%s","y":"%s","kid":"k"}`, x, y)), ErrHeader, refuses},
		{"epk off the curve", epk(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"%s","y":"%s"}`, x, x)), ErrKey, refuses},
		{"epk at infinity", epk(`{"kty":"EC","crv":"P-256","x":"` + b64(make([]byte, 32)) + `","y":"` + b64(make([]byte, 32)) + `"}`), ErrKey, refuses},
		{"epk without y", epk(`{"kty":"EC","crv":"P-256","x":"` + x + `"}`), ErrKey, refuses},
		{"epk with a short x", epk(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"AQ","y":"%s"}`, y)), ErrKey, refuses},
		{"epk with a longer x", epk(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"AAAA%s","y":"%s"}`, x, y)), ErrKey, refuses},
		{"epk on P-384", epk(fmt.Sprintf(`{"kty":"EC","crv":"P-384","x":"%s","y":"%s"}`, x, y)), ErrKey, refuses},
		{"epk on P-521", epk(fmt.Sprintf(`{"kty":"EC","crv":"P-521","x":"%s","y":"%s"}`, x, y)), ErrKey, refuses},
		{"epk on Ed25519", epk(`{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}`), ErrKey, refuses},
		{"epk of another type", epk(fmt.Sprintf(`{"kty":"OKP","crv":"P-256","x":"%s","y":"%s"}`, x, y)), ErrKey, refuses},
		{"epk symmetric", epk(`{"kty":"oct","k":"AAAA"}`), ErrHeader, refuses},
		{"epk of low order", epk(`{"kty":"OKP","crv":"X25519","x":"` + b64(make([]byte, 32)) + `"}`), ErrKey, refuses},
		{"epk on X25519 with y", epk(`{"kty":"OKP","crv":"X25519","x":"` + x + `","y":"` + y + `"}`), ErrKey, refuses},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := c.forgery.seal(t, key.Public())
			_, got := ParseEncrypted(token, 8<<10)
			if !errors.Is(got, c.want) {
				t.Errorf("gate: %v, want %v", got, c.want)
			}
			libraryOpens(t, cheat{token: token, library: c.library}, key)
		})
	}
}

func TestSealedFormCheatsAreRefused(t *testing.T) {
	key := newKey(t, ECDHESA256KW, P256)
	good := forgery{header: goodSeal(key.KeyID()), plain: testPlain}.seal(t, key.Public())
	p := strings.Split(good, ".")
	part := func(i int, s string) string {
		q := strings.Split(good, ".")
		q[i] = s
		return strings.Join(q, ".")
	}
	recipient := fmt.Sprintf(`{"header":{"alg":"ECDH-ES+A256KW"},"encrypted_key":"%s"}`, p[1])
	crowd := fmt.Sprintf(`{"protected":"%s","recipients":[%s],"iv":"%s","ciphertext":"%s","tag":"%s"}`,
		p[0], strings.TrimSuffix(strings.Repeat(recipient+",", 1000), ","), p[2], p[3], p[4])

	for _, c := range []cheat{
		{"nothing, so that the rows below mean something", good, nil, accepts},
		{"a thousand recipients", crowd, ErrMalformed, accepts},
		{"flattened JSON", fmt.Sprintf(`{"protected":"%s","encrypted_key":"%s","iv":"%s","ciphertext":"%s","tag":"%s"}`, p[0], p[1], p[2], p[3], p[4]), ErrMalformed, refuses},
		{"space before the token", " " + good, ErrMalformed, accepts},
		{"line break behind the token", good + "\n", ErrMalformed, accepts},
		{"line break in the ciphertext", part(3, p[3][:4]+"\n"+p[3][4:]), ErrMalformed, accepts},
		{"padding", part(4, p[4]+"=="), ErrMalformed, accepts},
		{"another alphabet in the nonce", standardNonce(t, key), ErrMalformed, accepts},
		{"other trailing bits in the tag", part(4, otherTail(t, p[4])), ErrMalformed, accepts},
		{"other trailing bits in the wrapped key", part(1, otherTail(t, p[1])), ErrMalformed, accepts},
		{"no wrapped key", part(1, ""), ErrMalformed, panics},
		{"a wrapped key of 24 bytes", part(1, b64(make([]byte, 24))), ErrMalformed, refuses},
		{"a nonce of 16 bytes", part(2, b64(make([]byte, 16))), ErrMalformed, refuses},
		{"a nonce of none", part(2, ""), ErrMalformed, refuses},
		{"a tag cut to 12 bytes", part(4, p[4][:16]), ErrMalformed, refuses},
		{"no ciphertext", part(3, ""), ErrMalformed, refuses},
		{"four parts", strings.Join(p[:4], "."), ErrMalformed, refuses},
		{"six parts", good + ".", ErrMalformed, refuses},
		{"three parts", strings.Join(p[:3], "."), ErrMalformed, refuses},
		{"empty", "", ErrMalformed, refuses},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := ParseEncrypted(c.token, 1<<20)
			if !errors.Is(got, c.want) {
				t.Errorf("gate: %v, want %v", got, c.want)
			}
			libraryOpens(t, c, key)
		})
	}
}

// standardNonce seals until the nonce has a character that differs between the two
// alphabets, and writes it in the other one.
func standardNonce(t *testing.T, key PrivateKey) string {
	t.Helper()
	for {
		p := strings.Split(forgery{header: goodSeal(key.KeyID()), plain: testPlain}.seal(t, key.Public()), ".")
		if strings.ContainsAny(p[2], "-_") {
			p[2] = strings.NewReplacer("-", "+", "_", "/").Replace(p[2])
			return strings.Join(p, ".")
		}
	}
}

func TestDecryptTakesOnlyTheKeyThatTheTokenNames(t *testing.T) {
	key, curve := newKey(t, ECDHESA256KW, P256), newKey(t, ECDHESA256KW, X25519)
	named := func(k PrivateKey, kid string) PrivateKey {
		m := k.pub.members()
		m.D, m.Kid = text(b64(k.open().d)), text(kid)
		k, err := ParsePrivateKey(mustJSON(t, m))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	signing := key.pub.members()
	signing.D, signing.Alg, signing.Use = text(b64(key.open().d)), text(ES256), "sig"
	signer, err := ParsePrivateKey(mustJSON(t, signing))
	if err != nil {
		t.Fatal(err)
	}
	token, err := Encrypt(testPlain, key.Public(), "json")
	if err != nil {
		t.Fatal(err)
	}
	e, err := ParseEncrypted(token, 8<<10)
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name string
		key  PrivateKey
		want error
	}{
		{"the key", key, nil},
		{"no key", PrivateKey{}, ErrKey},
		{"another key", newKey(t, ECDHESA256KW, P256), ErrKey},
		{"another key under the same kid", named(newKey(t, ECDHESA256KW, P256), key.KeyID()), ErrDecrypt},
		{"a key of the other curve under the same kid", named(curve, key.KeyID()), ErrKey},
		{"the same scalar, made for signing", signer, ErrAlgorithm},
	} {
		t.Run(c.name, func(t *testing.T) {
			plain, err := e.Decrypt(c.key)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if err != nil && plain != nil {
				t.Error("a plaintext came with the refusal")
			}
			if c.want == ErrKey || c.want == ErrAlgorithm {
				if err := e.Fits(c.key.Public()); !errors.Is(err, c.want) {
					t.Errorf("Fits: %v, want %v", err, c.want)
				}
			}
		})
	}
	if _, err := (Encrypted{}).Decrypt(key); !errors.Is(err, ErrKey) {
		t.Errorf("the zero token: %v, want ErrKey", err)
	}
}

func TestAnyChangedByteOfASealedTokenIsRefused(t *testing.T) {
	for _, curve := range []Curve{P256, X25519} {
		t.Run(string(curve), func(t *testing.T) {
			key := newKey(t, ECDHESA256KW, curve)
			token, err := Encrypt(testPlain, key.Public(), "json")
			if err != nil {
				t.Fatal(err)
			}
			opened := func(token string) bool {
				e, err := ParseEncrypted(token, 8<<10)
				if err != nil {
					return false
				}
				_, err = e.Decrypt(key)
				return err == nil
			}
			if !opened(token) {
				t.Fatal("the token itself is refused")
			}
			for changed, what := range mutations(token) {
				if opened(changed) {
					t.Errorf("%s is accepted", what)
				}
			}
		})
	}
}
