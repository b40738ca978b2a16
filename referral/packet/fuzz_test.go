package packet_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/fault"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/referral/packet"
)

// Whatever comes, Read does not panic and refuses with a declared refusal. What it
// accepts is written again as an equal packet, and opens only if its envelope is one
// that the signer signed.
func FuzzRead(f *testing.F) {
	signed := map[string]bool{}
	for _, v := range sortedVectors(f) {
		body := v.body(f)
		f.Add(body)
		var p packet.Packet
		if strict.Unmarshal(body, &p) == nil {
			signed[p.Envelope] = true
		}
	}
	keys := []jose.PublicKey{signingEd25519().Public(), signingP256().Public()}
	f.Fuzz(func(t *testing.T, body []byte) {
		u, err := packet.Read(body)
		if err != nil {
			declared(t, err)
			return
		}
		var p packet.Packet
		if err := strict.Unmarshal(body, &p); err != nil {
			t.Fatalf("accepted, and not a packet: %v", err)
		}
		first := bytesOf(t, p)
		again, err := packet.Read(first)
		if err != nil || again.Digest() != u.Digest() {
			t.Fatalf("written again it is %s with %v", again.Digest(), err)
		}
		var second packet.Packet
		if err := strict.Unmarshal(first, &second); err != nil || !same(p, second) || !bytes.Equal(bytesOf(t, second), first) {
			t.Fatal("written again it is another packet")
		}
		for _, key := range keys {
			o, err := u.Open(key, hub, now)
			if err != nil {
				declared(t, err)
				continue
			}
			if !signed[o.Token()] {
				t.Fatal("an envelope is accepted that nobody signed")
			}
			if !bytes.Equal(bytesOf(t, packetOf(o)), first) {
				t.Fatal("opened, it is another packet")
			}
		}
	})
}

// Whatever comes, as a token or as the claims of one, ParseEnvelope does not panic
// and refuses with a declared refusal. What it accepts has one spelling as a token,
// and its claims are written again as claims that are accepted and equal.
func FuzzParseEnvelope(f *testing.F) {
	for _, v := range sortedVectors(f) {
		var p packet.Packet
		if strict.Unmarshal(v.body(f), &p) != nil {
			continue
		}
		f.Add(p.Envelope)
		if parts := strings.Split(p.Envelope, "."); len(parts) == 3 {
			payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
			f.Add(string(payload))
		}
	}
	f.Add("..")
	f.Fuzz(func(t *testing.T, input string) {
		hasOneMeaning(t, input)
		if input != "" {
			hasOneMeaning(t, sign(t, []byte(input), signingEd25519()))
		}
	})
}

// hasOneMeaning checks that the token is refused, or is accepted and written again
// as it was.
func hasOneMeaning(t *testing.T, token string) {
	t.Helper()
	s, err := packet.ParseEnvelope(token)
	if err != nil {
		declared(t, err)
		return
	}
	parts := strings.Split(token, ".")
	for i, part := range parts {
		parts[i] = b64(must(base64.RawURLEncoding.DecodeString(part)))
	}
	if again := strings.Join(parts, "."); again != token {
		t.Fatalf("%q has a second spelling, %q", token, again)
	}
	claims, err := strict.Marshal(s.Unverified())
	if err != nil {
		t.Fatal(err)
	}
	again, err := packet.ParseEnvelope(sign(t, claims, signingEd25519()))
	if errors.Is(err, packet.ErrTooLarge) {
		return // under a kid that is longer than the token's own
	}
	if err != nil {
		t.Fatalf("%s is written and not read: %v", claims, err)
	}
	if diff := cmp.Diff(normal(s.Unverified()), normal(again.Unverified())); diff != "" {
		t.Fatal(diff)
	}
}

// normal is c with an empty manifest as none, which is how it is written.
func normal(c packet.Claims) packet.Claims {
	if len(c.Sections) == 0 {
		c.Sections = nil
	}
	return c
}

func declared(t testing.TB, err error) {
	t.Helper()
	if _, ok := errors.AsType[*fault.Fault](err); !ok {
		t.Fatalf("refused with %v, which is no refusal", err)
	}
}

// sortedVectors are the vectors in the order of their names, so that seeds keep
// theirs.
func sortedVectors(t testing.TB) []vector {
	t.Helper()
	all := readVectors(t)
	var sorted []vector
	for _, name := range slices.Sorted(maps.Keys(all)) {
		sorted = append(sorted, all[name])
	}
	return sorted
}
