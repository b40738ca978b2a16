package partners

import (
	"context"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"handover/internal/httpd"
	"handover/internal/ids"
)

// mountSystems adds the routes by which an administrator says which systems and keys of
// her agency count.
func (h *Handler) mountSystems(r *mux.Router) {
	r.Handle("/v1/clients", h.Gate.Allow(PartnerAdmin, h.systems)).Methods("GET")
	r.Handle("/v1/clients/invitations", h.Gate.Proven(PartnerAdmin, h.inviteSystem)).Methods("POST")
	r.Handle("/v1/clients/{client}/suspend", h.Gate.Proven(PartnerAdmin, h.system(h.Store.SuspendSystem, false))).Methods("POST")
	r.Handle("/v1/clients/{client}/resume", h.Gate.Proven(PartnerAdmin, h.system(h.Store.ResumeSystem, true))).Methods("POST")
	r.Handle("/v1/keys", h.Gate.Allow(PartnerAdmin, h.heldKeys)).Methods("GET")
	r.Handle("/v1/keys", h.Gate.Proven(PartnerAdmin, h.rotateKey)).Methods("POST")
	r.Handle("/v1/keys/{kid}/revoke", h.Gate.Proven(PartnerAdmin, h.revokeKey)).Methods("POST")
}

func (h *Handler) systems(w http.ResponseWriter, r *http.Request, c Caller) error {
	found, err := h.Store.Systems(r.Context(), c)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"clients": found})
	return nil
}

func (h *Handler) inviteSystem(w http.ResponseWriter, r *http.Request, c Caller) error {
	token, expires, err := h.Store.InviteSystem(r.Context(), c)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	httpd.JSON(w, http.StatusCreated, map[string]any{"initial_access_token": token, "expires": expires})
	return nil
}

// system serves a change of whether a system takes part.
func (h *Handler) system(change func(context.Context, Caller, string) error, active bool) func(http.ResponseWriter, *http.Request, Caller) error {
	return func(w http.ResponseWriter, r *http.Request, c Caller) error {
		client := mux.Vars(r)["client"]
		if err := change(r.Context(), c, client); err != nil {
			e := c.Entry("refused")
			if !errors.Is(err, ErrSystemNotThere) { // nothing a caller invents reaches the log
				e.Target = client
			}
			return Concerning(err, e)
		}
		httpd.JSON(w, http.StatusOK, map[string]any{"client_id": client, "active": active})
		return nil
	}
}

func (h *Handler) heldKeys(w http.ResponseWriter, r *http.Request, c Caller) error {
	found, err := h.Store.HeldKeys(r.Context(), c)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"keys": found})
	return nil
}

// rotateKey takes a rotation statement, which is a compact JWS (RFC 7515 §9.2.1).
func (h *Handler) rotateKey(w http.ResponseWriter, r *http.Request, c Caller) error {
	statement, err := httpd.Body(w, r, rotationLimit, "application/jose")
	if err != nil {
		return err
	}
	key, err := h.Store.RotateKey(r.Context(), c, h.Issuer, string(statement))
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusCreated, key)
	return nil
}

func (h *Handler) revokeKey(w http.ResponseWriter, r *http.Request, c Caller) error {
	body, err := httpd.Decode[struct {
		Reason RevocationReason `json:"reason"`
	}](w, r, personLimit)
	if err != nil {
		return err
	}
	kid := mux.Vars(r)["kid"]
	if err := h.Store.RevokeKey(r.Context(), c, kid, body.Reason); err != nil {
		e := c.Entry("refused")
		if ids.IsDigest(kid) {
			e.Target = kid
		}
		return Concerning(err, e)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
