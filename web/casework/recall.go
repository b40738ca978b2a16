package casework

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
	"handover/web/shell"
)

// question is what an agency is asked because a woman took her consent back.
type question struct {
	referral.Recall
	Help   bool // does help go on; else: do you still hold it
	Refs   []ref
	What   []string // what it was given
	Answer string   // in words, once there is one
	Mine   bool     // her role answers it
}

// Kept reports whether her agency has kept what it was asked about, which can be deleted later.
func (q question) Kept() bool { return q.Recall.Answer == record.Kept && q.Mine }

// ref leads to a referral by its reference.
type ref struct{ ID, Reference string }

// questionOf tells a question in words.
func questionOf(q referral.Recall, c partners.Caller) question {
	v := question{Recall: q, Help: q.Question == referral.DoesHelpGoOn, What: plainly(q.Sections), Mine: c.Has(partners.ReferralsReceive)}
	if v.Help {
		v.Mine = c.Has(partners.ReferralsSend)
	}
	for _, id := range q.Referrals {
		v.Refs = append(v.Refs, ref{id, ids.Reference(id)})
	}
	if q.Answer != "" {
		v.Answer = sentence(record.RecallAnswers().Label(q.Answer))
	}
	return v
}

// plainly are the words of sections within a sentence.
func plainly(sections []string) (all []string) {
	for _, s := range sections {
		if codes.IsAttachment(s) {
			s = "an attachment"
		}
		all = append(all, codes.Sections().Label(s))
	}
	return all
}

// recalls lists what her agency is asked.
func (h *Handler) recalls(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	v := struct {
		Open, Answered []question
		More, Own      bool
	}{}
	for _, answered := range []bool{false, true} {
		found, more, err := h.Referrals.Recalls(r.Context(), session.Caller, answered, 0)
		if err != nil {
			return err
		}
		for _, q := range found {
			if answered {
				v.Answered = append(v.Answered, questionOf(q, session.Caller))
			} else {
				v.Open = append(v.Open, questionOf(q, session.Caller))
			}
		}
		v.More = v.More || more && !answered
	}
	done := ""
	if r.URL.Query().Get("done") == "answer" {
		done = "Your answer is recorded."
	}
	return h.pages.Show(w, r, http.StatusOK, "recalls", shell.Page{Title: "After a withdrawal", Back: "/inbox", Done: done, Body: v})
}

// recalled is the page of one question.
type recalled struct {
	question
	ID     string // of the act, so that pressing twice is one
	Step   string // what is asked now: the answer, on which basis it is kept, or whether all is right
	Fields []shell.Field
	Rows   []row
	Hidden []shell.Field
	Own    bool

	Category partners.Category // of her agency
}

// asked finds the question that a request is about, among those of her agency.
func (h *Handler) recallOf(r *http.Request, session signin.Session) (recalled, error) {
	id := mux.Vars(r)["recall"]
	mine, err := h.agency(r.Context(), session.Caller.Partner())
	if err != nil {
		return recalled{}, err
	}
	for _, answered := range []bool{false, true} {
		found, _, err := h.Referrals.Recalls(r.Context(), session.Caller, answered, 0)
		if err != nil {
			return recalled{}, err
		}
		if i := slices.IndexFunc(found, func(q referral.Recall) bool { return q.ID == id }); i >= 0 {
			return recalled{question: questionOf(found[i], session.Caller), Own: mine.Custody == partners.HeldByPartner, Category: mine.Category}, nil
		}
	}
	return recalled{}, referral.ErrRecallNotThere
}

func (h *Handler) recall(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	v, err := h.recallOf(r, session)
	if err != nil {
		return err
	}
	return h.showRecall(w, r, v, url.Values{}, "answer", nil, "")
}

// answerRecall goes on with an answer, a page for each question, and files it when she has
// confirmed it.
func (h *Handler) answerRecall(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	v, err := h.recallOf(r, session)
	if err != nil {
		return err
	}
	if v.Own {
		return h.showRecall(w, r, v, form, "answer", nil, "")
	}
	a := managed.Answer{ID: form.Get("act"), Answer: form.Get("answer")}
	if a.Answer == record.Kept {
		a.Article6, a.Provision, a.Because = form.Get("art6"), form.Get("provision"), form.Get("because")
	}
	step, wrong := v.next(a, form.Get("to"))
	if step != "" {
		return h.showRecall(w, r, v, form, step, wrong, "")
	}
	entry, err := h.Desk.Answer(r.Context(), session.Caller, v.Recall.ID, a)
	if err == nil {
		_, err = h.proved(r.Context(), entry)
	}
	if err == nil && a.Answer == record.Ends { // then the referral is taken back, which is a step of its own
		shell.See(w, "/referrals/"+v.Referrals[0]+"/decide/withdraw")
		return nil
	}
	if err == nil {
		shell.See(w, "/recalls?done=answer")
		return nil
	}
	e := session.Caller.Entry("refused")
	e.Target = v.Recall.ID
	f, err := h.refused(r.Context(), e, err)
	if err != nil {
		return err
	}
	_, text := explained(r, f)
	return h.showRecall(w, r, v, form, "answer", nil, text)
}

// next says what is still to be asked, "" if nothing is, and what is wrong with what was said.
func (v recalled) next(a managed.Answer, to string) (step string, wrong map[string]string) {
	wrong = map[string]string{}
	answers := v.answers()
	switch {
	case to == "change":
		return "answer", nil
	case !answers.Has(a.Answer):
		return "answer", map[string]string{"answer": "Choose an answer"}
	}
	if a.Answer == record.Kept {
		if to == "basis" {
			return "basis", nil
		}
		if !record.KeepReasons().Has(a.Because) {
			wrong["because"] = "Choose why it must be kept"
		}
		if !v.keptUnder().Has(a.Article6) {
			wrong["art6"] = "Choose the lawful basis"
		}
		if needs := a.Article6 == "c" || a.Article6 == "e"; needs != record.IsProvision(a.Provision) && (needs || a.Provision != "") {
			wrong["provision"] = "Name the Act, its year and section, or leave it out where the basis needs none"
		}
		if len(wrong) > 0 {
			return "basis", wrong
		}
	}
	if to != "confirm" {
		return "confirm", nil
	}
	return "", nil
}

// answers are the answers that the question has.
func (v recalled) answers() (all codes.List) {
	for _, a := range record.RecallAnswers() {
		if v.Help == (a.Code == record.GoesOn || a.Code == record.Ends) {
			all = append(all, a)
		}
	}
	return all
}

// keptUnder are the lawful bases under which her agency can keep something: any but her
// consent, which she has taken back, and law enforcement for police alone.
func (v recalled) keptUnder() codes.List {
	return slices.DeleteFunc(record.Articles6(), func(c codes.Code) bool {
		return c.Code == "a" || c.Code == "le-part3" && v.Category != partners.Police
	})
}

func (h *Handler) showRecall(w http.ResponseWriter, r *http.Request, v recalled, form url.Values, step string, wrong map[string]string, refused string) error {
	if v.ID = form.Get("act"); !ids.IsUUIDv7(v.ID) {
		v.ID = uuid.Must(uuid.NewV7()).String()
	}
	v.Step = step
	radios := func(name, label string, list codes.List) shell.Field {
		f := shell.Field{Kind: "radios", Name: name, Label: label, Error: wrong[name]}
		for _, c := range list {
			f.Choices = append(f.Choices, shell.Choice{Value: c.Code, Label: sentence(c.Label), Checked: form.Get(name) == c.Code})
		}
		return f
	}
	hidden := func(names ...string) {
		for _, name := range names {
			v.Hidden = append(v.Hidden, shell.Field{Kind: "hidden", Name: name, Value: form.Get(name)})
		}
	}
	switch step {
	case "answer":
		label := "Is everything that your agency was given deleted?"
		if v.Help {
			label = "Does help go on?"
		}
		v.Fields = append(v.Fields, radios("answer", label, v.answers()))
	case "basis":
		hidden("answer")
		v.Fields = append(v.Fields, radios("because", "Why must it be kept?", record.KeepReasons()), radios("art6", "On which lawful basis?", v.keptUnder()),
			shell.Field{Kind: "text", Name: "provision", Label: "The Act, its year and section", Value: form.Get("provision"), Error: wrong["provision"], Max: 100,
				Hint: "Only for a legal obligation or a public task, as Care Act 2014 s42. Do not write anything about her."})
	case "confirm":
		hidden("answer", "because", "art6", "provision")
		v.Rows = append(v.Rows, row{"Answer", texts(sentence(record.RecallAnswers().Label(form.Get("answer"))))})
		if form.Get("answer") == record.Kept {
			v.Rows = append(v.Rows, row{"Why", texts(sentence(record.KeepReasons().Label(form.Get("because"))))},
				row{"Lawful basis", texts(sentence(record.Articles6().Label(form.Get("art6"))))})
		}
	}
	status, told := http.StatusOK, shell.Page{Title: "After a withdrawal", Back: "/recalls", Mistakes: mistakes(v.Fields...)}
	if len(told.Mistakes) > 0 {
		status = http.StatusUnprocessableEntity
	}
	if refused != "" {
		status, told.Mistakes = http.StatusUnprocessableEntity, append(told.Mistakes, shell.Mistake{Text: refused})
	}
	told.Body = v
	return h.pages.Show(w, r, status, "recall", told)
}
