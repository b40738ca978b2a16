package client

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/strict"
	"handover/referral/packet"
)

// Trust is what a document is verified with.
type Trust struct {
	LogKey LogKey           // the key of the hub's log; the zero LogKey takes a bundle's own
	Keys   map[string][]Key // public keys by partner id, for packets and consent records
}

// Verify checks a document offline, whatever it is: a receipt, a packet, a consent
// record (bare, or as RecordConsent and Consent return it) or a Bundle. The Findings
// say what was checked and what was found; the error is ErrVerification when
// anything does not hold, ErrDocument when it is no such document.
func Verify(document []byte, t Trust) (Findings, error) {
	document = bytes.TrimSpace(document)
	if !bytes.HasPrefix(document, []byte("{")) {
		return verifyConsent(string(document), t)
	}
	members := map[string]jsontext.Value{}
	if strict.Unmarshal(document, &members) != nil {
		return Findings{}, ErrDocument
	}
	has := func(name string) bool { return members[name] != nil }
	switch {
	case has("log_key") && has("events"):
		b, err := ParseBundle(document)
		if err != nil {
			return Findings{}, err
		}
		return b.Verify(t.LogKey)
	case has("envelope") && !has("proof"):
		return verifyPacket(document, t)
	case has("entry") && has("salt"):
		return verifyReceipt(document, t)
	case has("record"):
		var record string
		if strict.Unmarshal(members["record"], &record) != nil {
			return Findings{}, ErrDocument
		}
		return verifyConsent(record, t)
	}
	return Findings{}, ErrDocument
}

// verifyReceipt checks that what a receipt says is in the log.
func verifyReceipt(document []byte, t Trust) (Findings, error) {
	var r Receipt
	if strict.Unmarshal(document, &r) != nil {
		return Findings{}, ErrDocument
	}
	f := Findings{Document: "receipt"}
	if t.LogKey.Origin() == "" {
		f.fails("log", "a receipt is verified with the log's key, and none was given")
		return f, ErrVerification
	}
	entry, at, bad := openReceipt(r, t.LogKey)
	f.check("receipt", bad, "in the log %s as entry %d of %d: the inclusion proof leads to a tree that the log's key signed",
		t.LogKey.Origin(), at.index, at.size)
	if bad == "" {
		f.holds("entry", "%s", describe(entry.Act, entry.Partner, proof.Reference(entry.Referral), entry.State, entry.Consent, entry.Time))
		f.holds("entry", "everything else that the receipt says is what the entry says")
	}
	f.limit(limitView)
	f.limit("The receipt names the envelope by its digest; whose signature is on it, the packet or the bundle shows.")
	return f, f.verdict()
}

// describe says what an entry records.
func describe(act, partner, reference, state, consent string, at time.Time) string {
	said := partner + " did " + act
	for _, part := range []struct{ word, value string }{
		{"in the referral", reference}, {"on the consent", consent}, {"leading to the state", state},
	} {
		if part.value != "" {
			said += ", " + part.word + " " + part.value
		}
	}
	return said + ", on " + day(at)
}

// verifyPacket checks a packet: its form, its sender's signature, and that it holds
// exactly the sections that were signed. The sections themselves stay closed.
func verifyPacket(document []byte, t Trust) (Findings, error) {
	f := Findings{Document: "packet"}
	u, err := packet.Read(document)
	if err != nil {
		f.fails("packet", "%s", local(err))
		return f, ErrVerification
	}
	claims := u.Unverified()
	signed := time.Unix(claims.IssuedAt, 0)
	key, bad := t.find(claims.Issuer, u.KeyID(), signed)
	if bad != "" {
		f.fails("signature", "%s", bad)
		return f, ErrVerification
	}
	// The hub and the time of the reader are not what is asked here: whether it was
	// accepted in time, the receipt says.
	opened, err := u.Open(key.PublicKey, claims.Hub, signed)
	if err != nil {
		f.fails("packet", "%s", local(err))
		return f, ErrVerification
	}
	f.holds("signature", "%s signed a %s to %s for the hub %s with the key %s, which counted on %s and has not been revoked",
		claims.Issuer, claims.Event, claims.Audience, claims.Hub, key.KeyID(), day(signed))
	f.holds("sections", "the packet holds exactly the sections that were signed: %s", list(opened.Names()))
	f.limit(limitKeys)
	f.limit("Whether the hub took the packet, its receipt shows. What is in the sections, only the recipient can read.")
	return f, f.verdict()
}

// verifyConsent checks a signed consent record.
func verifyConsent(token string, t Trust) (Findings, error) {
	stated, err := record.ParseConsent(token)
	if err != nil {
		return Findings{}, ErrDocument
	}
	f := Findings{Document: "consent"}
	claims := stated.Unverified()
	key, bad := t.find(claims.Issuer, stated.KeyID(), time.Unix(claims.IssuedAt, 0))
	if bad == "" {
		if _, err := record.VerifyConsent(stated, key.PublicKey); err != nil {
			bad = "the signature is not that of " + claims.Issuer
		}
	}
	f.check("signature", bad, "%s signed it for the hub %s with the key %s", claims.Issuer, claims.Hub, key.KeyID())
	if bad == "" {
		f.holds("record", "%s on %s: %s, for %s, to %s, until %s", claims.Agreement, day(time.Unix(claims.GivenAt, 0)),
			list(claims.Sections), claims.Purpose, list(claims.Recipients), day(time.Unix(claims.Expires, 0)))
	}
	f.limit(limitKeys)
	f.limit(limitPeople)
	f.limit("Whether it has been withdrawn since, the record does not say: ask the hub.")
	return f, f.verdict()
}

// find finds the key that a statement names among those that are trusted, and says
// why it cannot count.
func (t Trust) find(partner, kid string, at time.Time) (Key, string) {
	key, ok := findKey(t.Keys[partner], kid)
	if !ok {
		return Key{}, fmt.Sprintf("not checked: no signing key %s of %s was given", kid, partner)
	}
	return key, key.doubt(at)
}

func sectionNames(c Claims) []string { return slices.Sorted(maps.Keys(c.Sections)) }

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
