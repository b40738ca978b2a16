package agreements

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/partners/terms"
	"handover/web/shell"
)

// steps are the questions, in their order.
func steps() []string { return []string{"other", "sends", "receives", "until", "check"} }

// wish is what was said so far.
type wish struct {
	ID       string // of the agreement: sent twice, it is proposed once
	Other    partners.ID
	Sends    terms.Way
	Receives terms.Way
	Months   int // it stands for
	Review   int // months until both look at it again
}

// wished reads what the pages have sent.
func wished(form url.Values) wish {
	number := func(name string) int { n, _ := strconv.Atoi(form.Get(name)); return n } // none is 0, which is no answer
	list := func(name string) []string {                                               // of boxes, or as they are carried on; nil for none
		return append([]string(nil), strings.Fields(strings.Join(form[name], " "))...)
	}
	v := wish{ID: form.Get("id"), Other: partners.ID(form.Get("other")), Months: number("months"), Review: number("review"),
		Sends:    terms.Way{Purposes: list("send-purposes"), Sections: list("send-sections")},
		Receives: terms.Way{Purposes: list("receive-purposes"), Sections: list("receive-sections")}}
	if !ids.IsUUIDv7(v.ID) {
		v.ID = ""
	}
	return v
}

// carried is what was said, to be sent along; but for what the page asks itself.
func (v wish) carried(asked string) map[string]string {
	sent := map[string]string{"id": v.ID, "step": asked}
	carry := func(step, name, value string) {
		if step != asked {
			sent[name] = value
		}
	}
	carry("other", "other", string(v.Other))
	carry("sends", "send-purposes", strings.Join(v.Sends.Purposes, " "))
	carry("sends", "send-sections", strings.Join(v.Sends.Sections, " "))
	carry("receives", "receive-purposes", strings.Join(v.Receives.Purposes, " "))
	carry("receives", "receive-sections", strings.Join(v.Receives.Sections, " "))
	carry("until", "months", strconv.Itoa(v.Months))
	carry("until", "review", strconv.Itoa(v.Review))
	return sent
}

// judge says what is wrong with the answer to a question; nil: nothing.
func (p *proposing) judge(step string) []shell.Mistake {
	switch step {
	case "other":
		switch other, known := p.known[p.Other]; {
		case !known:
			return []shell.Mistake{{Field: "other", Text: "Choose the agency"}}
		case other.Category == partners.Oversight:
			return []shell.Mistake{{Field: "other", Text: "An oversight agency is never sent anything: choose another"}}
		case p.open != nil:
			return []shell.Mistake{{Field: "other", Text: "They have not answered your last proposal: take that back first, or wait"}}
		}
	case "sends":
		return p.wrong("send", p.Sends, p.known[p.Other].Category)
	case "receives":
		if wrong := p.wrong("receive", p.Receives, p.category); wrong != nil {
			return wrong
		}
		if p.Sends.Empty() && p.Receives.Empty() {
			return []shell.Mistake{{Field: "receive-purposes", Text: "Choose what they may send you, or go back and choose what you may send them"}}
		}
	case "until":
		switch {
		case !slices.Contains([]int{6, 12, 24}, p.Months):
			return []shell.Mistake{{Field: "months", Text: "Choose how long it stands"}}
		case p.Review < 1 || p.Review > p.Months:
			return []shell.Mistake{{Field: "review", Text: "Choose when you both look at it again, no later than it ends"}}
		}
	}
	return nil
}

// wrong says what is wrong with a way to an agency of the category.
func (p *proposing) wrong(prefix string, w terms.Way, to partners.Category) []shell.Mistake {
	unknown := func(list codes.List, given []string) bool {
		return slices.ContainsFunc(given, func(code string) bool { return !list.Has(code) })
	}
	switch {
	case w.Empty():
		return nil
	case len(w.Purposes) == 0 || unknown(codes.Purposes(), w.Purposes):
		return []shell.Mistake{{Field: prefix + "-purposes", Text: "Choose what for, or leave all of it empty"}}
	case len(w.Sections) == 0 || unknown(codes.Sections(), w.Sections):
		return []shell.Mistake{{Field: prefix + "-sections", Text: "Choose which kinds of information, or leave all of it empty"}}
	}
	for _, s := range p.firewall.Barred(to, w.Purposes) {
		if slices.Contains(w.Sections, s) {
			return []shell.Mistake{{Field: prefix + "-sections", Text: "Leave out “" + codes.Sections().Label(s) + "”: " + to.Title() + " may never receive it for these purposes"}}
		}
	}
	return nil
}

// proposeView is one question.
type proposeView struct {
	Step     string
	Number   int
	With     string
	Category string // of who receives, in words
	Fields   []shell.Field
	Never    []string // kinds of information that never go there
	Current  *summary // whose place it takes
	Open     string   // id of the proposal that is not answered
	Sends    way
	Receives way
	Months   int
	Review   int
	Command  string // of an agency that holds its own keys
	Hidden   map[string]string
}

func (h *Handler) question(w http.ResponseWriter, r *http.Request, s signin.Session, status int, p *proposing, step string, wrong []shell.Mistake) error {
	me, other := s.Caller.Partner(), p.known[p.Other]
	v := proposeView{Step: step, Number: slices.Index(steps(), step) + 1, With: other.Name, Hidden: p.carried(step), Months: p.Months, Review: p.Review}
	if p.current != nil {
		of := h.summary(*p.current, me, p.known)
		v.Current = &of
	}
	switch step {
	case "other":
		v.Fields = []shell.Field{p.which()}
		if p.open != nil {
			v.Open = p.open.ID
		}
	case "sends":
		v.Fields, v.Never, v.Category = h.ways("send", p.Sends, other.Category), labels(codes.Sections(), h.never(other.Category)), other.Category.Title()
	case "receives":
		v.Fields, v.Never, v.Category = h.ways("receive", p.Receives, p.category), labels(codes.Sections(), h.never(p.category)), p.category.Title()
	case "until":
		v.Fields = until(p.Months, p.Review)
	case "check":
		known := agencies{p.Other: other, me: {ID: me, Category: p.category}}
		v.Sends = h.way(partners.AgreementWay{Sender: me, Recipient: p.Other, Purposes: p.Sends.Purposes, Sections: p.Sends.Sections}, known)
		v.Receives = h.way(partners.AgreementWay{Sender: p.Other, Recipient: me, Purposes: p.Receives.Purposes, Sections: p.Receives.Sections}, known)
		v.Sends.Ours = true
		if !p.managed {
			v.Command = p.command()
		}
	}
	for i := range v.Fields {
		for _, m := range wrong {
			if m.Field == v.Fields[i].Name {
				v.Fields[i].Error = m.Text
			}
		}
	}
	return h.pages.Show(w, r, status, "propose", shell.Page{Title: "Propose an agreement", Back: root, Mistakes: wrong, Body: v})
}

func (h *Handler) never(to partners.Category) []string {
	return h.Partners.Firewall().Barred(to, codes.Purposes().Codes())
}

// which asks for the agency.
func (p *proposing) which() shell.Field {
	f := shell.Field{Kind: "select", Name: "other", Label: "Which agency?", Choices: []shell.Choice{{Label: "Choose an agency"}}}
	for id, a := range p.known {
		if a.Category != partners.Oversight {
			f.Choices = append(f.Choices, shell.Choice{Value: string(id), Label: a.Name, Checked: id == p.Other})
		}
	}
	slices.SortFunc(f.Choices[1:], func(a, b shell.Choice) int { return strings.Compare(a.Label, b.Label) })
	return f
}

// ways asks what may go to an agency of the category. What may never go there is no choice; what
// may go for some purposes only says for which.
func (h *Handler) ways(prefix string, w terms.Way, to partners.Category) []shell.Field {
	purposes := shell.Field{Kind: "checkboxes", Name: prefix + "-purposes", Label: "What for?"}
	for _, c := range codes.Purposes() {
		purposes.Choices = append(purposes.Choices, shell.Choice{Value: c.Code, Label: sentence(c.Label), Checked: slices.Contains(w.Purposes, c.Code)})
	}
	sections := shell.Field{Kind: "checkboxes", Name: prefix + "-sections", Label: "Which kinds of information?",
		Hint: "Choose what is needed for this, and no more. She still says yes to each, every time."}
	all, never := codes.Purposes().Codes(), h.never(to)
	for _, c := range codes.Sections() {
		if slices.Contains(never, c.Code) {
			continue
		}
		choice := shell.Choice{Value: c.Code, Label: sentence(c.Label), Checked: slices.Contains(w.Sections, c.Code)}
		if some := passing(h.Partners.Firewall(), to, c.Code, all); len(some) < len(all) {
			choice.Hint = "Only for: " + strings.Join(labels(codes.Purposes(), some), "; ") + "."
		}
		sections.Choices = append(sections.Choices, choice)
	}
	return []shell.Field{purposes, sections}
}

func until(months, review int) []shell.Field {
	choices := func(name, label, hint string, chosen int, of map[int]string) shell.Field {
		f := shell.Field{Kind: "radios", Name: name, Label: label, Hint: hint}
		for _, n := range []int{6, 12, 24} {
			if words, ok := of[n]; ok {
				f.Choices = append(f.Choices, shell.Choice{Value: strconv.Itoa(n), Label: words, Checked: n == chosen})
			}
		}
		return f
	}
	return []shell.Field{
		choices("months", "How long does it stand?", "Counted from today. Either of you can end it sooner, at once.", months, map[int]string{6: "6 months", 12: "1 year", 24: "2 years"}),
		choices("review", "When do you both look at it again?", "", review, map[int]string{6: "In 6 months", 12: "In a year", 24: "In 2 years"}),
	}
}
