package client

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
)

// SlipFacts are what a slip is made of. Steps, consents, overrides and answers have been
// verified as this client verifies them everywhere, and each of Entries is proved to be in the log.
type SlipFacts struct {
	Made      time.Time
	Own       string             // the agency that makes it, by id
	Agencies  map[string]Partner // by id
	Steps     []Event            // the whole chain, oldest first, with receipts
	Consents  []StoredConsent    // that the steps rest on
	Overrides []StoredOverride
	Answers   []Recall      // what those who hold something said after she took her yes back
	Entries   []proof.Entry // of the log, about this referral
	Unchecked int           // how many entries, or statements, could not be verified
	NoNames   bool          // leave out what the agencies are called, and of what kind they are
}

// Slip is what is said to her about her own referral: who opened it, when, on what basis. It
// is read by somebody who is frightened and tired, and may be found by somebody who hurts her:
// short sentences in plain English, no id but the short reference, nothing that says what she
// needs help with, and a title that says nothing.
type Slip struct {
	Title     string     `json:"title"` // all that may be seen from outside
	Parts     []SlipPart `json:"parts"`
	Unchecked int        `json:"unchecked"`

	// Why she has not been told yet of an override that the slip speaks of, as codes of
	// NotToldReasons. It is for her worker, who decides whether she is told by this: it is not
	// a part of what is printed.
	NotTold []string `json:"-"`
}

// SlipPart is some lines under a heading, which the first part has none of.
type SlipPart struct {
	Heading string     `json:"heading,omitempty"`
	Lines   []SlipLine `json:"lines"`
}

// SlipLine is a sentence or two, and the list that follows it, if there is one.
type SlipLine struct {
	Text   string   `json:"text,omitempty"`
	Points []string `json:"points,omitempty"`
}

// slipTitle is what a slip says on its outside.
const slipTitle = "For you"

// Slip says the facts to her. Every line rests on a fact that was verified; how many could
// not be is said, and what they would have said is not.
func (f SlipFacts) Slip() Slip {
	if len(f.Steps) == 0 {
		return Slip{Title: slipTitle}
	}
	f.Unchecked += f.unproved()
	s := Slip{Title: slipTitle, Unchecked: f.Unchecked}
	parts := []SlipPart{
		f.opening(), f.teams(), f.basis(&s), f.sent(), f.opened(), f.stopped(), f.answered(), f.outcome(), f.unchecked(),
		f.howToStop(), f.howToComplain(), f.limits(),
	}
	for _, p := range parts {
		if len(p.Lines) > 0 {
			s.Parts = append(s.Parts, p)
		}
	}
	return s
}

// say adds a sentence.
func (p *SlipPart) say(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.Lines = append(p.Lines, SlipLine{Text: strings.ToUpper(text[:1]) + text[1:]})
}

// list adds a sentence that ends in a list.
func (p *SlipPart) list(points []string, format string, args ...any) {
	p.say(format, args...)
	p.Lines[len(p.Lines)-1].Points = points
}

func (f SlipFacts) opening() SlipPart {
	var p SlipPart
	p.say("This is about the help that you asked for.")
	p.say("If you ask about it, say this number: %s.", ids.Reference(f.Steps[0].Digest))
	p.say("%s made this for you on %s.", f.name(f.Own), dayInWords(f.Made))
	p.say("You do not have to take it with you. Your worker can keep it. Your worker can read it to you again.")
	return p
}

// teams says what everybody who is named is.
func (f SlipFacts) teams() SlipPart {
	if f.NoNames {
		return SlipPart{}
	}
	var teams []string
	for _, id := range f.named() {
		teams = append(teams, f.name(id)+", "+codes.KindToHer(f.Agencies[id].Category))
	}
	return SlipPart{Heading: "Who is named here", Lines: []SlipLine{{Points: teams}}}
}

// named are the agencies that the slip speaks of: the two of the referral, her own first.
func (f SlipFacts) named() []string {
	first := f.Steps[0].Claims
	all := []string{f.Own, first.Issuer, first.Audience}
	for _, a := range f.Answers {
		all = append(all, a.Partner)
	}
	var once []string
	for _, id := range all {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return once
}

// name is what an agency is called, in the middle of a sentence.
func (f SlipFacts) name(id string) string {
	first := f.Steps[0].Claims
	switch {
	case f.NoNames && id == f.Own:
		return "your worker’s team"
	case f.NoNames && (id == first.Issuer || id == first.Audience):
		return "the other team"
	case f.NoNames:
		return "another team"
	}
	return cmp.Or(f.Agencies[id].Name, id)
}

// sent says what went to whom.
func (f SlipFacts) sent() SlipPart {
	p := SlipPart{Heading: "What was sent"}
	for _, e := range f.Steps {
		if names := sectionNames(e.Claims); len(names) > 0 {
			p.list(codes.SectionsToHer(names), "On %s %s sent this to %s:", dayInWords(f.at(e)), f.name(e.Claims.Issuer), f.name(e.Claims.Audience))
			p.say("%s", f.basisOf(e))
		}
	}
	if len(p.Lines) > 0 {
		p.say("Each part is locked. Only the team that it is for can open it. The team that sent it has a copy.")
	}
	for _, id := range f.named() {
		if f.Agencies[id].Custody == HeldByHub {
			p.say("The people who run the computer keep the key for %s.", f.name(id))
		}
	}
	return p
}

// basisOf says on what basis a packet was sent.
func (f SlipFacts) basisOf(e Event) string {
	switch b := e.Claims.Basis; {
	case b == nil:
	case b.Override != "":
		return "This was sent without your yes."
	default:
		for _, c := range f.Consents {
			if c.ID == b.Consent && c.Claims.Agreement == record.BestInterests {
				return "Other people had decided this for you."
			}
			if c.ID == b.Consent {
				return "You had said yes to this."
			}
		}
	}
	return "We could not check if you had said yes to this."
}

// at is when a step was logged.
func (f SlipFacts) at(e Event) time.Time {
	if e.Receipt != nil {
		return e.Receipt.Time
	}
	return time.Unix(e.Claims.IssuedAt, 0)
}

// opened says who opened what on which day and why, and what nobody has opened.
func (f SlipFacts) opened() SlipPart {
	p := SlipPart{Heading: "Who has opened it"}
	for _, o := range f.openings() {
		what := "opened this"
		if o.copy {
			what = "looked at its own copy of this"
		}
		times := ""
		if o.times > 1 {
			times = fmt.Sprintf(" (%d times)", o.times)
		}
		p.list(codes.SectionsToHer(o.sections), "On %s %s %s%s%s:", dayInWords(o.at), f.name(o.by), what, openedInWords(o.reason), times)
	}
	for _, to := range f.named() {
		locked, over, unsure := f.unopened(to)
		for _, l := range []struct {
			text     string
			sections []string
		}{
			{"We could not check if anybody at %s has opened this:", unsure},
			{"Nobody at %s has opened this. It is locked:", locked},
			{"Nobody at %s has opened this. Now nobody can:", over},
		} {
			if len(l.sections) > 0 {
				p.list(codes.SectionsToHer(l.sections), l.text, f.name(to))
			}
		}
	}
	return p
}

// openingOfADay is what an agency opened on one day for one reason.
type openingOfADay struct {
	by, reason string
	copy       bool
	at         time.Time
	sections   []string
	times      int
}

// openings are those of the log, oldest first, those of one day together.
func (f SlipFacts) openings() []*openingOfADay {
	var all []*openingOfADay
	for _, e := range f.inOrder() {
		own := e.Act == "copy.open" || e.Act == "copy.read"
		if !own && e.Act != "section.open" && e.Act != "section.read" {
			continue
		}
		at := slices.IndexFunc(all, func(o *openingOfADay) bool {
			return o.by == e.Partner && o.copy == own && o.reason == e.Reason && dayInWords(o.at) == dayInWords(e.Time)
		})
		if at < 0 {
			all = append(all, &openingOfADay{by: e.Partner, reason: e.Reason, copy: own, at: e.Time})
			at = len(all) - 1
		}
		all[at].times++
		for _, name := range e.Sections {
			if !slices.Contains(all[at].sections, name) {
				all[at].sections = append(all[at].sections, name)
			}
		}
	}
	return all
}

// inOrder are the entries, oldest first.
func (f SlipFacts) inOrder() []proof.Entry {
	return slices.SortedStableFunc(slices.Values(f.Entries), func(a, b proof.Entry) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
}

// unopened are the sections that were sent to an agency and that it has not opened: those that
// it can open still, those that it cannot since she took her yes back, and, if something could
// not be checked, those of which nothing can be said.
func (f SlipFacts) unopened(to string) (locked, over, unsure []string) {
	for _, e := range f.Steps {
		for _, name := range sectionNames(e.Claims) {
			list := &locked
			switch {
			case e.Claims.Audience != to || f.wasOpened(e.Digest, name):
				continue
			case f.Unchecked > 0:
				list = &unsure
			case f.takenBack(e):
				list = &over
			}
			if !slices.Contains(*list, name) {
				*list = append(*list, name)
			}
		}
	}
	return locked, over, unsure
}

// takenBack reports whether she took back the yes that a packet rests on.
func (f SlipFacts) takenBack(e Event) bool {
	return slices.ContainsFunc(f.Consents, func(c StoredConsent) bool {
		return e.Claims.Basis != nil && e.Claims.Basis.Consent == c.ID && c.Withdrawal != ""
	})
}

// wasOpened reports whether the log has it that the recipient opened a section of a packet; any
// section, where name is "".
func (f SlipFacts) wasOpened(envelope, name string) bool {
	return slices.ContainsFunc(f.Entries, func(e proof.Entry) bool {
		return (e.Act == "section.open" || e.Act == "section.read") && e.Envelope == envelope && (name == "" || slices.Contains(e.Sections, name))
	})
}

// unproved counts the packets that the hub shows as opened while no entry that could be
// verified says by whom: an opening that the hub keeps from her.
func (f SlipFacts) unproved() int {
	n := 0
	for _, e := range f.Steps {
		if e.Transport == "opened" && !f.wasOpened(e.Digest, "") {
			n++
		}
	}
	return n
}

// slipWidth is how many characters a line of the text has.
const slipWidth = 66

// Text is the slip to be read at a terminal, or out loud.
func (s Slip) Text() string {
	var b strings.Builder
	b.WriteString(s.Title + "\n")
	for _, p := range s.Parts {
		b.WriteString("\n")
		if p.Heading != "" {
			b.WriteString(strings.ToUpper(p.Heading) + "\n")
		}
		for _, line := range p.Lines {
			if line.Text != "" {
				wrap(&b, line.Text, "")
			}
			for _, point := range line.Points {
				wrap(&b, "- "+point, "  ")
			}
		}
	}
	return b.String()
}

// wrap writes a text in lines, all but the first indented.
func wrap(b *strings.Builder, text, indent string) {
	width := 0
	for word := range strings.SplitSeq(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case width == 0:
		case width+1+n > slipWidth:
			b.WriteString("\n" + indent)
			width = len(indent)
		default:
			b.WriteString(" ")
			width++
		}
		b.WriteString(word)
		width += n
	}
	b.WriteString("\n")
}
