package referral_test

import (
	"slices"
	"time"

	"handover/internal/hubtest"
	"handover/partners"
)

// This file is the reference model: whether something about her may pass, as docs/packet.md
// ("What the hub checks, in order", "Consent record", "Override"), docs/consent.md ("What is
// checked, where and when" and what follows it) and docs/decisions/0004 say it, with the
// statutes where they decide. It is written from these words, not from the code: nothing that
// the hub decides with is called here, so that both cannot be wrong alike unless the words are.

// agency is a partner of the model.
type agency struct{ id, category string }

// deal is a data-sharing agreement from one agency to another.
type deal struct {
	from, to           string
	purposes, sections []string
	starts, ends       time.Time
}

// word is what she said: a consent record, with all that has happened to it.
type word struct {
	recorder, subject, purpose string
	agreement                  string
	coercion, capacity         string   // how she was asked
	names                      []string // of recipients: ids, and category:NAME
	allowed, withheld          []string
	onward                     string
	authority                  string // of a homelessness referral: the one she chose
	given, starts, ends        time.Time
	review                     string // what a manager decided, if anything: approved, refused
	inherited                  bool   // it took the place of one that awaited review, or had failed it
	withdrawn                  bool
	later                      *word // that superseded it
}

// warrant is an override, with all that has happened to it.
type warrant struct {
	recorder, recipient, subject, purpose string
	sections                              []string
	starts, ends                          time.Time
	emergency                             bool
	proposed, decided                     time.Time
	decision                              string // approved, refused, or "" while nobody has decided
	ended                                 bool
}

// stop is a never_share_with.
type stop struct {
	subjects, names []string
	lifted          bool
}

// passage is something that is to pass: on its way into the hub, or out of it.
type passage struct {
	from, to               agency
	subject, purpose, area string
	classes                []string // of the sections; of an attachment, the one that it declares
	said                   *word    // that it rests on,
	over                   *warrant // or the override
	misbound               bool     // it names the digest of another
	step                   bool     // it is a later step of a referral; its area is that of the request
	continues              *passage // the request that it goes on from
}

// world is what else decides.
type world struct {
	deals []*deal
	stops []*stop
}

// broken lists the rules that the passage breaks at that time. It passes if there are none.
func (w *world) broken(p passage, now time.Time) (rules []string) {
	// "The firewall table is total: recipient category × section × purpose, default no."
	if slices.ContainsFunc(p.classes, func(c string) bool { return !hubtest.MayReceive(partners.Category(p.to.category), c, p.purpose) }) {
		rules = append(rules, "firewall")
	}
	if !slices.ContainsFunc(w.deals, func(d *deal) bool { return d.permits(p, now) }) {
		rules = append(rules, "agreement")
	}
	// "A hard stop for every packet and every release about any of those subjects, whoever sends."
	if slices.ContainsFunc(w.stops, func(s *stop) bool { return s.stops(p) }) {
		rules = append(rules, "never")
	}
	if p.misbound { // "Its digest is the one named."
		rules = append(rules, "digest")
	}
	if p.over != nil {
		rules = append(rules, p.over.broken(p, now)...)
	} else {
		rules = append(rules, p.said.broken(p, now)...)
	}
	if p.continues != nil {
		rules = append(rules, p.continued()...)
	}
	return rules
}

// permits: "purpose and every section, for this pair, now". One agreement must: two do not
// add up to a third.
func (d *deal) permits(p passage, now time.Time) bool {
	return d.from == p.from.id && d.to == p.to.id && !now.Before(d.starts) && now.Before(d.ends) &&
		slices.Contains(d.purposes, p.purpose) && holdsAll(d.sections, p.classes)
}

// stops: she need not know which force a category is to be safe from it, so here, other than
// in a yes, an id alone names police too.
func (s *stop) stops(p passage) bool {
	return !s.lifted && slices.Contains(s.subjects, p.subject) &&
		(slices.Contains(s.names, p.to.id) || slices.Contains(s.names, "category:"+p.to.category))
}

// broken: what rests on a record passes if the record and each that came after it reach so
// far ("a superseding record narrows at once and never widens"). The time is that of the
// newest, so that a renewal revives.
func (s *word) broken(p passage, now time.Time) (rules []string) {
	newest, of := s, ""
	for ; ; newest, of = newest.later, "later: " {
		for _, rule := range newest.short(p) {
			rules = append(rules, of+rule)
		}
		if newest.later == nil {
			break
		}
	}
	if now.Before(newest.starts) || !now.Before(newest.ends) {
		rules = append(rules, of+"not in force")
	}
	return rules
}

// short lists what one record falls short of.
func (s *word) short(p passage) (rules []string) {
	for _, rule := range []struct {
		name   string
		broken bool
	}{
		// What lets anything be shared is her yes, or a decision in her best interests for
		// somebody who lacks capacity (Mental Capacity Act 2005 s4).
		{"no yes", s.agreement != "agreed" && s.agreement != "lacks-capacity-best-interests"},
		// "A consent record that awaits review": coercion, doubt, and every best-interests decision.
		{"review", s.unsettled()},
		{"withdrawn", s.withdrawn},
		{"subject", s.subject != p.subject},
		{"purpose", s.purpose != p.purpose},
		// "Who sends on it MUST be its recorder or named in it", she herself, not her like:
		// or anybody of a category could send on what a woman told one of them.
		{"sender", s.recorder != p.from.id && !slices.Contains(s.names, p.from.id)},
		{"recipient", !s.namesRecipient(p.to)},
		// Who relies on another's record sends her story on; but "who received something answers
		// the agency that recorded it without that".
		{"onward", s.recorder != p.from.id && s.onward != "named" && !(p.step && s.recorder == p.to.id)},
		// She chooses the authority (Housing Act 1996 s213B(3)).
		{"authority", s.authority != "" && s.authority != p.area},
		{"withheld", slices.ContainsFunc(p.classes, func(c string) bool { return slices.Contains(s.withheld, c) })},
		// "Empty is nothing", and what is not named is not covered.
		{"section", !holdsAll(s.allowed, p.classes)},
	} {
		if rule.broken {
			rules = append(rules, rule.name)
		}
	}
	return rules
}

// unsettled reports whether a manager has to decide, or has denied, that the record stands.
func (s *word) unsettled() bool { return s.doubtful() && s.review != "approved" }

// doubtful: somebody may have pressed her, or decided for her. What takes the place of a
// record in doubt is in doubt too, whatever it says, or the doubt could be recorded away.
func (s *word) doubtful() bool {
	if s.agreement != "agreed" && s.agreement != "lacks-capacity-best-interests" {
		return false // a no stands by itself
	}
	return s.inherited || s.coercion != "none" || s.capacity == "doubt" || s.agreement == "lacks-capacity-best-interests"
}

// namesRecipient: by id or by category; "police are covered only by category:police".
func (s *word) namesRecipient(to agency) bool {
	return slices.Contains(s.names, "category:"+to.category) || to.category != "police" && slices.Contains(s.names, to.id)
}

// shownTo: a record is shown to whom it names, by id or as one of a kind, and to its recorder.
func (s *word) shownTo(a agency) bool {
	return s.recorder == a.id || slices.Contains(s.names, a.id) || slices.Contains(s.names, "category:"+a.category)
}

// broken: "Only the issuer sends on an override, to that recipient and nobody else", for one
// subject, one purpose and the sections it names, when another person has approved it; "an
// emergency covers without it for 24 hours", and "an approval after them changes nothing".
func (o *warrant) broken(p passage, now time.Time) (rules []string) {
	within := o.proposed.Add(24 * time.Hour)
	late := o.emergency && (o.decision == "" && !now.Before(within) || o.decision != "" && !o.decided.Before(within))
	for _, rule := range []struct {
		name   string
		broken bool
	}{
		{"override: sender", o.recorder != p.from.id},
		{"override: recipient", o.recipient != p.to.id},
		{"override: subject", o.subject != p.subject},
		{"override: purpose", o.purpose != p.purpose}, // so none passes the gates of s213B and the NRM
		{"override: section", !holdsAll(o.sections, p.classes)},
		{"override: not in force", now.Before(o.starts) || !now.Before(o.ends)},
		{"override: not approved", o.decision == "" && !o.emergency},
		{"override: refused", o.decision == "refused"},
		{"override: lapsed", late},
		{"override: ended", o.ended},
	} {
		if rule.broken {
			rules = append(rules, rule.name)
		}
	}
	return rules
}

// continued lists what is broken by going on from an earlier request. Whoever is no party of
// it may not. Who sent it needs nothing more than her yes to the new agency. Who received it
// passes on what she told somebody else: not where she said none, and where she said to be
// asked each time, on a record of her own that was given later.
func (p passage) continued() (rules []string) {
	before := p.continues
	if p.from.id == before.from.id {
		return nil
	}
	if p.from.id != before.to.id {
		return []string{"continues: another's"}
	}
	for s := before.said; s != nil; s = s.later {
		fresh := p.said != nil && p.said.recorder == p.from.id && p.said.given.After(before.said.given)
		switch {
		case s.onward == "none" || s.withdrawn: // what she took back says no more than a no
			rules = append(rules, "continues: none")
		case s.onward == "ask-each-time" && !fresh:
			rules = append(rules, "continues: ask")
		}
		// What a later record says that is not shown to her cannot pass for leave.
		if !s.shownTo(p.from) {
			rules = append(rules, "continues: unseen")
		}
	}
	return rules
}

// holdsAll reports whether every one of part is in whole.
func holdsAll(whole, part []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(whole, s) })
}
