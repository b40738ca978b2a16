package packet_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

func TestEnvelopeThatIsNoSuchJWSIsRefused(t *testing.T) {
	ed, ec := signingEd25519(), signingP256()
	payload := string(must(packetClaims(t)))
	kid := ed.KeyID()
	header := func(format string, args ...any) string {
		return signHeader(t, fmt.Sprintf(format, args...), payload, ed)
	}
	good := header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":%q}`, kid)
	if _, err := packet.ParseEnvelope(good); err != nil {
		t.Fatalf("the envelope that the rows change is refused itself: %v", err)
	}
	parts := strings.Split(good, ".")
	ps := must(jose.Generate(jose.PS256, jose.NoCurve))
	for _, row := range []struct{ name, token string }{
		{"nothing", ""},
		{"two dots", ".."},
		{"no typ", header(`{"alg":"EdDSA","kid":%q}`, kid)},
		{"typ JWT", header(`{"alg":"EdDSA","typ":"JWT","kid":%q}`, kid)},
		{"typ of a consent", header(`{"alg":"EdDSA","typ":"handover-consent+jwt","kid":%q}`, kid)},
		{"typ of an access token", header(`{"alg":"EdDSA","typ":"at+jwt","kid":%q}`, kid)},
		{"typ in capitals", header(`{"alg":"EdDSA","typ":"Handover-Envelope+JWT","kid":%q}`, kid)},
		{"typ with its tree", header(`{"alg":"EdDSA","typ":"application/handover-envelope+jwt","kid":%q}`, kid)},
		{"no alg", header(`{"typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"alg none", header(`{"alg":"none","typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"alg none, unsigned", b64([]byte(`{"alg":"none","typ":"handover-envelope+jwt","kid":"k"}`)) + "." + parts[1] + "."},
		{"alg HS256", header(`{"alg":"HS256","typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"alg RS256", header(`{"alg":"RS256","typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"alg PS256", header(`{"alg":"PS256","typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"PS256, rightly signed", signHeader(t, fmt.Sprintf(`{"alg":"PS256","typ":"handover-envelope+jwt","kid":%q}`, ps.KeyID()), payload, ps)},
		{"alg ES384", header(`{"alg":"ES384","typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"alg Ed25519", header(`{"alg":"Ed25519","typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"alg in small letters", header(`{"alg":"eddsa","typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"no kid", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt"}`)},
		{"empty kid", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":""}`)},
		{"kid with a path", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":"../../key"}`)},
		{"kid too long", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":%q}`, strings.Repeat("k", 129))},
		{"crit", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":%q,"crit":["exp"],"exp":1}`, kid)},
		{"empty crit", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":%q,"crit":[]}`, kid)},
		{"b64 false", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":%q,"b64":false}`, kid)},
		{"its own key", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":%q,"jwk":%s}`, kid, must(ed.Public().MarshalJSON()))},
		{"its own address of keys", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":%q,"jku":"https://charity.example/keys"}`, kid)},
		{"a certificate", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":%q,"x5c":[]}`, kid)},
		{"cty", header(`{"alg":"EdDSA","typ":"handover-envelope+jwt","kid":%q,"cty":"json"}`, kid)},
		{"alg twice", header(`{"alg":"none","alg":"EdDSA","typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"alg twice, once escaped", header(`{"alg":"EdDSA","\u0061lg":"EdDSA","typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"alg in capitals", header(`{"ALG":"EdDSA","typ":"handover-envelope+jwt","kid":%q}`, kid)},
		{"detached payload", parts[0] + ".." + parts[2]},
		{"no signature", parts[0] + "." + parts[1] + "."},
		{"no third part", parts[0] + "." + parts[1]},
		{"a fourth part", good + "." + parts[2]},
		{"a signature too short", good[:len(good)-2]},
		{"a signature of P-521", parts[0] + "." + parts[1] + "." + b64(make([]byte, 132))},
		{"padded", good + "=="},
		{"a line break", parts[0] + ".\n" + parts[1] + "." + parts[2]},
		{"white space around", " " + good},
		{"standard alphabet", parts[0] + "." + parts[1] + "." + base64.RawStdEncoding.EncodeToString(bytesOfSignature(t, good, "-_"))},
		{"JSON serialization", fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, parts[0], parts[1], parts[2])},
		{"a sealed token", must(jose.Encrypt([]byte(payload), recipientP256().Public(), "json"))},
		{"ES256, typ JWT", signHeader(t, fmt.Sprintf(`{"alg":"ES256","typ":"JWT","kid":%q}`, ec.KeyID()), payload, ec)},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := packet.ParseEnvelope(row.token)
			refused(t, err, packet.ErrEnvelope)
			if row.token == "" {
				return
			}
			_, err = packet.Read(bytesOf(t, packet.Packet{Envelope: row.token}))
			refused(t, err, packet.ErrEnvelope)
		})
	}
}

// packetClaims is the payload of an honest step without content.
func packetClaims(t testing.TB) ([]byte, error) { return jsonOf(honest(t, "accept")) }

// bytesOfSignature signs until the signature has a character that only one of the
// two alphabets has, so that the row cannot pass for want of one.
func bytesOfSignature(t testing.TB, token, characters string) []byte {
	t.Helper()
	i := strings.LastIndexByte(token, '.')
	sig := must(base64.RawURLEncoding.DecodeString(token[i+1:]))
	for !strings.ContainsAny(b64(sig), characters) {
		sig = append([]byte{0xff}, sig[:63]...)
	}
	return sig
}

func TestClaimsThatAreNotStrictJSONAreRefused(t *testing.T) {
	good := string(must(packetClaims(t)))
	tail := func(members string) string { return strings.TrimSuffix(good, "}") + "," + members + "}" }
	for _, row := range []struct{ name, payload string }{
		{"no JSON", "handover"},
		{"an array", "[" + good + "]"},
		{"a string", `"claims"`},
		{"a name twice", tail(`"act":"user-8"`)},
		{"a name twice, once escaped", tail(`"\u0061ct":"user-8"`)},
		{"an unknown claim", tail(`"nbf":1`)},
		{"an unknown claim in the basis", tail(`"basis":{"consent":"` + consent + `","digest":"` + ids.Digest("r") + `","police":"x"}`)},
		{"an unknown member of a section", tail(`"sections":{"note":{"ct":"` + ids.Digest("c") + `","pt":"` + ids.Digest("p") + `","size":9}}`)},
		{"a section twice", tail(`"sections":{"note":{},"note":{}}`)},
		{"a claim in capitals", strings.Replace(good, `"iss"`, `"ISS"`, 1)},
		{"a claim in other case", tail(`"Reason":"other"`)},
		{"a second document", good + "{}"},
		{"a byte after it", good + "\x00"},
		{"a byte order mark", "\ufeff" + good},
		{"invalid UTF-8", strings.Replace(good, "user-7", "user\xff", 1)},
		{"half a surrogate pair", strings.Replace(good, "user-7", `user\ud800`, 1)},
		{"iat as text", strings.Replace(good, fmt.Sprint(now.Add(-time.Minute).Unix()), `"1"`, 1)},
		{"iat as a fraction", strings.Replace(good, fmt.Sprint(now.Add(-time.Minute).Unix()), `1790000000.5`, 1)},
		{"iat with an exponent", strings.Replace(good, fmt.Sprint(now.Add(-time.Minute).Unix()), `1e9`, 1)},
		{"iat over 64 bits", strings.Replace(good, fmt.Sprint(now.Add(-time.Minute).Unix()), `9223372036854775808`, 1)},
		{"aud as an array", strings.Replace(good, `"borough"`, `["borough"]`, 1)},
		{"iss as an object", strings.Replace(good, `"charity"`, `{}`, 1)},
		{"cut short", good[:len(good)-1]},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.payload == good {
				t.Fatal("the row changes nothing")
			}
			_, err := packet.ParseEnvelope(sign(t, []byte(row.payload), signingEd25519()))
			refused(t, err, packet.ErrEnvelope)
		})
	}
}

func TestEnvelopeOver16KiBIsRefusedBeforeAnythingElse(t *testing.T) {
	// The hub's name is the one claim without a length of its own.
	padded := func(n int) string {
		return honest(t, "accept").with("hub", "https://"+strings.Repeat("h", n)+".example").sign(t, signingEd25519())
	}
	pad := (packet.EnvelopeLimit - len(padded(1))) / 4 * 3
	exact := ""
	for next := padded(pad); len(next) <= packet.EnvelopeLimit; next = padded(pad) {
		exact, pad = next, pad+1
	}
	if len(exact) < packet.EnvelopeLimit-2 {
		t.Fatalf("the longest that fits has %d bytes", len(exact))
	}
	if _, err := packet.ParseEnvelope(exact); err != nil {
		t.Errorf("%d bytes: %v", len(exact), err)
	}
	for _, over := range []string{exact + strings.Repeat("A", packet.EnvelopeLimit+1-len(exact)), strings.Repeat("A", packet.EnvelopeLimit+1)} {
		_, err := packet.ParseEnvelope(over)
		refused(t, err, packet.ErrTooLarge)
		_, err = packet.Read(bytesOf(t, packet.Packet{Envelope: over}))
		refused(t, err, packet.ErrTooLarge)
	}
}

func TestSignatureOfAnotherIsRefused(t *testing.T) {
	ed, ec := signingEd25519(), signingP256()
	mine := honest(t, "accept").sign(t, ed)
	mineES := honest(t, "accept").sign(t, ec)
	other := must(jose.Generate(jose.EdDSA, jose.Ed25519))
	otherES := must(jose.Generate(jose.ES256, jose.P256))
	parts, forged := strings.Split(mine, "."), strings.Split(honest(t, "accept").with("aud", "police").sign(t, ed), ".")
	for _, row := range []struct {
		name, token string
		key         jose.PublicKey
	}{
		{"another key under the same kid", mine, renamed(t, other, ed.KeyID())},
		{"another P-256 key under the same kid", mineES, renamed(t, otherES, ec.KeyID())},
		{"another key", mine, other.Public()},
		{"the same key under another kid", mine, renamed(t, ed, "old")},
		{"a P-256 key for EdDSA", mine, renamed(t, ec, ed.KeyID())},
		{"an Ed25519 key for ES256", mineES, renamed(t, ed, ec.KeyID())},
		{"an RSA key for EdDSA", mine, renamed(t, must(jose.Generate(jose.PS256, jose.NoCurve)), ed.KeyID())},
		{"a key for sealing", mineES, renamed(t, recipientP256(), ec.KeyID())},
		{"no key", mine, jose.PublicKey{}},
		{"the signature of another envelope", parts[0] + "." + parts[1] + "." + forged[2], ed.Public()},
		{"other claims under the signature", parts[0] + "." + forged[1] + "." + parts[2], ed.Public()},
		{"a signature of zeros", parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)), ed.Public()},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := packet.ParseEnvelope(row.token)
			if err != nil {
				t.Fatal(err)
			}
			e, err := s.Verify(row.key)
			refused(t, err, packet.ErrSignature)
			if e.Digest() != "" || e.Issuer != "" {
				t.Error("a refused envelope is returned")
			}
		})
	}
	if _, err := (packet.Statement{}).Verify(ed.Public()); err == nil {
		t.Error("the zero statement verifies")
	}
}

// renamed is the public part of key under another kid.
func renamed(t testing.TB, key jose.PrivateKey, kid string) jose.PublicKey {
	t.Helper()
	jwk := strings.Replace(string(must(key.Public().MarshalJSON())), fmt.Sprintf("%q", key.KeyID()), fmt.Sprintf("%q", kid), 1)
	return must(jose.ParsePublicKey([]byte(jwk)))
}

func TestEnvelopeCountsAtItsHubAndInItsTime(t *testing.T) {
	at := now.Unix()
	day, most := int64(24*60*60), int64(90*24*60*60)
	for _, row := range []struct {
		name     string
		hub      string
		iat, exp int64
		at       time.Time
		want     error
	}{
		{"now", hub, at, at + 60, now, nil},
		{"staging", "https://staging.hub.example", at, at + 60, now, packet.ErrHub},
		{"a slash more", hub + "/", at, at + 60, now, packet.ErrHub},
		{"without TLS", "http://hub.example", at, at + 60, now, packet.ErrHub},
		{"capitals", "https://HUB.example", at, at + 60, now, packet.ErrHub},
		{"its name begins alike", hub + ".evil.example", at, at + 60, now, packet.ErrHub},
		{"60 s ahead", hub, at + 60, at + 120, now, nil},
		{"61 s ahead", hub, at + 61, at + 120, now, packet.ErrStale},
		{"60 s ahead, half a second later", hub, at + 61, at + 120, now.Add(time.Second / 2), packet.ErrStale},
		{"24 h old", hub, at - day, at + 60, now, nil},
		{"24 h and 1 s old", hub, at - day - 1, at + 60, now, packet.ErrStale},
		{"24 h and half a second old", hub, at - day, at + 60, now.Add(time.Second / 2), packet.ErrStale},
		{"of 1970", hub, 1, at + 60, now, packet.ErrStale},
		{"at the end of time", hub, math.MaxInt64 - 1, math.MaxInt64, now, packet.ErrStale},
		{"expires in a second", hub, at, at + 1, now, nil},
		{"expires now", hub, at - 5, at, now, packet.ErrExpired},
		{"expired a second ago", hub, at - 5, at - 1, now, packet.ErrExpired},
		{"within the last second", hub, at, at + 1, now.Add(time.Second - 1), nil},
		{"90 days", hub, at, at + most, now, nil},
		{"90 days and a second", hub, at, at + most + 1, now, packet.ErrExpired},
		{"90 days from now but not from iat", hub, at - 60, at + most, now, packet.ErrExpired},
		{"expires at the end of time", hub, at, math.MaxInt64, now, packet.ErrExpired},
		{"expires where the clock wraps", hub, at, math.MaxInt64 - 62135596800, now, packet.ErrExpired},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := honest(t, "accept").with("hub", row.hub).with("iat", row.iat).with("exp", row.exp)
			body := bytesOf(t, packet.Packet{Envelope: m.sign(t, signingEd25519())})
			o, err := open(body, signingEd25519().Public(), hub, row.at)
			if err != row.want {
				t.Errorf("got %v, want %v", err, row.want)
			}
			if (err == nil) != (o.Digest() != "") {
				t.Errorf("packet %q with error %v", o.Digest(), err)
			}
		})
	}
}

// What is not signed is believed in nothing, not even in whom it is for.
func TestSignatureIsLookedAtBeforeHubAndTime(t *testing.T) {
	m := honest(t, "accept").with("hub", "https://staging.hub.example").with("iat", 1)
	body := bytesOf(t, packet.Packet{Envelope: m.sign(t, signingEd25519())})
	_, err := open(body, renamed(t, must(jose.Generate(jose.EdDSA, jose.Ed25519)), signingEd25519().KeyID()), hub, now)
	refused(t, err, packet.ErrSignature)
}

func TestEnvelopeIsKnownByItsDigest(t *testing.T) {
	for _, e := range everyEvent {
		token := honest(t, e).sign(t, signingP256())
		s := must(packet.ParseEnvelope(token))
		v := verified(t, token, signingP256())
		if s.Digest() != ids.Digest(token) || v.Digest() != ids.Digest(token) || v.Token() != token || s.KeyID() != signingP256().KeyID() {
			t.Errorf("%s: digest %s and %s, kid %s", e, s.Digest(), v.Digest(), s.KeyID())
		}
		want := ids.Digest("the request")
		if e == packet.Request {
			want = ids.Digest(token)
		}
		if v.ReferralID() != want {
			t.Errorf("%s belongs to %s, want %s", e, v.ReferralID(), want)
		}
		if s.Unverified().ID != jti || v.ID != jti {
			t.Errorf("%s: claims are lost", e)
		}
	}
}

// An ES256 signature (r, s) has a twin (r, n−s) that anyone can compute. It signs the
// same claims and has another digest. So whether a packet was seen before is asked by
// iss and jti; the digest names one envelope, it does not make it the only one.
func TestTwinSignatureIsTheSameStatement(t *testing.T) {
	token := honest(t, "request").sign(t, signingP256())
	i := strings.LastIndexByte(token, '.') + 1
	sig := must(base64.RawURLEncoding.DecodeString(token[i:]))
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	twin := verified(t, token[:i]+b64(sig), signingP256())
	first := verified(t, token, signingP256())
	if diff := cmp.Diff(first.Claims, twin.Claims); diff != "" {
		t.Error(diff)
	}
	if first.Digest() == twin.Digest() || first.ReferralID() == twin.ReferralID() {
		t.Error("the twin has the same digest, so it is not one")
	}
}
