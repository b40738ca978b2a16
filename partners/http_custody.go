package partners

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"handover/internal/fault"
	"handover/internal/httpd"
)

// mountCustody adds the routes by which an agency's keys move between itself and the hub.
func (h *Handler) mountCustody(r *mux.Router) {
	r.Handle("/v1/custody/takings", h.Gate.Proven(PartnerAdmin, h.beginTaking)).Methods("POST")
	r.Handle("/v1/custody/take", httpd.Handle(h.takeCustody)).Methods("POST") // the code is the credential
	r.Handle("/v1/custody/keys", h.Gate.Allow("", h.handOver)).Methods("GET")
	r.Handle("/v1/custody/confirm", h.Gate.Allow("", h.confirm)).Methods("POST")
	r.Handle("/v1/custody/givings", h.Gate.Proven(PartnerAdmin, h.beginGiving)).Methods("POST")
	r.Handle("/v1/custody/givings/{move}", h.Gate.Proven(PartnerAdmin, h.give)).Methods("POST")
}

// givingLimit is the most bytes of what hands an agency's keys over.
const givingLimit = 512 << 10

func (h *Handler) beginTaking(w http.ResponseWriter, r *http.Request, c Caller) error {
	code, expires, err := h.Store.BeginTaking(r.Context(), c)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	httpd.JSON(w, http.StatusCreated, map[string]any{"code": code, "expires": expires})
	return nil
}

// takeCustody counts what it refuses, as enrol does.
func (h *Handler) takeCustody(w http.ResponseWriter, r *http.Request) error {
	err := h.take(w, r)
	if refusal, ok := errors.AsType[*fault.Fault](err); ok {
		h.Gate.Log.CountAnonymous(refusal.Code)
	}
	return err
}

func (h *Handler) take(w http.ResponseWriter, r *http.Request) error {
	body, err := httpd.Decode[struct {
		Code       string `json:"code"`
		Statement  string `json:"enrolment"`
		Possession string `json:"possession"`
	}](w, r, 3*enrolmentLimit)
	if err != nil {
		return err
	}
	c, err := h.Store.Take(r.Context(), h.Keys, h.Issuer, strings.TrimSpace(body.Code), body.Statement, body.Possession)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusCreated, map[string]any{
		"partner": c.Partner, "client_id": c.ID, "scopes": c.SystemScopes(), "issuer": h.Issuer,
	})
	return nil
}

// handOver answers with the agency's private keys, each sealed to its own new one, once the
// entry of it is under a signed checkpoint.
func (h *Handler) handOver(w http.ResponseWriter, r *http.Request, c Caller) error {
	handover, err := h.Store.HandOver(r.Context(), c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.Wait)
	defer cancel()
	receipt, err := h.Gate.Log.Receipt(ctx, handover.Entry)
	if err != nil {
		return err
	}
	handed, err := handover.Seal(r.Context(), h.Keys)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	httpd.JSON(w, http.StatusOK, map[string]any{"keys": handed, "receipt": receipt})
	return nil
}

func (h *Handler) confirm(w http.ResponseWriter, r *http.Request, c Caller) error {
	if err := h.Store.Confirm(r.Context(), c); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *Handler) beginGiving(w http.ResponseWriter, r *http.Request, c Caller) error {
	g, err := h.Store.BeginGiving(r.Context(), h.Keys, h.Issuer, c)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusCreated, g)
	return nil
}

func (h *Handler) give(w http.ResponseWriter, r *http.Request, c Caller) error {
	given, err := httpd.Decode[Given](w, r, givingLimit)
	if err != nil {
		return err
	}
	if err := h.Store.Give(r.Context(), h.Keys, h.Issuer, c, mux.Vars(r)["move"], given); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
