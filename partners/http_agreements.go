package partners

import (
	"context"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/partners/terms"
)

// agreementMedia is the media type of a signed statement about an agreement.
const agreementMedia = "application/jose"

// mountAgreements adds the routes of data-sharing agreements. Everybody of an agency, and its
// systems, may read what it agreed: whoever sends has to know what she may. Administrators sign.
func (h *Handler) mountAgreements(r *mux.Router) {
	r.Handle("/v1/agreements", h.Gate.Allow("", h.agreements)).Methods("GET")
	r.Handle("/v1/agreements", h.Gate.Proven(PartnerAdmin, h.proposeAgreement)).Methods("POST")
	r.Handle("/v1/agreements/{agreement}", h.Gate.Allow("", h.agreement)).Methods("GET")
	r.Handle("/v1/agreements/{agreement}/sign", h.Gate.Proven(PartnerAdmin, h.answerAgreement(terms.Signed))).Methods("POST")
	r.Handle("/v1/agreements/{agreement}/refuse", h.Gate.Proven(PartnerAdmin, h.answerAgreement(terms.Refused))).Methods("POST")
	r.Handle("/v1/agreements/{agreement}/end", h.Gate.Proven(PartnerAdmin, h.endAgreement)).Methods("POST")
}

func (h *Handler) agreements(w http.ResponseWriter, r *http.Request, c Caller) error {
	after := r.URL.Query().Get("after")
	if after != "" && !isAgreement(after) {
		return ErrAgreementNotThere
	}
	page, more, err := h.Store.SignedAgreements(r.Context(), c, after)
	if err != nil {
		return err
	}
	answer := map[string]any{"agreements": append([]SignedAgreement{}, page...), "more": more}
	if after == "" {
		unsigned, err := h.Store.UnsignedAgreements(r.Context(), c)
		if err != nil {
			return err
		}
		answer["unsigned"] = append([]Agreement{}, unsigned...)
	}
	if more {
		next := url.Values{"after": {page[len(page)-1].ID}}
		w.Header().Set("Link", `<`+r.URL.Path+`?`+next.Encode()+`>; rel="next"`) // RFC 8288
	}
	httpd.JSON(w, http.StatusOK, answer)
	return nil
}

func (h *Handler) agreement(w http.ResponseWriter, r *http.Request, c Caller) error {
	found, err := h.Store.SignedAgreement(r.Context(), c, mux.Vars(r)["agreement"])
	if err != nil {
		return aboutAgreement(err, c, mux.Vars(r)["agreement"])
	}
	httpd.JSON(w, http.StatusOK, found)
	return nil
}

func (h *Handler) proposeAgreement(w http.ResponseWriter, r *http.Request, c Caller) error {
	token, err := httpd.Body(w, r, terms.Limit, agreementMedia)
	if err != nil {
		return err
	}
	entry, err := h.Store.ProposeAgreement(r.Context(), c, h.Issuer, string(token))
	if err != nil {
		return err
	}
	return h.receipt(w, r, entry)
}

func (h *Handler) answerAgreement(answer string) func(http.ResponseWriter, *http.Request, Caller) error {
	return h.step(func(ctx context.Context, c Caller, id, token string) (audit.EntryID, error) {
		stated, err := terms.ParseAnswer(token)
		if err == nil && stated.Unverified().Answer != answer { // signed for the other route
			return audit.EntryID{}, terms.ErrClaim.With("claim", "answer").With("why", terms.Why("answer"))
		}
		return h.Store.AnswerAgreement(ctx, c, h.Issuer, id, token)
	})
}

func (h *Handler) endAgreement(w http.ResponseWriter, r *http.Request, c Caller) error {
	return h.step(func(ctx context.Context, c Caller, id, token string) (audit.EntryID, error) {
		return h.Store.CloseAgreement(ctx, c, h.Issuer, id, token)
	})(w, r, c)
}

// step serves a signed statement about one agreement.
func (h *Handler) step(store func(ctx context.Context, c Caller, id, token string) (audit.EntryID, error)) func(http.ResponseWriter, *http.Request, Caller) error {
	return func(w http.ResponseWriter, r *http.Request, c Caller) error {
		token, err := httpd.Body(w, r, terms.Limit, agreementMedia)
		if err != nil {
			return err
		}
		id := mux.Vars(r)["agreement"]
		entry, err := store(r.Context(), c, id, string(token))
		if err != nil {
			return aboutAgreement(err, c, id)
		}
		return h.receipt(w, r, entry)
	}
}

// aboutAgreement has a refusal logged with the agreement it was about.
func aboutAgreement(err error, c Caller, id string) error {
	e := c.Entry("refused")
	if ids.IsUUID(id) { // nothing a caller invents reaches the log
		e.Target = id
	}
	return Concerning(err, e)
}

// receipt waits until the entry stands under a signed checkpoint, and answers with its proof.
func (h *Handler) receipt(w http.ResponseWriter, r *http.Request, entry audit.EntryID) error {
	h.Gate.Log.Kick()
	ctx, cancel := context.WithTimeout(r.Context(), h.Wait)
	defer cancel()
	receipt, err := h.Gate.Log.Receipt(ctx, entry)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusCreated, receipt)
	return nil
}
