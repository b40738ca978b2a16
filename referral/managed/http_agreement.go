package managed

import (
	"net/http"

	"github.com/gorilla/mux"

	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/partners"
	"handover/partners/terms"
)

// mountAgreements adds the routes by which the hub signs agreements for administrators. Each
// proves to be herself a moment before.
func (h *Handler) mountAgreements(r *mux.Router) {
	r.Handle("/v1/managed/agreements", h.Gate.Proven(partners.PartnerAdmin, h.proposeAgreement)).Methods("POST")
	r.Handle("/v1/managed/agreements/{agreement}/sign", h.Gate.Proven(partners.PartnerAdmin, h.answerAgreement(terms.Signed))).Methods("POST")
	r.Handle("/v1/managed/agreements/{agreement}/refuse", h.Gate.Proven(partners.PartnerAdmin, h.answerAgreement(terms.Refused))).Methods("POST")
	r.Handle("/v1/managed/agreements/{agreement}/end", h.Gate.Proven(partners.PartnerAdmin, h.endAgreement)).Methods("POST")
}

func (h *Handler) proposeAgreement(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[Agreement](w, r, smallLimit)
	if err != nil {
		return err
	}
	entry, err := h.Desk.ProposeAgreement(r.Context(), c, body)
	if err != nil {
		return err
	}
	return h.logged(w, r, entry)
}

// said is what an administrator says about exactly one proposal.
type said struct {
	ID     string `json:"jti"`
	Digest string `json:"digest"` // of the proposal that she has read
	Reason string `json:"reason,omitempty"`
}

func (h *Handler) answerAgreement(answer string) func(http.ResponseWriter, *http.Request, partners.Caller) error {
	return func(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
		body, err := httpd.Decode[said](w, r, smallLimit)
		if err != nil {
			return err
		}
		id := mux.Vars(r)["agreement"]
		entry, err := h.Desk.AnswerAgreement(r.Context(), c, id, body.ID, body.Digest, answer, body.Reason)
		if err != nil {
			return aboutAgreement(c, id, err)
		}
		return h.logged(w, r, entry)
	}
}

func (h *Handler) endAgreement(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[struct {
		ID     string `json:"jti"`
		Digest string `json:"digest"`
	}](w, r, smallLimit)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["agreement"]
	entry, err := h.Desk.EndAgreement(r.Context(), c, id, body.ID, body.Digest)
	if err != nil {
		return aboutAgreement(c, id, err)
	}
	return h.logged(w, r, entry)
}

// aboutAgreement is a refusal with the agreement it was about. Nothing a caller invents reaches
// the log.
func aboutAgreement(c partners.Caller, id string, err error) error {
	e := c.Entry("refused")
	if ids.IsUUID(id) {
		e.Target = id
	}
	return partners.Concerning(err, e)
}
