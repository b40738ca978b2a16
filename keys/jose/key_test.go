package jose

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/strict"
)

// everyKind is each pair of algorithm and curve that exists here.
var everyKind = []struct {
	alg   Algorithm
	curve Curve
}{{ES256, P256}, {EdDSA, Ed25519}, {PS256, NoCurve}, {ECDHESA256KW, P256}, {ECDHESA256KW, X25519}}

func TestKeyIsReadBack(t *testing.T) {
	for _, kind := range everyKind {
		t.Run(string(kind.alg)+" "+string(kind.curve), func(t *testing.T) {
			key := newKey(t, kind.alg, kind.curve)
			if key.KeyID() != key.Public().Thumbprint() {
				t.Errorf("kid %q, want the thumbprint", key.KeyID())
			}
			again, err := ParsePrivateKey(key.JWK())
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(again.JWK(), key.JWK()) {
				t.Error("the private JWK is not the same after a round trip")
			}
			jwk := mustJSON(t, key.Public())
			pub, err := ParsePublicKey(jwk)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(key.Public(), pub); diff != "" {
				t.Error(diff)
			}
			if !bytes.Equal(mustJSON(t, pub), jwk) {
				t.Error("the public JWK is not the same after a round trip")
			}
			var member struct{ Key PublicKey }
			if err := strict.Unmarshal([]byte(`{"Key":`+string(jwk)+`}`), &member); err != nil || !member.Key.Equal(pub) {
				t.Errorf("as a member: %v, %v", member.Key, err)
			}
			if pub.Algorithm() != kind.alg || pub.Curve() != kind.curve || pub.IsZero() {
				t.Errorf("read %v %v", pub.Algorithm(), pub.Curve())
			}
		})
	}
}

func TestCanonicalJWKIsFixed(t *testing.T) {
	const canonical = `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"camden.1","alg":"ES256","use":"sig"}`
	k := parsePublic(t, ` { "use":"sig", "alg":"ES256", "kid":"camden\u002e1",
		"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "crv":"P-256", "kty":"EC",
		"x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU" } `)
	if got := string(mustJSON(t, k)); got != canonical {
		t.Errorf("%s, want %s", got, canonical)
	}
	if k.KeyID() != "camden.1" {
		t.Errorf("kid %q", k.KeyID())
	}
}

func TestGenerateRefusesPairsThatNoStandardDefines(t *testing.T) {
	for _, alg := range []Algorithm{ES256, EdDSA, PS256, ECDHESA256KW, "ES384", "RS256", "none", ""} {
		for _, curve := range []Curve{P256, Ed25519, X25519, NoCurve, "P-384", "P-521"} {
			allowed := slices.ContainsFunc(everyKind, func(k struct {
				alg   Algorithm
				curve Curve
			}) bool {
				return k.alg == alg && k.curve == curve
			})
			key, err := Generate(alg, curve)
			if allowed != (err == nil) || allowed != (key.open != nil) {
				t.Errorf("%q on %q: %v", alg, curve, err)
			}
		}
	}
}

func TestPublicKeyCheatsAreRefused(t *testing.T) {
	const x, y = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
	const ed, mont = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"
	ec := func(members string) string {
		return `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `"` + members + `}`
	}
	good := ec(`,"kid":"k","alg":"ES256"`)
	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	okp := func(crv, x, alg string) string {
		return `{"kty":"OKP","crv":"` + crv + `","x":"` + x + `","kid":"k","alg":"` + alg + `"}`
	}

	for _, c := range []struct {
		name, jwk string
		want      error
	}{
		{"nothing: P-256", good, nil},
		{"nothing: P-256 for sealing", swap("ES256", "ECDH-ES+A256KW"), nil},
		{"nothing: Ed25519", okp("Ed25519", ed, "EdDSA"), nil},
		{"nothing: X25519", okp("X25519", mont, "ECDH-ES+A256KW"), nil},
		{"a private part", ec(`,"kid":"k","alg":"ES256","d":"` + x + `"`), ErrPrivate},
		{"a private part that is empty", ec(`,"kid":"k","alg":"ES256","d":""`), ErrKey},
		{"a symmetric key", `{"kty":"oct","k":"c2VjcmV0","kid":"k","alg":"HS256"}`, ErrKey},
		{"a modulus", ec(`,"kid":"k","alg":"ES256","n":"` + x + `"`), ErrKey},
		{"an exponent", ec(`,"kid":"k","alg":"ES256","e":"AQAB"`), ErrKey},
		{"a prime", ec(`,"kid":"k","alg":"ES256","p":"` + x + `"`), ErrPrivate},
		{"an exponent, empty", ec(`,"kid":"k","alg":"ES256","e":""`), ErrKey},
		{"of kty RSA", swap(`"EC"`, `"RSA"`), ErrKey},
		{"alg PS256", swap("ES256", "PS256"), ErrKey},
		{"a set of keys", `{"keys":[` + good + `]}`, ErrKey},
		{"an array", `[` + good + `]`, ErrKey},
		{"null", `null`, ErrKey},
		{"no bytes", ``, ErrKey},
		{"two keys", good + good, ErrKey},
		{"a certificate", ec(`,"kid":"k","alg":"ES256","x5c":["MA=="]`), ErrKey},
		{"a certificate's address", ec(`,"kid":"k","alg":"ES256","x5u":"https://attacker.example"`), ErrKey},
		{"key_ops", ec(`,"kid":"k","alg":"ES256","key_ops":["sign"]`), ErrKey},
		{"x twice", ec(`,"kid":"k","alg":"ES256","x":"` + y + `"`), ErrKey},
		{"kid twice", ec(`,"kid":"k","alg":"ES256","kid":"root"`), ErrKey},
		{"X in another case", swap(`"x"`, `"X"`), ErrKey},
		{"no kid", ec(`,"alg":"ES256"`), ErrKey},
		{"empty kid", swap(`"k"`, `""`), ErrKey},
		{"kid a number", swap(`"k"`, `7`), ErrKey},
		{"kid with a path", swap(`"k"`, `"../k"`), ErrKey},
		{"kid with a quote", swap(`"k"`, `"k\",\"admin\":\"1"`), ErrKey},
		{"kid with a line break", swap(`"k"`, `"k\nlevel=INFO"`), ErrKey},
		{"kid with another alphabet", swap(`"k"`, `"kеy"`), ErrKey}, // a Cyrillic letter
		{"kid too long", swap(`"k"`, `"`+strings.Repeat("k", 129)+`"`), ErrKey},
		{"no alg", ec(`,"kid":"k"`), ErrKey},
		{"alg EdDSA on P-256", swap("ES256", "EdDSA"), ErrKey},
		{"alg ES384", swap("ES256", "ES384"), ErrKey},
		{"alg none", swap("ES256", "none"), ErrKey},
		{"crv P-521", swap("P-256", "P-521"), ErrKey},
		{"crv P-384", swap("P-256", "P-384"), ErrKey},
		{"crv secp256k1", swap("P-256", "secp256k1"), ErrKey},
		{"kty OKP on P-256", swap(`"EC"`, `"OKP"`), ErrKey},
		{"use of sealing on a signing key", ec(`,"kid":"k","alg":"ES256","use":"enc"`), ErrKey},
		{"use of signing on a sealing key", ec(`,"kid":"k","alg":"ECDH-ES+A256KW","use":"sig"`), ErrKey},
		{"use unknown", ec(`,"kid":"k","alg":"ES256","use":"both"`), ErrKey},
		{"off the curve", swap(y, x), ErrKey},
		{"at infinity", swap(x, b64(make([]byte, 32))), ErrKey},
		{"no x", swap(`"x":"`+x+`",`, ``), ErrKey},
		{"no y", swap(`,"y":"`+y+`"`, ``), ErrKey},
		{"x with padding", swap(x, x+"="), ErrKey},
		{"x with other trailing bits", swap(x, x[:42]+"V"), ErrKey},
		{"x with a line break", swap(x, x[:42]+`\n`), ErrKey},
		{"x with one character more, which decoders skip", swap(x, x+`\n`), ErrKey},
		{"x with a leading zero byte", swap(x, "AAAA"+x), ErrKey},
		{"x in the standard alphabet", strings.Replace(good, "x_FE", "x/FE", 1), ErrKey},
		{"x not below the prime", swap(x, "_____wAAAAEAAAAAAAAAAAAAAAD_______________8"), ErrKey},
		{"Ed25519 with y", strings.Replace(okp("Ed25519", ed, "EdDSA"), `"kid"`, `"y":"`+y+`","kid"`, 1), ErrKey},
		{"Ed25519 for sealing", okp("Ed25519", ed, "ECDH-ES+A256KW"), ErrKey},
		{"X25519 for signing", okp("X25519", mont, "EdDSA"), ErrKey},
		{"Ed25519 of kty EC", strings.Replace(okp("Ed25519", ed, "EdDSA"), "OKP", "EC", 1), ErrKey},
		{"too large", ec(`,"kid":"k","alg":"ES256"` + strings.Repeat(" ", 1<<10)), ErrKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, err := ParsePublicKey([]byte(c.jwk))
			if !errors.Is(err, c.want) || (c.want != nil && !errors.Is(err, ErrKey)) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if (err == nil) == k.IsZero() {
				t.Errorf("key %v with error %v", k, err)
			}
			if err != nil && (strings.Contains(err.Error(), x) || strings.Contains(err.Error(), "admin")) {
				t.Errorf("the error echoes what was sent: %v", err)
			}
		})
	}
}

func TestPrivateKeyCheatsAreRefused(t *testing.T) {
	for _, kind := range everyKind {
		a, b := newKey(t, kind.alg, kind.curve), newKey(t, kind.alg, kind.curve)
		swap := func(d string) string { return strings.Replace(string(a.JWK()), b64(a.open().d), d, 1) }
		for name, jwk := range map[string]string{
			"the public part alone":    string(mustJSON(t, a.Public())),
			"another's private part":   swap(b64(b.open().d)),
			"a short private part":     swap(b64(a.open().d[:31])),
			"no private part":          swap(""),
			"a long private part":      swap(b64(append(bytes.Clone(a.open().d), 0))),
			"a private part in base16": swap(fmt.Sprintf("%x", a.open().d)),
			"zero":                     swap(b64(make([]byte, 32))),
			"all ones":                 swap(b64(bytes.Repeat([]byte{0xff}, 32))),
			"line break":               swap(b64(a.open().d)[:42] + `\n`),
			"31 bytes and a break":     swap(strings.Repeat("A", 42) + `\n`),
			"line break behind":        swap(b64(a.open().d) + `\n`),
		} {
			if k, err := ParsePrivateKey([]byte(jwk)); !errors.Is(err, ErrKey) || k.open != nil {
				t.Errorf("%s %s: %s: %v, want ErrKey", kind.alg, kind.curve, name, err)
			}
		}
	}
}

// With a key of low order, R = [s]B and any s is a signature over every message, so
// its owner could deny all she ever signed.
func TestEd25519KeysOfLowOrderAreRefused(t *testing.T) {
	p := prime25519()
	points := map[string]string{
		"order 1":                      "0100000000000000000000000000000000000000000000000000000000000000",
		"order 2":                      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 4":                      "0000000000000000000000000000000000000000000000000000000000000000",
		"order 4, other sign":          "0000000000000000000000000000000000000000000000000000000000000080",
		"order 8":                      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, other sign":          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
		"order 8, opposite":            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"order 8, opposite, sign":      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
		"order 1, second spelling":     "0100000000000000000000000000000000000000000000000000000000000080",
		"order 2, second spelling":     "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"order 4, y = p":               "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 1, y = p + 1":           "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"no point":                     "0200000000000000000000000000000000000000000000000000000000000000",
		"second spelling, y = p + 3":   littleHex(new(big.Int).Add(p, big.NewInt(3))),
		"second spelling, y = 2²⁵⁵−1":  "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"second spelling, all ones":    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
		"no point, just below 2²⁵⁵−19": littleHex(new(big.Int).Sub(p, big.NewInt(2))),
	}
	for name, point := range points {
		b := unhex(t, point)
		if _, err := pointEd25519(b); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
	// The attack itself: the standard library accepts an empty-handed signature.
	forged := make([]byte, 64)
	forged[0] = 1 // R is the neutral element, s is 0
	if !ed25519.Verify(unhex(t, points["order 1"]), []byte("anything"), forged) {
		t.Error("the forgery does not work, so this test shows nothing")
	}
	for range 50 {
		key := newKey(t, EdDSA, Ed25519)
		if _, err := pointEd25519(key.Public().CryptoKey().(ed25519.PublicKey)); err != nil {
			t.Errorf("an honest key: %v", err)
		}
	}
}

func TestEdwardsConstantIsTheQuotient(t *testing.T) {
	p := prime25519()
	got := new(big.Int).Mul(edwardsD(), big.NewInt(121666))
	if got.Add(got, big.NewInt(121665)).Mod(got, p).Sign() != 0 {
		t.Errorf("%x · 121666 is not −121665", edwardsD())
	}
}

func littleHex(n *big.Int) string {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return fmt.Sprintf("%x", b)
}

func TestX25519KeysOfLowOrderAreRefused(t *testing.T) {
	probe, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	for name, point := range map[string]string{
		"zero":                         "0000000000000000000000000000000000000000000000000000000000000000",
		"one":                          "0100000000000000000000000000000000000000000000000000000000000000",
		"order 8":                      "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"order 8, other":               "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"p - 1":                        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"p":                            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"p + 1":                        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 8, with the unused bit": "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
	} {
		b := unhex(t, point)
		if _, err := pointX25519(b); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
		k, err := ecdh.X25519().NewPublicKey(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := probe.ECDH(k); err == nil {
			t.Errorf("%s is not of low order, so this row shows nothing", name)
		}
	}
	spelling := unhex(t, littleHex(new(big.Int).Add(prime25519(), big.NewInt(9))))
	if _, err := pointX25519(spelling); !errors.Is(err, ErrKey) {
		t.Errorf("a second spelling of the base point: %v, want ErrKey", err)
	}
	for range 50 {
		k := newKey(t, ECDHESA256KW, X25519).Public().CryptoKey().(*ecdh.PublicKey)
		if _, err := pointX25519(k.Bytes()); err != nil {
			t.Errorf("an honest key: %v", err)
		}
	}
}

// However a private key is printed, logged or encoded, alone or in other values,
// nothing of it shows, in any base.
func TestPrivateKeyNeverShows(t *testing.T) {
	for _, kind := range everyKind {
		key := newKey(t, kind.alg, kind.curve)
		type inner struct {
			Key    PrivateKey
			hidden PrivateKey
			Sign   SigningKey
			sign   SigningKey
			Ptr    *PrivateKey
		}
		in := inner{key, key, key.Signer(), key.Signer(), &key}
		values := map[string]any{
			"key": key, "pointer": &key, "signing key": key.Signer(), "signer": key.Signer().Key,
			"struct": in, "pointer to struct": &in, "slice": []PrivateKey{key}, "map": map[string]any{"k": key, "s": key.Signer()},
		}
		for name, v := range values {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%p", "%T"} {
				mustHide(t, key, name+" "+verb, fmt.Sprintf(verb, v))
			}
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
			mustHide(t, key, name+" in slog", log.String())
			text, err := json.Marshal(v)
			mustHide(t, key, name+" as JSON", string(text))
			if err == nil && kind.alg.signs() {
				t.Errorf("%s is encoded as %s", name, text)
			}
			text, _ = strict.Marshal(v)
			mustHide(t, key, name+" as strict JSON", string(text))
		}
		if _, err := json.Marshal(key); err == nil {
			t.Error("the key is encoded as JSON")
		}
		if _, err := key.MarshalText(); err == nil {
			t.Error("the key is encoded as text")
		}
		if got, want := key.String(), "private key "+key.KeyID(); got != want {
			t.Errorf("String %q, want %q", got, want)
		}
	}
}

func mustHide(t *testing.T, key PrivateKey, where, s string) {
	t.Helper()
	d := key.open().d
	for base, secret := range map[string]string{
		"base64url": b64(d),
		"hex":       fmt.Sprintf("%x", d),
		"HEX":       fmt.Sprintf("%X", d),
		"bytes":     string(d),
		"list":      strings.Trim(fmt.Sprint(d), "[]"),
		"Go list":   strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", d), "[]byte{"), "}"),
		"number":    new(big.Int).SetBytes(d).String(),
		"quoted":    strings.Trim(fmt.Sprintf("%q", d), `"`),
	} {
		if strings.Contains(s, secret) {
			t.Errorf("%s shows the private part in %s", where, base)
		}
	}
}

func TestZeroKeysAreNoKeys(t *testing.T) {
	if _, err := strict.Marshal(PublicKey{}); !errors.Is(err, ErrKey) {
		t.Errorf("encoding no key: %v, want ErrKey", err)
	}
	var k PrivateKey
	if k.JWK() != nil || k.Signer().Key != nil || !k.Public().IsZero() {
		t.Error("the zero private key gives something away")
	}
	if newKey(t, ECDHESA256KW, P256).Signer().Key != nil {
		t.Error("a key for sealing gives a signer")
	}
}
