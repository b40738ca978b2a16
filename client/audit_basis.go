package client

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/codes"
)

// never yet in the log.
const nowhere = -1

// consentFacts are what the log has of one consent record.
type consentFacts struct {
	entered   int64 // index of its entry
	withdrawn int64 // and of its withdrawal
	used      int64 // and of the first that rested on it
	review    string
	claims    *record.Claims // nil without its statement
	digest    string
}

// overrideFacts are what the log has of one override.
type overrideFacts struct {
	proposed, decidedAt time.Time
	emergency           bool
	decision            string
	ended               bool
	claims              *record.OverrideClaims
	digest              string
}

// neverFacts are with whom she never wants anything shared.
type neverFacts struct {
	subjects, recipients []string
}

// passage is something that was shared, as far as the file shows it.
type passage struct {
	record.Passage
	whole bool // with subject, purpose and area, which the request states
}

func (a *auditor) consent(id string) *consentFacts {
	c := a.consents[id]
	if c == nil {
		c = &consentFacts{entered: nowhere, withdrawn: nowhere, used: nowhere}
		a.consents[id] = c
	}
	return c
}

// recorded takes a consent record.
func (a *auditor) recorded(place string, e proof.Entry, s *auditStatement) {
	c := a.consent(e.Consent)
	if c.entered != nowhere {
		a.bad(checkedStatements, place, "the log has a record with the id %s already, in entry %d", e.Consent, c.entered)
		return
	}
	c.entered, c.digest = a.index, e.Digest
	if s != nil {
		claims := s.claims.(record.Claims)
		c.claims = &claims
	}
	if e.Target == "" {
		return
	}
	if before := a.succeeded[e.Target]; before != "" {
		a.bad(checkedStatements, place, "it takes the place of the record %s, which %s has done already", e.Target, before)
	}
	a.succeeded[e.Target] = e.Consent
}

// takenBack takes a withdrawal.
func (a *auditor) takenBack(place string, e proof.Entry, s *auditStatement) {
	c := a.consent(e.Consent)
	c.withdrawn = a.index
	if s != nil && c.digest != "" && s.claims.(record.WithdrawalClaims).Digest != c.digest {
		a.bad(checkedStatements, place, "the withdrawal is of another record than the one with the id %s", e.Consent)
	}
}

// reviewed takes a manager's decision about a record in doubt. Until it was made, nothing may
// have rested on the record.
func (a *auditor) reviewed(place string, e proof.Entry, s *auditStatement) {
	c := a.consent(e.Consent)
	if c.review != "" {
		a.bad(checkedOverrides, place, "a manager had decided about the record %s already: a decision stands", e.Consent)
		return
	}
	c.review = e.State
	if c.used != nowhere {
		a.bad(checkedReleased, fmt.Sprintf("entry %d", c.used), "it rests on the record %s, about which a manager had still to decide: she did so in %s", e.Consent, place)
	}
	if s == nil {
		return
	}
	claims, bad := s.claims.(record.DecisionClaims), ""
	switch {
	case claims.Of != e.Consent, c.digest != "" && claims.Digest != c.digest:
		bad = "the decision is about something else"
	case c.claims != nil && claims.Act == c.claims.Act:
		bad = "whoever recorded it decided about it too"
	case (claims.Decision == record.Approved) != (e.State == "stands"):
		bad = "the log says otherwise than the decision whether the record stands"
	}
	a.weigh(checkedOverrides, place, bad)
}

// proposed takes an override.
func (a *auditor) proposed(place string, e proof.Entry, s *auditStatement) {
	o := &overrideFacts{proposed: e.Time, emergency: e.State == "emergency", digest: e.Digest}
	if a.overrides[e.Override] != nil {
		a.bad(checkedStatements, place, "the log has an override with the id %s already", e.Override)
		return
	}
	a.overrides[e.Override] = o
	if s == nil {
		return
	}
	claims := s.claims.(record.OverrideClaims)
	if o.claims = &claims; claims.Emergency != o.emergency {
		a.bad(checkedStatements, place, "the log says otherwise than the override whether it is an emergency")
	}
}

// decided takes a decision about an override, or a review of it.
func (a *auditor) decided(place string, e proof.Entry, s *auditStatement) {
	o := a.overrides[e.Override]
	if o == nil {
		o = a.unproposed(e.Override)
	}
	if o == nil {
		a.bad(checkedOverrides, place, "it is about the override %s, and no entry before it proposes that", e.Override)
		return
	}
	decision, ended := e.State, e.State == "ended"
	bad := ""
	if e.Act == "override.decision" && o.decision != "" { // a yes must not take the place of a no
		a.bad(checkedOverrides, place, "the override %s was decided already: a decision stands", e.Override)
		return
	}
	if s != nil {
		about := s.claims
		var said record.Said
		switch c := about.(type) {
		case record.DecisionClaims:
			said, decision, ended = c.Said, c.Decision, false
		case record.ReviewClaims:
			said, decision, ended = c.Said, o.decision, c.Outcome == record.Ended
		}
		bad = o.doubt(said, e, ended)
	}
	a.weigh(checkedOverrides, place, bad)
	if e.Act == "override.decision" {
		o.decision, o.decidedAt = decision, e.Time
	}
	o.ended = o.ended || ended
}

// unproposed takes an override that an agency may read, being its recipient, and whose
// proposal it may not: nothing of it was hers to know before it was approved.
func (a *auditor) unproposed(id string) *overrideFacts {
	s := a.unnamed(proof.StatementOverride, id)
	if s == nil {
		return nil
	}
	claims := s.claims.(record.OverrideClaims)
	o := &overrideFacts{proposed: time.Unix(claims.IssuedAt, 0), emergency: claims.Emergency, claims: &claims, digest: s.digest}
	a.overrides[id] = o
	return o
}

// doubt says why what a manager said of the override does not count, or "".
func (o *overrideFacts) doubt(said record.Said, e proof.Entry, ended bool) string {
	switch {
	case said.Of != e.Override, said.Digest != o.digest:
		return "the decision is about something else"
	case o.claims != nil && said.Issuer != o.claims.Issuer:
		return "it was decided by another agency than the one that proposed it"
	case o.claims != nil && said.Act == o.claims.Act && !ended: // who proposed it may end it
		return "whoever proposed it decided it too"
	}
	return ""
}

// stops says why nothing could be shared on the override at that time, or "". The times are
// those of the entries: an emergency's day begins when the log has it.
func (o *overrideFacts) stops(at time.Time) string {
	deadline := o.proposed.Add(record.EmergencyLife)
	switch {
	case o.decision == record.Refused:
		return "a manager had refused it"
	case o.ended:
		return "a manager had ended it"
	case o.emergency && at.Before(deadline):
		return ""
	case o.decision != record.Approved:
		return "nobody had approved it"
	case o.emergency && !o.decidedAt.Before(deadline):
		return "nobody had approved the emergency within a day"
	}
	return ""
}

// rests says why what an entry shares rests on nothing, or "": that there was a basis in the
// log before it, that reached as far and had not ended.
func (a *auditor) rests(e proof.Entry, p passage) string {
	switch {
	case e.Override != "":
		return a.overridden(e, p)
	case e.Consent == "":
		return "it names neither a consent record nor an override"
	}
	if bad := a.consented(e, p); bad != "" {
		return bad
	}
	return a.stopped(p)
}

// consented checks what rests on a consent record: the record and every one that has taken
// its place must reach as far, and the newest be in force, as the hub has to decide it.
func (a *auditor) consented(e proof.Entry, p passage) string {
	c := a.consents[e.Consent]
	if c == nil || c.entered == nowhere {
		if c = a.unlogged(e.Consent); c == nil {
			return fmt.Sprintf("it rests on the consent %s, and no entry before it records that", e.Consent)
		}
	}
	if e.Event != "" && e.Digest != c.digest {
		return fmt.Sprintf("it rests on another record with the id %s than the log has", e.Consent)
	}
	for id := e.Consent; ; {
		if bad := c.ends(id, a.named(c, p)); bad != "" {
			return bad
		}
		if c.used == nowhere {
			c.used = a.index
		}
		next := a.succeeded[id]
		if next == "" {
			break
		}
		if next == e.Consent { // each takes the place of the other: no end to it
			return fmt.Sprintf("the record %s takes the place of itself", id)
		}
		id, c = next, a.consents[next]
	}
	if c.claims != nil && c.claims.InForce(e.Time) != nil {
		return "her consent had run out, or had not begun"
	}
	return ""
}

// unlogged takes a record that an agency may read and whose entry it may not, since another
// agency recorded it: that it was in the log before, such a file does not show.
func (a *auditor) unlogged(id string) *consentFacts {
	s := a.unnamed(proof.StatementConsent, id)
	if s == nil {
		return nil
	}
	claims := s.claims.(record.Claims)
	c := a.consent(id)
	c.claims, c.digest, c.entered = &claims, s.digest, a.index
	return c
}

// named is the passage with the recipient's category, where the file does not show it and the
// record names a category: then that the recipient is of it is not judged.
func (a *auditor) named(c *consentFacts, p passage) passage {
	if p.Category != "" || c.claims == nil || slices.Contains(c.claims.Recipients, p.Recipient) {
		return p
	}
	for _, r := range c.claims.Recipients {
		if category, ok := strings.CutPrefix(r, record.CategoryPrefix); ok {
			p.Category = category
			a.categories++
			break
		}
	}
	return p
}

// ends says why nothing could be shared on one record, or "".
func (c *consentFacts) ends(id string, p passage) string {
	switch {
	case c.withdrawn != nowhere:
		return fmt.Sprintf("she had taken the consent %s back, in entry %d", id, c.withdrawn)
	case c.review == "does-not-stand":
		return fmt.Sprintf("a manager had decided that the record %s does not stand", id)
	case c.claims == nil:
		return ""
	}
	if !p.whole {
		p.Subject, p.Purpose, p.Area = c.claims.Subject, c.claims.Purpose, c.claims.Gate.Authority
	}
	if err := c.claims.Reaches(p.Passage); err != nil {
		return fmt.Sprintf("the consent %s does not cover it: %s", id, local(err))
	}
	return ""
}

// overridden checks what rests on an override.
func (a *auditor) overridden(e proof.Entry, p passage) string {
	o := a.overrides[e.Override]
	if o == nil {
		return fmt.Sprintf("it rests on the override %s, and no entry before it proposes or approves that", e.Override)
	}
	if e.Event != "" && e.Digest != o.digest {
		return fmt.Sprintf("it rests on another override with the id %s than the log has", e.Override)
	}
	if bad := o.stops(e.Time); bad != "" {
		return fmt.Sprintf("it rests on the override %s, and %s", e.Override, bad)
	}
	if o.claims == nil {
		return ""
	}
	if !p.whole {
		p.Subject, p.Purpose = o.claims.Subject, o.claims.Purpose
	}
	if err := o.claims.Covers(p.Passage); err != nil {
		return fmt.Sprintf("the override %s does not cover it: %s", e.Override, local(err))
	}
	return a.stopped(p)
}

// never takes what she never wants shared, and its end.
func (a *auditor) never(e proof.Entry, s *auditStatement) {
	if e.Act == "never.lift" {
		delete(a.nevers, e.Target)
	} else if s != nil {
		c := s.claims.(record.NeverClaims)
		a.nevers[e.Target] = &neverFacts{c.Subjects, c.Recipients}
	}
}

// stopped says that she never wanted anything shared with the recipient, or "".
func (a *auditor) stopped(p passage) string {
	for id, n := range a.nevers {
		if p.whole && slices.Contains(n.subjects, p.Subject) &&
			(slices.Contains(n.recipients, p.Recipient) || slices.Contains(n.recipients, record.CategoryPrefix+p.Category)) {
			return fmt.Sprintf("she never wants anything shared with %s, as %s says", p.Recipient, id)
		}
	}
	return ""
}

// released checks an opening: the only way in which sections leave for their recipient.
func (a *auditor) released(place string, e proof.Entry) {
	p := passage{Passage: record.Passage{Sender: e.Other, Recipient: e.Partner, Category: a.partners[e.Partner].Category,
		Opens: e.Envelope == e.Referral, Now: e.Time}}
	sealed, known := a.packets[keyOf(e.Envelope)]
	if r := a.referrals[e.Referral]; r != nil && r.request != nil {
		p.Subject, p.Purpose, p.Area, p.whole = r.request.Subject, r.request.Purpose, r.request.Area, true
	} else if a.header.Scope != proof.ScopeOversight {
		a.partial++
	}
	for _, name := range e.Sections {
		switch class := sealed.classes[name]; {
		case class != "":
			p.Classes = append(p.Classes, class)
		case !codes.IsAttachment(name):
			p.Classes = append(p.Classes, name)
		case sealed.classes == nil:
			a.attached++
		}
	}
	bad := a.rests(e, p)
	if bad == "" && known && (sealed.issuer != e.Other || sealed.audience != e.Partner) {
		bad = "whoever opened it is not whom the packet was sent to"
	}
	if bad == "" && known && (sealed.consent != e.Consent || sealed.override != e.Override) {
		bad = "it names another basis than the packet that it opened"
	}
	a.weigh(checkedReleased, place, bad)
}

// copied checks that who opened a copy had sent the packet: else it is an opening by the
// recipient, under the name of what needs no consent.
func (a *auditor) copied(place string, e proof.Entry) {
	if sealed, known := a.packets[keyOf(e.Envelope)]; known && sealed.issuer != e.Partner {
		a.bad(checkedReleased, place, "%s opened it as her own copy, and %s sent the packet", e.Partner, sealed.issuer)
	}
}
