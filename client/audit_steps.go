package client

import (
	"fmt"
	"slices"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/referral/packet"
)

// referralFacts are what the log has of one referral.
type referralFacts struct {
	chain
	request *Claims // nil if the referral began before what the file shows
	broken  bool    // one of its steps does not belong there: those after it cannot be judged
	over    bool    // it has come to an end, after which there is no step
	waiting []stepFacts

	// Of one that began before: its newest step, and where it stands.
	head, at string
}

// stepFacts are one step that has come before the one that it follows.
type stepFacts struct {
	place    string
	entry    proof.Entry
	envelope packet.Envelope
	index    int64
}

// packetFacts are what has to be known of a packet when it is opened.
type packetFacts struct {
	issuer, audience  string
	consent, override string
	classes           map[string]string // of its attachments
}

// step takes a step of a referral.
func (a *auditor) step(place string, e proof.Entry, s *auditStatement) {
	if s == nil {
		if a.header.Scope == proof.ScopeOversight && len(e.Sections) > 0 {
			a.packets[keyOf(e.Envelope)] = packetFacts{issuer: e.Partner, audience: e.Other, consent: e.Consent, override: e.Override}
			a.sent(place, e, passage{Passage: record.Passage{Sender: e.Partner, Recipient: e.Other, Classes: plainSections(e.Sections), Now: e.Time}})
		}
		return
	}
	r := a.referrals[e.Referral]
	if r == nil {
		r = &referralFacts{chain: chain{hub: a.header.Hub}}
		a.referrals[e.Referral] = r
	}
	if r.broken || s.opened.Digest() == "" {
		r.broken = true
		a.unjudged++
		return
	}
	if r.over {
		a.bad(checkedSteps, place, "the step %s is not possible in the state %s", s.opened.Event, r.state)
		return
	}
	a.files(*s.opened)
	now := stepFacts{place, e, *s.opened, a.index}
	switch {
	case len(r.links) == 0 && now.envelope.Event != packet.Request:
		a.resumed(r, now)
	case len(r.links) > 0 && now.envelope.Prev != r.links[len(r.links)-1].Digest():
		r.waiting = append(r.waiting, now)
	default:
		a.link(r, now)
	}
}

// files notes what has to be known of a packet when it is opened.
func (a *auditor) files(e packet.Envelope) {
	if len(e.Sections) == 0 {
		return
	}
	p := packetFacts{issuer: e.Issuer, audience: e.Audience}
	if e.Basis != nil {
		p.consent, p.override = e.Basis.Consent, e.Basis.Override
	}
	for name, sealing := range e.Sections {
		if codes.IsAttachment(name) {
			if p.classes == nil {
				p.classes = map[string]string{}
			}
			p.classes[name] = sealing.Class
		}
	}
	a.packets[keyOf(e.Digest())] = p
}

// link adds a step to the chain, and then those that have waited for it.
func (a *auditor) link(r *referralFacts, now stepFacts) {
	bad := r.add(now.envelope)
	if bad == "" && now.entry.State != r.state {
		bad = fmt.Sprintf("it leads to the state %s, and the log says %s", r.state, now.entry.State)
	}
	a.weigh(checkedSteps, now.place, bad)
	if bad != "" {
		r.broken = true
		return
	}
	if r.request == nil {
		claims := r.links[0].Claims
		claims.Sections, claims.Basis = nil, nil
		r.request = &claims
	}
	if n := len(r.links); n > 2 { // the first and the newest are all that the next is held against
		r.links = []packet.Envelope{r.links[0], r.links[n-1]}
	}
	a.shares(r, now)
	if r.over = len(r.waiting) == 0 && final(r.state); r.over {
		r.links = nil
		return
	}
	for i, next := range r.waiting {
		if next.envelope.Prev != now.envelope.Digest() {
			continue
		}
		r.waiting = slices.Delete(r.waiting, i, i+1)
		if next.envelope.Issuer != now.envelope.Issuer {
			// Only somebody who signed both could know the first before it was logged.
			a.bad(checkedSteps, next.place, "the log has it before the step that it follows, which another signed")
		}
		a.link(r, next)
		return
	}
}

// final reports whether no step leads on from a state.
func final(state string) bool {
	return !slices.ContainsFunc(machine(), func(s step) bool { return slices.Contains(s.from, state) })
}

// resumed takes a step of a referral that began before what the file shows.
func (a *auditor) resumed(r *referralFacts, now stepFacts) {
	a.partial++
	bad := ""
	switch {
	case r.head != "" && now.envelope.Prev != r.head:
		bad = "its prev is not the digest of the step before"
	case !reachable(now.envelope.Event, r.at, now.entry.State):
		bad = fmt.Sprintf("the step %s does not lead from %s to %s", now.envelope.Event, r.at, now.entry.State)
	}
	a.weigh(checkedSteps, now.place, bad)
	r.head, r.at = now.envelope.Digest(), now.entry.State
	a.shares(r, now)
}

// reachable reports whether an event can lead from one state to the other; from is "" when it
// is not known.
func reachable(event packet.Event, from, to string) bool {
	return slices.ContainsFunc(machine(), func(s step) bool {
		leads := s.to == to || s.to == "" && (from == "" || from == to)
		return s.event == event && leads && (from == "" || slices.Contains(s.from, from))
	})
}

// shares checks that the sections of a step rested on something, and that what the hub did of
// itself followed a withdrawal.
func (a *auditor) shares(r *referralFacts, now stepFacts) {
	e := now.envelope
	if e.ByHub() {
		if now.index < a.header.First {
			return
		}
		a.weigh(checkedEnded, now.place, a.revokedBefore(r, now))
		return
	}
	if len(e.Sections) == 0 {
		return
	}
	p := passage{Passage: record.Passage{Sender: e.Issuer, Recipient: e.Audience, Category: a.partners[e.Audience].Category,
		Opens: e.Event == packet.Request, Classes: e.Claims.Classes(sectionNames(e.Claims)...), Now: now.entry.Time}}
	if r.request != nil {
		p.Subject, p.Purpose, p.Area, p.whole = r.request.Subject, r.request.Purpose, r.request.Area, true
	}
	a.sent(now.place, now.entry, p)
}

// sent checks what a packet with sections rested on. Of one from before the range, the export
// of its own time shows that.
func (a *auditor) sent(place string, e proof.Entry, p passage) {
	if a.index < a.header.First {
		return
	}
	a.weigh(checkedSent, place, a.rests(e, p))
}

// revokedBefore says that the hub took a step of itself without a withdrawal before it, or "".
func (a *auditor) revokedBefore(r *referralFacts, now stepFacts) string {
	if bad := a.ended(now.entry.Consent); bad != "" {
		return "the hub cancelled the referral of itself: " + bad
	}
	if c := a.consents[now.entry.Consent]; r.request != nil && c.claims != nil && c.claims.Subject != r.request.Subject {
		return "the hub cancelled it because of a consent of somebody else"
	}
	return ""
}

// ended says that a consent was not taken back before, of which the hub says that it was, or
// "". Where the withdrawal is another agency's to read, the hub is taken at its word, and from
// then on nothing may rest on the consent.
func (a *auditor) ended(id string) string {
	c := a.consent(id)
	switch {
	case c.withdrawn != nowhere:
	case a.header.Scope == proof.ScopeAgency:
		c.withdrawn = a.index
		a.elsewhere++
	default:
		return "no entry before it says that she had taken the consent " + id + " back"
	}
	return ""
}

func plainSections(names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), codes.IsAttachment)
}

// recall checks that what follows a withdrawal follows one.
func (a *auditor) recall(place string, e proof.Entry) {
	bad := ""
	switch e.Act {
	case "recall.asked":
		a.asked[e.Target] = true
		bad = a.ended(e.Consent)
	case "section.destroy":
		bad = a.ended(e.Consent)
	default:
		if !a.asked[e.Target] && a.header.First == 0 {
			bad = "it answers a question that the log does not have"
		}
	}
	a.weigh(checkedEnded, place, bad)
}

// police checks that a decision answers the request that it is about.
func (a *auditor) police(place string, e proof.Entry, s *auditStatement) {
	if e.Act == "police.request" {
		a.requests[e.Target] = s
		return
	}
	asked, there := a.requests[e.Target]
	switch {
	case !there && a.header.First == 0:
		a.bad(checkedPolice, place, "it is about a request that no entry before it has")
	case there && asked != nil && s != nil:
		bad := ""
		if err := s.claims.(record.InquiryDecisionClaims).Answers(asked.claims.(record.InquiryClaims), asked.digest); err != nil {
			bad = fmt.Sprintf("it does not answer what was asked: %s", local(err))
		}
		a.weigh(checkedPolice, place, bad)
	}
}
