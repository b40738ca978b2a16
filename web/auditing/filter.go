package auditing

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/web/shell"
)

// pageOf is how many entries one page shows: as many as can be scrolled through on a phone.
const pageOf = 25

// asked is what a page of entries was asked for. All of it is ids, codes and days, so that it may
// stand in an address.
type asked struct {
	filter   audit.Filter
	kept     url.Values // what stays the same on the page that follows
	values   map[string]string
	mistakes []shell.Mistake
}

// wrong notes what is wrong with a field. What was typed is not repeated in it.
func (a *asked) wrong(field, text string) {
	a.mistakes = append(a.mistakes, shell.Mistake{Field: field, Text: text})
}

// asked reads the query of a list of entries.
func (h *Handler) asked(q url.Values, k kind) asked {
	a := asked{filter: audit.Filter{Acts: k.Acts, Limit: pageOf}, kept: url.Values{}, values: map[string]string{}}
	for _, name := range []string{"act", "partner", "person", "referral", "consent", "from", "to"} {
		if value := strings.TrimSpace(q.Get(name)); value != "" {
			a.values[name] = value
			a.kept.Set(name, value)
		}
	}
	given := func(name string, fits func(string) bool, into *string, otherwise string) {
		value, is := a.values[name]
		switch {
		case !is:
		case fits(value):
			*into = value
		default:
			a.wrong(name, otherwise)
		}
	}
	known := func(act string) bool {
		_, is := proof.ActOf(act)
		return is && (k.Acts == nil || slices.Contains(k.Acts, act))
	}
	given("act", known, &a.filter.Act, "Choose what was done from the list")
	given("partner", ids.IsName, &a.filter.Partner, "Choose an agency from the list")
	given("person", ids.IsUUID, &a.filter.User, "Enter the person’s id as an entry shows it, 36 characters")
	given("referral", isReferral, &a.filter.Referral, "Enter the referral’s reference, like R-7K3F-9Q2M, or its long id")
	given("consent", ids.IsUUID, &a.filter.Consent, "Enter the id of the consent record or override as an entry shows it, 36 characters")
	a.period(h.zone)
	if after := q.Get("after"); after != "" {
		id, err := audit.ParseEntryID(after)
		if err != nil {
			a.wrong("", "The link to older entries is not whole. Show the newest entries again")
		}
		a.filter.After = id
	}
	if a.filter.Act != "" {
		a.filter.Acts = nil
	}
	return a
}

// isReferral reports whether s is a referral's id, or its reference as people write it.
func isReferral(s string) bool {
	_, is := ids.ParseReference(s)
	return is || ids.IsDigest(s)
}

// resolve finds the referral of a reference among those of which the reader may see an entry.
func (h *Handler) resolve(ctx context.Context, by audit.Reader, a *asked) error {
	reference, is := ids.ParseReference(a.filter.Referral)
	if !is || len(a.mistakes) > 0 {
		return nil
	}
	found, err := h.log.Referrals(ctx, by, reference)
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		a.wrong("referral", "No entry that you may see is about a referral with this reference. Check it, or leave it empty")
	case len(found) > 1:
		a.wrong("referral", "More than one referral has this reference. Enter its long id, as an entry shows it")
	default:
		a.filter.Referral = found[0]
	}
	return nil
}

// period reads the days from and to, both included, where she is.
func (a *asked) period(zone *time.Location) {
	day := func(name string) (t time.Time) {
		value, is := a.values[name]
		if !is {
			return t
		}
		t, ok := dayOf(value, zone)
		if !ok {
			a.wrong(name, notADay)
		}
		return t
	}
	a.filter.From = day("from")
	if to := day("to"); !to.IsZero() {
		a.filter.To = to.AddDate(0, 0, 1)
	}
	if !a.filter.To.IsZero() && !a.filter.From.Before(a.filter.To) && len(a.mistakes) == 0 {
		a.wrong("to", "The last day must be the first day or later")
	}
}

// notADay is what to do about a day that nobody can read.
const notADay = "Enter a day like 1/7/2026: day, month, year"

// dayOf reads a day as people write it here, and as the addresses of these pages have it.
func dayOf(text string, zone *time.Location) (time.Time, bool) {
	for _, form := range []string{written, time.DateOnly, "2 January 2006", "2 Jan 2006"} {
		if t, err := time.ParseInLocation(form, text, zone); err == nil {
			return t, t.Year() >= 2000 && t.Year() < 3000
		}
	}
	return time.Time{}, false
}

// error is the mistake in a field, or "".
func (a asked) error(field string) string {
	for _, m := range a.mistakes {
		if m.Field == field {
			return m.Text
		}
	}
	return ""
}

// fields are the questions by which a list is narrowed.
func (a asked) fields(n names, k kind, overseer bool) []shell.Field {
	field := func(f shell.Field) shell.Field {
		f.Value, f.Error = a.values[f.Name], a.error(f.Name)
		for i := range f.Choices {
			f.Choices[i].Checked = f.Choices[i].Value == f.Value
		}
		return f
	}
	agencies := []shell.Choice{{Value: "", Label: "Any agency"}}
	for _, id := range sortedBy(n.agencies) {
		agencies = append(agencies, shell.Choice{Value: id, Label: n.agencies[id]})
	}
	person := shell.Field{Kind: "text", Name: "person", Label: "Person", Hint: "Her id, as an entry shows it. Do not write a name.", Max: 36}
	if !overseer {
		person = shell.Field{Kind: "select", Name: "person", Label: "Person of your agency", Choices: []shell.Choice{{Value: "", Label: "Anybody"}}}
		for _, id := range sortedBy(n.people) {
			person.Choices = append(person.Choices, shell.Choice{Value: id, Label: n.people[id]})
		}
		if id := a.values["person"]; id != "" && n.people[id] == "" {
			person.Choices = append(person.Choices, shell.Choice{Value: id, Label: "The person of the last search"})
		}
	}
	var fields []shell.Field
	if len(k.Acts) != 1 {
		fields = append(fields, field(shell.Field{Kind: "select", Name: "act", Label: "What was done", Choices: acts(k)}))
	}
	return append(fields,
		field(shell.Field{Kind: "select", Name: "partner", Label: "Agency", Hint: "That did it, or that it concerns.", Choices: agencies}), field(person),
		field(shell.Field{Kind: "text", Name: "referral", Label: "Referral", Hint: "Its reference, like R-7K3F-9Q2M, or its long id. Do not write a name.", Max: 60}),
		field(shell.Field{Kind: "text", Name: "from", Label: "First day", Hint: "For example, 1/7/2026.", Max: 20, Width: "govuk-input--width-10"}),
		field(shell.Field{Kind: "text", Name: "to", Label: "Last day", Hint: "It is in the list, too.", Max: 20, Width: "govuk-input--width-10"}))
}

// acts are the choices of what was done, in the order of the alphabet.
func acts(k kind) []shell.Choice {
	labels := map[string]string{}
	for _, a := range proof.Acts() {
		if k.Acts == nil || slices.Contains(k.Acts, a.Name) {
			labels[a.Name] = capital(a.Label)
		}
	}
	all := []shell.Choice{{Value: "", Label: "Anything"}}
	for _, name := range sortedBy(labels) {
		all = append(all, shell.Choice{Value: name, Label: labels[name]})
	}
	return all
}

// sortedBy are the keys of m in the order of what they stand for.
func sortedBy(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if c := strings.Compare(m[a], m[b]); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return keys
}
