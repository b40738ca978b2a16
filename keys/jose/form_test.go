package jose

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

func TestSignedFormCheatsAreRefused(t *testing.T) {
	key := newKey(t, ES256, P256)
	good, err := Sign(testType, testPayload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	p := strings.Split(good, ".")
	sig, err := base64url.DecodeString(p[2])
	if err != nil {
		t.Fatal(err)
	}
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	general := fmt.Sprintf(`{"payload":"%s","signatures":[{"protected":"%s","signature":"%s"},{"protected":"%s","signature":"%s"}]}`,
		p[1], p[0], b64(make([]byte, 64)), p[0], p[2])
	beside := fmt.Sprintf(`{"payload":"%s","signatures":[{"protected":"%s","signature":"AAAA"},{"protected":"%s","signature":"%s"}]}`,
		p[1], b64([]byte(`{"alg":"unheard-of"}`)), p[0], p[2])

	for _, c := range []cheat{
		{"nothing, so that the rows below mean something", good, nil, accepts},
		{"one good signature beside a bad one", general, ErrMalformed, accepts},
		{"one good signature beside one of an unknown algorithm", beside, ErrMalformed, accepts},
		{"flattened JSON", fmt.Sprintf(`{"payload":"%s","protected":"%s","signature":"%s"}`, p[1], p[0], p[2]), ErrMalformed, accepts},
		{"unprotected header", fmt.Sprintf(`{"payload":"%s","protected":"%s","header":{"x":"y"},"signature":"%s"}`, p[1], p[0], p[2]), ErrMalformed, accepts},
		{"signature with other trailing bits", join(p[0], p[1], otherTail(t, p[2])), ErrMalformed, accepts},
		{"signature in the standard alphabet", standardAlphabet(t, key), ErrMalformed, accepts},
		{"signature with padding", join(p[0], p[1], p[2]+"=="), ErrMalformed, accepts},
		{"line break in the signature", join(p[0], p[1], p[2][:10]+"\n"+p[2][10:]), ErrMalformed, accepts},
		{"carriage return in the signature", join(p[0], p[1], p[2][:10]+"\r"+p[2][10:]), ErrMalformed, accepts},
		{"line break behind the token", good + "\n", ErrMalformed, accepts},
		{"space before the token", " " + good, ErrMalformed, refuses},
		{"line break in the payload", join(p[0], p[1][:4]+"\n"+p[1][4:], p[2]), ErrMalformed, accepts},
		{"line break in the header", join(p[0][:4]+"\n"+p[0][4:], p[1], p[2]), ErrMalformed, accepts},
		{"empty", "", ErrMalformed, refuses},
		{"dots only", "..", ErrMalformed, refuses},
		{"two parts", join(p[0], p[1]), ErrMalformed, refuses},
		{"four parts", good + ".", ErrMalformed, refuses},
		{"five parts", join(good, p[1], p[2]), ErrMalformed, refuses},
		{"no payload", join(p[0], "", p[2]), ErrMalformed, refuses},
		{"no signature", join(p[0], p[1], ""), ErrMalformed, refuses},
		{"short signature", join(p[0], p[1], b64(sig[:63])), ErrMalformed, refuses},
		{"long signature", join(p[0], p[1], b64(append(sig, 0))), ErrMalformed, refuses},
		{"ASN.1 signature", join(p[0], p[1], b64(derSignature(t, sig))), ErrMalformed, refuses},
		{"another byte than base64url's", join(p[0], p[1], "*"+p[2][1:]), ErrMalformed, refuses},
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

// A changed, missing or added byte anywhere, and the token is refused. This is
// what keeps two spellings of one token from existing.
func TestAnyChangedByteOfASignedTokenIsRefused(t *testing.T) {
	for _, key := range []PrivateKey{newKey(t, ES256, P256), newKey(t, EdDSA, Ed25519)} {
		t.Run(string(key.pub.alg), func(t *testing.T) {
			token, err := Sign(testType, testPayload, key.Signer())
			if err != nil {
				t.Fatal(err)
			}
			accepted := func(token string) bool {
				s, err := ParseSigned(token, 8<<10, testType)
				if err != nil {
					return false
				}
				_, err = s.Verify(key.Public())
				return err == nil
			}
			if !accepted(token) {
				t.Fatal("the token itself is refused")
			}
			for changed, what := range mutations(token) {
				if accepted(changed) {
					t.Errorf("%s is accepted", what)
				}
			}
			proof, err := SignProof(testPayload, key)
			if err != nil {
				t.Fatal(err)
			}
			for changed, what := range mutations(proof) {
				// A changed jwk may be another key, but never with a right signature.
				if _, _, err := VerifyProof(changed, 8<<10); err == nil {
					t.Errorf("proof: %s is accepted", what)
				}
			}
		})
	}
}

// mutations yields token with each byte changed in several ways, left out, and
// something added before it.
func mutations(token string) func(yield func(string, string) bool) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return func(yield func(string, string) bool) {
		for i := range len(token) {
			c := token[i]
			for _, d := range []byte{c ^ 1, c ^ 0x20, c ^ 0x80, '\n', '=', '.', '+', 0} {
				if d != c && !yield(token[:i]+string([]byte{d})+token[i+1:], fmt.Sprintf("byte %d as %#x", i, d)) {
					return
				}
			}
			// The neighbours in the alphabet differ in the last bits, which are the
			// ones that lenient decoders drop.
			if at := strings.IndexByte(alphabet, c); at >= 0 {
				d := alphabet[at^1]
				if !yield(token[:i]+string(d)+token[i+1:], fmt.Sprintf("byte %d as its neighbour", i)) {
					return
				}
			}
			if !yield(token[:i]+token[i+1:], fmt.Sprintf("without byte %d", i)) {
				return
			}
			for _, d := range []string{"\n", "A", " "} {
				if !yield(token[:i]+d+token[i:], fmt.Sprintf("%q added at %d", d, i)) {
					return
				}
			}
		}
	}
}

// otherTail changes the bits of the last character that hold no data.
func otherTail(t *testing.T, part string) string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, part[len(part)-1])
	return part[:len(part)-1] + string(alphabet[last^1])
}

// standardAlphabet signs until the signature has a character that differs between
// the two alphabets, and writes it in the other one.
func standardAlphabet(t *testing.T, key PrivateKey) string {
	t.Helper()
	for {
		token, err := Sign(testType, testPayload, key.Signer())
		if err != nil {
			t.Fatal(err)
		}
		cut := strings.LastIndexByte(token, '.')
		if sig := token[cut:]; strings.ContainsAny(sig, "-_") {
			return token[:cut] + strings.NewReplacer("-", "+", "_", "/").Replace(sig)
		}
	}
}

func derSignature(t *testing.T, sig []byte) []byte {
	t.Helper()
	b, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])})
	if err != nil {
		t.Fatal(err)
	}
	return b
}
