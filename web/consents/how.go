package consents

import (
	"net/http"
	"net/url"
	"strings"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/web/ask"
	"handover/web/shell"
)

func yesNo(yes, no string) codes.List {
	return codes.List{{Code: "yes", Label: yes}, {Code: "no", Label: no}}
}

// howQuestions are how she was asked, or how it was decided for her.
func (s said) howQuestions() ask.Questions {
	var q ask.Questions
	if s.wasAsked() {
		q = append(q, ask.Radios(methodKey, "How did she say it?", record.Methods(), s.One(methodKey)))
	}
	alone := ask.Radios(aloneKey, "Was she alone with you?", yesNo("yes, nobody else could hear", "no"), s.One(aloneKey))
	coercion := ask.Radios(coercionKey, "Did anybody press her?", record.Coercions(), s.One(coercionKey))
	coercion.Hint = "Somebody in the room, on the phone or waiting outside. Only your agency and the hub can see your answer."
	interpreter := ask.Radios(interpretKey, "Who interpreted?", record.Interpreters(), s.One(interpretKey))
	language := ask.Select(languageKey, "Which language did you speak with her?", "Choose one", codes.Languages(), s.One(languageKey))
	q = append(q, alone, coercion, interpreter, language)
	if s.wasAsked() {
		capacity := ask.Radios(capacityKey, "Could she decide this, now?", ask.Without(record.Capacities(), "lacks"), s.One(capacityKey))
		capacity.Hint = "The law presumes that she could. That her choice seems unwise is no reason to doubt it."
		q = append(q, capacity)
	}
	return q
}

func (h *Handler) howPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	s, _, err := h.open(r, in)
	if err != nil || !inOrder(w, s, "how") {
		return err
	}
	s.Default(languageKey, "en")
	if s.wasAsked() {
		s.Default(capacityKey, "presumed")
	}
	q, status := s.howQuestions(), http.StatusOK
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		if q = s.takeHow(form); len(q.Mistakes()) == 0 {
			return h.keep(w, r, in, s, s.after("how"))
		}
		status = http.StatusUnprocessableEntity
	}
	heading := "How you asked her"
	if s.decidedForHer() {
		heading = "How it was decided"
	}
	return h.pages.Show(w, r, status, "questions", shell.Page{Title: heading, Back: s.before("how"), Mistakes: q.Mistakes(),
		Body: questionsView{Heading: heading, Questions: q, Lead: []string{"The agencies that receive the referral are not told any of this."}}})
}

// takeHow takes the answers. Somebody's partner or friend does not say yes for her: the law
// calls it no consent, and it may be the man she is afraid of who speaks.
func (s said) takeHow(form url.Values) ask.Questions {
	for _, f := range s.howQuestions() {
		if answer := form.Get(f.Name); offered(f, answer) {
			s.Set(f.Name, answer)
		} else {
			delete(s.Answers, f.Name)
		}
	}
	q := s.howQuestions()
	for name, what := range map[string]string{
		methodKey: "Say how she said it", aloneKey: "Say whether she was alone with you", coercionKey: "Say whether anybody pressed her",
		interpretKey: "Say who interpreted, or that nobody had to", languageKey: "Say which language you spoke", capacityKey: "Say whether she could decide this",
	} {
		if s.One(name) == "" {
			q.Wrong(name, what)
		}
	}
	if s.agreement() == "agreed" && s.One(interpretKey) == "other" {
		q.Wrong(interpretKey, record.Why("circumstances.interpreter"))
	}
	return q
}

// offered reports whether an answer is one of those that a question has.
func offered(f shell.Field, answer string) bool {
	for _, c := range f.Choices {
		if c.Value == answer && answer != "" {
			return true
		}
	}
	return false
}

// mostText is how many characters a small box takes.
const mostText = 1000

// capacityPage asks for what a decision made for her, or a doubt whether she could decide,
// needs. It is sealed to her agency.
func (h *Handler) capacityPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	s, _, err := h.open(r, in)
	if err != nil || !inOrder(w, s, "capacity") {
		return err
	}
	const not = " Write no health details, and nobody’s name but the assessor’s."
	f := shell.Field{Kind: "textarea", Name: decisionKey, Heading: true, Value: s.One(decisionKey), Max: mostText, Rows: 5,
		Label: "What made you look into whether she could decide?", Hint: "Who assessed her, and when? You can leave this empty." + not}
	if s.decidedForHer() {
		f.Label, f.Hint = "What was decided for her?", "Who assessed her and when, who decided, and the best-interests reference."+not
	}
	q, status := ask.Questions{f}, http.StatusOK
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		q[0].Value = strings.TrimSpace(form.Get(decisionKey))
		s.Set(decisionKey, q[0].Value)
		s.checkText(q, s.decidedForHer(), "Write the decision, who assessed her and when, and the best-interests reference")
		if len(q.Mistakes()) == 0 {
			return h.keep(w, r, in, s, s.after("capacity"))
		}
		status = http.StatusUnprocessableEntity
	}
	return h.pages.Show(w, r, status, "questions", shell.Page{Title: "Whether she could decide", Back: s.before("capacity"), Mistakes: q.Mistakes(), Body: questionsView{Questions: q}})
}

// checkText marks texts that are too long, and those that are needed and missing.
func (s said) checkText(q ask.Questions, needed bool, missing string) {
	for i, f := range q {
		switch {
		case f.Kind != "textarea":
		case len([]rune(f.Value)) > mostText:
			q[i].Error = "Write at most 1,000 characters"
		case needed && f.Value == "":
			q[i].Error = missing
		}
	}
}
