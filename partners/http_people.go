package partners

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"handover/internal/httpd"
	"handover/internal/ids"
)

// mountPeople adds the routes by which an administrator says who works at her agency.
// Whatever changes something wants her to have proved who she is a moment ago.
func (h *Handler) mountPeople(r *mux.Router) {
	r.Handle("/v1/people", h.Gate.Allow(PartnerAdmin, h.people)).Methods("GET")
	r.Handle("/v1/people", h.Gate.Proven(PartnerAdmin, h.addPerson)).Methods("POST")
	r.Handle("/v1/people/{user}/role", h.Gate.Proven(PartnerAdmin, h.setRole)).Methods("POST")
	r.Handle("/v1/people/{user}/suspend", h.Gate.Proven(PartnerAdmin, h.person(h.Store.SuspendPerson))).Methods("POST")
	r.Handle("/v1/people/{user}/resume", h.Gate.Proven(PartnerAdmin, h.person(h.Store.ResumePerson))).Methods("POST")
	r.Handle("/v1/people/{user}/remove", h.Gate.Proven(PartnerAdmin, h.person(h.Store.RemovePerson))).Methods("POST")
	r.Handle("/v1/people/{user}/recover", h.Gate.Proven(PartnerAdmin, h.recover)).Methods("POST")
	r.Handle("/v1/people/{user}/sign-out", h.Gate.Proven(PartnerAdmin, h.signOut)).Methods("POST")
}

// personLimit bounds the body that says who somebody is.
const personLimit = 4 << 10

func (h *Handler) people(w http.ResponseWriter, r *http.Request, c Caller) error {
	found, err := h.Store.People(r.Context(), c)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store") // names of people
	httpd.JSON(w, http.StatusOK, map[string]any{"people": found})
	return nil
}

func (h *Handler) addPerson(w http.ResponseWriter, r *http.Request, c Caller) error {
	body, err := httpd.Decode[struct {
		Name string `json:"name"`
		Role Role   `json:"role"`
	}](w, r, personLimit)
	if err != nil {
		return err
	}
	link, err := h.Store.AddPerson(r.Context(), c, body.Name, body.Role)
	if err != nil {
		return err
	}
	h.link(w, http.StatusCreated, link)
	return nil
}

// link answers with a link, which is shown here and never again. Its code stands behind
// "#", which browsers send to nobody, so that it is in no server's log.
func (h *Handler) link(w http.ResponseWriter, status int, i Invitation) {
	w.Header().Set("Cache-Control", "no-store")
	httpd.JSON(w, status, map[string]any{"id": i.User, "link": h.Issuer + "/join#" + i.Code, "expires": i.Expires})
}

func (h *Handler) setRole(w http.ResponseWriter, r *http.Request, c Caller) error {
	body, err := httpd.Decode[struct {
		Role Role `json:"role"`
	}](w, r, personLimit)
	if err != nil {
		return err
	}
	user := mux.Vars(r)["user"]
	u, err := h.Store.SetRole(r.Context(), c, user, body.Role)
	if err != nil {
		return aboutPerson(err, c, user)
	}
	httpd.JSON(w, http.StatusOK, u)
	return nil
}

// aboutPerson has a refusal logged with the person it was about.
func aboutPerson(err error, c Caller, user string) error {
	e := c.Entry("refused")
	if ids.IsUUID(user) { // nothing a caller invents reaches the log
		e.Target = user
	}
	return Concerning(err, e)
}

// person serves a change that needs nothing but the person's id.
func (h *Handler) person(change func(context.Context, Caller, string) (User, error)) func(http.ResponseWriter, *http.Request, Caller) error {
	return func(w http.ResponseWriter, r *http.Request, c Caller) error {
		user := mux.Vars(r)["user"]
		u, err := change(r.Context(), c, user)
		if err != nil {
			return aboutPerson(err, c, user)
		}
		httpd.JSON(w, http.StatusOK, u)
		return nil
	}
}

func (h *Handler) recover(w http.ResponseWriter, r *http.Request, c Caller) error {
	user := mux.Vars(r)["user"]
	link, err := h.Store.Recover(r.Context(), c, user)
	if err != nil {
		return aboutPerson(err, c, user)
	}
	h.link(w, http.StatusOK, link)
	return nil
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request, c Caller) error {
	user := mux.Vars(r)["user"]
	if err := h.Store.SignOut(r.Context(), c, user); err != nil {
		return aboutPerson(err, c, user)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
