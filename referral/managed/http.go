package managed

import (
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/mux"

	"handover/audit"
	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
	"handover/referral/packet/schema"
)

// Handler serves what the hub does for the people of agencies whose keys it holds.
type Handler struct {
	Gate *partners.Gate
	Desk *Desk
}

// Mount adds the routes. They need the scopes of the routes that they stand for.
func (h *Handler) Mount(r *mux.Router) {
	r.Handle("/v1/managed/referrals", h.Gate.Allow(partners.ReferralsSend, h.refer)).Methods("POST")
	r.Handle("/v1/managed/referrals/{referral}/events", h.Gate.Allow("", h.step)).Methods("POST")
	r.Handle("/v1/managed/referrals/{referral}/open", h.Gate.Allow("", h.open)).Methods("POST")
	r.Handle("/v1/managed/recalls/{recall}/answer", h.Gate.Allow("", h.answer)).Methods("POST")
	r.Handle("/v1/managed/consents", h.Gate.Allow(partners.ConsentsWrite, h.record)).Methods("POST")
	r.Handle("/v1/managed/nevers", h.Gate.Allow(partners.ConsentsWrite, h.never)).Methods("POST")
	r.Handle("/v1/managed/nevers/{never}/lift", h.Gate.Allow(partners.ConsentsWrite, h.lift)).Methods("POST")
	r.Handle("/v1/managed/consents/{consent}/withdraw", h.Gate.Allow(partners.ConsentsWrite, h.withdraw)).Methods("POST")
	h.mountOverrides(r)
	h.mountAgreements(r)
}

// smallLimit is the most bytes of a request without content.
const smallLimit = 16 << 10

// contents are sections in clear, on their way to where they are sealed.
type contents map[string]jsontext.Value

func (c contents) content() map[string]packet.Content {
	content := make(map[string]packet.Content, len(c))
	for name, data := range c {
		content[name] = packet.Content(data)
	}
	return content
}

func (h *Handler) refer(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[struct {
		Request
		Sections contents `json:"sections"`
	}](w, r, packet.PacketLimit)
	if err != nil {
		return err
	}
	body.Content = body.Sections.content()
	entry, err := h.Desk.Refer(r.Context(), c, body.Request)
	if err != nil {
		about := c.Entry("refused")
		about.Event = string(packet.Request)
		return partners.Concerning(err, about)
	}
	return h.filed(w, r, entry)
}

func (h *Handler) step(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := referral.EitherSide.Allows(c); err != nil {
		return err
	}
	body, err := httpd.Decode[struct {
		Step
		Sections contents `json:"sections,omitempty"`
	}](w, r, packet.PacketLimit)
	if err != nil {
		return err
	}
	body.Content = body.Sections.content()
	id := mux.Vars(r)["referral"]
	entry, err := h.Desk.Step(r.Context(), c, id, body.Step)
	if err != nil {
		about := aboutReferral(c, id)
		if slices.Contains(packet.Events(), body.Event) {
			about.Event = string(body.Event)
		}
		return partners.Concerning(err, about)
	}
	return h.filed(w, r, entry)
}

// filed answers with the proof that a packet is in the log, once it is.
func (h *Handler) filed(w http.ResponseWriter, r *http.Request, entry audit.EntryID) error {
	receipt, err := h.Desk.receipt(r.Context(), entry)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/referrals/"+receipt.Referral)
	httpd.JSON(w, http.StatusCreated, receipt)
	return nil
}

func (h *Handler) open(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := referral.EitherSide.Allows(c); err != nil {
		return err
	}
	o, err := httpd.Decode[referral.Opening](w, r, smallLimit)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["referral"]
	opened, err := h.Desk.Open(r.Context(), c, id, o)
	if err != nil {
		about := aboutReferral(c, id)
		if o.Valid() {
			about.Sections, about.Reason = o.Sections, o.Reason
		}
		return partners.Concerning(err, about)
	}
	defer wipe(opened.Content)
	sections := make(contents, len(opened.Content))
	for name, data := range opened.Content {
		sections[name] = jsontext.Value(data)
	}
	w.Header().Set("Cache-Control", "no-store")
	unfit := append([]schema.Misfit{}, opened.Unfit...) // a list, also when it is empty
	httpd.JSON(w, http.StatusOK, map[string]any{"sections": sections, "signed": opened.Signed, "receipt": opened.Receipt,
		"unfit": unfit, "stale": opened.Stale, "outside": opened.Outside})
	return nil
}

// aboutReferral begins the log entry of a refusal. Nothing a caller invents reaches the log.
func aboutReferral(c partners.Caller, id string) proof.Entry {
	e := c.Entry("refused")
	if ids.IsDigest(id) {
		e.Referral = id
	}
	return e
}

// spoken is a consent record without what the desk says of itself.
type spoken struct {
	ID           string        `json:"jti"`
	Subject      string        `json:"sub,omitempty"` // chosen by the hub if it is left out
	Supersedes   string        `json:"supersedes,omitempty"`
	Jurisdiction string        `json:"jurisdiction"`
	Agreement    string        `json:"agreement"`
	Method       string        `json:"method,omitempty"`
	Purpose      string        `json:"purpose"`
	Recipients   []string      `json:"recipients"`
	Sections     []string      `json:"sections"`
	Withheld     []string      `json:"withheld,omitempty"`
	Onward       string        `json:"onward"`
	Notice       record.Notice `json:"notice,omitzero"`
	Bases        record.Bases  `json:"basis,omitempty"`
	Gate         record.Gate   `json:"gate"`
	GivenAt      int64         `json:"given_at"`
	ValidFrom    int64         `json:"valid_from"`
	Expires      int64         `json:"expires_at"`
	ReviewAt     int64         `json:"review_at,omitempty"`

	How   *circumstances    `json:"circumstances,omitempty"`
	Words map[string]string `json:"words,omitempty"` // sealed by the hub to the agency's own key, and kept so
}

// circumstances are record.Circumstances without the salt, which the desk chooses.
type circumstances struct {
	Alone       string `json:"seen_alone"`
	Coercion    string `json:"coercion"`
	Interpreter string `json:"interpreter"`
	Language    string `json:"language"`
	Capacity    string `json:"capacity"`
}

func (s spoken) saying() Saying {
	said := Saying{Words: s.Words, Claims: record.Claims{ID: s.ID, Subject: s.Subject, Supersedes: s.Supersedes,
		Jurisdiction: s.Jurisdiction, Agreement: s.Agreement, Method: s.Method, Purpose: s.Purpose, Recipients: s.Recipients,
		Sections: s.Sections, Withheld: s.Withheld, Onward: s.Onward, Notice: s.Notice, Bases: s.Bases, Gate: s.Gate,
		GivenAt: s.GivenAt, ValidFrom: s.ValidFrom, Expires: s.Expires, ReviewAt: s.ReviewAt}}
	if s.How != nil {
		said.How = &record.Circumstances{Alone: s.How.Alone, Coercion: s.How.Coercion, Interpreter: s.How.Interpreter,
			Language: s.How.Language, Capacity: s.How.Capacity}
	}
	return said
}

func (h *Handler) record(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[spoken](w, r, record.PostedLimit)
	if err != nil {
		return err
	}
	entry, err := h.Desk.Record(r.Context(), c, body.saying())
	if err != nil {
		return err
	}
	return h.logged(w, r, entry)
}

func (h *Handler) withdraw(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[struct {
		ID string `json:"jti"`
	}](w, r, smallLimit)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["consent"]
	entry, err := h.Desk.Withdraw(r.Context(), c, id, body.ID)
	if err != nil {
		e := c.Entry("refused")
		if ids.IsUUID(id) {
			e.Consent = id
		}
		return partners.Concerning(err, e)
	}
	return h.logged(w, r, entry)
}

// logged answers with the proof that a consent's step is in the log, once it is.
func (h *Handler) logged(w http.ResponseWriter, r *http.Request, entry audit.EntryID) error {
	receipt, err := h.Desk.receipt(r.Context(), entry)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusCreated, receipt)
	return nil
}
