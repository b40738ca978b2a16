package partners

import (
	"net/http"

	"handover/internal/httpd"
)

// ruled is what the firewall says of one category of recipient.
type ruled struct {
	Category Category `json:"category"`
	Title    string   `json:"title"`
	Rules    []Rule   `json:"rules"`
}

// showFirewall answers with the whole table. Anybody may read it: it is a promise, and a
// charity's board reads it before the charity joins.
func (h *Handler) showFirewall(w http.ResponseWriter, _ *http.Request) error {
	var all []ruled
	for _, c := range Categories() {
		all = append(all, ruled{c, c.Title(), h.Store.firewall.Rules(c)})
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	httpd.JSON(w, http.StatusOK, map[string]any{"categories": all})
	return nil
}
