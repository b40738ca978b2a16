package jose

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const testType = "handover-envelope+jwt"

var testPayload = []byte(`{"iss":"camden-outreach.example"}`)

func TestSignedTokenIsReadBack(t *testing.T) {
	for _, key := range []PrivateKey{newKey(t, ES256, P256), newKey(t, EdDSA, Ed25519)} {
		t.Run(string(key.pub.alg), func(t *testing.T) {
			token, err := Sign(testType, testPayload, key.Signer())
			if err != nil {
				t.Fatal(err)
			}
			s, err := ParseSigned(token, len(token), "other", testType)
			if err != nil {
				t.Fatal(err)
			}
			if s.KeyID() != key.KeyID() || s.Algorithm() != key.pub.alg || s.Type() != testType || string(s.UnverifiedPayload()) != string(testPayload) {
				t.Errorf("read %q %q %q %q", s.KeyID(), s.Algorithm(), s.Type(), s.UnverifiedPayload())
			}
			payload, err := s.Verify(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			if string(payload) != string(testPayload) {
				t.Errorf("payload %q, want %q", payload, testPayload)
			}
			header, err := base64url.DecodeString(token[:strings.IndexByte(token, '.')])
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf(`{"alg":"%s","typ":"%s","kid":"%s"}`, key.pub.alg, testType, key.KeyID()); string(header) != want {
				t.Errorf("header %s, want %s", header, want)
			}
		})
	}
}

// cheat is one way to get a token past us that should not pass.
type cheat struct {
	name  string
	token string
	want  error
	// library is what the JOSE library does with the token by itself, which is why
	// the gate stands in front of it.
	library verdict
}

type verdict int

const (
	refuses verdict = iota
	accepts
	panics
)

func (v verdict) String() string { return []string{"refuses", "accepts", "panics"}[v] }

// verdictOf runs what the library would do.
func verdictOf(f func() error) (v verdict) {
	defer func() {
		if recover() != nil {
			v = panics
		}
	}()
	if f() != nil {
		return refuses
	}
	return accepts
}

// libraryVerifies compares what the library does by itself with what is known.
func libraryVerifies(t *testing.T, c cheat, key PublicKey) {
	t.Helper()
	got := verdictOf(func() error {
		_, err := jws.Verify([]byte(c.token), jws.WithKey(jwa.ES256, key.CryptoKey()))
		return err
	})
	if got != c.library {
		t.Errorf("the library by itself %v it, not %v", got, c.library)
	}
}

func TestSignedHeaderCheatsAreRefused(t *testing.T) {
	key := newKey(t, ES256, P256)
	kid := key.KeyID()
	with := func(members string) string {
		return forgeSigned(t, `{"alg":"ES256","typ":"`+testType+`","kid":"`+kid+`"`+members+`}`, testPayload, key)
	}
	whole := func(header string) string { return forgeSigned(t, header, testPayload, key) }
	jwk := string(mustJSON(t, key.Public()))

	for _, c := range []cheat{
		{"nothing, so that the rows below mean something", with(``), nil, accepts},
		{"unknown crit", with(`,"crit":["urn:example:x"],"urn:example:x":true`), ErrHeader, accepts},
		{"crit alone", with(`,"crit":["exp"]`), ErrHeader, accepts},
		{"b64 false without crit", with(`,"b64":false`), ErrHeader, accepts},
		{"b64 true", with(`,"b64":true`), ErrHeader, accepts},
		{"zip", with(`,"zip":"DEF"`), ErrHeader, accepts},
		{"jku", with(`,"jku":"https://attacker.example/jwks.json"`), ErrHeader, accepts},
		{"jwk", with(`,"jwk":` + jwk), ErrHeader, accepts},
		{"x5u", with(`,"x5u":"https://attacker.example/cert.pem"`), ErrHeader, accepts},
		{"x5c", with(`,"x5c":["MA=="]`), ErrHeader, accepts},
		{"x5t#S256", with(`,"x5t#S256":"AAAA"`), ErrHeader, accepts},
		{"cty", with(`,"cty":"JWT"`), ErrHeader, accepts},
		{"p2c", with(`,"p2c":1000000`), ErrHeader, accepts},
		{"apu", with(`,"apu":"QQ"`), ErrHeader, accepts},
		{"unknown member", with(`,"note":"x"`), ErrHeader, accepts},
		{"alg twice, the last one honest", whole(`{"alg":"none","typ":"` + testType + `","kid":"` + kid + `","alg":"ES256"}`), ErrHeader, accepts},
		{"kid twice", with(`,"kid":"other"`), ErrHeader, accepts},
		{"typ twice", with(`,"typ":"at+jwt"`), ErrHeader, accepts},
		{"alg twice by escape", with(`,"\u0061lg":"none"`), ErrHeader, accepts},
		{"Kid in another case", whole(`{"alg":"ES256","typ":"` + testType + `","Kid":"` + kid + `"}`), ErrHeader, accepts},
		{"no kid", whole(`{"alg":"ES256","typ":"` + testType + `"}`), ErrHeader, accepts},
		{"empty kid", whole(`{"alg":"ES256","typ":"` + testType + `","kid":""}`), ErrHeader, accepts},
		{"null kid", whole(`{"alg":"ES256","typ":"` + testType + `","kid":null}`), ErrHeader, accepts},
		{"kid a number", whole(`{"alg":"ES256","typ":"` + testType + `","kid":1}`), ErrHeader, refuses},
		{"kid with a path", whole(`{"alg":"ES256","typ":"` + testType + `","kid":"../../etc/passwd"}`), ErrHeader, accepts},
		{"kid with a line break", whole(`{"alg":"ES256","typ":"` + testType + `","kid":"a\nb"}`), ErrHeader, accepts},
		{"kid with a NUL", whole(`{"alg":"ES256","typ":"` + testType + `","kid":"a\u0000b"}`), ErrHeader, accepts},
		{"kid too long", whole(`{"alg":"ES256","typ":"` + testType + `","kid":"` + strings.Repeat("k", 129) + `"}`), ErrHeader, accepts},
		{"header too long", with(strings.Repeat(" ", 1<<10)), ErrHeader, accepts},
		{"header with trailing data", whole(`{"alg":"ES256","typ":"` + testType + `","kid":"` + kid + `"}{}`), ErrHeader, refuses},
		{"header not an object", whole(`["ES256"]`), ErrHeader, refuses},
		{"header not JSON", whole(`alg=ES256`), ErrHeader, refuses},
		{"header not UTF-8", with(",\"note\":\"\xff\""), ErrHeader, accepts},
		{"kid not UTF-8", whole("{\"alg\":\"ES256\",\"typ\":\"" + testType + "\",\"kid\":\"\xff\"}"), ErrHeader, accepts},
		{"byte order mark", whole("\ufeff" + `{"alg":"ES256","typ":"` + testType + `","kid":"` + kid + `"}`), ErrHeader, refuses},
		{"null header", whole(`null`), ErrHeader, refuses},
		{"no typ", whole(`{"alg":"ES256","kid":"` + kid + `"}`), ErrType, accepts},
		{"empty typ", whole(`{"alg":"ES256","typ":"","kid":"` + kid + `"}`), ErrHeader, accepts},
		{"null typ", whole(`{"alg":"ES256","typ":null,"kid":"` + kid + `"}`), ErrHeader, accepts},
		{"another typ", whole(`{"alg":"ES256","typ":"at+jwt","kid":"` + kid + `"}`), ErrType, accepts},
		{"typ in another case", whole(`{"alg":"ES256","typ":"` + strings.ToUpper(testType) + `","kid":"` + kid + `"}`), ErrType, accepts},
		{"typ with its tree", whole(`{"alg":"ES256","typ":"application/` + testType + `","kid":"` + kid + `"}`), ErrType, accepts},
		{"no alg", whole(`{"typ":"` + testType + `","kid":"` + kid + `"}`), ErrAlgorithm, accepts},
		{"alg none", whole(`{"alg":"none","typ":"` + testType + `","kid":"` + kid + `"}`), ErrAlgorithm, accepts},
		{"alg in another case", whole(`{"alg":"es256","typ":"` + testType + `","kid":"` + kid + `"}`), ErrAlgorithm, accepts},
		{"alg ES384", whole(`{"alg":"ES384","typ":"` + testType + `","kid":"` + kid + `"}`), ErrAlgorithm, accepts},
		{"alg RS256", whole(`{"alg":"RS256","typ":"` + testType + `","kid":"` + kid + `"}`), ErrAlgorithm, accepts},
		{"alg PS256, which authenticates alone", whole(`{"alg":"PS256","typ":"` + testType + `","kid":"` + kid + `"}`), ErrAlgorithm, accepts},
		{"alg of sealing", whole(`{"alg":"ECDH-ES+A256KW","typ":"` + testType + `","kid":"` + kid + `"}`), ErrAlgorithm, accepts},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := ParseSigned(c.token, 8<<10, testType)
			if !errors.Is(got, c.want) {
				t.Errorf("gate: %v, want %v", got, c.want)
			}
			libraryVerifies(t, c, key.Public())
		})
	}
}

// HS256 with the public key for a secret is the oldest trick of all (RFC 8725 §2.1).
func TestPublicKeyIsNoSecretForHMAC(t *testing.T) {
	key := newKey(t, ES256, P256)
	input := b64([]byte(`{"alg":"HS256","typ":"`+testType+`","kid":"`+key.KeyID()+`"}`)) + "." + b64(testPayload)
	mac := hmac256(mustJSON(t, key.Public()), []byte(input))
	for _, sig := range [][]byte{mac, append(mac, mac...)} {
		_, err := ParseSigned(input+"."+b64(sig), 8<<10, testType)
		if !errors.Is(err, ErrAlgorithm) && !errors.Is(err, ErrMalformed) {
			t.Errorf("HMAC of %d bytes: %v", len(sig), err)
		}
	}
}

func TestSizeIsLookedAtFirst(t *testing.T) {
	key := newKey(t, EdDSA, Ed25519)
	good, err := Sign(testType, testPayload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseSigned(good, len(good), testType); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := ParseSigned(good, len(good)-1, testType); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: %v, want ErrTooLarge", err)
	}
	garbage := strings.Repeat(".", 1<<20)
	if _, err := ParseSigned(garbage, 1<<10, testType); !errors.Is(err, ErrTooLarge) {
		t.Errorf("garbage over the limit: %v, want ErrTooLarge", err)
	}
	if _, err := ParseEncrypted(garbage, 1<<10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("garbage over the limit: %v, want ErrTooLarge", err)
	}
	if _, _, err := VerifyProof(garbage, 1<<10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("garbage over the limit: %v, want ErrTooLarge", err)
	}
}

func TestTypeMayBeAbsentOnlyWhereTheCallerSaysSo(t *testing.T) {
	key := newKey(t, ES256, P256)
	untyped, err := Sign("", testPayload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseSigned(untyped, 1<<10, "JWT", ""); err != nil {
		t.Errorf("allowed: %v", err)
	}
	if _, err := ParseSigned(untyped, 1<<10, "JWT"); !errors.Is(err, ErrType) {
		t.Errorf("not allowed: %v, want ErrType", err)
	}
	if _, err := ParseSigned(untyped, 1<<10); !errors.Is(err, ErrType) {
		t.Errorf("no type allowed at all: %v, want ErrType", err)
	}
}

func TestVerifyTakesOnlyTheKeyThatTheTokenNames(t *testing.T) {
	key := newKey(t, ES256, P256)
	token, err := Sign(testType, testPayload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSigned(token, 1<<10, testType)
	if err != nil {
		t.Fatal(err)
	}
	named := func(k PrivateKey) PublicKey {
		m := k.Public().members()
		m.Kid = text(key.KeyID())
		return parsePublic(t, string(mustJSON(t, m)))
	}
	m := key.Public().members()
	m.Alg, m.Use = text(ECDHESA256KW), ""
	sealing := parsePublic(t, string(mustJSON(t, m)))

	for _, c := range []struct {
		name string
		key  PublicKey
		want error
	}{
		{"the key", key.Public(), nil},
		{"no key", PublicKey{}, ErrKey},
		{"another key", newKey(t, ES256, P256).Public(), ErrKey},
		{"another key under the same kid", named(newKey(t, ES256, P256)), ErrSignature},
		{"the same point, made for sealing", sealing, ErrAlgorithm},
		{"a key of the other algorithm under the same kid", named(newKey(t, EdDSA, Ed25519)), ErrAlgorithm},
	} {
		t.Run(c.name, func(t *testing.T) {
			payload, err := s.Verify(c.key)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if err != nil && payload != nil {
				t.Error("a payload came with the refusal")
			}
		})
	}
	if _, err := (Signed{}).Verify(key.Public()); !errors.Is(err, ErrKey) {
		t.Errorf("the zero token: %v, want ErrKey", err)
	}
}

// ES256 means P-256 (RFC 7518 §3.4); the library signs and verifies it with any.
func TestES256NeedsP256(t *testing.T) {
	big, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if token, err := jws.Sign(testPayload, jws.WithKey(jwa.ES256, big)); err != nil {
		t.Errorf("the library has learnt: %v", err)
	} else if _, err := jws.Verify(token, jws.WithKey(jwa.ES256, big.Public())); err != nil {
		t.Errorf("the library has learnt: %v", err)
	}
	if _, err := Sign(testType, testPayload, SigningKey{ID: "k", Alg: ES256, Key: big}); !errors.Is(err, ErrKey) {
		t.Errorf("Sign: %v, want ErrKey", err)
	}
	header := b64([]byte(`{"alg":"ES256","typ":"` + testType + `","kid":"k"}`))
	digest := sha256.Sum256([]byte(header + "." + b64(testPayload)))
	token := header + "." + b64(testPayload) + "." + b64(ecdsaSignature(t, big, digest[:]))
	if _, err := ParseSigned(token, 1<<10, testType); !errors.Is(err, ErrMalformed) {
		t.Errorf("ParseSigned: %v, want ErrMalformed", err)
	}
}

// The twin (r, n−s) of an ES256 signature is valid too, by the standard. This is
// why nothing is recognised by its token.
func TestSecondSignatureOfTheSameStatementVerifies(t *testing.T) {
	key := newKey(t, ES256, P256)
	token, err := Sign(testType, testPayload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	cut := strings.LastIndexByte(token, '.') + 1
	sig, err := base64url.DecodeString(token[cut:])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	twin := token[:cut] + b64(sig)
	if twin == token {
		t.Fatal("the twin is the token")
	}
	parsed, err := ParseSigned(twin, 1<<10, testType)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(key.Public()); err != nil {
		t.Errorf("the twin: %v", err)
	}
}

// A token that is printed by accident tells no packet body.
func TestTokensPrintNoContent(t *testing.T) {
	key, sealing := newKey(t, EdDSA, Ed25519), newKey(t, ECDHESA256KW, P256)
	token, err := Sign(testType, testPayload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := ParseSigned(token, 1<<10, testType)
	if err != nil {
		t.Fatal(err)
	}
	if token, err = Encrypt(testPlain, sealing.Public(), "json"); err != nil {
		t.Fatal(err)
	}
	sealed, err := ParseEncrypted(token, 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	for want, v := range map[string]any{
		"signed token naming " + key.KeyID():     signed,
		"sealed token naming " + sealing.KeyID(): sealed,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); got != want {
				t.Errorf("%s prints %q, want %q", verb, got, want)
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		if !strings.Contains(log.String(), `"v":"`+want+`"`) {
			t.Errorf("logs %s", log.String())
		}
	}
}
