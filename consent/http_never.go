package consent

import (
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"handover/consent/record"
	"handover/internal/httpd"
	"handover/partners"
)

func (h *Handler) mountNevers(r *mux.Router) {
	r.Handle("/v1/nevers", h.Gate.Allow(partners.ConsentsWrite, h.never)).Methods("POST")
	r.Handle("/v1/nevers", h.Gate.Allow(partners.ConsentsWrite, h.nevers)).Methods("GET")
	r.Handle("/v1/nevers/{never}/lift", h.Gate.Allow(partners.ConsentsWrite, h.lift)).Methods("POST")
}

func (h *Handler) never(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	token, err := httpd.Body(w, r, record.Limit, mediaType)
	if err != nil {
		return err
	}
	entry, err := h.Store.Never(r.Context(), c, string(token))
	if err != nil {
		return err
	}
	return h.receipt(w, r, entry)
}

func (h *Handler) lift(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	token, err := httpd.Body(w, r, record.Limit, mediaType)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["never"]
	entry, err := h.Store.Lift(r.Context(), c, id, string(token))
	if err != nil {
		e := c.Entry("refused")
		if isID(id) { // nothing a caller invents reaches the log
			e.Target = id
		}
		return partners.Concerning(err, e)
	}
	return h.receipt(w, r, entry)
}

func (h *Handler) nevers(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	after := r.URL.Query().Get("after")
	if after != "" && !isID(after) {
		return ErrQuery
	}
	page, more, err := h.Store.Nevers(r.Context(), c, after)
	if err != nil {
		return err
	}
	h.Log.Kick()
	if more {
		w.Header().Set("Link", fmt.Sprintf(`<%s?after=%s>; rel="next"`, r.URL.Path, page[len(page)-1].ID)) // RFC 8288
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"nevers": page, "more": more})
	return nil
}
