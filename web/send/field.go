package send

import (
	"slices"
	"strconv"
	"strings"

	"handover/referral/packet/schema"
	"handover/web/shell"
)

// path is that of a question's member in the draft; item counts in the list that it asks for.
func (q question) path(member string, item int) string {
	if q.List != "" {
		return q.Section + "." + q.List + "." + strconv.Itoa(item) + "." + member
	}
	return q.Section + "." + member
}

// member is the name of a member as labels have it.
func (q question) member(member string) string {
	if q.List != "" {
		return q.List + "." + member
	}
	return member
}

// asksHow reports whether this is the first page on safe contact. Its one number is hers, or
// her worker's: which, the channel says.
func (q question) asksHow() bool { return q.Section == safeContact && q.Slug == "how" }

const (
	herNumber    = "safe-contact.number"
	workerNumber = "safe-contact.worker.phone"
	viaWorker    = "via-worker"
)

// fields are the inputs of a page.
func (h *Handler) fields(d work, q question, item int, mistakes []shell.Mistake) (fields []shell.Field) {
	for _, m := range q.Members {
		path, s := q.path(m, item), h.shapes[q.Section].at(q.member(m))
		f := shell.Field{Name: field(path), Label: labels()[q.Section+"."+q.member(m)], Hint: hint(q.Section+"."+q.member(m), s), Max: s.Max}
		f.Error = about(mistakes, f.Name)
		f.Hint = strings.TrimSpace(strings.TrimPrefix(f.Hint, f.Label+".")) // said already
		said := d.a[path]
		if q.asksHow() && path == herNumber && d.a.one("safe-contact.channel") == viaWorker {
			said = d.a[workerNumber]
		}
		if len(said) > 0 {
			f.Value = said[0]
		}
		if s.Format == "date" && f.Value != "" {
			f.Value = s.shown(m, said)[0]
		}
		if len(q.Members) == 1 && q.List == "" {
			f.Heading, f.Label = true, q.Title
			f.Hint = strings.TrimSpace(q.Intro + " " + f.Hint)
		}
		fields = append(fields, h.dressed(f, s, q, m, said, mistakes, d)...)
	}
	return fields
}

// dressed gives a field the form of what it asks for; an authority has a second one, for those
// that are not in London.
func (h *Handler) dressed(f shell.Field, s *shape, q question, m string, said []string, mistakes []shell.Mistake, d work) []shell.Field {
	f.Kind = "text"
	switch {
	case s.Kind == code || s.Kind == yesno || s.Kind == many:
		f.Kind = "radios"
		if s.Kind == many {
			f.Kind = "checkboxes"
		}
		for _, c := range s.choices(q.member(m)) {
			if d.police && q.asksHow() && c.Code != viaWorker && c.Code != "none" {
				continue // police are told of no other way to reach her
			}
			f.Choices = append(f.Choices, shell.Choice{Value: c.Code, Label: capital(c.Label), Checked: slices.Contains(said, c.Code)})
		}
	case s.Format == "gss-code":
		return h.authority(f, s, m, said, mistakes)
	case s.Format == "language":
		f.Kind, f.Choices = "select", blank(languages(), f.Value)
	case s.Kind == lines:
		f.Kind, f.Max, f.Hint = "textarea", 0, f.Hint+" One on each line."
	case s.Max > 200:
		f.Kind, f.Rows = "textarea", min(2+s.Max/400, 8)
	case s.Format == "e164":
		f.Type, f.Max, f.Width = "tel", 0, "govuk-input--width-20"
	case s.Format == "email":
		f.Type = "email"
	case s.Kind == number:
		f.Inputmode, f.Width = "numeric", "govuk-input--width-3"
	case s.Format != "" || s.Kind == when:
		f.Width = "govuk-input--width-20"
	}
	return []shell.Field{f}
}

func (h *Handler) authority(f shell.Field, s *shape, m string, said []string, mistakes []shell.Mistake) []shell.Field {
	f.Kind, f.Choices = "select", blank(s.choices(m), f.Value)
	f.Max = 0
	other := shell.Field{Kind: "text", Name: f.Name + "__other", Label: "Or outside London: the authority’s code", Hint: "As E08000003 for Manchester.", Max: 9, Width: "govuk-input--width-10"}
	if len(said) > 0 && !s.choices(m).Has(said[0]) {
		other.Value = said[0]
		other.Error, f.Error = f.Error, ""
		if other.Error != "" {
			for i := range mistakes {
				if mistakes[i].Field == f.Name {
					mistakes[i].Field = other.Name
				}
			}
		}
	}
	if f.Heading {
		f.Hint = strings.TrimSpace(f.Hint + " She may choose any in England.")
	}
	return []shell.Field{f, other}
}

// hints stand in the place of what a schema says to programs.
func hints() map[string]string {
	return map[string]string{
		"safe-contact.channel":        "",
		"safe-contact.number":         "Hers, if she is called or texted. The worker’s, if it goes through a worker. Leave it out otherwise. As 07700 900123. Do not write a number that somebody else may answer.",
		"safe-contact.last_confirmed": "Write today if she has said so just now. It counts for 14 days.",
		"safe-contact.do_not_visit":   "Yes, unless she has said that she may be visited.",
		"safe-contact.safe_days":      "None chosen means every day.",
		"safe-contact.safe_from":      "As 17:30. Leave both out if the whole day is safe.",
		"safe-contact.safe_to":        "As 21:00. If it is earlier than the first, it is on the next day.",
		"safe-contact.app":            "The app, and what she is called there. Do not write a link to her profile.",
		"need.needs.need":             "",
		"access-needs.languages":      "Choose each that she speaks. If hers is not here, write it in the last box of “What helps her to take part?”",
		"immigration.nationality":     "As GBR. XXX is not known, XXA is stateless. Do not ask for a passport.",
		"health.gp_practice":          "As A81001. Leave it out if you do not know it.",
		"contact.post.postcode":       "As NW1 0AA. ZZ99 3VZ is the NHS’s for no fixed abode.",
		"location.postcode":           "As NW1 0AA. Do not write the postcode of a refuge.",
		"location.uprn":               "An exact address. Leave it out unless they need it. Do not write that of a refuge.",
		"identity.nhs_number":         "Ten digits, if she knows it. It is never required.",
	}
}

// hint is what a page says of a member: what it is, in which form to write it, and what not to
// write.
func hint(member string, s *shape) string {
	if own, ok := hints()[member]; ok {
		return own
	}
	says := s.Says
	for _, sample := range []string{" As 2026-11-30.", " As +447700900123.", " An English local authority, as E09000007 for Camden.", " As en, so, pt-BR.",
		" What is not known is not guessed: say how sure it is."} {
		says = strings.ReplaceAll(says, sample, "")
	}
	if asks, rest, _ := strings.Cut(says, "."); strings.HasPrefix(asks, "Whether ") && s.Kind != text {
		says = strings.TrimSpace(rest) // the label asks it
	}
	switch {
	case s.Format == "date":
		says += " As 26 11 2026."
	case s.Format == "e164":
		says += " As 07700 900123."
	case s.Kind == when:
		says += " A day, a month or a year, as 31 May 2004, May 2004 or 2004. If you are not sure, write about before it. Do not guess."
	}
	return says
}

// mistakes is what is wrong with the answers to a question, by its fields. What another page
// asks for is not told here.
func (h *Handler) mistakes(d work, q question, item int) (found []shell.Mistake) {
	content := h.section(d.a, q.Section, d.police)
	if q.asksHow() {
		found = h.asked(d, found)
	}
	for _, m := range schema.Misfits(q.Section, content) {
		at := q.Section + strings.ReplaceAll(m.Member, "/", ".")
		if q.asksHow() && at == workerNumber {
			at = herNumber
		}
		for _, member := range q.Members {
			path := q.path(member, item)
			if at != path && !strings.HasPrefix(at, path+".") || about(found, field(path)) != "" {
				continue
			}
			found = append(found, shell.Mistake{Field: field(path), Text: h.shapes[q.Section].at(q.member(member)).help(m.Says)})
		}
	}
	asks := func(m shell.Mistake) int {
		return slices.IndexFunc(q.Members, func(member string) bool { return field(q.path(member, item)) == m.Field })
	}
	slices.SortStableFunc(found, func(a, b shell.Mistake) int { return asks(a) - asks(b) })
	return found
}

// asked is what must have been said about how to reach her, before anybody can.
func (h *Handler) asked(d work, found []shell.Mistake) []shell.Mistake {
	add := func(question, text string) {
		found = append(found, shell.Mistake{Field: field(question), Text: text})
	}
	if d.a.one("safe-contact.channel") == "" {
		add("safe-contact.channel", "Choose how she may be reached")
	}
	typed, now := d.a.one("safe-contact.last_confirmed"), h.inLondon()
	day, read := dayOf(typed, now)
	switch {
	case typed == "":
		add("safe-contact.last_confirmed", "Enter the day on which she last said so, or today")
	case !read:
	case day.Format(dayLayout) > now.Format(dayLayout):
		add("safe-contact.last_confirmed", "Enter a day that is not in the future")
	case day.Format(dayLayout) < now.Add(-schema.SafeFor).Format(dayLayout):
		add("safe-contact.last_confirmed", "That is more than 14 days ago. Ask her again, then enter today")
	}
	return found
}
