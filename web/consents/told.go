package consents

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/ask"
	"handover/web/shell"
)

// toldView is the page on which she is told, and says yes to what she says yes to.
type toldView struct {
	Ready     bool // it is settled what she is asked
	To        []string
	Purpose   string
	Until     time.Time
	Notice    []string
	Questions ask.Questions
	Draft     string // where the rest of the draft is
}

func (h *Handler) toldPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	s, _, err := h.open(r, in)
	if err != nil || locked(w, s) {
		return err
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	q, status := s.toldQuestions(named), http.StatusOK
	if r.Method == http.MethodPost && s.ready() {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		if q = s.takeTold(form, named); len(q.Mistakes()) == 0 {
			if err := s.begin(h.Now()); err != nil {
				return err
			}
			return h.keep(w, r, in, s, s.after(""))
		}
		status = http.StatusUnprocessableEntity
	}
	v := toldView{Ready: s.ready(), Purpose: ask.Upper(codes.Purposes().Label(s.One(purposeKey))), Until: h.Now().AddDate(0, 0, lasts), Notice: Notice(), Questions: q, Draft: back(s)}
	for _, id := range s.All(toKey) {
		v.To = append(v.To, toHer(named, id))
	}
	return h.pages.Show(w, r, status, "told", shell.Page{Title: "Ask her what may be shared", Back: back(s), Hers: true, Mistakes: q.Mistakes(), Body: v})
}

// toHer is a recipient, and what kind of agency it is.
func toHer(named map[string]partners.Partner, id string) string {
	p, one := named[id]
	switch {
	case !one:
		return nameOf(named, id)
	case p.Category == partners.Police:
		return p.Name + ", the police: if she says yes, any police force may be told"
	}
	return p.Name + ", " + codes.KindToHer(string(p.Category))
}

// toldQuestions are what she may say yes to, and then what she said. No box is ticked for her.
func (s said) toldQuestions(named map[string]partners.Partner) ask.Questions {
	shares := ask.Checks(sharesKey, "What may they know?", nil, nil)
	shares.Hint = "Read each line to her. Tick what she says yes to, and leave the rest."
	for _, section := range s.asked() {
		shares.Choices = append(shares.Choices, shell.Choice{Value: section, Label: ask.Upper(codes.SectionsToHer([]string{section})[0]), Checked: slices.Contains(s.All(sharesKey), section)})
	}
	q := ask.Questions{}
	if to := s.All(toKey); len(to) > 1 {
		who := ask.Checks(agreedToKey, "Who may know it?", nil, nil)
		for _, id := range to {
			who.Choices = append(who.Choices, shell.Choice{Value: id, Label: nameOf(named, id), Checked: slices.Contains(s.All(agreedToKey), id)})
		}
		q = append(q, who)
	}
	q = append(q, shares)
	if s.pathway() == "duty-to-refer" {
		duty := ask.Checks(dutyKey, "Three things the law asks of her", record.DutyAgreements(), s.All(dutyKey))
		duty.Hint = "A homelessness referral needs her yes to each. The council is " + s.authority() + "."
		q = append(q, duty)
	}
	back := ask.Checks(backKey, "May they write back to you about her?", codes.List{{Code: "yes", Label: "yes, they may write back about her"}}, s.All(backKey))
	back.Hint = "Without her yes they can say that they take her on, or not, and nothing else."
	answer := ask.Radios(agreementKey, "Has she agreed to this?", s.answers(), s.agreement())
	answer.Hint = "A no is an answer too. It must not cost her your help."
	if s.agreement() == "not-asked-unsafe" || s.agreement() == "not-asked-impracticable" {
		answer.Choices[2].Checked = true
	}
	return append(q, back, answer)
}

// answers are what she can have said, in the words of the page.
func (s said) answers() codes.List {
	return codes.List{
		{Code: "agreed", Label: "yes, to what is ticked"},
		{Code: "refused", Label: "no"},
		{Code: notAsked, Label: "she was not asked"},
		{Code: record.BestInterests, Label: "she cannot decide this now: it was decided for her"},
	}
}

// takeTold takes what she said, and returns the questions with what is wrong.
func (s said) takeTold(form url.Values, named map[string]partners.Partner) ask.Questions {
	before := s.agreement()
	s.Set(agreedToKey, ask.Only(codesOf(s.All(toKey)), form[agreedToKey]).Codes()...)
	s.Set(sharesKey, ask.Only(ask.Only(codes.Sections(), s.asked()), form[sharesKey]).Codes()...) // of what she was asked
	s.Set(dutyKey, ask.Only(record.DutyAgreements(), form[dutyKey]).Codes()...)
	s.Set(backKey, form[backKey]...)
	if answer := form.Get(agreementKey); s.answers().Has(answer) {
		s.Set(agreementKey, answer)
	} else {
		delete(s.Answers, agreementKey)
	}
	if answer := s.agreement(); answer == notAsked && before != "agreed" && before != "refused" && before != "" {
		s.Set(agreementKey, before)
	} else if answer != before {
		s.Forget(basisKey) // a basis that was chosen for a yes is none for a no
		delete(s.Answers, capacityKey)
	}
	if s.decidedForHer() {
		s.Set(capacityKey, "lacks")
	}
	q := s.toldQuestions(named)
	switch {
	case s.agreement() == "":
		q.Wrong(agreementKey, "Say what she said: yes, no, or that she was not asked")
	case s.agreement() != "agreed":
		if s.needsHerYes() && s.agreement() != "refused" && (s.One(purposeKey) != "nrm" || !s.decidedForHer()) {
			q.Wrong(agreementKey, "This kind of referral needs her own answer by law. Ask her when it is safe, or stop here")
		}
	case len(s.All(sharesKey)) == 0:
		q.Wrong(sharesKey, "Tick what she said yes to. If that is nothing, choose no")
	case len(s.All(toKey)) > 1 && len(s.All(agreedToKey)) == 0:
		q.Wrong(agreedToKey, "Tick who she said may know it. If that is nobody, choose no")
	case s.pathway() == "duty-to-refer" && len(s.All(dutyKey)) < len(record.DutyAgreements()):
		q.Wrong(dutyKey, "A homelessness referral needs her yes to all three. If she says no to one, choose no, and refer her for housing instead")
	}
	return q
}

// codesOf is a list of codes without words.
func codesOf(ids []string) codes.List {
	var list codes.List
	for _, id := range ids {
		list = append(list, codes.Code{Code: id})
	}
	return list
}

// notAskedPage asks why she was not asked.
func (h *Handler) notAskedPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	s, _, err := h.open(r, in)
	if err != nil || !inOrder(w, s, "not-asked") {
		return err
	}
	reasons := ask.Only(record.Agreements(), []string{"not-asked-unsafe", "not-asked-impracticable"})
	q, status := ask.Questions{ask.Radios(agreementKey, "Why was she not asked?", reasons, s.agreement())}, http.StatusOK
	q[0].Heading = true
	q[0].Hint = "Nothing is shared on this. It shows why nobody asked her."
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		if why := form.Get(agreementKey); reasons.Has(why) {
			s.Set(agreementKey, why)
			return h.keep(w, r, in, s, "check")
		}
		q.Wrong(agreementKey, "Say why she was not asked")
		status = http.StatusUnprocessableEntity
	}
	return h.pages.Show(w, r, status, "questions", shell.Page{Title: "Why she was not asked", Back: s.before("not-asked"), Mistakes: q.Mistakes(), Body: questionsView{Questions: q}})
}

// questionsView is a page of questions and nothing else.
type questionsView struct {
	Heading   string // "" where the one question is the heading
	Lead      []string
	Questions ask.Questions
	Button    string
}
