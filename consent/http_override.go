package consent

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/consent/record"
	"handover/internal/httpd"
	"handover/partners"
)

// mountOverrides adds the routes of overrides, and of what else takes a second person. What a
// manager decides she proves to be herself a moment before, so that nobody decides at her
// signed-in screen.
func (h *Handler) mountOverrides(r *mux.Router) {
	r.Handle("/v1/overrides", h.Gate.Allow(partners.ConsentsOverride, h.propose)).Methods("POST")
	r.Handle("/v1/overrides", h.Gate.Allow(partners.AuditRead, h.overrides)).Methods("GET")
	r.Handle("/v1/overrides/{override}", h.Gate.Allow("", h.override)).Methods("GET")
	r.Handle("/v1/overrides/{override}/decision", h.Gate.Proven(partners.ConsentsOverride, h.about("override", h.Store.Decide))).Methods("POST")
	r.Handle("/v1/overrides/{override}/review", h.Gate.Proven(partners.ConsentsOverride, h.about("override", h.Store.Review))).Methods("POST")
	r.Handle("/v1/consents/{consent}/review", h.Gate.Proven(partners.ConsentsOverride, h.about("consent", h.Store.ReviewConsent))).Methods("POST")
}

func (h *Handler) propose(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Body(w, r, record.PostedLimit, record.OverrideMedia)
	if err != nil {
		return err
	}
	entry, err := h.Store.Propose(r.Context(), c, body)
	if err != nil {
		return err
	}
	return h.receipt(w, r, entry)
}

// about takes a signed statement about what the address names, and has it stored.
func (h *Handler) about(what string, store func(context.Context, partners.Caller, string, string) (audit.EntryID, error)) func(http.ResponseWriter, *http.Request, partners.Caller) error {
	return func(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
		token, err := httpd.Body(w, r, record.Limit, mediaType)
		if err != nil {
			return err
		}
		id := mux.Vars(r)[what]
		entry, err := store(r.Context(), c, id, string(token))
		if err != nil {
			e := c.Entry("refused")
			switch {
			case !isID(id): // nothing a caller invents reaches the log
			case what == "consent":
				e.Consent = id
			default:
				e.Override = id
			}
			return partners.Concerning(err, e)
		}
		return h.receipt(w, r, entry)
	}
}

func (h *Handler) override(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	st, err := h.Store.ReadOverride(r.Context(), c, mux.Vars(r)["override"])
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

func (h *Handler) overrides(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	query := r.URL.Query()
	late := query.Get("late")
	found, counts, more, err := h.Store.Overrides(r.Context(), c, late, query.Get("after"))
	if err != nil {
		return err
	}
	h.Log.Kick()
	if more {
		next := url.Values{"after": {found[len(found)-1].ID}}
		if late != "" {
			next.Set("late", late)
		}
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, next.Encode())) // RFC 8288
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"overrides": found, "counts": counts, "more": more})
	return nil
}
