package oauth

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ory/fosite"

	"handover/keys/jose"
	"handover/partners"
)

func TestNoTokenIsMadeForAnUnboundSession(t *testing.T) {
	t.Parallel()
	store := &memoryKeys{held: []jose.PrivateKey{newKey(t, jose.ES256)}}
	c := fixedClock()
	tokens := &accessTokens{issuer: testIssuer, keys: store, now: c.now, ring: &keyring{store: store, now: c.now}}
	bound := session{client: "c", partner: "p", key: "k", thumbprint: "t", issued: testTime, expires: testTime.Add(tokenLife)}
	make := func(s fosite.Session) error {
		_, _, err := tokens.GenerateAccessToken(t.Context(), &fosite.AccessRequest{Request: fosite.Request{Session: s}})
		return err
	}
	if err := make(&bound); err != nil {
		t.Fatal(err)
	}
	unbound, nobody, keyless := bound, bound, bound
	unbound.thumbprint, nobody.client, keyless.key = "", "", ""
	for _, s := range []fosite.Session{&unbound, &nobody, &keyless, &session{}, &fosite.DefaultSession{}} {
		if make(s) == nil {
			t.Errorf("a token was made for %+v", s)
		}
	}
}

func TestAnAccessTokenIsKnownByItsIDNotItsBytes(t *testing.T) {
	t.Parallel()
	key := newKey(t, jose.ES256)
	tokens := &accessTokens{}
	payload := strictBytes(t, accessClaims{ID: "the-id"})
	one, two := sign(t, accessType, payload, key), sign(t, accessType, payload, key)
	if one == two {
		t.Fatal("ECDSA signed twice alike")
	}
	if a, b := tokens.AccessTokenSignature(t.Context(), one), tokens.AccessTokenSignature(t.Context(), two); a != "the-id" || b != a {
		t.Errorf("identified as %q and %q", a, b)
	}
	if id := tokens.AccessTokenSignature(t.Context(), "a.b.c"); id != "" {
		t.Errorf("rubbish is identified as %q", id)
	}
}

func TestOnlyTheHubsOwnAccessTokensOpen(t *testing.T) {
	t.Parallel()
	key, another := newKey(t, jose.ES256), newKey(t, jose.ES256)
	ps := newKey(t, jose.PS256)
	store := &memoryKeys{held: []jose.PrivateKey{key, ps}}
	c := fixedClock()
	tokens := &accessTokens{issuer: testIssuer, keys: store, now: c.now, ring: &keyring{store: store, now: c.now}}
	good := accessClaims{Issuer: testIssuer, Audience: testIssuer, Subject: "c", Client: "c", Partner: "p", AuthKey: "k",
		Scope: "audit:read", Issued: c.in(0), Expires: c.in(tokenLife), ID: "i", Confirm: confirm{"t"}}
	bend := func(f func(*accessClaims)) string {
		b := good
		f(&b)
		return sign(t, accessType, strictBytes(t, b), key)
	}
	extra := strings.Replace(string(strictBytes(t, good)), "{", `{"admin":true,`, 1)
	for _, tt := range []struct{ name, token, want string }{
		{"all right", bend(func(*accessClaims) {}), ""},
		{"another typ", sign(t, "JWT", strictBytes(t, good), key), "token-form"},
		{"no typ", sign(t, "", strictBytes(t, good), key), "token-form"},
		{"another thing that the hub signed", sign(t, "handover-envelope+jwt", strictBytes(t, good), key), "token-form"},
		{"a key that is not the hub's", sign(t, accessType, strictBytes(t, good), another), "token-key"},
		{"a signature of another token", splice(bend(func(*accessClaims) {}), bend(func(a *accessClaims) { a.Scope = "hub:admin" })), "token-signature"},
		{"another hub's", bend(func(a *accessClaims) { a.Issuer = "https://staging.example" }), "token-audience"},
		{"for another audience", bend(func(a *accessClaims) { a.Audience = "https://staging.example" }), "token-audience"},
		{"bound to no key", bend(func(a *accessClaims) { a.Confirm.Thumbprint = "" }), "token-claims"},
		{"of no client", bend(func(a *accessClaims) { a.Client = "" }), "token-claims"},
		{"of no authentication key", bend(func(a *accessClaims) { a.AuthKey = "" }), "token-claims"},
		{"with another claim", sign(t, accessType, []byte(extra), key), "token-claims"},
		{"signed with PS256, were the hub to hold such a key", forgePS256(t, accessType, strictBytes(t, good), ps), "token-form"},
		{"expired this second", bend(func(a *accessClaims) { a.Expires = c.in(0) }), "token-expired"},
		{"rubbish", "a.b.c", "token-form"},
		{"nothing", "", "token-form"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			held, err := tokens.open(t.Context(), tt.token)
			if refused, ok := errors.AsType[*refusal](err); ok {
				got = refused.reason
			}
			if got != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("got %q (%v), want %q", got, err, tt.want)
			}
			if err == nil && (held.client != "c" || held.thumbprint != "t" || !slices.Equal(held.scopes, []partners.Scope{"audit:read"})) {
				t.Errorf("read as %+v", held)
			}
		})
	}
	store.err = errors.New("the key store is away")
	c.advance(time.Hour)
	if _, err := tokens.open(t.Context(), bend(func(a *accessClaims) { a.Expires = c.in(tokenLife) })); !errors.Is(err, errUnavailable) {
		t.Errorf("without the key store: %v", err)
	}
}

// forgePS256 signs by hand what jose.Sign refuses to.
func forgePS256(t testing.TB, typ string, payload []byte, key jose.PrivateKey) string {
	t.Helper()
	b64 := base64.RawURLEncoding.EncodeToString
	input := b64([]byte(`{"alg":"PS256","typ":"`+typ+`","kid":"`+key.KeyID()+`"}`)) + "." + b64(payload)
	digest := sha256.Sum256([]byte(input))
	sig, err := key.Signer().Key.Sign(rand.Reader, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(sig)
}

// splice puts the signature of one token under the payload of another.
func splice(signed, said string) string {
	return said[:strings.LastIndexByte(said, '.')] + signed[strings.LastIndexByte(signed, '.'):]
}
