package police

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/consent/record"
	"handover/internal/httpd"
	"handover/partners"
)

// Handler serves police requests.
type Handler struct {
	Gate  *partners.Gate
	Store *Store
	Log   *audit.Log
	Wait  time.Duration // the longest a caller waits for her receipt
}

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	r.Handle("/v1/police-requests", h.Gate.Allow(partners.ReferralsSend, h.ask)).Methods("POST")
	r.Handle("/v1/police-requests", h.Gate.Allow("", party(h.list))).Methods("GET")
	r.Handle("/v1/police-requests/{request}", h.Gate.Allow("", party(h.read))).Methods("GET")
	r.Handle("/v1/police-requests/{request}/open", h.Gate.Allow(partners.ReferralsReceive, h.open)).Methods("POST")
	r.Handle("/v1/police-requests/{request}/decision", h.Gate.Proven(partners.ConsentsOverride, h.decide)).Methods("POST")
}

// party admits who sends or receives referrals, or audits: nobody else has to do with what the
// police ask.
func party(h func(http.ResponseWriter, *http.Request, partners.Caller) error) func(http.ResponseWriter, *http.Request, partners.Caller) error {
	return func(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
		for _, scope := range []partners.Scope{partners.ReferralsSend, partners.ReferralsReceive, partners.AuditRead} {
			if c.Has(scope) {
				return h(w, r, c)
			}
		}
		return partners.ErrScope.With("scope", string(partners.ReferralsReceive))
	}
}

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Body(w, r, record.PostedLimit, record.InquiryMedia)
	if err != nil {
		return err
	}
	entry, err := h.Store.Ask(r.Context(), c, body)
	if err != nil {
		return err
	}
	return h.answer(w, r, entry, http.StatusCreated, func(receipt any) any { return receipt })
}

func (h *Handler) decide(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Body(w, r, record.PostedLimit, record.InquiryDecisionMedia)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["request"]
	entry, err := h.Store.Decide(r.Context(), c, id, body)
	if err != nil {
		return concerning(err, c, id)
	}
	return h.answer(w, r, entry, http.StatusCreated, func(receipt any) any { return receipt })
}

func (h *Handler) open(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	id := mux.Vars(r)["request"]
	sealed, entry, err := h.Store.Open(r.Context(), c, id)
	if err != nil {
		return concerning(err, c, id)
	}
	return h.answer(w, r, entry, http.StatusOK, func(receipt any) any { return map[string]any{"sealed": sealed, "receipt": receipt} })
}

// concerning says in the log which request a refusal was about. Nothing that a caller invents
// reaches it.
func concerning(err error, c partners.Caller, id string) error {
	e := c.Entry("refused")
	if isID(id) {
		e.Target = id
	}
	return partners.Concerning(err, e)
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	st, err := h.Store.Read(r.Context(), c, mux.Vars(r)["request"])
	if err != nil {
		return err
	}
	return h.answer(w, r, st.Entry, http.StatusOK, func(receipt any) any { st.Receipt = receipt; return st })
}

// answer waits for the proof that the step is in the log, and sends it in what form makes of it.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, entry audit.EntryID, status int, form func(receipt any) any) error {
	h.Log.Kick()
	ctx, cancel := context.WithTimeout(r.Context(), h.Wait)
	defer cancel()
	receipt, err := h.Log.Receipt(ctx, entry)
	if err != nil {
		return err
	}
	httpd.JSON(w, status, form(receipt))
	return nil
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	query := r.URL.Query()
	page, more, err := h.Store.Page(r.Context(), c, query.Get("role"), query.Get("after"))
	if err != nil {
		return err
	}
	h.Log.Kick()
	if more {
		next := url.Values{"role": {query.Get("role")}, "after": {page[len(page)-1].ID}}
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, next.Encode())) // RFC 8288
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"requests": page, "more": more})
	return nil
}
