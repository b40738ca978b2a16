package send

import (
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"handover/internal/fault"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral/managed"
	"handover/referral/packet"
	"handover/web/shell"
)

// ErrNotOnward is a referral that cannot be sent on by who asks.
var ErrNotOnward = fault.New(fault.Conflict, "not-to-send-on", fault.Sender,
	"Only a referral that your agency sent, and that was declined or pointed elsewhere, can be sent to another agency from here.")

// startView is the page on which a referral begins.
type startView struct {
	Drafts []managed.DraftLine
	Adult  shell.Field
}

func adult(mistake string) shell.Field {
	return shell.Field{Kind: "radios", Name: adultKey, Label: "Is she 18 or over?", Error: mistake,
		Choices: []shell.Choice{{Value: "yes", Label: "Yes"}, {Value: "no", Label: "No, or it is not certain"}}}
}

func (h *Handler) start(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	return h.startPage(w, r, s, http.StatusOK, "")
}

func (h *Handler) startPage(w http.ResponseWriter, r *http.Request, s signin.Session, status int, mistake string) error {
	own, err := h.own(r.Context(), s.Caller)
	if err != nil {
		return err
	}
	if own {
		return h.pages.Show(w, r, status, "own-keys", shell.Page{Title: "Send a referral"})
	}
	v := startView{Adult: adult(mistake)}
	lines, err := h.Desk.Drafts(r.Context(), s.Caller)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if line.Kind == managed.ReferralDraft {
			v.Drafts = append(v.Drafts, line)
		}
	}
	page := shell.Page{Title: "Send a referral", Body: v, Done: map[string]string{
		"kept": "Your draft is saved.", "deleted": "The draft is deleted."}[r.URL.Query().Get("done")]}
	if mistake != "" {
		page.Mistakes = []shell.Mistake{{Field: adultKey, Text: mistake}}
	}
	return h.pages.Show(w, r, status, "start", page)
}

// begin begins a draft: of a new referral, or of one that goes to another agency in the place of
// one that was declined.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	begun := answers{adultKey: {"yes"}}
	switch from := form.Get("from"); {
	case from != "":
		if begun, err = h.onward(r, s.Caller, from); err != nil {
			return err
		}
	case form.Get(adultKey) == "no":
		shell.See(w, "/send/under-18")
		return nil
	case form.Get(adultKey) != "yes":
		return h.startPage(w, r, s, http.StatusUnprocessableEntity, "Say whether she is 18 or over")
	}
	d, err := h.Desk.BeginDraft(r.Context(), s.Caller, managed.ReferralDraft)
	if err != nil {
		return err
	}
	d.Answers = begun
	if err := h.Desk.KeepDraft(r.Context(), s.Caller, d); err != nil {
		return err
	}
	shell.See(w, "/send/"+d.ID+"/find")
	return nil
}

// onward is what a referral that was declined says of what is asked for, to find another
// agency by. Its content stays where it is: she is asked anew what may go to whom.
func (h *Handler) onward(r *http.Request, c partners.Caller, from string) (answers, error) {
	was, steps, err := h.Referrals.Read(r.Context(), c, from)
	if err != nil {
		return nil, err
	}
	if was.Sender != string(c.Partner()) || was.State != "rejected" {
		return nil, ErrNotOnward
	}
	begun := answers{adultKey: {"yes"}, onwardKey: {was.ID}, purposeKey: {was.Purpose}, areaKey: {was.Area}, urgencyKey: {was.Urgency}}
	if stated, err := packet.ParseEnvelope(steps[len(steps)-1].Envelope); err == nil {
		begun.say(serviceKey, stated.Unverified().Service) // which they pointed to, if they did: she who sends chooses
	}
	return begun, nil
}

func (h *Handler) underEighteen(w http.ResponseWriter, r *http.Request, _ signin.Session) error {
	return h.pages.Show(w, r, http.StatusOK, "under-18", shell.Page{Title: "This service is for adults", Back: "/send"})
}

// deletePage asks before a draft goes for good. It is found among the lines, not opened: to be
// deleted it need not be read.
func (h *Handler) deletePage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	lines, err := h.Desk.Drafts(r.Context(), s.Caller)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(lines, func(line managed.DraftLine) bool { return line.ID == mux.Vars(r)["draft"] })
	if i < 0 {
		return managed.ErrDraftGone
	}
	return h.pages.Show(w, r, http.StatusOK, "delete", shell.Page{Title: "Delete this draft", Back: "/send", Body: lines[i]})
}

func (h *Handler) delete(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	if err := h.Desk.DropDraft(r.Context(), s.Caller, mux.Vars(r)["draft"]); err != nil {
		return err
	}
	shell.See(w, "/send?done=deleted")
	return nil
}
