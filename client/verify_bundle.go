package client

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

// Verify checks a whole referral offline: that every step is signed by the partner it
// names with a key that counted then and has not been revoked; that the steps form
// one chain, in an order that is possible; that each is in the log, in that order,
// as the step it is; that the consent records hold, cover what was sent, and were not
// withdrawn before. logKey is the key to trust; the zero LogKey takes the bundle's own
// and says so among the limits.
//
// The Findings say all of it in words, also when the error is ErrVerification.
func (b Bundle) Verify(logKey LogKey) (Findings, error) {
	x := &examination{bundle: b, logKey: logKey, keys: map[string][]Key{}, held: chain{hub: b.Hub}}
	x.Document = "bundle"
	if x.log(); x.logKey.Origin() == "" {
		return x.Findings, ErrVerification
	}
	for _, id := range slices.Sorted(maps.Keys(b.Partners)) {
		x.partner(id, b.Partners[id])
	}
	x.hubKeys()
	for i, e := range b.Events {
		if !x.event(i+1, e) {
			break // what follows a broken link cannot be judged
		}
	}
	if len(b.Events) == 0 {
		x.fails("referral", "there is no step in the bundle")
	}
	for _, c := range b.Consents {
		x.consent(c)
	}
	for _, o := range b.Overrides {
		x.override(o)
	}
	x.missing()
	x.limit(limitKeys)
	x.limit(limitView)
	x.limit(limitPeople)
	x.limit(limitRead)
	return x.Findings, x.verdict()
}

// partner takes the keys of a partner, as their history has them where the bundle has one.
func (x *examination) partner(id string, p BundlePartner) {
	if len(p.History) == 0 {
		x.keys[id] = p.Keys
		x.limit("The bundle has no history of the keys of %s: that the log has them is not shown.", id)
		return
	}
	about := "keys of " + id
	keys, wrong := index(p.Keys)
	known := KnownKeys{Partner: id}
	e := examiner{logKey: x.logKey, hub: x.bundle.Hub, keys: keys}
	for _, change := range p.History {
		if wrong == nil {
			_, wrong = e.take(&known, change)
		}
	}
	if wrong == nil {
		x.keys[id], wrong = match(known, p.Keys)
	}
	if wrong != nil {
		x.fails(about, "%s", wrong.What)
		return
	}
	x.holds(about, "%d changes in their history, each with its entry in the log, give these %d keys", len(known.Entries), len(known.Keys))
	for i, k := range known.Keys {
		switch {
		case k.Introduced == unsigned:
			x.fails(about, "the %s key %s was introduced without the signature of a key of theirs that counted", k.Use, k.ID)
		case k.Introduced == proof.SelfSigned && i > 0:
			x.limit("The signing key %s of %s, of %s, vouches for itself alone: ask %s whether it is theirs.", k.ID, id, day(k.From), id)
		}
	}
}

// examination is one Verify at work.
type examination struct {
	Findings
	bundle Bundle
	logKey LogKey
	keys   map[string][]Key // by partner
	held   chain
	logged []logged // one for each link of the chain
}

// logged is where the log has a step.
type logged struct {
	index   int64
	at      time.Time
	consent string // on which it rests, or because of which the hub took it
}

// log decides which log key to trust.
func (x *examination) log() {
	own, err := proof.ParseLogKey(x.bundle.LogKey)
	if err != nil {
		x.fails("log", "the %s's log key is malformed", x.Document)
		return
	}
	own = lineOf(own, x.bundle.Successions).Witnessed(x.logKey.Policy())
	if x.logKey.Origin() == "" {
		x.logKey = own
		x.limit(limitLogKey)
	} else if x.logKey = lineOf(x.logKey, x.bundle.Successions); !x.logKey.Knows(own) {
		x.fails("log", "the %s was made with another log key (%s) than the one to be trusted", x.Document, own)
	}
	_, host, err := parseHub(x.bundle.Hub)
	bad := ""
	if err != nil || x.logKey.Origin() != host+logPath {
		bad = fmt.Sprintf("the log key is of %s, which is not the log of the hub %s", x.logKey.Origin(), x.bundle.Hub)
	}
	x.check("log", bad, "the log key is of %s, the log of the hub %s", x.logKey.Origin(), x.bundle.Hub)
}

// find finds the signing key that a statement names among those given.
func (x *examination) find(partner, kid string) (Key, error) {
	k, ok := findKey(x.keys[partner], kid)
	if !ok {
		return Key{}, fmt.Errorf("not checked: no signing key %s of %s was given", kid, partner)
	}
	return k, nil
}

// event checks one step, and reports whether the chain goes on.
func (x *examination) event(number int, e BundleEvent) bool {
	about := fmt.Sprintf("step %d", number)
	envelope, key, doubt, err := openEnvelope(e.Envelope, x.find)
	if err != nil {
		x.fails(about, "%s", err)
		return false
	}
	about += ", " + string(envelope.Event)
	x.check(about, doubt, "signed by %s with the key %s, which counted on %s and has not been revoked",
		envelope.Issuer, key.KeyID(), day(time.Unix(envelope.IssuedAt, 0)))
	x.custody(about, key, envelope.Issuer, envelope.Act)
	if bad := x.held.add(envelope); bad != "" {
		x.fails(about, "%s", bad)
		return false
	}
	bad := ""
	if envelope.ReferralID() != x.bundle.Referral {
		bad = "it is of another referral than the bundle says"
	}
	good := "follows the step before, by its digest, and leads to the state %s"
	if number == 1 {
		good = "opens the referral " + ids.Reference(x.bundle.Referral) + ", in the state %s"
	}
	x.check(about, bad, good, x.held.state)
	if said := hubDid(envelope.Claims); said != "" && bad == "" {
		x.holds(about, "%s", said)
	}
	x.receipt(about, e.Receipt, envelope)
	return true
}

// receipt checks that the log has the step, as the step it is and after the one
// before it.
func (x *examination) receipt(about string, r Receipt, envelope packet.Envelope) {
	entry, place, bad := openReceipt(r, x.logKey)
	x.logged = append(x.logged, place.logged)
	if bad == "" {
		if differs := otherwise(entry, envelope.Claims, envelope.Digest(), envelope.ReferralID(), x.held.state); differs != "" {
			bad = "the receipt is of something else, by its " + differs
		}
	}
	if bad == "" {
		bad = x.disorder(envelope)
	}
	x.check(about, bad, "in the log as entry %d of %d since %s: the inclusion proof leads to a tree that the log's key signed",
		place.index, place.size, day(place.at))
}

// disorder says why the step stands in the log before the one that it follows, or "".
// Only somebody who signed both could know the first before it was logged, and have
// them overtake each other.
func (x *examination) disorder(envelope packet.Envelope) string {
	n := len(x.logged)
	if n < 2 || x.held.links[n-2].Issuer == envelope.Issuer {
		return ""
	}
	if x.logged[n-1].index <= x.logged[n-2].index {
		return "the log has it before the step that it follows"
	}
	return ""
}

// place is where a receipt has its entry.
type place struct {
	logged
	size int64 // of the tree
}

// openReceipt verifies a receipt, and says what is wrong with it, or "".
func openReceipt(r Receipt, key LogKey) (proof.Entry, place, string) {
	if key.Origin() == "" {
		return proof.Entry{}, place{}, "not checked: a receipt is verified with the log's key, and none was given"
	}
	entry, err := r.Verify(key)
	if err != nil {
		return proof.Entry{}, place{}, "the receipt does not hold: " + err.Error()
	}
	p, err := proof.ParseProof([]byte(r.Proof))
	if err != nil {
		return proof.Entry{}, place{}, "the receipt does not hold: " + err.Error()
	}
	tree, err := proof.OpenCheckpoint(p.Checkpoint, key)
	if err != nil {
		return proof.Entry{}, place{}, "the receipt does not hold: " + err.Error()
	}
	return entry, place{logged{p.Index, entry.Time, entry.Consent}, tree.N}, ""
}

// consent checks one record that steps rest on.
func (x *examination) consent(c BundleConsent) {
	stated, err := record.ParseConsent(c.Record)
	if err != nil {
		x.fails("consent", "a consent record is malformed")
		return
	}
	about := "consent " + stated.Unverified().ID
	x.agreement(about, stated)
	withdrawn := x.withdrawal(about, c, stated)
	x.coverage(about, stated, withdrawn)
	x.revoked(about, stated.Unverified(), withdrawn)
}

// agreement checks a record's signature, and says what she agreed to.
func (x *examination) agreement(about string, stated record.Statement[record.Claims]) {
	claims := stated.Unverified()
	key, bad := x.signature(claims.Issuer, stated.KeyID(), claims.IssuedAt, func(k jose.PublicKey) error {
		_, err := record.VerifyConsent(stated, k)
		return err
	})
	x.check(about, bad, "%s signed with the key %s that she %s on %s: %s, for %s, to %s, until %s", claims.Issuer, key.KeyID(),
		claims.Agreement, day(time.Unix(claims.GivenAt, 0)), list(claims.Sections), claims.Purpose, list(claims.Recipients),
		day(time.Unix(claims.Expires, 0)))
	x.custody(about, key, claims.Issuer, claims.Act)
}

// missing says which steps rest on a record that the bundle does not have.
func (x *examination) missing() {
	has := map[string]bool{}
	for _, c := range x.bundle.Consents {
		if stated, err := record.ParseConsent(c.Record); err == nil {
			has[stated.Unverified().ID] = true
		}
	}
	for _, o := range x.bundle.Overrides {
		if stated, err := record.ParseOverride(o.Override); err == nil {
			has[stated.Unverified().ID] = true
		}
	}
	for i, e := range x.held.links {
		switch {
		case e.Basis == nil:
		case e.Basis.Override != "" && !has[e.Basis.Override]:
			x.limit("Step %d rests on the override %s, which is not in the bundle: whoever made it may not read it.", i+1, e.Basis.Override)
		case e.Basis.Consent != "" && !has[e.Basis.Consent]:
			x.limit("Step %d rests on the consent %s, which is not in the bundle: whoever made it may not read it.", i+1, e.Basis.Consent)
		}
		if e.ByHub() && !has[x.logged[i].consent] {
			x.limit("That the consent was withdrawn because of which the hub took step %d, the bundle does not show.", i+1)
		}
	}
}

// signed finds the key of a statement, and says why its signature cannot count.
func (x *examination) signed(issuer, kid string, issuedAt int64) (Key, string) {
	key, err := x.find(issuer, kid)
	if err != nil {
		return Key{}, err.Error()
	}
	return key, key.doubt(time.Unix(issuedAt, 0))
}

// signature is signed with the arithmetic done too, by verify.
func (x *examination) signature(issuer, kid string, issuedAt int64, verify func(jose.PublicKey) error) (Key, string) {
	key, bad := x.signed(issuer, kid, issuedAt)
	if bad == "" && verify(key.PublicKey) != nil {
		bad = "the signature is not that of " + issuer
	}
	return key, bad
}

// withdrawal checks a consent's newest step, and returns since when nothing may rest
// on it: the zero time when it was not withdrawn.
func (x *examination) withdrawal(about string, c BundleConsent, stated record.Statement[record.Claims]) time.Time {
	expected := proof.Entry{Act: "consent.record", Partner: stated.Unverified().Issuer,
		Subject: stated.Unverified().Subject, Consent: stated.Unverified().ID, Digest: stated.Digest()}
	said := "recorded"
	if c.Withdrawal != "" {
		w, err := record.ParseWithdrawal(c.Withdrawal)
		if err != nil || w.Unverified().Consent != stated.Unverified().ID || w.Unverified().Digest != stated.Digest() {
			x.fails(about, "its withdrawal is of something else")
			return time.Time{}
		}
		key, bad := x.signed(w.Unverified().Issuer, w.KeyID(), w.Unverified().IssuedAt)
		if bad == "" {
			if _, err := record.VerifyWithdrawal(w, key.PublicKey); err != nil {
				bad = "the signature of its withdrawal is not that of " + w.Unverified().Issuer
			}
		}
		x.check(about, bad, "withdrawn, signed by %s with the key %s", w.Unverified().Issuer, key.KeyID())
		x.custody(about, key, w.Unverified().Issuer, w.Unverified().Act)
		expected = proof.Entry{Act: "consent.withdraw", Partner: w.Unverified().Issuer,
			Consent: stated.Unverified().ID, Digest: w.Digest()}
		said = "withdrawn"
	}
	entry, _, bad := openReceipt(c.Receipt, x.logKey)
	if bad == "" && difference(entry, expected) != "" {
		bad = "the receipt is of something else, by its " + difference(entry, expected)
	}
	x.check(about, bad, "%s in the log since %s", said, day(entry.Time))
	if said == "recorded" || bad != "" {
		return time.Time{}
	}
	return entry.Time
}

// coverage checks that what was sent on a consent was covered by it when the hub
// took it, and before it was withdrawn.
func (x *examination) coverage(about string, stated record.Statement[record.Claims], withdrawn time.Time) {
	claims := stated.Unverified()
	for i, e := range x.held.links {
		if e.Basis == nil || e.Basis.Consent != claims.ID {
			continue
		}
		first, at := x.held.links[0], x.logged[i].at
		bad := ""
		switch {
		case e.Basis.Digest != stated.Digest():
			bad = fmt.Sprintf("step %d rests on another record with this id", i+1)
		case !withdrawn.IsZero() && !at.Before(withdrawn):
			bad = fmt.Sprintf("step %d was taken after the withdrawal", i+1)
		default:
			err := claims.Covers(record.Passage{Subject: first.Subject, Purpose: first.Purpose, Sender: e.Issuer,
				Recipient: e.Audience, Category: x.bundle.Partners[e.Audience].Category, Area: first.Area, Opens: i == 0,
				Classes: e.Claims.Classes(sectionNames(e.Claims)...), Now: at})
			if err != nil {
				bad = fmt.Sprintf("it does not cover what step %d sent: %s", i+1, local(err))
			}
		}
		x.check(about, bad, "covers what step %d sent: %s, for %s, to %s", i+1, list(sectionNames(e.Claims)), first.Purpose, e.Audience)
	}
}
