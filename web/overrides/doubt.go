package overrides

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/ask"
	"handover/web/consents"
	"handover/web/shell"
)

// doubtView is a consent record of which a manager says whether it stands.
type doubtView struct {
	Consent  string
	Lines    []line
	By       string // who asked her
	Mine     bool   // the manager asked her herself: another has to decide
	Awaited  bool
	Managed  bool
	Read     []line // how she was asked, once it was opened
	Question shell.Field
	ID       string
}

// doubt shows a record in doubt, opens how she was asked, and takes the decision. The address
// is one for all three, so that who has to prove first that it is she comes back to it.
func (h *Handler) doubt(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	if err := manages(in); err != nil {
		return err
	}
	id := mux.Vars(r)["consent"]
	if r.Method == http.MethodGet {
		stored, err := h.Consents.Read(r.Context(), in.Caller, id)
		if err != nil {
			return notThere(err)
		}
		return h.showDoubt(w, r, in, stored, nil, nil)
	}
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	decision := form.Get("decision")
	if form.Get("act") == "decide" && (decision == record.Approved || decision == record.Refused) {
		if _, err := h.Desk.ReviewConsent(r.Context(), in.Caller, id, form.Get("id"), decision); err != nil {
			return partners.Concerning(notThere(err), about(in, id, ""))
		}
		said := "stands"
		if decision == record.Refused {
			said = "fails"
		}
		shell.See(w, "/reviews?done="+said)
		return nil
	}
	opened, err := h.Desk.OpenConsent(r.Context(), in.Caller, id)
	if err != nil {
		return notThere(err)
	}
	lines := []line{{Label: "What her worker recorded", Texts: consents.HowInWords(opened.How)}}
	for _, part := range record.SealedParts() {
		if text := opened.Texts[part.Code]; text != "" {
			lines = append(lines, line{Label: ask.Upper(part.Label), Texts: []string{text}})
		}
	}
	var wrong ask.Questions
	if form.Get("act") == "decide" {
		wrong = ask.Questions{{Name: "decision", Error: "Say whether it stands"}}
	}
	return h.showDoubt(w, r, in, opened.Stored, lines, wrong)
}

func (h *Handler) showDoubt(w http.ResponseWriter, r *http.Request, in signin.Session, stored consent.Stored, read []line, wrong ask.Questions) error {
	stated, err := record.ParseConsent(stored.Record)
	if err != nil {
		return err
	}
	c := stated.Unverified()
	if c.Issuer != string(in.Caller.Partner()) || stored.Review == "not-needed" {
		return partners.ErrNotThere
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	names, _, err := h.colleagues(r.Context(), in.Caller)
	if err != nil {
		return err
	}
	v := doubtView{Consent: stored.ID, By: names[c.Act], Mine: c.Act == in.Caller.User(), Awaited: stored.Review == "awaited", Read: read,
		Managed: named[c.Issuer].Custody == partners.HeldByHub, Lines: h.doubtLines(c, named)}
	v.Question = ask.Radios("decision", "Does it stand?", codes.List{
		{Code: record.Approved, Label: "yes: she decided this freely, or it was rightly decided for her"},
		{Code: record.Refused, Label: "no: nothing is shared on it"}}, "")
	v.Question.Hint = "A yes that was pressed out of her is what she needs protecting from. If you are not sure, say no, and have her asked again, alone."
	status := http.StatusOK
	if len(wrong) > 0 {
		v.Question.Error, status = wrong[0].Error, http.StatusUnprocessableEntity
	}
	if v.ID, err = newID(); err != nil {
		return err
	}
	return h.pages.Show(w, r, status, "doubt", shell.Page{Title: "A consent in doubt", Back: "/reviews", Mistakes: wrong.Mistakes(), Body: v})
}

// doubtLines are what the record says, to a manager who has not opened anything yet.
func (h *Handler) doubtLines(c record.Claims, named map[string]partners.Partner) []line {
	var to []string
	for _, id := range c.Recipients {
		to = append(to, nameOf(named, id))
	}
	var shares []string
	for _, label := range ask.Labels(codes.Sections(), c.Sections) {
		shares = append(shares, ask.Upper(label))
	}
	return []line{
		{Label: "What she said", Texts: []string{ask.Upper(record.Agreements().Label(c.Agreement))}},
		{Label: "When", Texts: []string{h.shell.When(time.Unix(c.GivenAt, 0))}},
		{Label: "What for", Texts: []string{ask.Upper(codes.Purposes().Label(c.Purpose))}},
		{Label: "Who may know it", Texts: to}, {Label: "What they may know", Texts: shares},
	}
}
