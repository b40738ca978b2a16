package consent

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/consent/record"
	"handover/internal/httpd"
	"handover/partners"
)

// Handler serves consent records.
type Handler struct {
	Gate  *partners.Gate
	Store *Store
	Log   *audit.Log
	Wait  time.Duration // the longest a caller waits for her receipt
	// Withdrawn is told, if it is set, that something was withdrawn. It must not wait: what
	// follows a withdrawal is no part of it.
	Withdrawn func()
}

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	r.Handle("/v1/consents", h.Gate.Allow(partners.ConsentsWrite, h.record)).Methods("POST")
	r.Handle("/v1/consents/{consent}", h.Gate.Allow("", h.read)).Methods("GET")
	r.Handle("/v1/keys/{kid}/consents", h.Gate.Allow(partners.PartnerAdmin, h.signedBy)).Methods("GET")
	h.mountNevers(r)
	r.Handle("/v1/consents/{consent}/withdraw", h.Gate.Allow(partners.ConsentsWrite, h.withdraw)).Methods("POST")
	h.mountOverrides(r)
}

// mediaType is that of a withdrawal: a compact JWS (RFC 7515 §9.2.1).
const mediaType = "application/jose"

func (h *Handler) record(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Body(w, r, record.PostedLimit, record.MediaType)
	if err != nil {
		return err
	}
	entry, err := h.Store.Record(r.Context(), c, body)
	if err != nil {
		return err
	}
	return h.receipt(w, r, entry)
}

func (h *Handler) withdraw(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	token, err := httpd.Body(w, r, record.Limit, mediaType)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["consent"]
	entry, err := h.Store.Withdraw(r.Context(), c, id, string(token))
	if err != nil {
		e := c.Entry("refused")
		if isID(id) { // nothing a caller invents reaches the log
			e.Consent = id
		}
		return partners.Concerning(err, e)
	}
	if h.Withdrawn != nil {
		h.Withdrawn()
	}
	return h.receipt(w, r, entry)
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	st, err := h.Store.Read(r.Context(), c, mux.Vars(r)["consent"])
	if err != nil {
		return err
	}
	h.Log.Kick()
	ctx, cancel := context.WithTimeout(r.Context(), h.Wait)
	defer cancel()
	receipt, err := h.Log.Receipt(ctx, st.Entry)
	if err != nil {
		return err
	}
	st.Receipt = receipt
	httpd.JSON(w, http.StatusOK, st)
	return nil
}

// receipt answers with the proof that the step is in the log, once it is.
func (h *Handler) receipt(w http.ResponseWriter, r *http.Request, entry audit.EntryID) error {
	ctx, cancel := context.WithTimeout(r.Context(), h.Wait)
	defer cancel()
	receipt, err := h.Log.Receipt(ctx, entry)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusCreated, receipt)
	return nil
}

// signedBy lists what a key of the caller's agency signed about consent.
func (h *Handler) signedBy(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	after := r.URL.Query().Get("after")
	if after != "" && !isID(after) {
		return ErrQuery
	}
	found, more, err := h.Store.SignedBy(r.Context(), c, mux.Vars(r)["kid"], after)
	if err != nil {
		return err
	}
	h.Log.Kick()
	if more {
		w.Header().Set("Link", fmt.Sprintf(`<%s?after=%s>; rel="next"`, r.URL.Path, found[len(found)-1].ID)) // RFC 8288
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"consents": found, "more": more})
	return nil
}
