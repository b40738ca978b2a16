package packet_test

import (
	"maps"
	"strings"
	"testing"

	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

// mixed makes packets whose body is not what was signed.
func mixed(t testing.TB) []made {
	t.Helper()
	p, other := sealed(t, "request"), sealed(t, "request")
	body := func(what, why string, change func(p *packet.Packet)) made {
		cheat := packet.Packet{Envelope: p.Envelope, Sections: maps.Clone(p.Sections), Copies: maps.Clone(p.Copies)}
		change(&cheat)
		return refusal("manifest-mismatch", what, why, bytesOf(t, cheat))
	}
	return []made{
		body("missing", "A section that was signed is not there.", func(p *packet.Packet) { delete(p.Sections, "need") }),
		body("extra", "A section is there that was not signed.", func(p *packet.Packet) { p.Sections["risk"] = p.Sections["need"] }),
		body("swapped", "Two sections have changed places.", func(p *packet.Packet) {
			p.Sections["need"], p.Sections["safe-contact"] = p.Sections["safe-contact"], p.Sections["need"]
		}),
		body("other-packet", "A section comes from another packet of the same sender.", func(p *packet.Packet) { p.Sections["need"] = other.Sections["need"] }),
		body("copy-missing", "A copy that was signed is not there.", func(p *packet.Packet) { delete(p.Copies, "need") }),
		body("copy-extra", "A copy is there that was not signed.", func(p *packet.Packet) { p.Copies["risk"] = p.Copies["need"] }),
		body("copy-other-packet", "A copy comes from another packet of the same sender.", func(p *packet.Packet) { p.Copies["need"] = other.Copies["need"] }),
		body("copy-for-section", "Section and copy have changed places.", func(p *packet.Packet) {
			p.Sections["need"], p.Copies["need"] = p.Copies["need"], p.Sections["need"]
		}),
		body("tag", "One bit of a section was changed.", func(p *packet.Packet) { p.Sections["need"] = flipTag(p.Sections["need"]) }),
	}
}

// unreadable makes packets that open and hold a section that does not.
func unreadable(t testing.TB) []made {
	t.Helper()
	data := `{"codes":["housing"]}`
	good := plaintext("need", salt, data)
	packed := func(what, why, jwe string, line packet.Sealing) made {
		c := claimsOf("request")
		c.Basis, c.Sections = basisOf(), map[string]packet.Sealing{"need": line}
		m := refusal("section-unreadable", what, why, bytesOf(t, packet.Packet{
			Envelope: membersOf(t, c).sign(t, signingEd25519()), Sections: map[string]string{"need": jwe}}))
		m.Section, m.Recipient = "need", recipientX25519().JWK()
		return m
	}
	holds := func(what, why, old, new string) made {
		jwe, line := sealRaw(t, strings.Replace(good, old, new, 1), recipientX25519())
		return packed(what, why, jwe, line)
	}
	jwe, line := sealRaw(t, good, recipientX25519())
	other, _ := sealRaw(t, plaintext("risk", salt, data), recipientX25519())
	wrong, wrongLine := sealRaw(t, good, recipientP256())
	broken := line
	broken.Ciphertext = ids.Digest(flipTag(jwe))
	lied := line
	lied.Plaintext = ids.Digest(good + " ")
	moved := line
	moved.Ciphertext = ids.Digest(other)
	return []made{
		holds("other-sender", "The content names another sender.", `"iss":"charity"`, `"iss":"gp-practice"`),
		holds("other-recipient", "The content was sealed for another partner.", `"aud":"borough"`, `"aud":"police"`),
		holds("other-packet", "The content belongs to another packet.", jti, "0199a000-0000-7000-8000-0000000000dd"),
		holds("other-section", "The content is another section's.", `"section":"need"`, `"section":"risk"`),
		holds("salt-short", "The salt has 15 bytes.", salt, b64([]byte("fifteen bytes !"))),
		holds("salt-spelling", "The salt has bits behind its last byte.", salt, salt[:21]+"R"),
		holds("no-salt", "There is no salt, so pt could be guessed.", `"salt":"`+salt+`",`, ``),
		holds("data-array", "data is not an object.", data, `[`+data+`]`),
		holds("data-name-twice", "One name twice in data.", data, `{"a":1,"a":2}`),
		holds("unknown-member", "The content has a member that the format does not have.", `"data"`, `"sub":"x","data"`),
		packed("pt", "The plaintext is not the one that was signed.", jwe, lied),
		packed("pt-moved", "Another section's token under this one's pt.", other, moved),
		packed("other-key", "The section is sealed to another key than the recipient's.", wrong, wrongLine),
		packed("tag", "The section was broken before it was signed.", flipTag(jwe), broken),
		otherKid(t, packed, good),
	}
}

// otherKid is sealed to the recipient's key under another kid.
func otherKid(t testing.TB, packed func(what, why, jwe string, line packet.Sealing) made, plain string) made {
	t.Helper()
	jwe, err := jose.Encrypt([]byte(plain), renamed(t, recipientX25519(), "test-only-other"), "json")
	if err != nil {
		t.Fatal(err)
	}
	return packed("other-kid", "The section names another key; the kid is part of what is sealed.", jwe,
		packet.Sealing{Ciphertext: ids.Digest(jwe), Plaintext: ids.Digest(plain)})
}
