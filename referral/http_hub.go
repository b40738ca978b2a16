package referral

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"handover/internal/httpd"
	"handover/internal/strict"
)

// serveHubKeys answers with the public keys of the hub's own steps, each as a JWK with the
// receipt of its entry in the log. They are for everybody: whoever is shown a bundle
// verifies with them.
func (h *Handler) serveHubKeys(w http.ResponseWriter, r *http.Request) error {
	all, err := h.Store.hubKeys(r.Context())
	if err != nil {
		return err
	}
	members := make([]map[string]jsontext.Value, 0, len(all))
	for _, k := range all {
		m := map[string]jsontext.Value{}
		if err := strict.Unmarshal(k.jwk, &m); err != nil {
			return fmt.Errorf("reading a stored key: %w", err)
		}
		receipt, err := h.receipt(r.Context(), k.entry)
		if err != nil {
			return err
		}
		if m["receipt"], err = strict.Marshal(receipt); err != nil {
			return fmt.Errorf("writing a receipt: %w", err)
		}
		members = append(members, m)
	}
	w.Header().Set("Content-Type", "application/jwk-set+json") // RFC 7517 §8.5.2
	httpd.JSON(w, http.StatusOK, map[string]any{"keys": members})
	return nil
}
