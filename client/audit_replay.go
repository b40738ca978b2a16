package client

import (
	"fmt"
	"strconv"
	"time"

	"handover/audit/proof"
	"handover/internal/strict"
)

// backdating is how much earlier an entry may say that it was made than one that stands
// before it: hubs wait for each other, and for the database, much less than that.
const backdating = time.Hour

// facts are what the entries have said so far, in the log's order: what is judged of an entry
// is judged by what the log had before it, whatever times anybody states.
type facts struct {
	index    int64     // of the entry at hand
	latest   time.Time // that any entry has stated
	keptUpTo int64     // all before it is covered by a checkpoint that was kept

	consents  map[string]*consentFacts
	succeeded map[string]string // id of a record: that of the one in its place
	overrides map[string]*overrideFacts
	referrals map[string]*referralFacts
	packets   map[digestKey]packetFacts
	nevers    map[string]*neverFacts
	asked     map[string]bool // ids of questions about what is still held
	requests  map[string]*auditStatement
	agreed    map[string]*agreedFacts // by the id of what was proposed

	changes  map[string]bool // ids of the entries of all histories of keys
	unproved int64           // changes of keys whose place in the tree the file does not show
	byHub    int64           // statements that the hub signed for agencies whose keys it holds
	doubted  int64           // statements whose keys were revoked after the log had them
	doubts   []string        // the first of them, and by whom
	partial  int64           // what was judged without the request that its referral began with
	unjudged int64           // steps that follow one whose signature does not hold
	unread   int64           // statements that a file of this scope does not hold
	attached int64           // attachments whose class the file does not show

	erased     []string // the first places of entries that were erased
	unplaced   int64    // records and overrides whose entries are not this agency's to read
	elsewhere  int64    // withdrawals that were recorded at other agencies
	categories int64    // of a recipient that the file does not show
}

func newFacts() facts {
	return facts{consents: map[string]*consentFacts{}, succeeded: map[string]string{}, overrides: map[string]*overrideFacts{},
		referrals: map[string]*referralFacts{}, packets: map[digestKey]packetFacts{}, nevers: map[string]*neverFacts{},
		asked: map[string]bool{}, requests: map[string]*auditStatement{}, agreed: map[string]*agreedFacts{}, changes: map[string]bool{}}
}

// allKeys takes the keys of all partners as their histories have them.
func (a *auditor) allKeys() {
	if a.log == nil {
		return
	}
	for id, p := range a.partners {
		about, bad := a.partnerOf(p)
		if bad != "" {
			a.bad(checkedKeys, id, "%s", bad)
			continue
		}
		x := &examination{logKey: a.logKey, bundle: a.bundle, keys: a.keys}
		if x.partner(id, about); a.absorb(id, x.Findings) {
			a.inTree(id, about.History)
		}
	}
	x := &examination{logKey: a.logKey, bundle: a.bundle, keys: a.keys}
	x.bundle.HubKeys = a.hubs
	if x.hubKeys(); len(a.hubs) > 0 {
		a.absorb("the hub", x.Findings)
	}
}

// partnerOf reads what the file says of a partner's keys.
func (a *auditor) partnerOf(p proof.ExportPartner) (BundlePartner, string) {
	about := BundlePartner{Category: p.Category}
	for _, raw := range p.Keys {
		var k Key
		if strict.Unmarshal(raw, &k) != nil {
			return about, "one of its keys is malformed"
		}
		about.Keys = append(about.Keys, k)
	}
	for _, raw := range p.History {
		var c KeyChange
		if strict.Unmarshal(raw, &c) != nil {
			return about, "the history of its keys is malformed"
		}
		about.History = append(about.History, c)
	}
	if len(about.History) == 0 {
		return about, "there is no history of its keys: the log does not prove them, and what they signed counts for nothing"
	}
	return about, ""
}

// absorb counts the findings about the keys of one partner, and reports whether all holds.
func (a *auditor) absorb(id string, f Findings) bool {
	a.Limits = append(a.Limits, f.Limits...)
	for _, c := range f.Checks {
		if !c.Holds {
			a.bad(checkedKeys, id, "%s", c.Text)
		}
	}
	if f.Hold() {
		a.ok(checkedKeys, 1)
	}
	return f.Hold()
}

// inTree checks that the changes which a history proves are in the very log of this file.
func (a *auditor) inTree(id string, history []KeyChange) {
	for _, c := range history {
		has, shown := a.log.HasProved(c.Receipt)
		switch {
		case !shown:
			a.unproved++
		case !has:
			a.bad(checkedKeys, id, "change %d of its keys is proved by a receipt of another log than this: the hub keeps two", c.Position)
		}
		if entry, err := c.Receipt.Verify(a.logKey); err == nil {
			a.changes[entry.ID] = true
		}
	}
}

// entry goes through one entry of the file.
func (a *auditor) entry(e proof.ExportEntry) {
	said, ok := a.log.Entry(e)
	if e.Erased && len(a.erased) <= namedFirst {
		a.erased = append(a.erased, strconv.FormatInt(e.Index, 10))
		if len(a.erased) > namedFirst {
			a.erased[namedFirst] = "…"
		}
	}
	if !ok {
		return
	}
	a.index = e.Index
	place := fmt.Sprintf("entry %d", e.Index)
	if e.Index >= a.header.First {
		a.count(said)
	}
	a.dated(place, said)
	if said.Key != nil {
		a.changed(place, said)
	}
	a.follow(place, said, a.statement(place, said))
}

// dated checks that an entry does not say that it was made long before one that stands before
// it: a hub could else bring in today what must have been there last week.
func (a *auditor) dated(place string, e proof.Entry) {
	bad := ""
	if e.Time.Before(a.latest.Add(-backdating)) {
		bad = fmt.Sprintf("it says that it was made on %s, and an entry before it was made on %s: it was brought in later", day(e.Time), day(a.latest))
	}
	a.weigh(checkedTimes, place, bad)
	if e.Time.After(a.latest) {
		a.latest = e.Time
	}
}

// changed checks that a change of a key is in the history that the file shows of that
// partner: one that ends with what suits the hub leaves out a revocation.
func (a *auditor) changed(place string, e proof.Entry) {
	if _, shown := a.partners[e.Partner]; shown && !a.changes[e.ID] {
		a.bad(checkedKeys, e.Partner, "the log has a change of a key in %s (%s) that the history of its keys leaves out", place, proof.LabelOf(e.Act))
	}
}

// statement finds, reads and verifies the statement that an entry commits to; nil if it
// commits to none, or if there is none that can be read.
func (a *auditor) statement(place string, e proof.Entry) *auditStatement {
	kind, digest := statementOf(e)
	if kind == "" {
		return nil
	}
	if a.header.Scope == proof.ScopeOversight {
		a.unread++
		return nil
	}
	f := a.statements[keyOf(digest)]
	if f == nil || f.kind != kind {
		a.bad(checkedStatements, place, "%s %s, and the %s that it names is not in the file: it was left out, or it was erased: ask which", e.Partner, proof.LabelOf(e.Act), kind)
		return nil
	}
	text, err := a.text(f)
	if err != nil {
		a.bad(checkedStatements, place, "the %s that it names cannot be read", kind)
		return nil
	}
	f.named = true
	s, err := readStatement(kind, text)
	if err != nil {
		a.bad(checkedStatements, place, "the %s that it names is none", kind)
		return nil
	}
	a.weigh(checkedStatements, place, s.differs(e, a.header.Hub))
	a.signature(place, s, e)
	return &s
}

// unnamed finds, reads and verifies a record or an override by its id, in a file for one
// agency: whose entry that stored it is another's.
func (a *auditor) unnamed(kind, id string) *auditStatement {
	if a.header.Scope != proof.ScopeAgency {
		return nil
	}
	f := a.byID[kind+" "+id]
	if f == nil || f.named {
		return nil
	}
	text, err := a.text(f)
	if err != nil {
		return nil
	}
	s, err := readStatement(kind, text)
	if err != nil || s.issuer == a.header.For { // her own has its entry here, or it is not in the log
		return nil
	}
	f.named = true
	a.unplaced++
	a.signature(kind+" "+id, s, proof.Entry{Time: time.Unix(s.issuedAt, 0)})
	return &s
}

// signature checks who signed a statement. One that states no time is judged at its entry's.
func (a *auditor) signature(place string, s auditStatement, e proof.Entry) {
	at := s.issuedAt
	if at == 0 {
		at = e.Time.Unix()
	}
	key, bad := a.examination.signature(s.issuer, s.kid, at, s.verify)
	if bad != "" && e.ID != "" && e.Time.Before(key.Revoked) && key.before().ValidAt(time.Unix(at, 0)) && s.verify(key.PublicKey) == nil {
		a.inDoubt(place, s, key)
		return
	}
	if bad == "" {
		switch key.signedFor(s.issuer, s.act) {
		case "":
		default:
			a.byHub++
			if s.act == "" {
				bad = "the hub signed it for " + s.issuer + " and names nobody for whom"
			}
		}
	}
	a.weigh(checkedSignatures, place, bad)
}

// inDoubt notes a statement whose key was revoked after the log had the statement. A thief of
// the key may have signed it, which no log can show; but it is none that was dated back, and a
// partner that has lost a key must not make each audit of the time before fail for good.
func (a *auditor) inDoubt(place string, s auditStatement, key Key) {
	a.doubted++
	if len(a.doubts) < namedFirst {
		a.doubts = append(a.doubts, fmt.Sprintf("%s by the key %s of %s, revoked on %s", place, key.KeyID(), s.issuer, day(key.Revoked)))
	}
}

// follow takes what an entry says into account.
func (a *auditor) follow(place string, e proof.Entry, s *auditStatement) {
	switch e.Act {
	case "consent.record":
		a.recorded(place, e, s)
	case "consent.withdraw":
		a.takenBack(place, e, s)
	case "consent.review":
		a.reviewed(place, e, s)
	case "override.propose":
		a.proposed(place, e, s)
	case "override.decision", "override.review":
		a.decided(place, e, s)
	case "never.record", "never.lift":
		a.never(e, s)
	case "recall.asked", "recall.answered", "section.destroy":
		a.recall(place, e)
	case "police.request", "police.decision":
		a.police(place, e, s)
	case "agreement.propose", "agreement.sign", "agreement.refuse", "agreement.close", "agreement.supersede":
		a.agreement(place, e, s)
	case "section.open", "section.read":
		a.released(place, e)
	case "copy.open", "copy.read":
		a.copied(place, e)
	}
	if e.Event != "" && e.Act == "referral."+e.Event {
		a.step(place, e, s)
	}
}
