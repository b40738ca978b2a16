package packet_test

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"handover/keys/jose"
	"handover/referral/packet"
)

// TestMain makes the properties draw the same values in every run; -rapid.seed on the
// command line draws others.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.seed", "20261001"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// small is a packet with everything in it and as few bytes as can be.
func small(t testing.TB, signer jose.PrivateKey) (packet.Packet, []byte) {
	t.Helper()
	c, copies := requestWithBasis(), copyX25519().Public()
	p, err := packet.Seal(c, map[string]packet.Content{"need": packet.Content(`{}`)},
		packet.To{Recipient: recipientX25519().Public(), Copy: &copies}, signer.Signer(), now)
	if err != nil {
		t.Fatal(err)
	}
	return p, bytesOf(t, p)
}

// As Bytes writes it, a packet has no byte that can be another: every byte is signed,
// or hangs by a digest on what is, or is what makes it JSON.
func TestEveryChangedByteIsRefused(t *testing.T) {
	t.Parallel()
	for bit, signer := range map[byte]jose.PrivateKey{0x01: signingEd25519(), 0x20: signingP256()} {
		_, body := small(t, signer)
		for i, b := range body {
			cheat := bytes.Clone(body)
			cheat[i] = b ^ bit
			_, err := open(cheat, signer.Public(), hub, now)
			if err == nil {
				t.Fatalf("byte %d of %d, %q for %q, makes a packet that is accepted", i, len(body), b^bit, b)
			}
			declared(t, err)
		}
	}
}

// Nor can a byte be taken out. One can be put in only where JSON allows white space,
// between two tokens, and then it is the same packet.
func TestAddedAndRemovedBytes(t *testing.T) {
	t.Parallel()
	p, body := small(t, signingEd25519())
	accepted := 0
	for i := range len(body) + 1 {
		if i < len(body) {
			if _, err := open(slices.Delete(bytes.Clone(body), i, i+1), signingEd25519().Public(), hub, now); err == nil {
				t.Fatalf("without byte %d the packet is accepted", i)
			}
		}
		for _, more := range []byte{' ', 'A'} {
			o, err := open(slices.Insert(bytes.Clone(body), i, more), signingEd25519().Public(), hub, now)
			if err != nil {
				continue
			}
			accepted++
			if more != ' ' || !same(packetOf(o), p) {
				t.Fatalf("with %q before byte %d another packet is accepted", more, i)
			}
		}
	}
	// { "envelope" : "…" , "sections" : { "need" : "…" } , "copies" : { "need" : "…" } }
	// has 21 tokens and so 22 places.
	if accepted != 22 {
		t.Errorf("accepted with white space in %d places, want 22", accepted)
	}
}

// Whoever mixes the parts of two packets of one sender gets one of them, or nothing.
func TestMixedPacketsAreRefused(t *testing.T) {
	a, b := sealed(t, "request"), sealed(t, "request")
	rapid.Check(t, func(r *rapid.T) {
		pick := func(label string) (packet.Packet, bool) {
			switch rapid.IntRange(0, 7).Draw(r, label) {
			case 0:
				return packet.Packet{}, false
			case 1, 2:
				return b, true
			}
			return a, true
		}
		mixed := packet.Packet{Sections: map[string]string{}, Copies: map[string]string{}}
		if p, ok := pick("envelope"); ok {
			mixed.Envelope = p.Envelope
		}
		for name := range a.Sections {
			if p, ok := pick("section " + name); ok {
				mixed.Sections[name] = p.Sections[name]
			}
			if p, ok := pick("copy " + name); ok {
				mixed.Copies[name] = p.Copies[name]
			}
		}
		o, err := open(must(mixed.Bytes()), signingEd25519().Public(), hub, now)
		if whole := same(mixed, a) || same(mixed, b); (err == nil) != whole {
			r.Fatalf("whole %v, and opened with %v", whole, err)
		}
		if err == nil && !same(packetOf(o), mixed) {
			r.Fatal("opened as another packet")
		}
	})
}

// Bytes is a function of the packet: maps have no order, bytes have.
func TestTheSamePacketHasTheSameBytes(t *testing.T) {
	p := sealed(t, "request")
	first := bytesOf(t, p)
	for range 20 {
		again := packet.Packet{Envelope: p.Envelope, Sections: maps.Clone(p.Sections), Copies: maps.Clone(p.Copies)}
		if !bytes.Equal(bytesOf(t, again), first) {
			t.Fatal("other bytes")
		}
	}
	if bare := string(bytesOf(t, packet.Packet{Envelope: "x"})); bare != `{"envelope":"x"}` {
		t.Errorf("a packet without sections is %s", bare)
	}
}
