package packet_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"handover/internal/fault"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

func TestPacketThatIsNotStrictJSONIsRefused(t *testing.T) {
	p := sealed(t, "request")
	good := string(bytesOf(t, p))
	tail := func(members string) string { return strings.TrimSuffix(good, "}") + "," + members + "}" }
	for _, row := range []struct{ name, body string }{
		{"nothing", ""},
		{"white space", " \n"},
		{"no JSON", "a packet"},
		{"an array", "[" + good + "]"},
		{"the envelope alone", p.Envelope},
		{"the envelope alone, as text", fmt.Sprintf("%q", p.Envelope)},
		{"a name twice", tail(`"envelope":"x"`)},
		{"a name twice, once escaped", tail(`"\u0065nvelope":"x"`)},
		{"sections twice", tail(`"sections":{}`)},
		{"a section twice", strings.Replace(good, `"sections":{`, `"sections":{"need":"x",`, 1)},
		{"a section twice, once escaped", strings.Replace(good, `"sections":{`, `"sections":{"n\u0065ed":"x",`, 1)},
		{"a copy twice", strings.Replace(good, `"copies":{`, `"copies":{"need":"x",`, 1)},
		{"an unknown member", tail(`"attachments":{}`)},
		{"an unknown member of nothing", tail(`"":0`)},
		{"envelope in capitals", strings.Replace(good, `"envelope"`, `"Envelope"`, 1)},
		{"sections in capitals", strings.Replace(good, `"sections"`, `"SECTIONS"`, 1)},
		{"a second document", good + good},
		{"a byte after it", good + "\x00"},
		{"a word after it", good + " null"},
		{"a byte order mark", "\ufeff" + good},
		{"invalid UTF-8 in a name", strings.Replace(good, `"need"`, "\"nee\xe4\"", 1)},
		{"invalid UTF-8 in a section", strings.Replace(good, `"need":"`, "\"need\":\"\xff", 1)},
		{"half a surrogate pair", strings.Replace(good, `"need":"`, `"need":"\udc00`, 1)},
		{"a line break in a string", strings.Replace(good, `"envelope":"`, "\"envelope\":\"\n", 1)},
		{"the envelope as an object", `{"envelope":{}}`},
		{"the envelope as a number", `{"envelope":1}`},
		{"sections as an array", strings.Replace(good, `"sections":{`, `"sections":[],"x":{`, 1)},
		{"a section as an object", strings.Replace(good, `"sections":{`, `"sections":{"risk":{},`, 1)},
		{"a section as an array", strings.Replace(good, `"sections":{`, `"sections":{"risk":["x"],`, 1)},
		{"a comment", good + "// end"},
		{"a comma too many", strings.TrimSuffix(good, "}") + ",}"},
		{"cut short", good[:len(good)-1]},
		{"nested without end", strings.Repeat(`{"sections":`, 20000)},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.body == good {
				t.Fatal("the row changes nothing")
			}
			_, err := packet.Read([]byte(row.body))
			refused(t, err, packet.ErrMalformed)
		})
	}
}

// A packet has more spellings than one: its JSON is not signed, its parts are. All of
// them are the same packet.
func TestOtherSpellingsAreTheSamePacket(t *testing.T) {
	p := sealed(t, "message")
	good := string(bytesOf(t, p))
	for _, row := range []struct{ name, body string }{
		{"as Bytes writes it", good},
		{"white space between tokens", " \t\r\n" + strings.NewReplacer(`":`, "\" :\n", `,"`, " ,\t\"").Replace(good) + "\n"},
		{"escapes", strings.NewReplacer(`"envelope"`, `"\u0065nvelope"`, `"note"`, `"n\u006fte"`).Replace(good)},
		{"another order", fmt.Sprintf(`{"copies":{"note":%q},"sections":{"note":%q},"envelope":%q}`, p.Copies["note"], p.Sections["note"], p.Envelope)},
	} {
		t.Run(row.name, func(t *testing.T) {
			o, err := open([]byte(row.body), signingEd25519().Public(), hub, now)
			if err != nil {
				t.Fatal(err)
			}
			if !same(packetOf(o), p) || string(bytesOf(t, packetOf(o))) != good {
				t.Error("another packet")
			}
		})
	}
}

func TestSectionThatIsNoSuchJWEIsRefusedByName(t *testing.T) {
	p := sealed(t, "request")
	to := recipientX25519().KeyID()
	parts := strings.Split(p.Sections["need"], ".")
	epk := `{"kty":"OKP","crv":"X25519","x":"` + b64([]byte(strings.Repeat("\x09", 32))) + `"}`
	header := func(format string, args ...any) string {
		return b64(fmt.Appendf(nil, format, args...)) + "." + strings.Join(parts[1:], ".")
	}
	if good := header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":%q,"cty":"json","epk":%s}`, to, epk); readWith(t, p, good) != nil {
		t.Fatalf("the section that the rows change is refused itself: %v", readWith(t, p, good))
	}
	for _, row := range []struct{ name, jwe string }{
		{"nothing", ""},
		{"plain text", `{"iss":"charity"}`},
		{"a JWS", p.Envelope},
		{"four parts", strings.Join(parts[:4], ".")},
		{"six parts", p.Sections["need"] + ".x"},
		{"no ciphertext", strings.Join([]string{parts[0], parts[1], parts[2], "", parts[4]}, ".")},
		{"a short tag", strings.Join([]string{parts[0], parts[1], parts[2], parts[3], "AAAA"}, ".")},
		{"a long nonce", strings.Join([]string{parts[0], parts[1], parts[2] + "AAAA", parts[3], parts[4]}, ".")},
		{"no wrapped key", strings.Join([]string{parts[0], "", parts[2], parts[3], parts[4]}, ".")},
		{"zip", header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":%q,"cty":"json","zip":"DEF","epk":%s}`, to, epk)},
		{"no kid", header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","cty":"json","epk":%s}`, epk)},
		{"no cty", header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":%q,"epk":%s}`, to, epk)},
		{"no epk", header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":%q,"cty":"json"}`, to)},
		{"epk of low order", header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":%q,"cty":"json","epk":{"kty":"OKP","crv":"X25519","x":%q}}`, to, b64(make([]byte, 32)))},
		{"epk off its curve", header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":%q,"cty":"json","epk":{"kty":"EC","crv":"P-256","x":%q,"y":%q}}`, to, b64(make([]byte, 32)), b64(make([]byte, 32)))},
		{"dir", header(`{"alg":"dir","enc":"A256GCM","kid":%q,"cty":"json","epk":%s}`, to, epk)},
		{"ECDH-ES without wrapping", header(`{"alg":"ECDH-ES","enc":"A256GCM","kid":%q,"cty":"json","epk":%s}`, to, epk)},
		{"RSA-OAEP", header(`{"alg":"RSA-OAEP","enc":"A256GCM","kid":%q,"cty":"json","epk":%s}`, to, epk)},
		{"A128CBC-HS256", header(`{"alg":"ECDH-ES+A256KW","enc":"A128CBC-HS256","kid":%q,"cty":"json","epk":%s}`, to, epk)},
		{"crit", header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":%q,"cty":"json","crit":["x"],"epk":%s}`, to, epk)},
		{"typ", header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":%q,"cty":"json","typ":"JOSE","epk":%s}`, to, epk)},
		{"apu", header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":%q,"cty":"json","apu":"AAAA","epk":%s}`, to, epk)},
		{"kid twice", header(`{"alg":"ECDH-ES+A256KW","enc":"A256GCM","kid":"x","kid":%q,"cty":"json","epk":%s}`, to, epk)},
		{"JSON serialization", `{"protected":"","ciphertext":""}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			refused(t, readWith(t, p, row.jwe), packet.ErrSection, "section", "need")
			copied := p
			copied.Copies = maps.Clone(p.Copies)
			copied.Copies["safe-contact"] = row.jwe
			_, err := packet.Read(bytesOf(t, copied))
			refused(t, err, packet.ErrSection, "section", "safe-contact")
		})
	}
}

// readWith reads p with another section in the place of need.
func readWith(t testing.TB, p packet.Packet, jwe string) error {
	t.Helper()
	p.Sections = maps.Clone(p.Sections)
	p.Sections["need"] = jwe
	_, err := packet.Read(bytesOf(t, p))
	return err
}

// A sender may by mistake name a section after her, and refusals are logged.
func TestRefusalNamesNoSectionThatIsNoCode(t *testing.T) {
	for _, name := range []string{"jane-roe", "Jane Roe", "need ", "", strings.Repeat("n", 1000)} {
		p := sealed(t, "request")
		p.Sections[name] = "x"
		_, err := packet.Read(bytesOf(t, p))
		refused(t, err, packet.ErrSection, "section", "?")
	}
}

func TestPacketOverItsSizesIsRefused(t *testing.T) {
	p := sealed(t, "request")
	body := string(bytesOf(t, p))
	fill := func(n int) string { return body + strings.Repeat(" ", n-len(body)) }
	if _, err := packet.Read([]byte(fill(packet.PacketLimit))); err != nil {
		t.Errorf("a packet of 4 MiB: %v", err)
	}
	_, err := packet.Read([]byte(fill(packet.PacketLimit + 1)))
	refused(t, err, packet.ErrTooLarge)

	exact := sectionOf(t, packet.SectionLimit)
	if err := readWith(t, p, exact); err != nil {
		t.Errorf("a section of %d bytes: %v", len(exact), err)
	}
	over := sectionOf(t, packet.SectionLimit+1)
	refused(t, readWith(t, p, over), packet.ErrTooLarge)
	p.Copies["need"] = over
	_, err = packet.Read(bytesOf(t, p))
	refused(t, err, packet.ErrTooLarge)
}

// sectionOf gives a token of n bytes that passes the gate.
func sectionOf(t testing.TB, n int) string {
	t.Helper()
	for kid := "k"; len(kid) < 9; kid += "k" {
		key := must(jose.ParsePublicKey([]byte(strings.Replace(string(must(recipientX25519().Public().MarshalJSON())),
			recipientX25519().KeyID(), kid, 1))))
		parts := strings.Split(must(jose.Encrypt([]byte("{}"), key, "json")), ".")
		missing := n - len(strings.Join(parts, ".")) + len(parts[3])
		if missing%4 == 1 {
			continue // no base64url has this length
		}
		parts[3] = strings.Repeat("A", missing)
		return strings.Join(parts, ".")
	}
	t.Fatal("no length fits")
	return ""
}

func TestPacketOfMoreThan24SectionsIsRefused(t *testing.T) {
	for _, part := range []string{"sections", "copies"} {
		for n, want := range map[int]*fault.Fault{24: packet.ErrManifest, 25: packet.ErrTooLarge} {
			p := sealed(t, "request")
			many := map[string]string{}
			for name, jwe := range p.Sections {
				many[name] = jwe
			}
			for i := len(many); i < n; i++ {
				many["extra-"+string(rune('a'+i))] = p.Sections["need"]
			}
			if part == "sections" {
				p.Sections = many
			} else {
				p.Copies = many
			}
			_, err := open(bytesOf(t, p), signingEd25519().Public(), hub, now)
			refused(t, err, want)
		}
	}
}

func TestPacketCarriesExactlyWhatWasSigned(t *testing.T) {
	p, other, bare := sealed(t, "request"), sealed(t, "request"), sealed(t, "accept")
	again, _ := sealRaw(t, plaintext("need", salt, `{}`), recipientX25519())
	for _, row := range []struct {
		name   string
		change func(p *packet.Packet)
	}{
		{"a section missing", func(p *packet.Packet) { delete(p.Sections, "need") }},
		{"a section and its copy missing", func(p *packet.Packet) { delete(p.Sections, "need"); delete(p.Copies, "need") }},
		{"all sections missing", func(p *packet.Packet) { p.Sections = nil }},
		{"nothing but the envelope", func(p *packet.Packet) { p.Sections, p.Copies = nil, nil }},
		{"a section too many", func(p *packet.Packet) { p.Sections["risk"] = p.Sections["need"] }},
		{"a section renamed", func(p *packet.Packet) { p.Sections["risk"] = p.Sections["need"]; delete(p.Sections, "need") }},
		{"a section in capitals", func(p *packet.Packet) { p.Sections["Need"] = p.Sections["need"]; delete(p.Sections, "need") }},
		{"two sections swapped", func(p *packet.Packet) {
			p.Sections["need"], p.Sections["safe-contact"] = p.Sections["safe-contact"], p.Sections["need"]
		}},
		{"one section twice", func(p *packet.Packet) { p.Sections["need"] = p.Sections["safe-contact"] }},
		{"a section of another packet", func(p *packet.Packet) { p.Sections["need"] = other.Sections["need"] }},
		{"all sections of another packet", func(p *packet.Packet) { p.Sections = other.Sections }},
		{"the envelope of another packet", func(p *packet.Packet) { p.Envelope = other.Envelope }},
		{"an envelope without sections", func(p *packet.Packet) { p.Envelope = bare.Envelope }},
		{"a section sealed again", func(p *packet.Packet) { p.Sections["need"] = again }},
		{"the copy for the section", func(p *packet.Packet) { p.Sections["need"] = p.Copies["need"] }},
		{"the section for the copy", func(p *packet.Packet) { p.Copies["need"] = p.Sections["need"] }},
		{"section and copy swapped", func(p *packet.Packet) {
			p.Sections["need"], p.Copies["need"] = p.Copies["need"], p.Sections["need"]
		}},
		{"a copy missing", func(p *packet.Packet) { delete(p.Copies, "need") }},
		{"all copies missing", func(p *packet.Packet) { p.Copies = nil }},
		{"a copy too many", func(p *packet.Packet) { p.Copies["risk"] = p.Copies["need"] }},
		{"a copy renamed", func(p *packet.Packet) { p.Copies["risk"] = p.Copies["need"]; delete(p.Copies, "need") }},
		{"two copies swapped", func(p *packet.Packet) {
			p.Copies["need"], p.Copies["safe-contact"] = p.Copies["safe-contact"], p.Copies["need"]
		}},
		{"a copy of another packet", func(p *packet.Packet) { p.Copies["need"] = other.Copies["need"] }},
		{"a bit of a tag", func(p *packet.Packet) { p.Sections["need"] = flipTag(p.Sections["need"]) }},
		{"a bit of a copy's tag", func(p *packet.Packet) { p.Copies["need"] = flipTag(p.Copies["need"]) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			cheat := packet.Packet{Envelope: p.Envelope, Sections: maps.Clone(p.Sections), Copies: maps.Clone(p.Copies)}
			row.change(&cheat)
			o, err := open(bytesOf(t, cheat), signingEd25519().Public(), hub, now)
			refused(t, err, packet.ErrManifest)
			if o.Digest() != "" || o.Issuer != "" || len(o.Names()) != 0 {
				t.Error("a refused packet is returned")
			}
		})
	}
	if _, err := open(bytesOf(t, p), signingEd25519().Public(), hub, now); err != nil {
		t.Errorf("the packet that the rows change: %v", err)
	}
}

// A step without content has no place for any.
func TestStepWithoutContentCarriesNone(t *testing.T) {
	p, request := sealed(t, "accept"), sealed(t, "request")
	for _, cheat := range []packet.Packet{
		{Envelope: p.Envelope, Sections: request.Sections},
		{Envelope: p.Envelope, Copies: request.Copies},
		{Envelope: p.Envelope, Sections: map[string]string{"note": request.Sections["need"]}},
	} {
		_, err := open(bytesOf(t, cheat), signingEd25519().Public(), hub, now)
		refused(t, err, packet.ErrManifest)
	}
}

// flipTag changes one bit of a token's last part.
func flipTag(token string) string {
	i := strings.LastIndexByte(token, '.') + 1
	c := byte('A')
	if token[i] == c {
		c = 'B'
	}
	return token[:i] + string(c) + token[i+1:]
}

func TestOpenedTellsWhatItCarries(t *testing.T) {
	p := sealed(t, "request")
	o, err := open(bytesOf(t, p), signingEd25519().Public(), hub, now)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"need", "safe-contact"}; !slices.Equal(o.Names(), want) {
		t.Errorf("names %v, want %v", o.Names(), want)
	}
	// The copies are to her own key, which is none of the recipient's.
	x25519, p256 := recipientX25519().Public(), recipientP256().Public()
	if !o.FitsOne([]jose.PublicKey{p256, x25519}) || o.FitsOne([]jose.PublicKey{p256}) || o.FitsOne(nil) {
		t.Error("the sections are sealed to the one key")
	}
	impostor := renamed(t, recipientP256(), x25519.KeyID())
	if o.FitsOne([]jose.PublicKey{impostor}) {
		t.Error("the sections fit a key of another curve with the same kid")
	}
	if jwe, own := o.Sealed("risk"); jwe != "" || own != "" {
		t.Error("a section that is not there is returned")
	}
	mixed := p
	mixed.Sections = maps.Clone(p.Sections)
	mixed.Sections["need"], _ = sealRaw(t, plaintext("need", salt, `{}`), recipientP256())
	c := claimsOf("request")
	c.Basis, c.Sections = basisOf(), map[string]packet.Sealing{}
	for name, jwe := range mixed.Sections {
		c.Sections[name] = packet.Sealing{Ciphertext: ids.Digest(jwe), Plaintext: ids.Digest(name)}
	}
	mixed.Envelope, mixed.Copies = membersOf(t, c).sign(t, signingEd25519()), nil
	if o, err = open(bytesOf(t, mixed), signingEd25519().Public(), hub, now); err != nil {
		t.Fatal(err)
	}
	if !o.FitsOne([]jose.PublicKey{x25519, p256}) || o.FitsOne([]jose.PublicKey{x25519}) {
		t.Error("each section is sealed to a key of its own")
	}
}
