package jose

import (
	"errors"
	"strings"
	"testing"
)

func TestProofIsReadBack(t *testing.T) {
	for _, key := range []PrivateKey{newKey(t, ES256, P256), newKey(t, EdDSA, Ed25519), newKey(t, PS256, NoCurve)} {
		t.Run(string(key.pub.alg), func(t *testing.T) {
			proof, err := SignProof(testPayload, key)
			if err != nil {
				t.Fatal(err)
			}
			payload, got, err := VerifyProof(proof, len(proof))
			if err != nil {
				t.Fatal(err)
			}
			if string(payload) != string(testPayload) {
				t.Errorf("payload %q, want %q", payload, testPayload)
			}
			if !got.Equal(key.Public()) {
				t.Errorf("key %v, want %v", got, key.Public())
			}
			header, err := base64url.DecodeString(proof[:strings.IndexByte(proof, '.')])
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(header), "kid") || strings.Contains(string(header), `"d"`) {
				t.Errorf("header %s", header)
			}
		})
	}
	if _, err := SignProof(testPayload, newKey(t, ECDHESA256KW, P256)); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("with a key for sealing: %v, want ErrAlgorithm", err)
	}
	if _, err := SignProof(testPayload, PrivateKey{}); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("with no key: %v, want ErrAlgorithm", err)
	}
}

// TestAKnownHeaderSparesNoCheck verifies each proof with the headers of others at hand:
// only the very same bytes may stand for what was read before.
func TestAKnownHeaderSparesNoCheck(t *testing.T) {
	keys := []PrivateKey{newKey(t, ES256, P256), newKey(t, ES256, P256), newKey(t, EdDSA, Ed25519), newKey(t, PS256, NoCurve), newKey(t, PS256, NoCurve)}
	var known []ProofHeader
	var proofs []string
	for _, key := range keys {
		proof, err := SignProof(testPayload, key)
		if err != nil {
			t.Fatal(err)
		}
		_, h, err := ProofHeader{}.Verify(proof, 2<<10)
		if err != nil {
			t.Fatal(err)
		}
		known, proofs = append(known, h), append(proofs, proof)
	}
	for i, proof := range proofs {
		for j, h := range known {
			payload, seen, err := h.Verify(proof, 2<<10)
			if err != nil || string(payload) != string(testPayload) || !seen.Key().Equal(keys[i].Public()) || seen.Equal(h) != (i == j) {
				t.Errorf("proof %d with header %d: %v, %v", i, j, seen.Key(), err)
			}
			header, _, _ := strings.Cut(proofs[j], ".")
			_, signed, _ := strings.Cut(proof, ".")
			if _, _, err := h.Verify(header+"."+signed, 2<<10); (err == nil) != (i == j) {
				t.Errorf("what key %d signed, under header %d: %v", i, j, err)
			}
		}
	}
}

func TestProofCheatsAreRefused(t *testing.T) {
	key, other, ed := newKey(t, ES256, P256), newKey(t, ES256, P256), newKey(t, EdDSA, Ed25519)
	jwk := func(k PrivateKey, more string) string {
		m := members{Kty: text(k.pub.kty()), Crv: text(k.pub.crv), X: text(k.pub.x), Y: text(k.pub.y)}
		return strings.TrimSuffix(string(mustJSON(t, m)), "}") + more + "}"
	}
	whole := func(header string) string { return forgeSigned(t, header, testPayload, key) }
	with := func(jwk string) string { return whole(`{"typ":"dpop+jwt","alg":"ES256","jwk":` + jwk + `}`) }

	for _, c := range []cheat{
		{name: "nothing, so that the rows below mean something", token: with(jwk(key, ``))},
		{name: "members that are right, and a kid that is the sender's word", token: with(jwk(key, `,"alg":"ES256","use":"sig","kid":"root"`))},
		{"another's key", with(jwk(other, ``)), ErrSignature, refuses},
		{"a key of the other algorithm", with(jwk(ed, ``)), ErrKey, refuses},
		{"the private key", with(jwk(key, `,"d":"`+b64(key.open().d)+`"`)), ErrPrivate, refuses},
		{"the private key, null", with(jwk(key, `,"d":null`)), ErrKey, refuses},
		{"a symmetric key", with(`{"kty":"oct","k":"AAAA"}`), ErrKey, refuses},
		{"an RSA key", with(`{"kty":"RSA","n":"AAAA","e":"AQAB"}`), ErrKey, refuses},
		{"no coordinates", with(`{"kty":"EC","crv":"P-256"}`), ErrKey, refuses},
		{"a certificate", with(jwk(key, `,"x5c":["MA=="]`)), ErrKey, refuses},
		{"key_ops", with(jwk(key, `,"key_ops":["verify"]`)), ErrKey, refuses},
		{"x twice", with(jwk(key, `,"x":"`+other.pub.x+`"`)), ErrHeader, refuses},
		{"an alg that is not the header's", with(jwk(key, `,"alg":"EdDSA"`)), ErrAlgorithm, refuses},
		{"a use of sealing", with(jwk(key, `,"use":"enc"`)), ErrKey, refuses},
		{"a string for a key", with(`"` + key.pub.x + `"`), ErrKey, refuses},
		{"null for a key", with(`null`), ErrHeader, refuses},
		{"no key", whole(`{"typ":"dpop+jwt","alg":"ES256"}`), ErrHeader, refuses},
		{"a kid beside the key", whole(`{"typ":"dpop+jwt","alg":"ES256","kid":"root","jwk":` + jwk(key, ``) + `}`), ErrHeader, refuses},
		{"a kid in the place of the key", whole(`{"typ":"dpop+jwt","alg":"ES256","kid":"root"}`), ErrHeader, refuses},
		{"crit", whole(`{"typ":"dpop+jwt","alg":"ES256","crit":["x"],"jwk":` + jwk(key, ``) + `}`), ErrHeader, refuses},
		{"jku", whole(`{"typ":"dpop+jwt","alg":"ES256","jku":"https://attacker.example","jwk":` + jwk(key, ``) + `}`), ErrHeader, refuses},
		{"another type", whole(`{"typ":"JWT","alg":"ES256","jwk":` + jwk(key, ``) + `}`), ErrType, refuses},
		{"no type", whole(`{"alg":"ES256","jwk":` + jwk(key, ``) + `}`), ErrType, refuses},
		{"alg none", whole(`{"typ":"dpop+jwt","alg":"none","jwk":` + jwk(key, ``) + `}`), ErrAlgorithm, refuses},
		{"alg PS256 with a key of ES256", whole(`{"typ":"dpop+jwt","alg":"PS256","jwk":` + jwk(key, ``) + `}`), ErrKey, refuses},
		{"alg HS256", whole(`{"typ":"dpop+jwt","alg":"HS256","jwk":` + jwk(key, ``) + `}`), ErrAlgorithm, refuses},
		{"a header too long", with(jwk(key, strings.Repeat(" ", 1<<10))), ErrHeader, refuses},
	} {
		t.Run(c.name, func(t *testing.T) {
			payload, got, err := VerifyProof(c.token, 8<<10)
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err != nil && (payload != nil || !got.IsZero()) {
				t.Error("a payload or a key came with the refusal")
			}
			if err == nil && got.KeyID() != key.Public().Thumbprint() {
				t.Errorf("kid %q, want the thumbprint", got.KeyID())
			}
		})
	}
}
