package consents

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/ask"
	"handover/web/shell"
)

// wordsPage asks for what she may want to add: her own words, whom never to tell, until when.
func (h *Handler) wordsPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	s, by, err := h.open(r, in)
	if err != nil || !inOrder(w, s, "words") {
		return err
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	s.Default(untilKey, strconv.Itoa(lasts))
	q, status := s.wordsQuestions(by, named), http.StatusOK
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		if q = s.takeWords(form, by, named); len(q.Mistakes()) == 0 {
			return h.keep(w, r, in, s, s.after("words"))
		}
		status = http.StatusUnprocessableEntity
	}
	return h.pages.Show(w, r, status, "questions", shell.Page{Title: "What else she said", Back: s.before("words"), Mistakes: q.Mistakes(),
		Body: questionsView{Heading: "What else she said", Questions: q, Lead: []string{"You can leave all of this as it is."}}})
}

// The two questions with whom nothing is ever to be shared: a kind of agency, and one agency.
const (
	neverKinds  = "never-kinds"
	neverAgency = "never-agency"
)

func (s said) wordsQuestions(by asker, named map[string]partners.Partner) ask.Questions {
	q := ask.Questions{{Kind: "textarea", Name: wordsKey, Label: "Her own words", Value: s.One(wordsKey), Max: mostText,
		Hint: "What she said yes or no to, as she said it. Sealed: only your agency can read it. Write no names and no addresses."}}
	how := s.how()
	if how != nil && (how.Alone == "no" || how.Coercion != "none") {
		q = append(q, shell.Field{Kind: "textarea", Name: seenKey, Label: "Who else was there, and what did you see?", Value: s.One(seenKey), Max: mostText,
			Hint: "Sealed: only your agency can read it. Write who they are to her, not what they are called."})
	}
	q = append(q, NeverQuestions(by.id, s.All(neverKey), named)...)
	if !s.grants() {
		return q
	}
	until := ask.Radios(untilKey, "Until when does it stand?", untils(s.given(), by.zone), s.One(untilKey))
	until.Hint = "She can stop it on any day before. When it ends nothing more is shared, and you ask her again."
	return append(q, until)
}

// untils are how long a record may stand, with the day on which it ends.
func untils(given int64, zone *time.Location) codes.List {
	var list codes.List
	for _, u := range []struct {
		days  int
		words string
	}{{14, "2 weeks"}, {lasts, "28 days"}, {91, "3 months"}, {365, "12 months, if you go on working with her"}} {
		end := time.Unix(given, 0).In(zone).AddDate(0, 0, u.days).Format("2 January 2006")
		list = append(list, codes.Code{Code: strconv.Itoa(u.days), Label: u.words + ": to the end of " + end})
	}
	return list
}

// NeverQuestions ask with whom nothing about her is ever to be shared: of all agencies but her
// worker's own.
func NeverQuestions(own string, chosen []string, named map[string]partners.Partner) ask.Questions {
	kinds := codes.List{}
	for _, c := range partners.Categories() {
		if c != partners.Oversight {
			kinds = append(kinds, codes.Code{Code: record.CategoryPrefix + string(c), Label: c.Title()})
		}
	}
	agencies, one := codes.List{}, ""
	for id, p := range named {
		if id != own {
			agencies = append(agencies, codes.Code{Code: id, Label: p.Name})
		}
		if slices.Contains(chosen, id) {
			one = id
		}
	}
	slices.SortFunc(agencies, func(a, b codes.Code) int { return strings.Compare(a.Label+a.Code, b.Label+b.Code) })
	of := ask.Checks(neverKinds, "Is there anybody she never wants told?", kinds, chosen)
	of.Hint = "Nothing about her is shared with them, whoever sends, whatever is agreed later. They are not told that she said so."
	return ask.Questions{of, ask.Select(neverAgency, "One agency that she never wants told", "No single agency", agencies, one)}
}

// TakeNever is what a form answered to NeverQuestions.
func TakeNever(form url.Values, q ask.Questions) []string {
	var chosen []string
	for _, f := range q {
		for _, answer := range form[f.Name] {
			if (f.Name == neverKinds || f.Name == neverAgency) && offered(f, answer) {
				chosen = append(chosen, answer)
			}
		}
	}
	return chosen
}

// takeWords takes the answers. Whom she never wants told cannot be whom she has just agreed to
// tell: one of the two was not understood.
func (s said) takeWords(form url.Values, by asker, named map[string]partners.Partner) ask.Questions {
	for _, key := range []string{wordsKey, seenKey} {
		s.Set(key, strings.TrimSpace(form.Get(key)))
	}
	never := TakeNever(form, NeverQuestions(by.id, nil, named))
	s.Set(neverKey, never...)
	days := form.Get(untilKey)
	if !s.grants() || untils(s.given(), by.zone).Has(days) {
		s.Set(untilKey, days)
	}
	q := s.wordsQuestions(by, named)
	s.checkText(q, false, "")
	if s.grants() {
		for _, to := range s.recipients(by.id, by.police) {
			kind := record.CategoryPrefix + string(named[to].Category)
			if slices.Contains(never, to) || to != by.id && slices.Contains(never, kind) {
				q.Wrong(neverKinds, "She agreed that "+nameOf(named, to)+" is told, and she never wants them told. Ask her which it is")
			}
		}
	}
	return q
}
