package managed

import (
	"net/http"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/consent/record"
	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/partners"
)

// mountOverrides adds the routes of what two people decide. What a manager decides she proves
// to be herself a moment before.
func (h *Handler) mountOverrides(r *mux.Router) {
	r.Handle("/v1/managed/overrides", h.Gate.Allow(partners.ConsentsOverride, h.propose)).Methods("POST")
	r.Handle("/v1/managed/overrides/{override}/open", h.Gate.Allow(partners.ConsentsOverride, h.openOverride)).Methods("POST")
	r.Handle("/v1/managed/overrides/{override}/decision", h.Gate.Proven(partners.ConsentsOverride, h.decide)).Methods("POST")
	r.Handle("/v1/managed/overrides/{override}/review", h.Gate.Proven(partners.ConsentsOverride, h.review)).Methods("POST")
	r.Handle("/v1/managed/consents/{consent}/review", h.Gate.Proven(partners.ConsentsOverride, h.reviewConsent)).Methods("POST")
}

// proposed is an override without what the desk says of itself.
type proposed struct {
	ID        string            `json:"jti"`
	Subject   string            `json:"sub,omitempty"` // chosen by the hub if it is left out
	Purpose   string            `json:"purpose"`
	Recipient string            `json:"recipient"`
	Sections  []string          `json:"sections"`
	Agreement string            `json:"agreement"`
	Reason    string            `json:"reason"`
	AtRisk    []string          `json:"at_risk"`
	Told      string            `json:"told"`
	NotTold   string            `json:"not_told_reason,omitempty"`
	Bases     record.Bases      `json:"basis"`
	Gate      record.Gate       `json:"gate"`
	Emergency bool              `json:"emergency,omitempty"`
	ValidFrom int64             `json:"valid_from"`
	Expires   int64             `json:"expires_at"`
	ReviewAt  int64             `json:"review_at"`
	Texts     map[string]string `json:"texts"` // sealed by the hub to the agency's own key, and kept so
}

func (p proposed) proposal() Proposal {
	return Proposal{Texts: p.Texts, Claims: record.OverrideClaims{ID: p.ID, Subject: p.Subject, Purpose: p.Purpose, Recipient: p.Recipient,
		Sections: p.Sections, Agreement: p.Agreement, Reason: p.Reason, AtRisk: p.AtRisk, Told: p.Told, NotTold: p.NotTold, Bases: p.Bases,
		Gate: p.Gate, Emergency: p.Emergency, ValidFrom: p.ValidFrom, Expires: p.Expires, ReviewAt: p.ReviewAt}}
}

func (h *Handler) propose(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[proposed](w, r, record.PostedLimit)
	if err != nil {
		return err
	}
	entry, err := h.Desk.Propose(r.Context(), c, body.proposal())
	if err != nil {
		return err
	}
	return h.logged(w, r, entry)
}

func (h *Handler) openOverride(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if _, err := httpd.Decode[struct{}](w, r, smallLimit); err != nil {
		return err
	}
	opened, err := h.Desk.OpenOverride(r.Context(), c, mux.Vars(r)["override"])
	if err != nil {
		return h.aboutOverride(r, c, err)
	}
	w.Header().Set("Cache-Control", "no-store")
	opened.Sealed = nil
	httpd.JSON(w, http.StatusOK, opened)
	return nil
}

// decided is what a manager says about what somebody has put before her.
type decided struct {
	ID       string `json:"jti"`
	Decision string `json:"decision"` // one of record.Decisions
}

func (h *Handler) decide(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[decided](w, r, smallLimit)
	if err != nil {
		return err
	}
	entry, err := h.Desk.Decide(r.Context(), c, mux.Vars(r)["override"], body.ID, body.Decision)
	return h.done(w, r, c, entry, err)
}

func (h *Handler) review(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[struct {
		ID       string `json:"jti"`
		ReviewAt int64  `json:"review_at,omitempty"` // left out: it is over
	}](w, r, smallLimit)
	if err != nil {
		return err
	}
	entry, err := h.Desk.Review(r.Context(), c, mux.Vars(r)["override"], body.ID, body.ReviewAt)
	return h.done(w, r, c, entry, err)
}

func (h *Handler) reviewConsent(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[decided](w, r, smallLimit)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["consent"]
	entry, err := h.Desk.ReviewConsent(r.Context(), c, id, body.ID, body.Decision)
	if err != nil {
		e := c.Entry("refused")
		if ids.IsUUID(id) {
			e.Consent = id
		}
		return partners.Concerning(err, e)
	}
	return h.logged(w, r, entry)
}

// done answers a manager who has said something about an override.
func (h *Handler) done(w http.ResponseWriter, r *http.Request, c partners.Caller, entry audit.EntryID, err error) error {
	if err != nil {
		return h.aboutOverride(r, c, err)
	}
	return h.logged(w, r, entry)
}

// aboutOverride is a refusal with the override it was about. Nothing a caller invents reaches
// the log.
func (h *Handler) aboutOverride(r *http.Request, c partners.Caller, err error) error {
	e := c.Entry("refused")
	if id := mux.Vars(r)["override"]; ids.IsUUID(id) {
		e.Override = id
	}
	return partners.Concerning(err, e)
}
