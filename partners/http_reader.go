package partners

import (
	"net/http"
	"slices"

	"handover/audit"
)

// Readers admits to h whoever asks what the log says. An auditor may ask for all that her
// partner may see, which for an oversight partner is everything; whoever works with a woman,
// for what was done about her.
func (g *Gate) Readers(h func(http.ResponseWriter, *http.Request, audit.Reader) error) http.Handler {
	return g.Allow("", func(w http.ResponseWriter, r *http.Request, c Caller) error {
		all := c.Has(AuditRead)
		return h(w, r, audit.Reader{
			By: c.Entry("log.read"), All: all, Oversees: all && c.Category() == Oversight,
			About:   all || slices.ContainsFunc([]Scope{ReferralsSend, ReferralsReceive, ConsentsWrite}, c.Has),
			Refusal: ErrScope.With("scope", string(AuditRead)),
		})
	})
}
