package packet_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"sync"
	"testing"
	"time"

	"handover/internal/fault"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

// This file is what both an honest sender and a cheat have: keys, packets made as
// they should be, and envelopes and sections with anything in them under a signature
// and a seal that are right.

const (
	hub     = "https://hub.example"
	service = "0199a000-0000-7000-8000-0000000000aa"
	consent = "0199a000-0000-7000-8000-0000000000bb"
	jti     = "0199a000-0000-7000-8000-0000000000cc"
	subject = "c3ViamVjdHN1YmplY3RzMQ" // 16 bytes
)

var now = time.Date(2026, 10, 1, 9, 0, 0, 0, time.UTC)

// testKey derives a key from its label, so that every run and every vector has the
// same one. Nothing but tests may ever use it: its secret is its name.
func testKey(label string, alg jose.Algorithm, curve jose.Curve) jose.PrivateKey {
	d := sha256.Sum256([]byte("handover, test key, not a secret: " + label))
	m := map[string]string{"kty": "OKP", "crv": string(curve), "kid": "test-only-" + label,
		"alg": string(alg), "d": b64(d[:])}
	switch curve {
	case jose.P256:
		pub := must(ecdh.P256().NewPrivateKey(d[:])).PublicKey().Bytes()
		m["kty"], m["x"], m["y"] = "EC", b64(pub[1:33]), b64(pub[33:])
	case jose.X25519:
		m["x"] = b64(must(ecdh.X25519().NewPrivateKey(d[:])).PublicKey().Bytes())
	case jose.Ed25519:
		m["x"] = b64(ed25519.NewKeyFromSeed(d[:]).Public().(ed25519.PublicKey))
	}
	return must(jose.ParsePrivateKey(must(json.Marshal(m))))
}

// The keys, each derived once.
var (
	signingEd25519  = once("charity-signing-ed25519", jose.EdDSA, jose.Ed25519)
	signingP256     = once("charity-signing-p256", jose.ES256, jose.P256)
	recipientX25519 = once("borough-encryption-x25519", jose.ECDHESA256KW, jose.X25519)
	recipientP256   = once("borough-encryption-p256", jose.ECDHESA256KW, jose.P256)
	copyX25519      = once("charity-copies-x25519", jose.ECDHESA256KW, jose.X25519)
	copyP256        = once("charity-copies-p256", jose.ECDHESA256KW, jose.P256)
)

func once(label string, alg jose.Algorithm, curve jose.Curve) func() jose.PrivateKey {
	return sync.OnceValue(func() jose.PrivateKey { return testKey(label, alg, curve) })
}

// claimsOf are the claims of an honest envelope of the event, without sections.
func claimsOf(e packet.Event) packet.Claims {
	c := packet.Claims{Hub: hub, Issuer: "charity", Audience: "borough", ID: jti, Event: e, Act: "user-7",
		IssuedAt: now.Add(-time.Minute).Unix(), Expires: now.Add(7 * 24 * time.Hour).Unix()}
	if e == packet.Request {
		c.Subject, c.Purpose, c.Urgency, c.Service, c.Area = subject, "housing", "urgent", service, "E09000012"
	} else {
		c.Referral, c.Prev = ids.Digest("the request"), ids.Digest("the newest envelope")
	}
	switch e {
	case packet.Redirect:
		c.Service = service
	case packet.Decline:
		c.Reason = "no-capacity"
	case packet.Fail:
		c.Reason = "could-not-reach"
	case packet.Withdraw:
		c.Reason = "no-longer-needed"
	case packet.Complete:
		c.Outcome = "housed"
	}
	return c
}

// dataOf is what an honest packet of the event must carry.
func dataOf(e packet.Event) map[string]packet.Content {
	switch e {
	case packet.Request:
		return map[string]packet.Content{
			"need":         packet.Content(`{"codes":["housing"],"words":"a room before Friday"}`),
			"safe-contact": packet.Content(`{"channel":"via-worker","voicemail":false}`),
		}
	case packet.Ask, packet.Answer, packet.Message:
		return map[string]packet.Content{"note": packet.Content(`{"text":"Is she safe until Friday?"}`)}
	}
	return nil
}

// basisOf is the basis that a packet with content needs.
func basisOf() *packet.Basis {
	return &packet.Basis{Consent: consent, Digest: ids.Digest("the consent record")}
}

// sealed is an honest packet of the event, with copies.
func sealed(t testing.TB, e packet.Event) packet.Packet {
	t.Helper()
	c, copies := claimsOf(e), copyP256().Public()
	if len(dataOf(e)) > 0 {
		c.Basis = basisOf()
	}
	p, err := packet.Seal(c, dataOf(e), packet.To{Recipient: recipientX25519().Public(), Copy: &copies},
		signingEd25519().Signer(), now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// plaintext is a section's content as Seal writes it, for a cheat to change.
func plaintext(section, salt, data string) string {
	return fmt.Sprintf(`{"iss":"charity","aud":"borough","jti":%q,"section":%q,"salt":%q,"data":%s}`, jti, section, salt, data)
}

var salt = b64([]byte("sixteen bytes !!"))

// sealRaw seals any plaintext and gives the manifest line that is right for it.
func sealRaw(t testing.TB, plain string, to jose.PrivateKey) (string, packet.Sealing) {
	t.Helper()
	jwe, err := jose.Encrypt([]byte(plain), to.Public(), "json")
	if err != nil {
		t.Fatal(err)
	}
	return jwe, packet.Sealing{Ciphertext: ids.Digest(jwe), Plaintext: ids.Digest(plain)}
}

// members are claims as JSON members, which can be left out or be anything.
type members map[string]any

func membersOf(t testing.TB, c packet.Claims) members {
	t.Helper()
	var m members
	if err := json.Unmarshal(must(json.Marshal(c)), &m); err != nil {
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

// sign makes an envelope of any payload.
func sign(t testing.TB, payload []byte, key jose.PrivateKey) string {
	t.Helper()
	token, err := jose.Sign(packet.EnvelopeType, payload, key.Signer())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (m members) sign(t testing.TB, key jose.PrivateKey) string {
	t.Helper()
	return sign(t, must(json.Marshal(m)), key)
}

// signHeader makes a token of any header and payload with a right signature.
func signHeader(t testing.TB, header, payload string, key jose.PrivateKey) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	signer := key.Signer().Key
	if key.Public().Algorithm() == jose.EdDSA {
		sig, err := signer.Sign(rand.Reader, []byte(input), crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + b64(sig)
	}
	digest := sha256.Sum256([]byte(input))
	if key.Public().Algorithm() == jose.PS256 {
		options := &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		return input + "." + b64(must(signer.Sign(rand.Reader, digest[:], options)))
	}
	der, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &s); err != nil {
		t.Fatal(err)
	}
	sig := make([]byte, 64)
	s.R.FillBytes(sig[:32])
	s.S.FillBytes(sig[32:])
	return input + "." + b64(sig)
}

// open is what the hub does with the bytes of a packet.
func open(body []byte, key jose.PublicKey, hub string, at time.Time) (packet.Opened, error) {
	u, err := packet.Read(body)
	if err != nil {
		return packet.Opened{}, err
	}
	return u.Open(key, hub, at)
}

func bytesOf(t testing.TB, p packet.Packet) []byte {
	t.Helper()
	b, err := p.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// verified is the envelope of an honest signer.
func verified(t testing.TB, token string, key jose.PrivateKey) packet.Envelope {
	t.Helper()
	s, err := packet.ParseEnvelope(token)
	if err != nil {
		t.Fatal(err)
	}
	e, err := s.Verify(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return e
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
	if want == packet.ErrClaim && len(extension) == 0 {
		t.Error("the row names no claim")
	}
	expected := map[string]any{}
	for i := 0; i+1 < len(extension); i += 2 {
		expected[extension[i]] = extension[i+1]
	}
	if !maps.Equal(f.Members(), expected) {
		t.Errorf("%s carries %v, want %v", f.Code, f.Members(), expected)
	}
}

// same reports whether two packets are equal.
func same(a, b packet.Packet) bool {
	return a.Envelope == b.Envelope && maps.Equal(a.Sections, b.Sections) && maps.Equal(a.Copies, b.Copies)
}

// packetOf puts an opened packet together again.
func packetOf(o packet.Opened) packet.Packet {
	p := packet.Packet{Envelope: o.Token()}
	for _, name := range o.Names() {
		jwe, own := o.Sealed(name)
		if p.Sections == nil {
			p.Sections = map[string]string{}
		}
		p.Sections[name] = jwe
		if own == "" {
			continue
		}
		if p.Copies == nil {
			p.Copies = map[string]string{}
		}
		p.Copies[name] = own
	}
	return p
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// compact drops the white space of a JSON document.
func compact(t testing.TB, doc []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func jsonOf(v any) ([]byte, error) { return json.Marshal(v) }

// wants checks err against a fault, with its extension members, or a plain error.
func wants(t testing.TB, err, want error, extension []string) {
	t.Helper()
	if f, ok := want.(*fault.Fault); ok {
		refused(t, err, f, extension...)
	} else if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}
