package packet_test

import (
	"strings"
	"testing"

	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

// envelopeOver is an honest signer's envelope over sections whose manifest is right,
// whatever they hold.
func envelopeOver(t testing.TB, sections map[string]packet.Sealing) packet.Envelope {
	t.Helper()
	c := claimsOf("request")
	c.Basis, c.Sections = basisOf(), sections
	return verified(t, membersOf(t, c).sign(t, signingEd25519()), signingEd25519())
}

func TestContentThatDoesNotBelongIsRefused(t *testing.T) {
	data := `{"codes":["housing"]}`
	good := plaintext("need", salt, data)
	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, row := range []struct{ name, plain string }{
		{"from another sender", swap(`"iss":"charity"`, `"iss":"gp-practice"`)},
		{"for another recipient", swap(`"aud":"borough"`, `"aud":"police"`)},
		{"of another packet", swap(jti, "0199a000-0000-7000-8000-0000000000dd")},
		{"of the same packet in capitals", swap(jti, strings.ToUpper(jti))},
		{"under another name", swap(`"section":"need"`, `"section":"risk"`)},
		{"under no name", swap(`"section":"need",`, ``)},
		{"from nobody", swap(`"iss":"charity",`, ``)},
		{"for nobody", swap(`"aud":"borough",`, ``)},
		{"of no packet", swap(`"jti":"`+jti+`",`, ``)},
		{"without salt", swap(`"salt":"`+salt+`",`, ``)},
		{"with an empty salt", swap(salt, "")},
		{"with 15 bytes of salt", swap(salt, b64([]byte("fifteen bytes !")))},
		{"with 17 bytes of salt", swap(salt, b64([]byte("seventeen bytes !")))},
		{"with 32 bytes of salt", swap(salt, b64(make([]byte, 32)))},
		{"with padded salt", swap(salt, salt+"==")},
		{"with bits behind the salt", swap(salt, salt[:21]+"R")},
		{"with a line break in the salt", swap(salt, salt[:11]+`\n`+salt[11:])},
		{"with line breaks for part of the salt", swap(salt, strings.Repeat("A", 20)+`\n\n`)},
		{"without data", swap(`,"data":`+data, ``)},
		{"data null", swap(data, `null`)},
		{"data an array", swap(data, `[`+data+`]`)},
		{"data text", swap(data, `"housing"`)},
		{"data a number", swap(data, `7`)},
		{"data twice", swap(data, data+`,"data":{}`)},
		{"a name twice in data", swap(data, `{"a":1,"a":2}`)},
		{"an unknown member", swap(`"data"`, `"sub":"x","data"`)},
		{"a member in capitals", swap(`"data"`, `"DATA"`)},
		{"a second document", good + "{}"},
		{"invalid UTF-8", swap(`housing`, "hous\xffing")},
		{"no JSON", "she needs a room"},
		{"an array", "[" + good + "]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.plain == good {
				t.Fatal("the row changes nothing")
			}
			jwe, line := sealRaw(t, row.plain, recipientX25519())
			e := envelopeOver(t, map[string]packet.Sealing{"need": line})
			content, err := e.Unseal("need", jwe, recipientX25519())
			refused(t, err, packet.ErrUnseal, "section", "need")
			if content != nil {
				t.Error("refused content is returned")
			}
		})
	}
	long, line := sealRaw(t, plaintext("need", salt, `{"words":"`+strings.Repeat("x", packet.SectionLimit/4*3)+`"}`), recipientX25519())
	_, err := envelopeOver(t, map[string]packet.Sealing{"need": line}).Unseal("need", long, recipientX25519())
	refused(t, err, packet.ErrUnseal, "section", "need") // right but for its size

	jwe, line := sealRaw(t, good, recipientX25519())
	got, err := envelopeOver(t, map[string]packet.Sealing{"need": line}).Unseal("need", jwe, recipientX25519())
	if err != nil || string([]byte(got)) != data {
		t.Errorf("the content that the rows change: %v", err)
	}
}

func TestSectionOpensOnlyAsItWasSigned(t *testing.T) {
	mine := recipientX25519()
	need, needLine := sealRaw(t, plaintext("need", salt, `{}`), mine)
	risk, riskLine := sealRaw(t, plaintext("risk", salt, `{"a":1}`), mine)
	again, _ := sealRaw(t, plaintext("need", salt, `{}`), mine)
	lied := packet.Sealing{Ciphertext: needLine.Ciphertext, Plaintext: riskLine.Plaintext}
	garbage := packet.Sealing{Ciphertext: ids.Digest("no JWE"), Plaintext: needLine.Plaintext}
	nothing := packet.Sealing{Ciphertext: ids.Digest(""), Plaintext: needLine.Plaintext}
	broken := packet.Sealing{Ciphertext: ids.Digest(flipTag(need)), Plaintext: needLine.Plaintext}
	long := sectionOf(t, packet.SectionLimit+1)
	tooLong := packet.Sealing{Ciphertext: ids.Digest(long), Plaintext: needLine.Plaintext}
	both := map[string]packet.Sealing{"need": needLine, "risk": riskLine}
	for _, row := range []struct {
		name     string
		manifest map[string]packet.Sealing
		section  string
		jwe      string
		key      jose.PrivateKey
	}{
		{"another key", both, "need", need, recipientP256()},
		{"another key of the same curve", both, "need", need, copyX25519()},
		{"another key under the same kid", both, "need", need, impostor(t, mine)},
		{"a key for signing", both, "need", need, signingEd25519()},
		{"no key", both, "need", need, jose.PrivateKey{}},
		{"another section's token", both, "need", risk, mine},
		{"under another section's name", both, "risk", need, mine},
		{"two sections swapped by the signer", map[string]packet.Sealing{"need": riskLine, "risk": needLine}, "need", risk, mine},
		{"sealed again, so not what was signed", both, "need", again, mine},
		{"not in the manifest", map[string]packet.Sealing{"risk": riskLine}, "need", need, mine},
		{"a name that does not exist", both, "Need", need, mine},
		{"pt of another plaintext", map[string]packet.Sealing{"need": lied}, "need", need, mine},
		{"signed but no JWE", map[string]packet.Sealing{"need": garbage}, "need", "no JWE", mine},
		{"signed but empty", map[string]packet.Sealing{"need": nothing}, "need", "", mine},
		{"signed but broken", map[string]packet.Sealing{"need": broken}, "need", flipTag(need), mine},
		{"signed but over the limit", map[string]packet.Sealing{"need": tooLong}, "need", long, mine},
		{"empty, where no copy was signed", both, "need", "", mine},
	} {
		t.Run(row.name, func(t *testing.T) {
			name := row.section
			if name == "Need" {
				name = "?"
			}
			content, err := envelopeOver(t, row.manifest).Unseal(row.section, row.jwe, row.key)
			refused(t, err, packet.ErrUnseal, "section", name)
			if content != nil {
				t.Error("refused content is returned")
			}
		})
	}
	if _, err := envelopeOver(t, both).Unseal("need", need, mine); err != nil {
		t.Errorf("the section that the rows change: %v", err)
	}
	_, err := (packet.Envelope{}).Unseal("need", need, mine)
	refused(t, err, packet.ErrUnseal, "section", "need")
}

// impostor is another key with the kid of k.
func impostor(t testing.TB, k jose.PrivateKey) jose.PrivateKey {
	t.Helper()
	other := copyX25519()
	return must(jose.ParsePrivateKey([]byte(strings.Replace(string(other.JWK()), other.KeyID(), k.KeyID(), 1))))
}

// A section that was honestly sealed stays where it was put: opened in any other
// packet, by whomever it was signed, it is refused.
func TestSectionCannotBeMoved(t *testing.T) {
	theirs := sealed(t, "request")
	original := verified(t, theirs.Envelope, signingEd25519())
	line := original.Sections["need"]
	for _, row := range []struct{ name, claim, value string }{
		{"into another packet of the sender", "jti", "0199a000-0000-7000-8000-0000000000dd"},
		{"into another sender's packet", "iss", "gp-practice"},
		{"into a packet for another partner", "aud", "police"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := honest(t, "request").with(row.claim, row.value).with("sections", members{"need": line})
			e := verified(t, m.sign(t, signingEd25519()), signingEd25519())
			_, err := e.Unseal("need", theirs.Sections["need"], recipientX25519())
			refused(t, err, packet.ErrUnseal, "section", "need")
			_, err = e.Unseal("need", theirs.Copies["need"], copyP256())
			refused(t, err, packet.ErrUnseal, "section", "need")
		})
	}
	t.Run("under another name", func(t *testing.T) {
		m := honest(t, "request").with("sections", members{"risk": line})
		e := verified(t, m.sign(t, signingEd25519()), signingEd25519())
		_, err := e.Unseal("risk", theirs.Sections["need"], recipientX25519())
		refused(t, err, packet.ErrUnseal, "section", "risk")
	})
}
