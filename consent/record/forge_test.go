package record_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"handover/consent/record"
	"handover/internal/fault"
	"handover/keys/jose"
)

// This file is what both an honest recorder and a cheat have: a key, the claims of an
// honest record, and a signature over whatever they like.

const (
	hub     = "https://hub.example"
	jti     = "0199a000-0000-7000-8000-0000000000cc"
	consent = "0199a000-0000-7000-8000-0000000000bb"
	subject = "c3ViamVjdHN1YmplY3RzMQ" // 16 bytes
	day     = 24 * 60 * 60
)

var now = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)

// testKey derives a key from its label, so that every run has the same one.
func testKey(label string, alg jose.Algorithm, curve jose.Curve) jose.PrivateKey {
	d := sha256.Sum256([]byte("handover, test key, not a secret: " + label))
	m := map[string]string{"kty": "OKP", "crv": string(curve), "kid": "test-only-" + label, "alg": string(alg), "d": b64(d[:])}
	if curve == jose.P256 {
		pub := must(ecdh.P256().NewPrivateKey(d[:])).PublicKey().Bytes()
		m["kty"], m["x"], m["y"] = "EC", b64(pub[1:33]), b64(pub[33:])
	} else {
		m["x"] = b64(ed25519.NewKeyFromSeed(d[:]).Public().(ed25519.PublicKey))
	}
	return must(jose.ParsePrivateKey(must(json.Marshal(m))))
}

// The keys, each derived once.
var (
	signingEd25519 = sync.OnceValue(func() jose.PrivateKey { return testKey("recorder-ed25519", jose.EdDSA, jose.Ed25519) })
	signingP256    = sync.OnceValue(func() jose.PrivateKey { return testKey("recorder-p256", jose.ES256, jose.P256) })
)

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return b64(sum[:])
}

// agreed are the claims of a partial yes: housing, not police.
func agreed() record.Claims {
	return record.Claims{
		Hub: hub, Issuer: "charity", ID: jti, IssuedAt: now.Unix(), Act: "user-7", Subject: subject, Jurisdiction: "GB-ENG",
		Agreement: "agreed", Method: "verbal-in-person", Purpose: "housing", Recipients: []string{"borough", "category:housing"},
		Sections: []string{"need", "safe-contact", "housing"}, Withheld: []string{"health", "immigration"}, Onward: "ask-each-time",
		Notice:     record.Notice{Version: "2026-03", Digest: digestOf("the notice"), Language: "en-GB"},
		Supersedes: consent, Gate: record.Gate{Pathway: "none"},
		Bases:         record.Bases{{Controller: "charity", Article6: "f"}, {Controller: "category:housing", Article6: "e", Provision: "Housing Act 1996 s189B"}},
		Circumstances: digestOf("how she was asked"), Sealed: map[string]string{"her-words": digestOf("sealed")},
		GivenAt: now.Unix() - 60, ValidFrom: now.Unix() - 60, Expires: now.Unix() + 28*day, ReviewAt: now.Unix() + 14*day,
	}
}

// withdrawn are the claims of an honest withdrawal.
func withdrawn() record.WithdrawalClaims {
	return record.WithdrawalClaims{Hub: hub, Issuer: "borough", ID: jti, IssuedAt: now.Unix(), Act: "user-9", Consent: consent, Digest: digestOf("the record")}
}

// members are claims as JSON members, which can be left out or be anything.
type members map[string]any

func membersOf(t testing.TB, claims any) members {
	t.Helper()
	var m members
	if err := json.Unmarshal(must(json.Marshal(claims)), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// with returns the members with one changed; nil takes it out.
func (m members) with(name string, value any) members {
	out := maps.Clone(m)
	out[name] = value
	if value == nil {
		delete(out, name)
	}
	return out
}

func sign(t testing.TB, typ string, payload []byte, key jose.PrivateKey) string {
	t.Helper()
	token, err := jose.Sign(typ, payload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// consentOf and withdrawalOf take a statement of the members apart.
func consentOf(t testing.TB, m members) error {
	t.Helper()
	_, err := record.ParseConsent(sign(t, record.ConsentType, must(json.Marshal(m)), signingEd25519()))
	return err
}

func withdrawalOf(t testing.TB, m members) error {
	t.Helper()
	_, err := record.ParseWithdrawal(sign(t, record.WithdrawalType, must(json.Marshal(m)), signingEd25519()))
	return err
}

// signHeader makes a token of any header and payload with a right signature.
func signHeader(t testing.TB, header, payload string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	sig, err := signingEd25519().Signer().Key.Sign(rand.Reader, []byte(input), crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(sig)
}

// signPS256 signs by hand, and rightly, what jose.Sign refuses to.
func signPS256(t testing.TB, typ, payload string) string {
	t.Helper()
	key := must(jose.Generate(jose.PS256, jose.NoCurve))
	input := b64(fmt.Appendf(nil, `{"alg":"PS256","typ":%q,"kid":%q}`, typ, key.KeyID())) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	return input + "." + b64(must(key.Signer().Key.Sign(rand.Reader, digest[:], options)))
}

// renamed is the public part of key under another kid.
func renamed(t testing.TB, key jose.PrivateKey, kid string) jose.PublicKey {
	t.Helper()
	jwk := strings.Replace(string(must(key.Public().MarshalJSON())), fmt.Sprintf("%q", key.KeyID()), fmt.Sprintf("%q", kid), 1)
	return must(jose.ParsePublicKey([]byte(jwk)))
}

// refused checks that err is the refusal want and carries exactly the extension
// members want (name, value, …).
func refused(t testing.TB, err error, want *fault.Fault, extension ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %s", err, want.Code)
		return
	}
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok {
		t.Fatalf("%v is %s and no fault", err, want.Code)
	}
	members := maps.Clone(f.Members())
	if want == record.ErrClaim {
		if why := record.Why(extension[1]); why == "" || members["why"] != why {
			t.Errorf("claim %s: it is said %v, want %q", extension[1], members["why"], why)
		}
		delete(members, "why")
	}
	expected := map[string]any{}
	for i := 0; i+1 < len(extension); i += 2 {
		expected[extension[i]] = extension[i+1]
	}
	if !maps.Equal(members, expected) {
		t.Errorf("%s carries %v, want %v", f.Code, members, expected)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
