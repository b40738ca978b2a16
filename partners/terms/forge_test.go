package terms_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"handover/internal/fault"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/partners/terms"
)

const (
	hub   = "https://hub.example"
	jti   = "0199a000-0000-7000-8000-0000000000cc"
	other = "0199a000-0000-7000-8000-0000000000dd"
	act   = "0f6a5f06-9f2a-4c63-8f2a-6f6f3c1d2e3f"
	day   = 24 * 3600
)

var now = time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)

// The keys of the tests are made of their names: they are published with the vectors.
var (
	edKey = sync.OnceValue(func() jose.PrivateKey {
		seed := sha256.Sum256([]byte("handover, test key, not a secret: agency-ed25519"))
		key := ed25519.NewKeyFromSeed(seed[:])
		return parsed(map[string]string{"kty": "OKP", "crv": "Ed25519", "kid": "test-only-agency-ed25519", "alg": "EdDSA",
			"d": b64(seed[:]), "x": b64(key.Public().(ed25519.PublicKey))})
	})
	p256Key = sync.OnceValue(func() jose.PrivateKey {
		d := sha256.Sum256([]byte("handover, test key, not a secret: agency-p256"))
		key := must(ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:]))
		point := must(key.ECDH()).PublicKey().Bytes()
		return parsed(map[string]string{"kty": "EC", "crv": "P-256", "kid": "test-only-agency-p256", "alg": "ES256",
			"d": b64(d[:]), "x": b64(point[1:33]), "y": b64(point[33:])})
	})
)

func parsed(jwk map[string]string) jose.PrivateKey {
	return must(jose.ParsePrivateKey(must(json.Marshal(jwk))))
}

// proposal are the claims of an honest proposal: an outreach team and a housing team, a year.
func proposal() terms.Claims {
	return terms.Claims{Hub: hub, Issuer: "camden-outreach", ID: jti, IssuedAt: now.Unix(), Act: act, Other: "larkfield-housing", Version: 1,
		Sends:     terms.Way{Purposes: []string{"housing", "duty-to-refer"}, Sections: []string{"need", "safe-contact"}},
		Receives:  terms.Way{Purposes: []string{"housing"}, Sections: []string{"note"}},
		ValidFrom: now.Unix(), ValidTo: now.Unix() + 365*day, ReviewAt: now.Unix() + 300*day}
}

func answer() terms.AnswerClaims {
	return terms.AnswerClaims{Hub: hub, Issuer: "larkfield-housing", ID: other, IssuedAt: now.Unix(), Act: act, Other: "camden-outreach",
		Of: jti, Digest: ids.Digest("the proposal"), Answer: terms.Signed}
}

func refusal() terms.AnswerClaims {
	a := answer()
	a.Answer, a.Reason = terms.Refused, "too-much"
	return a
}

func ended() terms.EndClaims {
	return terms.EndClaims{Hub: hub, Issuer: "camden-outreach", ID: other, IssuedAt: now.Unix(), Act: act, Other: "larkfield-housing",
		Of: jti, Digest: ids.Digest("the proposal")}
}

type members map[string]any

func membersOf(t testing.TB, claims any) (m members) {
	t.Helper()
	if err := json.Unmarshal(must(json.Marshal(claims)), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// with returns the members with one changed; nil takes it out.
func (m members) with(name string, value any) members {
	changed := maps.Clone(m)
	changed[name] = value
	if value == nil {
		delete(changed, name)
	}
	return changed
}

func sign(t testing.TB, typ string, payload []byte, key jose.PrivateKey) string {
	t.Helper()
	token, err := jose.Sign(typ, payload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// parse takes a token of the typ apart.
func parse(typ, token string) (err error) {
	switch typ {
	case terms.ProposalType:
		_, err = terms.ParseProposal(token)
	case terms.AnswerType:
		_, err = terms.ParseAnswer(token)
	case terms.EndType:
		_, err = terms.ParseEnd(token)
	}
	return err
}

// refused checks that err is the refusal, of the claim if there is one, with words for it.
func refused(t testing.TB, err error, want *fault.Fault, claim string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Code != want.Code {
		t.Errorf("got %v, want %s %s", err, want.Code, claim)
		return
	}
	if claim != "" && (f.Members()["claim"] != claim || f.Members()["why"] != terms.Why(claim) || terms.Why(claim) == "") {
		t.Errorf("got %v, want the claim %s with words for it", f.Members(), claim)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
