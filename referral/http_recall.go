package referral

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/gorilla/mux"

	"handover/consent/record"
	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/partners"
)

// mountRecalls adds what follows a withdrawal, and what must be done before a consent ends.
func (h *Handler) mountRecalls(r *mux.Router) {
	r.Handle("/v1/hub/jwks.json", httpd.Handle(h.serveHubKeys)).Methods("GET")
	r.Handle("/v1/recalls", h.Gate.Allow("", h.recalls)).Methods("GET")
	r.Handle("/v1/recalls/{recall}/answer", h.Gate.Allow("", h.answer)).Methods("POST")
	r.Handle("/v1/consents/{consent}/holders", h.Gate.Allow("", h.holders)).Methods("GET")
	r.Handle("/v1/consents", h.Gate.Allow(partners.ConsentsWrite, h.ending)).Methods("GET")
}

// hasOne returns nil if the caller has one of the scopes.
func hasOne(c partners.Caller, scopes ...partners.Scope) error {
	if slices.ContainsFunc(scopes, c.Has) {
		return nil
	}
	return partners.ErrScope.With("scope", string(scopes[0]))
}

// recalls lists what the caller's agency is asked. Its auditors see it too.
func (h *Handler) recalls(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := hasOne(c, partners.ReferralsReceive, partners.ReferralsSend, partners.AuditRead); err != nil {
		return err
	}
	state := r.URL.Query().Get("state")
	after, err := cursor(r)
	if err != nil || state != "" && state != "open" && state != "answered" {
		return ErrRecallQuery
	}
	found, more, err := h.Store.Recalls(r.Context(), c, state == "answered", after)
	if err != nil {
		return err
	}
	if err := h.prove(r.Context(), found); err != nil {
		return err
	}
	if more {
		q := r.URL.Query()
		q.Set("after", strconv.FormatInt(found[len(found)-1].seq, 10))
		w.Header().Set("Link", `</v1/recalls?`+q.Encode()+`>; rel="next"`) // RFC 8288
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"recalls": found, "more": more})
	return nil
}

// prove adds the receipt of the newest step to each.
func (h *Handler) prove(ctx context.Context, all []Recall) error {
	for i := range all {
		if all[i].ID == "" {
			continue
		}
		receipt, err := h.receipt(ctx, all[i].entry)
		if err != nil {
			return err
		}
		all[i].Receipt = receipt
	}
	return nil
}

// answer takes a signed answer.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := EitherSide.Allows(c); err != nil {
		return err
	}
	token, err := httpd.Body(w, r, record.Limit, "application/jose")
	if err != nil {
		return err
	}
	id := mux.Vars(r)["recall"]
	entry, err := h.Store.Answer(r.Context(), c, id, string(token))
	if err != nil {
		e := c.Entry("refused")
		if ids.IsUUID(id) {
			e.Target = id
		}
		return partners.Concerning(err, e)
	}
	receipt, err := h.receipt(r.Context(), entry)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusCreated, receipt)
	return nil
}

// holders says who was given what, and what became of it.
func (h *Handler) holders(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := hasOne(c, partners.ConsentsWrite, partners.AuditRead); err != nil {
		return err
	}
	found, err := h.Store.HoldersOf(r.Context(), c, mux.Vars(r)["consent"])
	if err != nil {
		return err
	}
	if err := h.prove(r.Context(), found.Recalls); err != nil {
		return err
	}
	h.Log.Kick()
	httpd.JSON(w, http.StatusOK, found)
	return nil
}

// endingSoon is how many days ahead ending looks if nothing is said.
const endingSoon = 7

// ending lists what of the caller's agency has to be renewed.
func (h *Handler) ending(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	q := r.URL.Query()
	days, after := endingSoon, q.Get("after")
	if given := q.Get("ending"); given != "" {
		var err error
		if days, err = strconv.Atoi(given); err != nil || days < 0 || days > 366 {
			return ErrRecallQuery
		}
	}
	if after != "" && !ids.IsUUID(after) {
		return ErrRecallQuery
	}
	found, more, err := h.Store.EndingConsents(r.Context(), c, days, after)
	if err != nil {
		return err
	}
	h.Log.Kick()
	if more {
		q.Set("after", found[len(found)-1].ID)
		w.Header().Set("Link", `</v1/consents?`+q.Encode()+`>; rel="next"`) // RFC 8288
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"consents": found, "more": more})
	return nil
}
