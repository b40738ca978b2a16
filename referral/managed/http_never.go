package managed

import (
	"net/http"

	"github.com/gorilla/mux"

	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/partners"
)

// neverLimit is the most bytes of what is never to be shared.
const neverLimit = 16 << 10

func (h *Handler) never(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[Never](w, r, neverLimit)
	if err != nil {
		return err
	}
	entry, err := h.Desk.Never(r.Context(), c, body)
	if err != nil {
		return err
	}
	return h.logged(w, r, entry)
}

func (h *Handler) lift(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	body, err := httpd.Decode[struct {
		ID string `json:"jti"`
	}](w, r, smallLimit)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["never"]
	entry, err := h.Desk.Lift(r.Context(), c, id, body.ID)
	if err != nil {
		e := c.Entry("refused")
		if ids.IsUUID(id) {
			e.Target = id
		}
		return partners.Concerning(err, e)
	}
	return h.logged(w, r, entry)
}
