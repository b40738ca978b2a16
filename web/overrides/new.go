package overrides

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/ask"
	"handover/web/shell"
)

// The answers of a draft that a proposal takes, and those that it adds.
const (
	toKey        = "to"
	purposeKey   = "purpose"
	sectionsKey  = "sections"
	recordedKey  = "consent" // id of the record of what she said
	agreementKey = "consent-agreement"
	subjectKey   = "consent-subject"

	proposedKey  = "override" // id of the override, once it is proposed
	reasonKey    = "override-reason"
	emergencyKey = "override-emergency"
	atRiskKey    = "override-at-risk"
	recipientKey = "override-to"
	leastKey     = "override-sections"
	needKey      = "override-necessity"
	minimumKey   = "override-minimum"
	dangerKey    = "override-danger"
	toldKey      = "override-told"
	reviewKey    = "override-review"
	basisKey     = "override-basis-"
	idKey        = "override-id"
	aboutKey     = "override-about" // what the answers are about: proposal.about
)

// toldYes is the answer that she has been told; any other is why not.
const toldYes = "yes"

// proposal is what a draft says of sharing without her agreement.
type proposal struct{ ask.Sheet }

// begin opens the draft, if she did not agree and something may be shared all the same. by is the
// kind of her agency.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, in signin.Session) (p proposal, ok bool, err error) {
	d, err := h.Desk.Draft(r.Context(), in.Caller, mux.Vars(r)["draft"])
	if err != nil {
		return p, false, err
	}
	p = proposal{ask.Sheet{Draft: d}}
	switch {
	case p.One(proposedKey) != "":
		shell.See(w, "/overrides/"+p.One(proposedKey))
	case p.One(recordedKey) == "" || p.One(agreementKey) == "agreed":
		shell.See(w, "/send/"+p.ID+"/consent") // what she said comes first
	case record.Passable(p.One(purposeKey), "") != nil:
		return p, false, record.ErrGate
	default:
		if p.Has(aboutKey) && p.One(aboutKey) != p.about() {
			p.Forget("override-") // the referral, or what she said, was changed since
		}
		return p, true, nil
	}
	return p, false, nil
}

// about names what is proposed: a reason that holds for one agency and what she said then is none
// for another.
func (p proposal) about() string {
	return ids.Digest(strings.Join(slices.Concat(p.All(toKey), []string{"", p.One(purposeKey), p.One(recordedKey)}), "\n"))
}

func (p proposal) path(page string) string { return "/overrides/new/" + p.ID + "/" + page }

func (p proposal) recipient() string {
	if to := p.All(toKey); len(to) == 1 {
		return to[0]
	}
	return p.One(recipientKey)
}

func (p proposal) grounds(category string) ask.Grounds {
	return ask.Grounds{Sheet: p.Sheet, Prefix: basisKey, Category: category, Purpose: p.One(purposeKey), Agreement: p.One(agreementKey), Sections: p.All(leastKey)}
}

// card interrupts whoever is about to propose it.
func (h *Handler) card(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	p, ok, err := h.begin(w, r, in)
	if err != nil || !ok {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "card", shell.Page{Title: "Sharing without agreement", Back: "/send/" + p.ID, Body: p.path("why")})
}

// formView is a page of the proposal.
type formView struct {
	Heading   string
	Lead      []string
	Questions ask.Questions
}

// step is one page of the proposal: its questions, and what takes their answers.
func (h *Handler) step(w http.ResponseWriter, r *http.Request, in signin.Session, p proposal, v formView, back, next string, take func(url.Values) ask.Questions) error {
	status := http.StatusOK
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		if v.Questions = take(form); len(v.Questions.Mistakes()) == 0 {
			if err := h.Desk.KeepDraft(r.Context(), in.Caller, p.Draft); err != nil {
				return err
			}
			shell.See(w, p.path(next))
			return nil
		}
		status = http.StatusUnprocessableEntity
	}
	return h.pages.Show(w, r, status, "form", shell.Page{Title: v.Heading, Back: back, Mistakes: v.Questions.Mistakes(), Body: v})
}

// reasons are those that go with what she said: who refused could be asked.
func (p proposal) reasons() codes.List {
	if p.One(agreementKey) == "refused" {
		return ask.Without(record.Reasons(), record.CannotConsent)
	}
	return record.Reasons()
}

func (p proposal) whyQuestions(named map[string]partners.Partner) ask.Questions {
	var q ask.Questions
	if len(p.All(toKey)) > 1 {
		var to codes.List
		for _, id := range p.All(toKey) {
			to = append(to, codes.Code{Code: id, Label: nameOf(named, id)})
		}
		who := ask.Radios(recipientKey, "With whom?", to, p.One(recipientKey))
		who.Hint = "An override is for exactly one agency. For another, propose another."
		q = append(q, who)
	}
	reason := ask.Radios(reasonKey, "Why has it to be shared?", p.reasons(), p.One(reasonKey))
	risk := ask.Checks(atRiskKey, "Who is at risk?", record.AtRisks(), p.All(atRiskKey))
	least := ask.Checks(leastKey, "What has to be shared?", ask.Only(codes.Sections(), p.All(sectionsKey)), p.All(leastKey))
	least.Hint = "The least that does. Nothing else goes."
	urgent := ask.Radios(emergencyKey, "Can it wait for a manager?", codes.List{
		{Code: "no", Label: "yes, it can wait"}, {Code: "yes", Label: "no: somebody could die or be badly hurt before that"}}, p.One(emergencyKey))
	urgent.Hint = "An emergency counts at once, for 24 hours. If no manager has approved it by then, nothing more is shared on it."
	return append(q, reason, risk, least, urgent)
}

func (h *Handler) whyPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	p, ok, err := h.begin(w, r, in)
	if err != nil || !ok {
		return err
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	id, err := newID()
	if err != nil {
		return err
	}
	v := formView{Heading: "Why it has to be shared", Questions: p.whyQuestions(named)}
	return h.step(w, r, in, p, v, "/overrides/new/"+p.ID, "need", func(form url.Values) ask.Questions {
		p.Default(idKey, id)
		p.Set(aboutKey, p.about())
		p.Set(reasonKey, ask.Only(p.reasons(), form[reasonKey]).Codes()...)
		p.Set(atRiskKey, ask.Only(record.AtRisks(), form[atRiskKey]).Codes()...)
		p.Set(leastKey, ask.Only(codes.Sections(), ofBoth(form[leastKey], p.All(sectionsKey))).Codes()...)
		p.Set(recipientKey, ofBoth(form[recipientKey], p.All(toKey))...)
		p.Set(emergencyKey, ofBoth(form[emergencyKey], []string{"yes", "no"})...)
		q := p.whyQuestions(named)
		p.checkWhy(q)
		return q
	})
}

func ofBoth(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !slices.Contains(other, s) })
}

// checkWhy marks what is missing, and what the reason asks for besides.
func (p proposal) checkWhy(q ask.Questions) {
	risk := p.All(atRiskKey)
	for name, what := range map[string]string{reasonKey: "Say why it has to be shared", atRiskKey: "Say who is at risk",
		leastKey: "Tick what has to be shared", emergencyKey: "Say whether it can wait for a manager"} {
		if p.One(name) == "" {
			q.Wrong(name, what)
		}
	}
	switch {
	case len(p.All(toKey)) > 1 && p.One(recipientKey) == "":
		q.Wrong(recipientKey, "Say with whom")
	case p.One(reasonKey) == record.ChildAtRisk && !slices.Contains(risk, record.Child):
		q.Wrong(atRiskKey, "You say that a child is at risk: tick a child")
	case p.One(reasonKey) == record.OthersAtRisk && slices.Equal(risk, []string{record.Herself}):
		q.Wrong(atRiskKey, "You say that somebody else is at risk: tick who")
	}
}

// mostText is how many characters a small box takes.
const mostText = 1000

func (p proposal) needQuestions() ask.Questions {
	box := func(name, label, hint string) shell.Field {
		return shell.Field{Kind: "textarea", Name: name, Label: label, Value: p.One(name), Max: mostText,
			Hint: hint + " Sealed: only your agency can read it. Write no names and no addresses."}
	}
	return ask.Questions{
		box(needKey, "Why can it not be done with her agreement?", "What you have tried, and what would happen otherwise."),
		box(minimumKey, "Why is this the least that does?", "Why each thing that you ticked has to go."),
		box(dangerKey, "Who is at risk, and of what?", "What you know, and how you know it."),
	}
}

func (h *Handler) needPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	p, ok, err := h.begin(w, r, in)
	if err != nil || !ok {
		return err
	}
	v := formView{Heading: "Why it is necessary", Questions: p.needQuestions(), Lead: []string{"A manager reads this before she decides, and an auditor may read it later."}}
	return h.step(w, r, in, p, v, p.path("why"), "told", func(form url.Values) ask.Questions {
		for _, key := range []string{needKey, minimumKey, dangerKey} {
			p.Set(key, strings.TrimSpace(form.Get(key)))
		}
		q := p.needQuestions()
		for i, f := range q {
			switch {
			case f.Value == "":
				q[i].Error = "Write a sentence or two"
			case len([]rune(f.Value)) > mostText:
				q[i].Error = "Write at most 1,000 characters"
			}
		}
		return q
	})
}

func (p proposal) toldQuestions() ask.Questions {
	answers := codes.List{{Code: toldYes, Label: "yes"}}
	for _, c := range record.NotToldReasons() {
		answers = append(answers, codes.Code{Code: c.Code, Label: "no: " + c.Label})
	}
	told := ask.Radios(toldKey, "Has she been told that it will be shared?", answers, p.One(toldKey))
	told.Hint = "She is told, unless that is dangerous."
	review := ask.Radios(reviewKey, "When is it looked at again?", codes.List{{Code: "1", Label: "tomorrow"}, {Code: "3", Label: "in 3 days"}, {Code: "7", Label: "in 7 days"}, {Code: "14", Label: "in 14 days"}}, p.One(reviewKey))
	review.Hint = "A manager looks at it then, and ends it or says how long it goes on. After 28 days it ends by itself."
	return ask.Questions{told, review}
}

func (h *Handler) toldPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	p, ok, err := h.begin(w, r, in)
	if err != nil || !ok {
		return err
	}
	v := formView{Heading: "What she is told, and when it is looked at again", Questions: p.toldQuestions()}
	return h.step(w, r, in, p, v, p.path("need"), "check", func(form url.Values) ask.Questions {
		for _, f := range p.toldQuestions() {
			if slices.ContainsFunc(f.Choices, func(c shell.Choice) bool { return c.Value == form.Get(f.Name) }) {
				p.Set(f.Name, form.Get(f.Name))
			}
		}
		q := p.toldQuestions()
		for name, what := range map[string]string{toldKey: "Say whether she has been told", reviewKey: "Say when it is looked at again"} {
			if p.One(name) == "" {
				q.Wrong(name, what)
			}
		}
		return q
	})
}

func (h *Handler) basisPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	p, ok, err := h.begin(w, r, in)
	if err != nil || !ok {
		return err
	}
	g := p.grounds(string(in.Caller.Category()))
	v := formView{Heading: "What your agency relies on", Questions: g.Questions(), Lead: []string{
		"Your agency needs a reason of its own in data protection law. Your data protection lead knows it. What agencies of your kind usually rely on is filled in: " + g.Source() + "."}}
	return h.step(w, r, in, p, v, p.path("check"), "check", g.Take)
}

// claims are what is proposed, begun at that moment.
func (p proposal) claims(category string, began int64) record.OverrideClaims {
	days, _ := strconv.Atoi(p.One(reviewKey)) // one of the answers
	day := int64(24 * time.Hour / time.Second)
	c := record.OverrideClaims{ID: p.One(idKey), Subject: p.One(subjectKey), Purpose: p.One(purposeKey), Recipient: p.recipient(), Sections: p.All(leastKey),
		Agreement: p.One(agreementKey), Reason: p.One(reasonKey), AtRisk: p.All(atRiskKey), Told: toldYes, Emergency: p.One(emergencyKey) == "yes",
		Bases: record.Bases{p.grounds(category).Basis()}, Gate: record.Gate{Pathway: p.grounds(category).Pathway()},
		ValidFrom: began, Expires: began + int64(record.OverrideLife/time.Second), ReviewAt: began + int64(days)*day}
	if told := p.One(toldKey); told != toldYes {
		c.Told, c.NotTold = "no", told
	}
	return c
}

// unanswered is the first page that has to be answered before it can be proposed, or "".
func (p proposal) unanswered() string {
	for _, of := range []struct{ key, page string }{{reasonKey, "why"}, {leastKey, "why"}, {needKey, "need"}, {toldKey, "told"}, {reviewKey, "told"}} {
		if p.One(of.key) == "" {
			return of.page
		}
	}
	return ""
}
