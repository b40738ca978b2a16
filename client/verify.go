package client

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/referral/packet"
)

// Trust is what a document is verified with.
type Trust struct {
	LogKey LogKey           // the key of the hub's log; the zero LogKey takes a bundle's own
	Policy Policy           // of the witnesses who must have cosigned each receipt's checkpoint; the zero Policy asks for none
	Keys   map[string][]Key // public keys by partner id, for packets and consent records
	Kept   [][]byte         // signed checkpoints that were kept, with which those of receipts must agree
}

// Verify checks a document offline, whatever it is: a receipt, a packet, a consent
// record (bare, or as RecordConsent and Consent return it) or a Bundle. The Findings
// say what was checked and what was found; the error is ErrVerification when
// anything does not hold, ErrDocument when it is no such document.
func Verify(document []byte, t Trust) (Findings, error) {
	key := t.LogKey
	t.LogKey = key.Witnessed(t.Policy) // no receipt is then taken without its witnesses
	f, err := verify(bytes.TrimSpace(document), t)
	if len(f.Checks) == 0 {
		return f, err
	}
	if b, err := ParseBundle(document); err == nil {
		if own, err := proof.ParseLogKey(b.LogKey); err == nil && key.Origin() == "" {
			key = own
		}
		key = lineOf(key, b.Successions)
	}
	f.agree(key, ReceiptCheckpoints(document), t.Kept)
	return f, f.verdict()
}

func verify(document []byte, t Trust) (Findings, error) {
	if !bytes.HasPrefix(document, []byte("{")) {
		return verifyConsent(string(document), nil, t)
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
		var c BundleConsent
		wanted := map[string]jsontext.Value{"record": members["record"], "receipt": members["receipt"]}
		if has("withdrawal") {
			wanted["withdrawal"] = members["withdrawal"]
		}
		if !has("receipt") || reread(wanted, &c) != nil {
			return Findings{}, ErrDocument
		}
		return verifyConsent(c.Record, &c, t)
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
	entry, at, bad := openReceipt(r, t.LogKey)
	f.check("receipt", bad, "in the log %s as entry %d of %d: the inclusion proof leads to a tree that the log's key signed",
		t.LogKey.Origin(), at.index, at.size)
	if bad == "" {
		f.holds("entry", "%s", describe(entry.Act, entry.Partner, ids.Reference(entry.Referral), entry.State, entry.Consent, entry.Time))
		f.holds("entry", "everything else that the receipt says is what the entry says")
	}
	if bad == "" && t.Policy.Demands() {
		f.holds("witnesses", "as many have cosigned that tree as your policy asks for: the hub has shown them this log and no other")
	} else {
		f.limit(limitView)
	}
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
	x := &examination{keys: t.Keys}
	key, bad := x.signed(claims.Issuer, u.KeyID(), claims.IssuedAt)
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
	f.custody("signature", key, claims.Issuer, claims.Act)
	f.holds("sections", "the packet holds exactly the sections that were signed: %s", list(opened.Names()))
	f.limit(limitKeys)
	f.limit("Whether the hub took the packet, its receipt shows. What is in the sections, only the recipient can read.")
	return f, f.verdict()
}

// verifyConsent checks a signed consent record, and with it, where there is one, its
// withdrawal and the receipt of the newer of the two.
func verifyConsent(token string, logged *BundleConsent, t Trust) (Findings, error) {
	stated, err := record.ParseConsent(token)
	if err != nil {
		return Findings{}, ErrDocument
	}
	x := &examination{keys: t.Keys, logKey: t.LogKey}
	x.Document = "consent"
	about := "consent " + stated.Unverified().ID
	x.agreement(about, stated)
	if logged != nil {
		x.withdrawal(about, *logged, stated)
	}
	x.limit(limitKeys)
	x.limit(limitPeople)
	x.limit("Whether it was withdrawn later, the document does not say: ask the hub.")
	return x.Findings, x.verdict()
}

func sectionNames(c Claims) []string { return slices.Sorted(maps.Keys(c.Sections)) }

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
