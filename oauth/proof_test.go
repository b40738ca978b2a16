package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"handover/internal/strict"
	"handover/keys/jose"
)

const testIssuer = "https://hub.example"

var testTime = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// testNonces are those of a secret of the tests.
var testNonces = &nonceSet{window: 2, secret: []byte("s"), before: nonceOf([]byte("s"), 1), newest: nonceOf([]byte("s"), 2), after: nonceOf([]byte("s"), 3)}

func newKey(t testing.TB, alg jose.Algorithm) jose.PrivateKey {
	t.Helper()
	curve := map[jose.Algorithm]jose.Curve{jose.ES256: jose.P256, jose.EdDSA: jose.Ed25519, jose.PS256: jose.NoCurve}[alg]
	key, err := jose.Generate(alg, curve)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// claims are a JWT's claims, to be bent in tests.
type claims map[string]any

// but returns c with one claim changed, or left out when value is nil.
func (c claims) but(name string, value any) claims {
	d := maps.Clone(c)
	d[name] = value
	if value == nil {
		delete(d, name)
	}
	return d
}

func (c claims) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := strict.Marshal(map[string]any(c))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func signProof(t testing.TB, key jose.PrivateKey, payload []byte) string {
	t.Helper()
	token, err := jose.SignProof(payload, key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func sign(t testing.TB, typ string, payload []byte, key jose.PrivateKey) string {
	t.Helper()
	token, err := jose.Sign(typ, payload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func athOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func TestAProofFitsOneRequestOnly(t *testing.T) {
	t.Parallel()
	key := newKey(t, jose.ES256)
	good := claims{"jti": "a", "htm": "POST", "htu": testIssuer + "/v1/referrals", "iat": testTime.Unix(), "ath": athOf("token"), "nonce": testNonces.newest}
	want := expected{method: "POST", origin: testIssuer, path: "/v1/referrals", token: "token", now: testTime, nonces: testNonces}
	one := func(c claims) []string { return []string{signProof(t, key, c.bytes(t))} }
	raw := func(payload string) []string { return []string{signProof(t, key, []byte(payload))} }
	valid := one(good)[0]
	head, rest, _ := strings.Cut(valid, ".")
	_, signature, _ := strings.Cut(rest, ".")
	other := base64.RawURLEncoding.EncodeToString(good.but("htm", "GET").bytes(t))

	for _, tt := range []struct {
		name  string
		proof []string
		want  error
	}{
		{"all right", one(good), nil},
		{"EdDSA", []string{signProof(t, newKey(t, jose.EdDSA), good.bytes(t))}, nil},
		{"PS256", []string{signProof(t, newKey(t, jose.PS256), good.bytes(t))}, nil},
		{"a claim that nobody knows", one(good.but("foo", "bar")), nil},
		{"the nonce before", one(good.but("nonce", testNonces.before)), nil},
		{"the nonce of a hub whose clock is ahead", one(good.but("nonce", testNonces.after)), nil},
		{"60 seconds old", one(good.but("iat", testTime.Unix()-60)), nil},
		{"10 seconds ahead", one(good.but("iat", testTime.Unix()+10)), nil},
		{"a fraction of a second", one(good.but("iat", float64(testTime.Unix())+0.5)), nil},
		{"htu with query and fragment", one(good.but("htu", testIssuer+"/v1/referrals?a=b#c")), nil},

		{"none", nil, errProofCount},
		{"two headers", append(one(good), one(good.but("jti", "b"))...), errProofCount},
		{"two in one header", []string{valid + ", " + valid}, errProofForm},
		{"empty", []string{""}, errProofForm},
		{"not a JWS", []string{"proof"}, errProofForm},
		{"an ordinary signed token", []string{sign(t, "dpop+jwt", good.bytes(t), key)}, errProofForm},
		{"payload of another proof", []string{head + "." + other + "." + signature}, errProofSign},
		{"too long", one(good.but("pad", strings.Repeat("x", maxProof))), errProofForm},

		{"no jti", one(good.but("jti", nil)), errProofForm},
		{"empty jti", one(good.but("jti", "")), errProofForm},
		{"endless jti", one(good.but("jti", strings.Repeat("x", maxName+1))), errProofForm},
		{"no iat", one(good.but("iat", nil)), errProofForm},
		{"iat as a string", one(good.but("iat", "1773480413")), errProofForm},
		{"iat null", raw(`{"jti":"a","htm":"POST","htu":"` + testIssuer + `/v1/referrals","iat":null,"ath":"` + athOf("token") + `"}`), errProofForm},
		{"htm twice", raw(`{"jti":"a","htm":"POST","htm":"POST","htu":"` + testIssuer + `/v1/referrals","iat":1773480413}`), errProofForm},
		{"HTM in capitals", raw(`{"jti":"a","HTM":"POST","htu":"` + testIssuer + `/v1/referrals","iat":1773480413}`), errProofHTM},

		{"other method", one(good.but("htm", "GET")), errProofHTM},
		{"method in small letters", one(good.but("htm", "post")), errProofHTM},
		{"no method", one(good.but("htm", nil)), errProofHTM},
		{"other path", one(good.but("htu", testIssuer+"/v1/consents")), errProofHTU},
		{"path with more behind it", one(good.but("htu", testIssuer+"/v1/referrals/x")), errProofHTU},
		{"other host", one(good.but("htu", "https://staging.hub.example/v1/referrals")), errProofHTU},
		{"other scheme", one(good.but("htu", "http://hub.example/v1/referrals")), errProofHTU},
		{"path alone", one(good.but("htu", "/v1/referrals")), errProofHTU},
		{"no htu", one(good.but("htu", nil)), errProofHTU},
		{"61 seconds old", one(good.but("iat", testTime.Unix()-61)), errProofTime},
		{"11 seconds ahead", one(good.but("iat", testTime.Unix()+11)), errProofTime},
		{"no nonce", one(good.but("nonce", nil)), errProofNonce},
		{"a nonce of nobody", one(good.but("nonce", "n")), errProofNonce},
		{"a nonce in capitals", one(good.but("nonce", strings.ToUpper(testNonces.newest))), errProofNonce},
		{"a nonce of last week", one(good.but("nonce", nonceOf(testNonces.secret, testNonces.window-3360))), errProofNonce},
		{"other token", one(good.but("ath", athOf("another"))), errProofToken},
		{"no ath", one(good.but("ath", nil)), errProofToken},
		{"the token itself as ath", one(good.but("ath", "token")), errProofToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := openProof(http.Header{"Dpop": tt.proof}, want)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if err == nil && got.outdated != (tt.name == "the nonce before") {
				t.Error("it is not said whether the nonce is to be replaced")
			}
			if err == nil && got.thumbprint == "" {
				t.Error("accepted without a key")
			}
		})
	}
}

func TestAProofIsKnownByItsKeyAndID(t *testing.T) {
	t.Parallel()
	key, another := newKey(t, jose.EdDSA), newKey(t, jose.EdDSA)
	good := claims{"jti": "a", "htm": "GET", "htu": testIssuer + "/", "iat": testTime.Unix(), "nonce": testNonces.newest}
	open := func(key jose.PrivateKey, c claims) dpopProof {
		t.Helper()
		p, err := openProof(http.Header{"Dpop": {signProof(t, key, c.bytes(t))}},
			expected{method: "GET", origin: testIssuer, path: "/", now: testTime, nonces: testNonces})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := open(key, good)
	if first.thumbprint != key.Public().Thumbprint() {
		t.Error("the thumbprint is not the key's")
	}
	if open(key, good.but("iat", testTime.Unix()-1)).use != first.use {
		t.Error("the same jti of the same key is another use at another time")
	}
	if open(key, good.but("jti", "b")).use == first.use {
		t.Error("another jti is the same use")
	}
	if open(another, good).use == first.use {
		t.Error("one key can use up the jti of another")
	}
	if open(key, good).ahead || !open(key, good.but("iat", testTime.Unix()+1)).ahead {
		t.Error("ahead does not say whether iat is ahead of the clock")
	}
}

func TestSameURI(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		htu, origin, path string
		want              bool
	}{
		{"https://hub.example/a", "https://hub.example", "/a", true},
		{"HTTPS://HUB.example/a", "https://hub.example", "/a", true},
		{"https://hub.example:443/a", "https://hub.example", "/a", true},
		{"https://hub.example/a", "https://hub.example:443", "/a", true},
		{"http://localhost:80/a", "http://localhost", "/a", true},
		{"http://localhost:8080/a", "http://localhost:8080", "/a", true},
		{"https://hub.example", "https://hub.example", "/", true},
		{"https://hub.example/x/../a", "https://hub.example", "/a", true},
		{"https://hub.example/%61", "https://hub.example", "/a", true},
		{"https://hub.example/a%2fb", "https://hub.example", "/a%2Fb", true},
		{"https://hub.example/a?x=y", "https://hub.example", "/a", true},
		{"https://hub.example/a#x", "https://hub.example", "/a", true},

		{"https://hub.example/A", "https://hub.example", "/a", false},
		{"https://hub.example/a/", "https://hub.example", "/a", false},
		{"https://hub.example//a", "https://hub.example", "/a", false},
		{"https://hub.example/a%2Fb", "https://hub.example", "/a/b", false},
		{"https://hub.example:444/a", "https://hub.example", "/a", false},
		{"https://hub.example:80/a", "https://hub.example", "/a", false},
		{"https://hub.example.evil.example/a", "https://hub.example", "/a", false},
		{"https://hub.example@evil.example/a", "https://hub.example", "/a", false},
		{"https://me@hub.example/a", "https://hub.example", "/a", false},
		{"https:hub.example/a", "https://hub.example", "/a", false},
		{"//hub.example/a", "https://hub.example", "/a", false},
		{"ftp://hub.example/a", "https://hub.example", "/a", false},
		{"https://hub.example/%zz", "https://hub.example", "/%zz", true},
		{"https://hub.example/%zz", "https://hub.example", "/a", false},
		{"", "https://hub.example", "", false},
	} {
		if got := sameURI(tt.htu, tt.origin, tt.path); got != tt.want {
			t.Errorf("sameURI(%q, %q, %q) = %v", tt.htu, tt.origin, tt.path, got)
		}
	}
}
