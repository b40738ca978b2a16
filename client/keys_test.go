package client_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/client"
	"handover/keys/jose"
)

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	must(err)
	return b
}

func TestKeyCountsWithinItsTimeAndUntilItIsRevoked(t *testing.T) {
	from := time.Unix(1_700_000_000, 0)
	k := client.Key{NotBefore: from, NotAfter: from.Add(time.Hour)}
	for name, c := range map[string]struct {
		at   time.Duration
		want bool
	}{
		"long before":     {-time.Hour, false},
		"within the skew": {-time.Minute, true},
		"beyond the skew": {-61 * time.Second, false},
		"at first":        {0, true},
		"the last moment": {time.Hour - 1, true},
		"at the end":      {time.Hour, false},
	} {
		if got := k.ValidAt(from.Add(c.at)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	k.Revoked = from.Add(30 * time.Minute)
	if k.ValidAt(from.Add(time.Minute)) {
		t.Error("a revoked key counts for what it may have signed before")
	}
}

func TestKeyKeepsWhatItSaysThroughJSON(t *testing.T) {
	key, err := jose.Generate(jose.EdDSA, jose.Ed25519)
	must(err)
	want := client.Key{PublicKey: key.Public(), Use: client.Signing, Custody: client.HeldByHub, NotBefore: time.Unix(1, 0), NotAfter: time.Unix(2, 0), Revoked: time.Unix(3, 0)}
	var got client.Key
	must(json.Unmarshal(mustJSON(want), &got))
	equal := cmp.Comparer(func(a, b jose.PublicKey) bool { return a.Equal(b) })
	if d := cmp.Diff(want, got, equal); d != "" {
		t.Error(d)
	}
}

func TestKeysThatNobodyShouldTrustAreRefused(t *testing.T) {
	key, err := jose.Generate(jose.ES256, jose.P256)
	must(err)
	good := string(mustJSON(client.Key{PublicKey: key.Public(), Use: client.Signing, Custody: client.HeldByHub, NotBefore: time.Unix(1, 0), NotAfter: time.Unix(2, 0)}))
	rsa, err := jose.Generate(jose.PS256, jose.NoCurve)
	must(err)
	var k client.Key
	must(json.Unmarshal([]byte(good), &k))
	must(json.Unmarshal(mustJSON(client.Key{PublicKey: rsa.Public(), Use: client.Authentication}), &k))
	for name, text := range map[string]string{
		"a private key":         strings.TrimSuffix(string(key.JWK()), "}") + `,"handover_use":"signing","nbf":1,"exp":2}`,
		"a signing key to seal": strings.Replace(good, `"signing"`, `"encryption"`, 1),
		"a use that is none":    strings.Replace(good, `"signing"`, `"any"`, 1),
		"no use":                strings.Replace(good, `"handover_use":"signing",`, ``, 1),
		"an unknown member":     strings.Replace(good, `"nbf"`, `"x5u":"https://x.example","nbf"`, 1),
		"a member twice":        strings.Replace(good, `"nbf":1`, `"nbf":1,"nbf":0`, 1),
		"a time that is a text": strings.Replace(good, `"exp":2`, `"exp":"2"`, 1),
		"another algorithm":     strings.Replace(good, `"ES256"`, `"RS256"`, 1),
		"an RSA key to sign":    string(mustJSON(client.Key{PublicKey: rsa.Public(), Use: client.Signing, NotAfter: time.Unix(2, 0)})),
		"a list":                `[]`,
	} {
		if json.Unmarshal([]byte(text), &k) == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
