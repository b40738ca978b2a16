package jose

import (
	"bytes"
	"crypto/ecdh"
	"errors"
	"testing"
)

// The examples of RFC 8037's appendix A: the Ed25519 key of A.1 and A.2 with its thumbprint
// (A.3) and signature (A.4, A.5), and the key agreement of A.6. A.7 is X448, which is not
// used here.

func TestRFC8037Ed25519(t *testing.T) {
	const x, d = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
	key, err := ParsePrivateKey([]byte(`{"kty":"OKP","crv":"Ed25519","d":"` + d + `","x":"` + x + `","kid":"a1","alg":"EdDSA"}`))
	if err != nil {
		t.Fatal(err)
	}
	public := parsePublic(t, `{"kty":"OKP","crv":"Ed25519","x":"`+x+`","kid":"a1","alg":"EdDSA"}`)
	if !key.Public().Equal(public) {
		t.Error("A.1's private key is not A.2's public one")
	}
	if got, want := public.Thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got != want {
		t.Errorf("A.3: thumbprint %s, want %s", got, want)
	}
	const input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
	const signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	if got := b64(rawSignature(t, []byte(input), key)); got != signature { // Ed25519 has one for each message
		t.Errorf("A.4: signature %s, want %s", got, signature)
	}
	payload, err := verifyBehindHeader(t, input+"."+signature, public)
	if err != nil || string(payload) != "Example of Ed25519 signing" {
		t.Errorf("A.5: %q, %v", payload, err)
	}
	if _, err := ParseSigned(input+"."+signature, 1<<10, ""); !errors.Is(err, ErrHeader) {
		t.Errorf("A.4's header has no kid: %v, want ErrHeader", err)
	}
}

func TestRFC8037X25519(t *testing.T) {
	const bobX, epkX = "3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08", "hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo"
	bob, err := ParsePrivateKey([]byte(`{"kty":"OKP","crv":"X25519","kid":"Bob","x":"` + bobX + `","alg":"ECDH-ES+A256KW","d":"` +
		b64(unhex(t, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")) + `"}`)) // RFC 7748 §6.1
	if err != nil {
		t.Fatal(err)
	}
	ephemeral, err := ecdh.X25519().NewPrivateKey(unhex(t, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
	if err != nil {
		t.Fatal(err)
	}
	if got := b64(ephemeral.PublicKey().Bytes()); got != epkX {
		t.Errorf("the ephemeral key is %s, want %s", got, epkX)
	}
	want := unhex(t, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")
	z, err := ephemeral.ECDH(bob.Public().CryptoKey().(*ecdh.PublicKey))
	if err != nil || !bytes.Equal(z, want) {
		t.Errorf("the sender's secret is %x, %v", z, err)
	}
	point, err := coordinates(X25519, epkX, "")
	if err != nil {
		t.Fatal(err)
	}
	if z, err = bob.open().key.(*ecdh.PrivateKey).ECDH(point.(*ecdh.PublicKey)); err != nil || !bytes.Equal(z, want) {
		t.Errorf("the recipient's secret is %x, %v", z, err)
	}
	// The secret of the RFC in a token of ours opens here.
	header := goodSeal(bob.KeyID())
	header = header[:len(header)-len("%EPK%}")] + epkJSON(ephemeral.PublicKey()) + "}"
	cek := random(t, 32)
	iv, ct, tag := gcmSeal(t, cek, testPlain, []byte(b64([]byte(header))))
	token := b64([]byte(header)) + "." + b64(wrapKey(t, concatKDF(want, string(ECDHESA256KW), nil, nil, 32), cek)) + "." + b64(iv) + "." + b64(ct) + "." + b64(tag)
	e, err := ParseEncrypted(token, 8<<10)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := e.Decrypt(bob); err != nil || !bytes.Equal(plain, testPlain) {
		t.Errorf("%q, %v", plain, err)
	}
	// The header of A.6 itself names another wrap.
	if _, err := ParseEncrypted(b64([]byte(`{"alg":"ECDH-ES+A128KW","epk":{"kty":"OKP","crv":"X25519","x":"`+epkX+`"},"enc":"A128GCM","kid":"Bob"}`))+token[len(b64([]byte(header))):], 8<<10); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("A.6's header: %v, want ErrAlgorithm", err)
	}
}
