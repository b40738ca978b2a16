package managed

import (
	"net/http"

	"github.com/gorilla/mux"

	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral"
)

// answer has the answer to a recall signed for the caller.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := referral.EitherSide.Allows(c); err != nil {
		return err
	}
	body, err := httpd.Decode[Answer](w, r, smallLimit)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["recall"]
	entry, err := h.Desk.Answer(r.Context(), c, id, body)
	if err != nil {
		e := c.Entry("refused")
		if ids.IsUUID(id) {
			e.Target = id
		}
		return partners.Concerning(err, e)
	}
	return h.logged(w, r, entry)
}
