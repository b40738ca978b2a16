package consents

import (
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral/managed"
	"handover/web/shell"
)

// neverCard is one statement of with whom nothing is ever to be shared.
type neverCard struct {
	ID       string
	Whom     []string
	Recorded time.Time
	Lifted   *time.Time
	Consent  string // a record of the same woman, by which her worker knows which
}

type neversView struct {
	Cards []neverCard
	More  string
	Own   bool
}

func (h *Handler) nevers(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	after := r.URL.Query().Get("after")
	if after != "" && !ids.IsUUID(after) {
		return consent.ErrQuery
	}
	found, more, err := h.Consents.Nevers(r.Context(), in.Caller, after)
	if err != nil {
		return err
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	v := neversView{Own: named[string(in.Caller.Partner())].Custody != partners.HeldByHub}
	for _, f := range found {
		d, err := neverOf(f, named)
		if err != nil {
			return err
		}
		v.Cards = append(v.Cards, d)
	}
	if more {
		v.More = "/nevers?after=" + found[len(found)-1].ID
	}
	return h.pages.Show(w, r, http.StatusOK, "nevers", shell.Page{Title: "Never to be told", Back: "/consents", Done: done(r), Body: v})
}

func neverOf(f consent.StoredNever, named map[string]partners.Partner) (neverCard, error) {
	d := neverCard{ID: f.ID, Recorded: f.RecordedAt, Lifted: f.LiftedAt}
	stated, err := record.ParseNever(f.Statement)
	for _, id := range stated.Unverified().Recipients {
		d.Whom = append(d.Whom, nameOf(named, id))
	}
	if len(f.Consents) > 0 {
		d.Consent = f.Consents[0]
	}
	return d, err
}

// newNeverView is the page on which she says whom never to tell.
type newNeverView struct {
	Questions []shell.Field
	ID        string
}

// newNever records with whom nothing about the woman of a record is ever to be shared. It is
// about the reference by which that record knows her.
func (h *Handler) newNever(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	_, c, err := h.read(r.Context(), in.Caller, mux.Vars(r)["consent"])
	switch {
	case err != nil:
		return err
	case c.Issuer != string(in.Caller.Partner()):
		return partners.ErrNotThere
	}
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	q, status := NeverQuestions(c.Issuer, nil, named), http.StatusOK
	id, err := newID()
	if err != nil {
		return err
	}
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		id = form.Get("id")
		whom := TakeNever(form, q)
		if len(whom) > 0 {
			if _, err := h.Desk.Never(r.Context(), in.Caller, managed.Never{ID: id, Subjects: []string{c.Subject}, Recipients: whom}); err != nil {
				return err
			}
			shell.See(w, "/nevers?done=never")
			return nil
		}
		q.Wrong(neverKinds, "Tick who she never wants told, or choose one agency")
		status = http.StatusUnprocessableEntity
	}
	return h.pages.Show(w, r, status, "new-never", shell.Page{Title: "Never to be told", Back: "/consents/" + mux.Vars(r)["consent"], Mistakes: q.Mistakes(), Body: newNeverView{q, id}})
}

// liftPage records that she has changed her mind.
func (h *Handler) liftPage(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	id := mux.Vars(r)["never"]
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		if _, err := h.Desk.Lift(r.Context(), in.Caller, id, form.Get("id")); err != nil {
			e := in.Caller.Entry("refused")
			if ids.IsUUID(id) {
				e.Target = id
			}
			return partners.Concerning(notThere(err), e)
		}
		shell.See(w, "/nevers?done=lifted")
		return nil
	}
	d, err := h.never(r, in.Caller, id)
	if err != nil {
		return err
	}
	jti, err := newID()
	if err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "lift", shell.Page{Title: "She has changed her mind", Back: "/nevers", Body: liftView{d, jti}})
}

// liftView asks once more before a never ends.
type liftView struct {
	Never neverCard
	ID    string
}

// never finds one that stands among the caller's agency's own, or says that it is not there.
func (h *Handler) never(r *http.Request, c partners.Caller, id string) (neverCard, error) {
	named, err := h.named(r.Context())
	for after, more := "", true; more && err == nil; {
		var page []consent.StoredNever
		page, more, err = h.Consents.Nevers(r.Context(), c, after)
		for _, f := range page {
			if after = f.ID; f.ID == id && f.LiftedAt == nil {
				return neverOf(f, named)
			}
		}
	}
	if err == nil {
		err = partners.ErrNotThere
	}
	return neverCard{}, err
}
