package consents

import (
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"handover/consent"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/web/ask"
	"handover/web/shell"
)

// withdrawView asks once more before it is recorded that she takes something back.
type withdrawView struct {
	Consent, ID string
	To          []string
	Shares      []string
	Managed     bool
}

// withdrawPage records that she takes it back. It asks for no reason, since she needs none, and
// for no proof of who the worker is: stopping is as easy as agreeing was.
func (h *Handler) withdrawPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	id := mux.Vars(r)["consent"]
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		taken, err := h.withdraw(r, in.Caller, id, form.Get("id"))
		if err != nil {
			return err
		}
		shell.See(w, "/consents/"+taken+"/holders?done=withdrawn")
		return nil
	}
	stored, c, err := h.read(r.Context(), in.Caller, id)
	if err != nil {
		return err
	}
	if stored.WithdrawnAt != nil {
		shell.See(w, "/consents/"+id)
		return nil
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	v := withdrawView{Consent: stored.ID, Shares: ask.Labels(codes.Sections(), c.Sections), Managed: named[string(in.Caller.Partner())].Custody == partners.HeldByHub}
	for _, id := range c.Recipients {
		v.To = append(v.To, nameOf(named, id))
	}
	if v.ID, err = newID(); err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "withdraw", shell.Page{Title: "She takes it back", Back: "/consents/" + id, Body: v})
}

// withdraw takes back the newest record of the chain, which takes back all of it, and returns
// its id: she takes back what she said, not what she said first.
func (h *Handler) withdraw(r *http.Request, c partners.Caller, id, jti string) (string, error) {
	newest, err := h.newest(r, c, id)
	if err == nil {
		_, err = h.Desk.Withdraw(r.Context(), c, newest.ID, jti)
	}
	if errors.Is(err, consent.ErrAlreadyWithdrawn) {
		err = nil // by somebody else, a moment before: what she wants is done
	}
	if err != nil {
		e := c.Entry("refused")
		if ids.IsUUID(id) { // nothing a browser invents reaches the log
			e.Consent = id
		}
		return "", partners.Concerning(notThere(err), e)
	}
	if h.Withdrawn != nil {
		h.Withdrawn()
	}
	return newest.ID, nil
}

// holding is one agency that holds something, or is asked something.
type holding struct {
	Agency    string
	Sections  []string
	Since     time.Time
	Answer    string
	Help      bool // it is asked whether help goes on
	Referrals []string
}

// holdersView is who holds what.
type holdersView struct {
	Consent   string
	Withdrawn time.Time
	Complete  bool
	Holdings  []holding
}

func (h *Handler) holders(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	id := mux.Vars(r)["consent"]
	found, err := h.Referrals.HoldersOf(r.Context(), in.Caller, id)
	if err != nil {
		return notThere(err)
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	v := holdersView{Consent: id, Withdrawn: found.Withdrawn, Complete: found.Complete}
	for _, q := range found.Recalls {
		v.Holdings = append(v.Holdings, holding{Agency: nameOf(named, q.Partner), Sections: ask.Labels(codes.Sections(), q.Sections), Since: q.Since,
			Answer: answerInWords(q, v.Withdrawn), Help: q.Question == referral.DoesHelpGoOn, Referrals: q.Referrals})
	}
	return h.pages.Show(w, r, http.StatusOK, "holders", shell.Page{Title: "Who holds what", Back: "/consents/" + id, Done: done(r), Body: v})
}

// answerInWords is where a question stands.
func answerInWords(q referral.Recall, withdrawn time.Time) string {
	words := map[string]string{"deleted": "It says that it has deleted this", "kept": "It keeps this, on a basis of its own", "goes-on": "Help goes on", "ends": "Help has ended"}
	switch {
	case q.Answer != "":
		return words[q.Answer]
	case withdrawn.IsZero():
		return ""
	case q.Question == referral.DoesHelpGoOn:
		return "Asked whether help goes on. No answer yet"
	}
	return "Asked what becomes of it. No answer yet"
}
