package agreements

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"handover/oauth/signin"
	"handover/partners"
	"handover/partners/terms"
	"handover/web/shell"
)

// act is something that an administrator does with one agreement.
type act struct {
	name     string // as in the address
	title    string
	possible func(a partners.SignedAgreement, me partners.ID) bool
	command  string // of an agency that holds its own keys, before the id
}

func acts() []act {
	answerable := func(a partners.SignedAgreement, me partners.ID) bool { return a.State.Answerable(a.Proposer == me) }
	return []act{
		{"sign", "Sign an agreement", answerable, "handover agreements sign"},
		{"refuse", "Refuse an agreement", answerable, "handover agreements refuse --reason talk-first"},
		{"end", "End an agreement", func(a partners.SignedAgreement, me partners.ID) bool { return a.State.Endable(a.Proposer == me) }, "handover agreements end"},
	}
}

// actView is the page before an act: what it does, and what it is about.
type actView struct {
	Act      string
	With     string
	Sends    way
	Receives way
	From, To time.Time
	ReviewAt time.Time
	Replaces bool // it takes the place of an agreement in force
	Proposed bool // it was not answered yet
	Open     int  // referrals between the two that are open
	Command  string
	Confirm  shell.Field
	Reason   shell.Field
	ID       string // of the statement: sent twice, it is signed once
	Digest   string // of what she reads
}

// view is the page before the act. What is not possible now is refused, and says how it stands.
func (h *Handler) view(r *http.Request, s signin.Session, a act) (actView, string, error) {
	of, known, err := h.found(r, s)
	if err != nil {
		return actView{}, "", err
	}
	me := s.Caller.Partner()
	if !a.possible(of, me) {
		return actView{}, of.ID, s.RefusedAbout(partners.ErrAgreementState.With("state", string(of.State)), of.ID)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return actView{}, of.ID, err
	}
	v := actView{Act: a.name, With: known.of(of.Partner(me)).Name, Sends: h.way(of.Way(me), known), Receives: h.way(of.Way(of.Partner(me)), known),
		From: of.From, To: of.To, ReviewAt: of.ReviewAt, Replaces: of.Supersedes != "", Proposed: of.State == terms.Proposed, ID: id.String(), Digest: of.Proposed.Digest}
	v.Sends.Ours = true
	v.Confirm = shell.Field{Kind: "checkboxes", Name: "confirm", Label: "Your signature",
		Choices: []shell.Choice{{Value: "yes", Label: "I have read this, and I may sign it for my agency"}}}
	v.Reason = shell.Field{Kind: "radios", Name: "reason", Label: "Why do you refuse?", Hint: "The other agency is told. Talk to them about the rest."}
	for _, c := range terms.Reasons() {
		v.Reason.Choices = append(v.Reason.Choices, shell.Choice{Value: c.Code, Label: sentence(c.Label)})
	}
	mine, err := h.Partners.Find(r.Context(), me)
	if err != nil {
		return v, of.ID, err
	}
	if mine.Custody != partners.HeldByHub {
		v.Command = a.command + " " + of.ID
	}
	if a.name == "end" && !v.Proposed {
		v.Open, err = h.Referrals.OpenWith(r.Context(), s.Caller, of.Partner(me))
	}
	return v, of.ID, err
}

func (h *Handler) ask(a act) page {
	return func(w http.ResponseWriter, r *http.Request, s signin.Session) error {
		v, id, err := h.view(r, s, a)
		if err != nil {
			return err
		}
		return h.show(w, r, http.StatusOK, a, id, v, nil)
	}
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, status int, a act, id string, v actView, wrong []shell.Mistake) error {
	title := a.title
	if a.name == "end" && v.Proposed {
		title = "Take a proposal back"
	}
	return h.pages.Show(w, r, status, "act", shell.Page{Title: title, Back: root + "/" + id, Mistakes: wrong, Body: v})
}

// do signs the act for her. What was signed already by the same form is answered like the first
// time, since the statement has the same id.
func (h *Handler) do(a act) page {
	return func(w http.ResponseWriter, r *http.Request, s signin.Session) error {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		of, _, err := h.found(r, s)
		if err != nil {
			return err
		}
		wrong := shell.Mistake{}
		switch {
		case a.name == "sign" && form.Get("confirm") != "yes":
			wrong = shell.Mistake{Field: "confirm", Text: "Tick the box to sign"}
		case a.name == "refuse" && !terms.Reasons().Has(form.Get("reason")):
			wrong = shell.Mistake{Field: "reason", Text: "Choose why you refuse"}
		}
		if wrong.Text != "" {
			v, id, err := h.view(r, s, a)
			if err != nil {
				return err
			}
			v.Confirm.Error, v.Reason.Error = wrong.Text, wrong.Text
			return h.show(w, r, http.StatusUnprocessableEntity, a, id, v, []shell.Mistake{wrong})
		}
		jti, digest, code := form.Get("id"), form.Get("digest"), a.name
		switch a.name {
		case "sign":
			_, err = h.Desk.AnswerAgreement(r.Context(), s.Caller, of.ID, jti, digest, terms.Signed, "")
		case "refuse":
			_, err = h.Desk.AnswerAgreement(r.Context(), s.Caller, of.ID, jti, digest, terms.Refused, form.Get("reason"))
		case "end":
			if _, err = h.Desk.EndAgreement(r.Context(), s.Caller, of.ID, jti, digest); of.Answer == nil {
				code = "back"
			}
		}
		if err != nil {
			return s.RefusedAbout(err, of.ID)
		}
		h.Log.Kick()
		shell.See(w, root+"/"+of.ID+"?done="+code)
		return nil
	}
}

// notThere says of what is not hers what every page says.
func notThere(err error) error {
	if errors.Is(err, partners.ErrAgreementNotThere) {
		return partners.ErrNotThere
	}
	return err
}
