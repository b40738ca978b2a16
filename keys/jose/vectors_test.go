package jose

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"strings"
	"testing"
)

func parsePublic(t testing.TB, jwk string) PublicKey {
	t.Helper()
	k, err := ParsePublicKey([]byte(jwk))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The example of RFC 7515 has neither typ nor kid, so it goes around the header and
// through everything else. rfc7520_test.go and rfc8037_test.go have those of others.
func TestRFC7515ExampleVerifies(t *testing.T) {
	key := parsePublic(t, `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"a3","alg":"ES256"}`)
	const signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
	const signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
	payload, err := verifyBehindHeader(t, signed+signature, key)
	if err != nil || string(payload) != "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}" {
		t.Errorf("%q, %v", payload, err)
	}
	if _, err := verifyBehindHeader(t, signed+"E"+signature[1:], key); !errors.Is(err, ErrSignature) {
		t.Errorf("a changed signature gave %v, want ErrSignature", err)
	}
	// Through the front door it is refused for having no type.
	if _, err := ParseSigned(signed+signature, 1<<10, "JWT"); !errors.Is(err, ErrType) {
		t.Errorf("an untyped token gave %v, want ErrType", err)
	}
}

// RFC 9449 §4.2 and §6.1: the proof, and the thumbprint of its key.
func TestRFC9449ProofVerifies(t *testing.T) {
	const proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik" +
		"VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR" +
		"nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE" +
		"QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj" +
		"oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia" +
		"WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg" +
		"4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	payload, key, err := VerifyProof(proof, 1<<10)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"jti":"-BwC3ESc6acc2lTc","htm":"POST","htu":"https://server.example.com/token","iat":1562262616}`; string(payload) != want {
		t.Errorf("payload %s, want %s", payload, want)
	}
	if got, want := key.Thumbprint(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"; got != want || key.KeyID() != want {
		t.Errorf("thumbprint %s, kid %s, want %s", got, key.KeyID(), want)
	}
}

// The primitives of forge_test.go are right, so that what they open is standard.
func TestForgeAgreesWithTheStandards(t *testing.T) {
	// RFC 3394 §4.6
	wrapped := wrapKey(t, unhex(t, "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"),
		unhex(t, "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F"))
	if want := unhex(t, "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"); !bytes.Equal(wrapped, want) {
		t.Errorf("key wrap %x, want %x", wrapped, want)
	}
	// RFC 7518 appendix C
	alice := newPrivate(t, "0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo")
	bob := newPrivate(t, "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw")
	z, err := alice.ECDH(bob.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b64(concatKDF(z, "A128GCM", []byte("Alice"), []byte("Bob"), 16)), "VqqN6vgjbSBcIijNcacQGg"; got != want {
		t.Errorf("derived key %s, want %s", got, want)
	}
}

func newPrivate(t testing.TB, d string) *ecdh.PrivateKey {
	t.Helper()
	b, err := base64url.DecodeString(d)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ecdh.P256().NewPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What we seal opens with package crypto alone, and what package crypto seals
// opens here.
func TestSealedTokensAreTheStandards(t *testing.T) {
	for _, curve := range []Curve{P256, X25519} {
		t.Run(string(curve), func(t *testing.T) {
			key := newKey(t, ECDHESA256KW, curve)
			plain := []byte("She asked for a women-only hostel.")

			ours, err := Encrypt(plain, key.Public(), "handover-section+json")
			if err != nil {
				t.Fatal(err)
			}
			if got := openByHand(t, ours, key); !bytes.Equal(got, plain) {
				t.Errorf("by hand %q, want %q", got, plain)
			}

			theirs := forgery{header: goodSeal(key.KeyID()), plain: plain}.seal(t, key.Public())
			e, err := ParseEncrypted(theirs, 1<<10)
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.Decrypt(key)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, plain) {
				t.Errorf("opened %q, want %q", got, plain)
			}
		})
	}
}

// openByHand opens a token with crypto/ecdh, Concat KDF, RFC 3394 and AES-GCM.
func openByHand(t testing.TB, token string, key PrivateKey) []byte {
	t.Helper()
	parts, err := split(token, 5, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var h encryptedHeader
	if err := decode(parts[0], &h); err != nil {
		t.Fatal(err)
	}
	point, err := coordinates(Curve(h.Epk.Crv), string(h.Epk.X), string(h.Epk.Y))
	if err != nil {
		t.Fatal(err)
	}
	curve := ecdh.X25519()
	raw := key.open().d
	epk, ok := point.(*ecdh.PublicKey)
	if !ok {
		curve = ecdh.P256()
		epk = (PublicKey{alg: ECDHESA256KW, crv: P256, key: point}).CryptoKey().(*ecdh.PublicKey)
	}
	private, err := curve.NewPrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	z, err := private.ECDH(epk)
	if err != nil {
		t.Fatal(err)
	}
	cek, err := unwrapKey(t, concatKDF(z, "ECDH-ES+A256KW", nil, nil, 32), parts[1])
	if err != nil {
		t.Fatal(err)
	}
	aad := token[:strings.IndexByte(token, '.')]
	plain, err := gcm(t, cek).Open(nil, parts[2], append(parts[3], parts[4]...), []byte(aad))
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func goodSeal(kid string) string {
	return `{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"` + kid + `","cty":"json","epk":%EPK%}`
}
