package agency

import (
	"net/http"

	"handover/notify"
	"handover/oauth/signin"
)

// webhooksWant says which webhooks the hub has stopped: until somebody looks, a system of the
// agency is not told what awaits it.
func (h *Handler) webhooksWant(r *http.Request, s signin.Session) ([]want, error) {
	all, err := h.Webhooks.Webhooks(r.Context(), s.Caller)
	if err != nil {
		return nil, err
	}
	var wants []want
	for _, w := range all {
		if w.State == notify.Disabled {
			wants = append(wants, want{"The hub stopped a webhook, because your system took nothing for three days or said that it wants no more. Your system is told nothing until you let it go on.",
				root + "/webhooks/" + w.ID, "See the webhook"})
		}
	}
	return wants, nil
}
