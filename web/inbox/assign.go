package inbox

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"handover/internal/fault"
	"handover/internal/httpd"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/web/shell"
)

// whoPage asks who is to have a referral.
type whoPage struct {
	referral.Summary
	Address string
	From    string // who has it now, by id
	List    string // the list that it is in
	Who     shell.Field
}

// nobody, as an answer, is that no one is to have it: radios have no empty value.
const nobody = referral.Nobody

// who asks who is to have a referral.
func (h *Handler) who(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	return h.asks(w, r, session, http.StatusOK, "")
}

// asks shows the question, with what is wrong with the answer before.
func (h *Handler) asks(w http.ResponseWriter, r *http.Request, session signin.Session, status int, mistake string) error {
	m, _, err := h.Referrals.Read(r.Context(), session.Caller, mux.Vars(r)["referral"])
	if err != nil {
		return err
	}
	h.Log.Kick()
	people, err := h.Partners.People(r.Context(), session.Caller)
	if err != nil {
		return err
	}
	p := whoPage{Summary: m, Address: "/referrals/" + m.ID + "/assign", List: home(m, session.Caller)}
	p.Who = shell.Field{Kind: "radios", Name: "to", Label: "Who has referral " + m.Reference + "?", Heading: true, Error: mistake,
		Hint: "Who has it answers it, and is looked for first when something about it is asked. Only your agency sees who that is."}
	for _, u := range people {
		if !holds(u) {
			continue
		}
		c := shell.Choice{Value: u.ID, Label: u.Name}
		if u.ID == session.Caller.User() {
			c.Label += " (you)"
		}
		if m.Holder != nil && m.Holder.User == u.ID {
			c.Checked, c.Hint = true, "Has it now"
		}
		p.Who.Choices = append(p.Who.Choices, c)
	}
	if m.Holder != nil {
		p.From = m.Holder.User
	}
	p.Who.Choices = append(p.Who.Choices, shell.Choice{Value: nobody, Label: "Nobody", Checked: m.Holder == nil})
	told := shell.Page{Title: "Who has this referral", Back: p.List, Body: p}
	if mistake != "" {
		told.Mistakes = []shell.Mistake{{Field: p.Who.Name, Text: mistake}}
	}
	return h.pages.Show(w, r, status, "assign", told)
}

// assign gives a referral to a colleague, or to nobody, if who had it when she was asked still has.
func (h *Handler) assign(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	id, from, to, did := mux.Vars(r)["referral"], form.Get("from"), form.Get("to"), "assign"
	switch to {
	case "":
		return h.asks(w, r, session, http.StatusUnprocessableEntity, "Select who is to have it")
	case nobody:
		did, err = "release", h.Referrals.Release(r.Context(), session.Caller, id, from)
	case session.Caller.User():
		did, err = "claim", h.Referrals.Assign(r.Context(), session.Caller, id, from, to)
	default:
		err = h.Referrals.Assign(r.Context(), session.Caller, id, from, to)
	}
	return h.given(w, r, session, did, form, err)
}

// claim gives a referral that nobody has to the person who acts.
func (h *Handler) claim(w http.ResponseWriter, r *http.Request, session signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	return h.given(w, r, session, "claim", form, h.Referrals.Claim(r.Context(), session.Caller, mux.Vars(r)["referral"]))
}

// given leads back to the list when it was done, or says what has happened meanwhile.
func (h *Handler) given(w http.ResponseWriter, r *http.Request, session signin.Session, did string, form url.Values, err error) error {
	id := mux.Vars(r)["referral"]
	if err == nil {
		h.Log.Kick()
		to := url.Values{"done": {did}}
		b := received()
		if form.Get("list") == SentPath {
			b = sent()
		}
		t := b.tab(form.Get("tab"))
		if did == "claim" {
			t = b.tab(mine(b))
		}
		to.Set("tab", string(t.Tab))
		shell.See(w, b.path+"?"+to.Encode())
		return nil
	}
	f, err := h.refused(r.Context(), session.Caller, id, err)
	if err != nil {
		return err
	}
	status, text := httpd.Explain(r, f)
	if errors.Is(f, referral.ErrHolderChanged) {
		text = h.meanwhile(r, session, f)
	}
	return h.asks(w, r, session, status, text)
}

// meanwhile says who has a referral now that somebody else was quicker.
func (h *Handler) meanwhile(r *http.Request, session signin.Session, f *fault.Fault) string {
	holder, _ := f.Members()["holder"].(string)
	names, err := h.Partners.Colleagues(r.Context(), session.Caller, []string{holder})
	switch name := names[holder]; {
	case holder == "":
		return "Nobody has it any more. Choose again if you still want to"
	case err != nil || name == "":
		return "A colleague has it now. Choose again if you still want to"
	default:
		return name + " has it now. Choose again if you still want to"
	}
}

// back leads from the address of an act, which is none to come back to, to the question.
func (h *Handler) back(w http.ResponseWriter, r *http.Request, _ signin.Session) error {
	shell.See(w, "/referrals/"+url.PathEscape(mux.Vars(r)["referral"])+"/assign")
	return nil
}

// home is the list that a referral is in.
func home(m referral.Summary, c partners.Caller) string {
	if m.SideOf(c) == referral.SenderSide {
		return SentPath
	}
	return InboxPath
}

// mine is the tab of what she has herself.
func mine(b board) string {
	if b.side == referral.SenderSide {
		return string(referral.TabSentMine)
	}
	return string(referral.TabMine)
}
