package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"handover/client"
	"handover/consent/record"
	"handover/internal/codes"
)

// confirm shows, in plain English, what will be recorded and who will be able to read what,
// and asks whether it is right. Nothing has been signed before.
func (i *interview) confirm(yes bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nThis will be recorded, signed by %s:\n\n", i.own.ID)
	columns := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	i.write(columns)
	_ = columns.Flush() // into memory
	i.a.say("%s", b.String())
	if yes {
		return nil
	}
	for {
		answer, err := i.a.line("Is this right, and shall it be recorded? (yes/no) > ")
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", err, errNotRecorded)
		case chosen(yesNo(), answer) == "yes":
			return nil
		case chosen(yesNo(), answer) == "no":
			return errNotRecorded
		}
		i.a.say("Answer yes or no.")
	}
}

func (i *interview) write(w io.Writer) {
	c := i.d.consent(i.a.now())
	begins := cmp.Or(c.From, c.Given, i.a.now())
	until := cmp.Or(c.Expires, begins.Add(client.ConsentLife))
	said := record.Agreements().Label(cmp.Or(c.Agreement, "agreed"))
	if c.Method != "" {
		said += ", " + record.Methods().Label(c.Method)
	}
	fmt.Fprintf(w, "  what she said\t%s, %s\n", said, when(cmp.Or(c.Given, i.a.now())))
	fmt.Fprintf(w, "  what for\t%s\n", codes.Purposes().Label(c.Purpose))
	fmt.Fprintf(w, "  for whom\t%s\n", i.named(c.Recipients))
	if i.d.grants() {
		i.writeGrant(w, c, until)
	}
	if c.Notice.Version != "" {
		fmt.Fprintf(w, "  notice\t%s, in %s\n", c.Notice.Version, c.Notice.Language)
	}
	writeHow(w, "  ", c.How)
	fmt.Fprintf(w, "\nWho can read it:\n")
	fmt.Fprintf(w, "  the record itself\tyour agency, the agencies it names, and whoever runs the hub\n")
	if c.How != (client.Circumstances{}) {
		fmt.Fprintf(w, "  how you asked her\tyour agency, and whoever runs the hub. Not the agencies it names\n")
	}
	for _, part := range record.SealedParts() {
		if c.Words[part.Code] != "" {
			fmt.Fprintf(w, "  %s\tyour agency alone: sealed\n", part.Label)
		}
	}
	if i.d.grants() && c.How.NeedReview(cmp.Or(c.Agreement, "agreed")) {
		fmt.Fprintf(w, "\nNothing is shared on it until a manager of your agency has looked at it.\n")
	}
}

// writeGrant writes what can be shared, and on what basis.
func (i *interview) writeGrant(w io.Writer, c client.Consent, until time.Time) {
	fmt.Fprintf(w, "  may be shared\t%s\n", labels(codes.Sections(), c.Sections))
	if len(c.Withheld) > 0 {
		fmt.Fprintf(w, "  must not be\t%s\n", labels(codes.Sections(), c.Withheld))
	}
	fmt.Fprintf(w, "  anything else\tis not shared\n")
	fmt.Fprintf(w, "  travels on\t%s\n", record.Onwards().Label(cmp.Or(c.Onward, "ask-each-time")))
	fmt.Fprintf(w, "  stands until\t%s\n", when(until))
	if !c.Review.IsZero() {
		fmt.Fprintf(w, "  look again on\t%s\n", when(c.Review))
	}
	writeBases(w, "  ", i.own.ID, c.Bases)
	if c.Gate.Pathway == "" {
		c.Gate.Pathway = record.PathwaysFor(c.Purpose)[0]
	}
	writeGate(w, "  ", c.Gate)
}

// named writes recipients as people know them.
func (i *interview) named(recipients []string) string {
	var names []string
	for _, r := range recipients {
		category, byCategory := strings.CutPrefix(r, record.CategoryPrefix)
		at := slices.IndexFunc(i.partners, func(p client.Partner) bool { return p.ID == r })
		switch {
		case byCategory:
			names = append(names, "EVERY agency of the kind "+category)
		case r == i.own.ID:
			names = append(names, "your own agency, so that they can write back")
		case at >= 0:
			names = append(names, i.partners[at].Name+" ("+r+")")
		default:
			names = append(names, r)
		}
	}
	return strings.Join(names, "; ")
}

// labels writes codes in words.
func labels(list codes.List, chosen []string) string {
	var words []string
	for _, code := range chosen {
		words = append(words, list.Label(code))
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, "; ")
}

// writeHow writes how she was asked.
func writeHow(w io.Writer, indent string, how client.Circumstances) {
	if how == (client.Circumstances{}) {
		return
	}
	fmt.Fprintf(w, "%show you asked\tseen alone: %s; %s; spoke %s; interpreter: %s; %s\n", indent, how.Alone, record.Coercions().Label(how.Coercion),
		how.Language, record.Interpreters().Label(how.Interpreter), record.Capacities().Label(how.Capacity))
}

// writeBases writes what each agency relies on.
func writeBases(w io.Writer, indent, own string, bases []client.Basis) {
	for _, b := range bases {
		text := record.Articles6().Label(b.Article6) + " (Art 6 " + b.Article6 + ")"
		for _, more := range []struct{ said, text string }{
			{b.Condition, record.Recognised().Label(b.Condition)}, {b.Provision, b.Provision},
			{b.Article9, record.Articles9().Label(b.Article9) + " (Art 9 " + b.Article9 + ")"},
			{b.Article10, record.Articles10().Label(b.Article10) + " (Art 10)"},
			{b.Schedule1, "Schedule 1 paragraph " + b.Schedule1}, {b.Safeguarding, record.Safeguardings().Label(b.Safeguarding)},
			{b.Policy, "policy " + b.Policy},
		} {
			if more.said != "" {
				text += "; " + more.text
			}
		}
		fmt.Fprintf(w, "%slawful basis\t%s: %s\n", indent, cmp.Or(b.Controller, own), text)
	}
}

// writeGate writes the statutory gate, if there is one.
func writeGate(w io.Writer, indent string, g client.Gate) {
	if g.Pathway == "" || g.Pathway == "none" {
		return
	}
	fmt.Fprintf(w, "%sstatutory gate\t%s\n", indent, record.Pathways().Label(g.Pathway))
	if len(g.Agreements) > 0 {
		fmt.Fprintf(w, "%sshe agreed\t%s\n", indent, labels(record.DutyAgreements(), g.Agreements))
	}
	if g.Authority != "" {
		fmt.Fprintf(w, "%sshe chose\t%s (%s)\n", indent, codes.LondonAuthorities().Label(g.Authority), g.Authority)
	}
}
