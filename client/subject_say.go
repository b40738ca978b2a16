package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
)

// Text is the export for people to read: what to look for first, then what is held.
func (s SubjectAccess) Text() string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "What %s holds about one woman in the exchange at %s, made on %s\nHer references: %s\n", s.Partner, s.Hub, day(s.Made), strings.Join(s.Subjects, ", "))
	heading(b, "Before any of it is given to her")
	bullets(b, s.Review)
	if len(s.Unchecked) > 0 {
		heading(b, "What does not hold, or could not be shown")
		bullets(b, s.Unchecked)
	}
	heading(b, "What she said")
	s.writeConsents(b)
	heading(b, "With whom nothing is ever to be shared")
	s.writeNevers(b)
	heading(b, "What was shared without her agreement: review before it is disclosed")
	s.writeOverrides(b)
	heading(b, "Referrals")
	s.writeReferrals(b)
	heading(b, "With whom it was shared")
	s.writeShared(b)
	heading(b, "What was done, by the log")
	for _, e := range s.Log {
		fmt.Fprintf(b, "%s\n", said(e))
	}
	heading(b, "What this cannot have")
	bullets(b, s.Limits)
	return b.String()
}

func heading(b *strings.Builder, text string) { fmt.Fprintf(b, "\n== %s ==\n\n", text) }

func bullets(b *strings.Builder, lines []string) {
	for _, line := range lines {
		fmt.Fprintf(b, "- %s\n", line)
	}
}

// none says that there is nothing, so that an empty part is no oversight.
func none(b *strings.Builder, n int) {
	if n == 0 {
		b.WriteString("Nothing.\n")
	}
}

// row writes one fact, if there is one.
func row(b *strings.Builder, name, value string) {
	if value != "" {
		fmt.Fprintf(b, "  %s: %s\n", name, value)
	}
}

func (s SubjectAccess) writeConsents(b *strings.Builder) {
	none(b, len(s.Consents))
	for _, k := range s.Consents {
		c := k.Claims
		fmt.Fprintf(b, "Consent %s, recorded by %s on %s: now %s\n", k.ID, c.Issuer, day(k.RecordedAt), k.State)
		row(b, "she said", record.Agreements().Label(c.Agreement)+", on "+day(time.Unix(c.GivenAt, 0)))
		row(b, "how", labelOf(record.Methods(), c.Method))
		row(b, "what for", codes.Purposes().Label(c.Purpose))
		row(b, "for whom", strings.Join(c.Recipients, ", "))
		row(b, "may be shared", list(c.Sections))
		row(b, "must not be", strings.Join(c.Withheld, ", "))
		row(b, "stands until", day(time.Unix(c.Expires, 0)))
		if !k.WithdrawnAt.IsZero() {
			row(b, "taken back", day(k.WithdrawnAt))
		}
		row(b, "looked at by a manager", k.Review)
		if h := k.How; h != nil {
			row(b, "how she was asked", fmt.Sprintf("seen alone: %s; %s; spoke %s; interpreter: %s; %s", h.Alone, record.Coercions().Label(h.Coercion),
				h.Language, record.Interpreters().Label(h.Interpreter), record.Capacities().Label(h.Capacity)))
		}
		for _, part := range record.SealedParts() {
			row(b, part.Label, k.Words[part.Code])
		}
	}
}

func labelOf(list codes.List, code string) string {
	if code == "" {
		return ""
	}
	return list.Label(code)
}

func (s SubjectAccess) writeNevers(b *strings.Builder) {
	none(b, len(s.Nevers))
	for _, n := range s.Nevers {
		fmt.Fprintf(b, "%s, recorded on %s\n", n.ID, day(n.RecordedAt))
		row(b, "never with", strings.Join(n.Claims.Recipients, ", "))
		if !n.LiftedAt.IsZero() {
			row(b, "until she changed her mind", day(n.LiftedAt))
		}
	}
}

func (s SubjectAccess) writeOverrides(b *strings.Builder) {
	none(b, len(s.Overrides))
	for _, o := range s.Overrides {
		c := o.Claims
		fmt.Fprintf(b, "Override %s, proposed by %s on %s: now %s\n", o.ID, c.Issuer, day(o.RecordedAt), o.State)
		row(b, "REVIEW", o.Review)
		row(b, "with", c.Recipient)
		row(b, "what", list(c.Sections))
		row(b, "why", record.Reasons().Label(c.Reason))
		row(b, "she said", record.Agreements().Label(c.Agreement))
		row(b, "she has been told", c.Told)
		row(b, "why not", labelOf(record.NotToldReasons(), c.NotTold))
		for _, part := range record.OverrideParts() {
			row(b, part.Label, o.Texts[part.Code])
		}
	}
}

func (s SubjectAccess) writeReferrals(b *strings.Builder) {
	none(b, len(s.Referrals))
	for _, r := range s.Referrals {
		fmt.Fprintf(b, "Referral %s, from %s to %s: now %s\n", r.Reference, r.Sender, r.Recipient, r.State)
		row(b, "what for", codes.Purposes().Label(r.Purpose))
		for i, e := range r.Chain {
			row(b, fmt.Sprintf("step %d", i+1), fmt.Sprintf("%s by %s on %s", e.Event, e.Claims.Issuer, day(e.Stored)))
		}
		for _, p := range r.Packets {
			p.write(b)
		}
	}
}

func (p HeldPacket) write(b *strings.Builder) {
	fmt.Fprintf(b, "  What step %d holds, written by %s: %s\n", p.Step, p.From, list(p.Names))
	row(b, "  not opened", p.NotOpened)
	for _, name := range slices.Sorted(maps.Keys(p.Sections)) {
		value := slices.Clone(p.Sections[name])
		_ = value.Indent(jsontext.WithIndentPrefix("    "), jsontext.WithIndent("  ")) // it was read as JSON
		fmt.Fprintf(b, "    %s (%s):\n    %s\n", name, codes.Sections().Label(name), value)
	}
	for i, a := range p.Attachments {
		where := "not kept: handover open, which writes it to a file"
		if i < len(p.Files) {
			where = p.Files[i]
		}
		row(b, "  "+a.Name, fmt.Sprintf("%s, %s, %d bytes: %s", codes.Sections().Label(a.Class), a.MediaType, a.Size, where))
	}
}

func (s SubjectAccess) writeShared(b *strings.Builder) {
	none(b, len(s.Shared))
	for _, h := range s.Shared {
		text := fmt.Sprintf("%s, since %s, in the referral %s: %s; %s", h.Partner, day(h.Since), ids.Reference(h.Referral), list(h.Sections), h.Transport)
		if h.Answer != "" {
			text += "; asked after she took her consent back: " + h.Answer
		}
		fmt.Fprintf(b, "- %s\n", text)
	}
}

// said is one entry of the log in words.
func said(e proof.Entry) string {
	text := day(e.Time) + ": " + orHub(e.Partner) + " " + proof.LabelOf(e.Act)
	for _, part := range []struct{ word, value string }{
		{"of", e.Other}, {"in the referral", ids.Reference(e.Referral)}, {"on the consent", e.Consent}, {"on the override", e.Override},
		{"sections", strings.Join(e.Sections, ", ")}, {"because", e.Reason}, {"refused as", e.Outcome}, {"by", e.User},
	} {
		if part.value != "" {
			text += ", " + part.word + " " + part.value
		}
	}
	return text
}

func orHub(partner string) string {
	if partner == "" {
		return "the hub"
	}
	return partner
}
