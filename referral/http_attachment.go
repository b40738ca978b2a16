package referral

import (
	"net/http"

	"github.com/gorilla/mux"

	"handover/internal/codes"
	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral/packet/attachment"
)

// joseType is the media type of a compact JWE (RFC 7515 §9.2.1).
const joseType = "application/jose"

func (h *Handler) mountAttachments(r *mux.Router) {
	r.Handle("/v1/attachments/{packet}/{section}", h.Gate.Allow(partners.ReferralsSend, h.putChunks)).Methods("GET")
	r.Handle("/v1/attachments/{packet}/{section}/{number}", h.Gate.Allow(partners.ReferralsSend, h.putChunk)).Methods("PUT")
	r.Handle("/v1/referrals/{referral}/attachments/{section}/{number}", h.Gate.Allow("", h.chunk)).Methods("GET")
}

// putChunk takes one chunk of an attachment, before the packet that names it. Doing it
// again changes nothing.
func (h *Handler) putChunk(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	vars := mux.Vars(r)
	at, err := parsePlace(vars["packet"], vars["section"], vars["number"])
	if err != nil {
		return err
	}
	body, err := httpd.Body(w, r, attachment.ChunkLimit, joseType)
	if err != nil {
		return err
	}
	chunk, err := parseChunk(at, string(body))
	if err != nil {
		return err
	}
	if err := h.Store.put(r.Context(), c, chunk); err != nil {
		return err
	}
	h.Log.Kick()
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// putChunks lists what is here, for whoever goes on after an interruption.
func (h *Handler) putChunks(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	vars := mux.Vars(r)
	at, err := parsePlace(vars["packet"], vars["section"], "0")
	if err != nil {
		return err
	}
	found, err := h.Store.putChunks(r.Context(), c, at)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"chunks": found})
	return nil
}

// chunk gives out one chunk of what was released to the caller.
func (h *Handler) chunk(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := EitherSide.Allows(c); err != nil {
		return err
	}
	vars := mux.Vars(r)
	id, envelope := vars["referral"], r.URL.Query().Get("envelope")
	// The packet's id is not the reader's to know beforehand; any will do for the form.
	at, err := parsePlace(anyPacket, vars["section"], vars["number"])
	if err != nil {
		return ErrNotThere
	}
	about := c.Entry("refused")
	if ids.IsDigest(id) {
		about.Referral = id
	}
	if codes.IsAttachment(at.section) {
		about.Sections = []string{at.section}
	}
	sealed, err := h.Store.chunk(r.Context(), c, id, envelope, at)
	if err != nil {
		return partners.Concerning(err, about)
	}
	w.Header().Set("Content-Type", joseType)
	_, _ = w.Write([]byte(sealed))
	return nil
}

const anyPacket = "00000000-0000-7000-8000-000000000000"
