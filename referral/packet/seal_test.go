package packet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

// Whatever the event and the keys, what was sealed is what is read.
func TestSealedPacketsOpen(t *testing.T) {
	for _, signer := range []jose.PrivateKey{signingEd25519(), signingP256()} {
		for _, recipient := range []jose.PrivateKey{recipientX25519(), recipientP256()} {
			for _, copies := range []jose.PrivateKey{{}, copyX25519(), copyP256()} {
				for _, e := range everyEvent {
					t.Run(fmt.Sprintf("%s signed %s sealed %s copies %q", e, signer.Public().Curve(), recipient.Public().Curve(), copies.KeyID()),
						func(t *testing.T) { roundTrip(t, e, dataOf(e), signer, recipient, copies) })
				}
			}
		}
	}
}

func roundTrip(t testing.TB, event packet.Event, data map[string]packet.Content, signer, recipient, copies jose.PrivateKey) {
	t.Helper()
	c := claimsOf(event)
	if len(data) > 0 {
		c.Basis = basisOf()
	}
	to := packet.To{Recipient: recipient.Public()}
	if !copies.Public().IsZero() {
		pub := copies.Public()
		to.Copy = &pub
	}
	p, err := packet.Seal(c, data, to, signer.Signer(), now)
	if err != nil {
		t.Fatal(err)
	}
	body := bytesOf(t, p)
	o, err := open(body, signer.Public(), hub, now)
	if err != nil {
		t.Fatal(err)
	}
	if !same(packetOf(o), p) || !bytes.Equal(bytesOf(t, packetOf(o)), body) {
		t.Error("what is accepted is not written again as it was")
	}
	signed := o.Claims
	signed.Sections = nil
	if diff := cmp.Diff(c, signed); diff != "" {
		t.Error(diff)
	}
	if want := slices.Sorted(maps.Keys(data)); !slices.Equal(o.Names(), want) {
		t.Errorf("names %v, want %v", o.Names(), want)
	}
	for name, want := range data {
		jwe, own := o.Sealed(name)
		opens(t, o.Envelope, name, jwe, recipient, want)
		if (own == "") != (to.Copy == nil) {
			t.Errorf("copy of %d bytes", len(own))
		}
		if own != "" {
			opens(t, o.Envelope, name, own, copies, want)
			if _, err := o.Unseal(name, own, recipient); err == nil {
				t.Error("the recipient's key opens the sender's copy")
			}
		}
	}
}

func opens(t testing.TB, e packet.Envelope, name, jwe string, key jose.PrivateKey, want packet.Content) {
	t.Helper()
	got, err := e.Unseal(name, jwe, key)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	if compact(t, got) != compact(t, want) {
		t.Errorf("%s holds something else", name)
	}
}

// Any JSON object can be sealed in any class, and comes out with the same meaning.
func TestAnyObjectIsSealedAndOpened(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(codes.Sections().Codes()), 1, 4, rapid.ID[string]).Draw(r, "sections")
		data := map[string]packet.Content{}
		for _, name := range names {
			object := rapid.MapOfN(rapid.String(), anyJSON(), 0, 5).Draw(r, name)
			data[name] = must(json.Marshal(object))
		}
		p, err := packet.Seal(requestWithBasis(), data, packet.To{Recipient: recipientP256().Public()}, signingP256().Signer(), now)
		if err != nil {
			r.Fatal(err)
		}
		o, err := open(must(p.Bytes()), signingP256().Public(), hub, now)
		if err != nil {
			r.Fatal(err)
		}
		for name, want := range data {
			jwe, _ := o.Sealed(name)
			got, err := o.Unseal(name, jwe, recipientP256())
			if err != nil {
				r.Fatal(err)
			}
			var a, b any
			if json.Unmarshal(got, &a) != nil || json.Unmarshal(want, &b) != nil || !cmp.Equal(a, b) {
				r.Fatalf("%s: %s is not %s", name, []byte(got), []byte(want))
			}
		}
	})
}

func anyJSON() *rapid.Generator[any] {
	leaf := rapid.OneOf(rapid.String().AsAny(), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Float64Range(-1e300, 1e300).AsAny(), rapid.Just[any](nil))
	return rapid.OneOf(leaf, rapid.SliceOfN(leaf, 0, 3).AsAny(), rapid.MapOfN(rapid.String(), leaf, 0, 3).AsAny())
}

func requestWithBasis() packet.Claims {
	c := claimsOf("request")
	c.Basis = basisOf()
	return c
}

func TestSealChoosesWhatIsLeftOut(t *testing.T) {
	c := claimsOf("accept")
	c.ID, c.IssuedAt, c.Expires = "", 0, 0
	seen := map[string]bool{}
	for range 3 {
		p, err := packet.Seal(c, nil, packet.To{}, signingEd25519().Signer(), now)
		if err != nil {
			t.Fatal(err)
		}
		e := verified(t, p.Envelope, signingEd25519())
		if id := uuid.MustParse(e.ID); id.Version() != 7 || seen[e.ID] {
			t.Errorf("jti %s", e.ID)
		}
		seen[e.ID] = true
		if e.IssuedAt != now.Unix() || e.Expires != now.Add(28*24*time.Hour).Unix() {
			t.Errorf("iat %d, exp %d", e.IssuedAt, e.Expires)
		}
	}
}

// The salt keeps two equal sections from being seen to be equal, and pt from being
// guessed.
func TestEqualContentIsSealedDifferently(t *testing.T) {
	a, b := sealed(t, "message"), sealed(t, "message")
	ea, eb := verified(t, a.Envelope, signingEd25519()), verified(t, b.Envelope, signingEd25519())
	if a.Sections["note"] == b.Sections["note"] || ea.Sections["note"].Plaintext == eb.Sections["note"].Plaintext {
		t.Error("the same content is sealed alike twice")
	}
}

func TestSealMakesNoPacketThatWouldBeRefused(t *testing.T) {
	recipient := packet.To{Recipient: recipientX25519().Public()}
	object := packet.Content(`{"a":1}`)
	noBasis := claimsOf("request")
	foreign := claimsOf("accept")
	foreign.Purpose = "housing"
	for _, row := range []struct {
		name      string
		claims    packet.Claims
		data      map[string]packet.Content
		to        packet.To
		want      error
		extension []string
	}{
		{"nothing", requestWithBasis(), map[string]packet.Content{"need": nil}, recipient, packet.ErrSection, []string{"section", "need"}},
		{"no JSON", requestWithBasis(), map[string]packet.Content{"need": packet.Content("{she")}, recipient, packet.ErrSection, []string{"section", "need"}},
		{"an array", requestWithBasis(), map[string]packet.Content{"need": packet.Content("[]")}, recipient, packet.ErrSection, []string{"section", "need"}},
		{"null", requestWithBasis(), map[string]packet.Content{"need": packet.Content("null")}, recipient, packet.ErrSection, []string{"section", "need"}},
		{"text", requestWithBasis(), map[string]packet.Content{"need": packet.Content(`"x"`)}, recipient, packet.ErrSection, []string{"section", "need"}},
		{"a name twice", requestWithBasis(), map[string]packet.Content{"need": packet.Content(`{"a":1,"a":2}`)}, recipient, packet.ErrSection, []string{"section", "need"}},
		{"two objects", requestWithBasis(), map[string]packet.Content{"need": packet.Content(`{}{}`)}, recipient, packet.ErrSection, []string{"section", "need"}},
		{"no such section", requestWithBasis(), map[string]packet.Content{"jane-roe": object}, recipient, packet.ErrClaim, []string{"claim", "sections"}},
		{"a request without content", requestWithBasis(), nil, recipient, packet.ErrClaim, []string{"claim", "sections"}},
		{"content without basis", noBasis, map[string]packet.Content{"need": object}, recipient, packet.ErrClaim, []string{"claim", "basis"}},
		{"a claim of another event", foreign, nil, recipient, packet.ErrClaim, []string{"claim", "purpose"}},
		{"no key to seal to", requestWithBasis(), map[string]packet.Content{"need": object}, packet.To{}, jose.ErrKey, nil},
		{"a signing key to seal to", requestWithBasis(), map[string]packet.Content{"need": object}, packet.To{Recipient: signingP256().Public()}, jose.ErrAlgorithm, nil},
		{"a signing key for copies", requestWithBasis(), map[string]packet.Content{"need": object},
			packet.To{Recipient: recipientP256().Public(), Copy: pointer(signingP256().Public())}, jose.ErrAlgorithm, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			p, err := packet.Seal(row.claims, row.data, row.to, signingEd25519().Signer(), now)
			wants(t, err, row.want, row.extension)
			if p.Envelope != "" || p.Sections != nil {
				t.Error("part of a packet is returned")
			}
		})
	}
	if _, err := packet.Seal(claimsOf("accept"), nil, recipient, jose.SigningKey{}, now); err == nil {
		t.Error("sealed without a signing key")
	}
	listed := claimsOf("accept")
	listed.Sections = map[string]packet.Sealing{"note": {Ciphertext: ids.Digest("ct"), Plaintext: ids.Digest("pt")}}
	p, err := packet.Seal(listed, nil, recipient, signingEd25519().Signer(), now)
	if err != nil {
		t.Error(err)
	} else if _, err := open(bytesOf(t, p), signingEd25519().Public(), hub, now); err != nil {
		t.Errorf("sealed with a manifest that nothing was sealed for: %v", err)
	}
	invalid := claimsOf("accept")
	invalid.Act = "\xff"
	if _, err := packet.Seal(invalid, nil, recipient, signingEd25519().Signer(), now); err == nil {
		t.Error("sealed with invalid UTF-8")
	}
}

// Seal changes nothing of its caller's.
func TestSealLeavesTheClaimsAlone(t *testing.T) {
	c := requestWithBasis()
	c.Sections = map[string]packet.Sealing{"risk": {}}
	before := membersOf(t, c)
	if _, err := packet.Seal(c, dataOf("request"), packet.To{Recipient: recipientP256().Public()}, signingEd25519().Signer(), now); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, membersOf(t, c)); diff != "" {
		t.Error(diff)
	}
}

const canary = "Canary-Jane-Roe"

// However content is printed, logged or refused, only its length shows.
func TestContentNeverPrints(t *testing.T) {
	secret := packet.Content(`{"name":"` + canary + `"}`)
	shows := fmt.Sprintf("content of %d bytes", len(secret))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%U", "%c", "%t", "%10.3s", "% x"} {
		for name, v := range map[string]any{"value": secret, "pointer": &secret, "list": []packet.Content{secret},
			"map": map[string]packet.Content{"need": secret}, "struct": struct{ Need packet.Content }{secret}} {
			got := fmt.Sprintf(verb, v)
			if strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) || strings.Contains(got, "67 97 110") || !strings.Contains(got, shows) {
				t.Errorf("%s of a %s prints %s", verb, name, got)
			}
		}
	}
	if secret.String() != shows || secret.GoString() != shows || secret.LogValue().String() != shows {
		t.Error("String, GoString and LogValue differ")
	}
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).With("with", secret).WithGroup("group").Info("sealed", "content", secret, "pointer", &secret, slog.Group("in", "content", secret),
			"struct", struct{ Need packet.Content }{secret}, "map", map[string]packet.Content{"need": secret}, "list", []packet.Content{secret})
	}
	if n := strings.Count(log.String(), shows); strings.Contains(log.String(), canary) || n != 14 {
		t.Errorf("the log says %s", log.String())
	}
}

// What Seal refuses is answered without a word of what was to be sealed.
func TestRefusalsEchoNothing(t *testing.T) {
	recipient := packet.To{Recipient: recipientX25519().Public()}
	for _, data := range []map[string]packet.Content{
		{"need": packet.Content(canary)},
		{"need": packet.Content(`{"` + canary + `":1,"` + canary + `":2}`)},
		{"need": packet.Content(`{"a":"` + canary + "\xff" + `"}`)},
		{strings.ToLower(canary): packet.Content(`{}`)},
		{canary: packet.Content(`[]`)},
	} {
		_, err := packet.Seal(requestWithBasis(), data, recipient, signingEd25519().Signer(), now)
		if err == nil || strings.Contains(strings.ToLower(fmt.Sprintf("%v %+v %#v", err, err, err)), strings.ToLower(canary)) {
			t.Errorf("refused with %v", err)
		}
	}
	for _, m := range []members{
		honest(t, "request").with("sub", canary), honest(t, "request").with("purpose", canary), honest(t, "request").with(canary, canary),
		honest(t, "request").with("sections", members{canary: members{}}), honest(t, "request").with("iss", canary),
	} {
		err := m.parse(t)
		if err == nil || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
			t.Errorf("refused with %#v", err)
		}
	}
}

func pointer[T any](v T) *T { return &v }
