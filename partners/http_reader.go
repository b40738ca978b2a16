package partners

import (
	"net/http"
	"slices"

	"handover/audit"
)

// Readers admits to h whoever asks what the log says.
func (g *Gate) Readers(h func(http.ResponseWriter, *http.Request, audit.Reader) error) http.Handler {
	return g.Allow("", func(w http.ResponseWriter, r *http.Request, c Caller) error { return h(w, r, c.Reader()) })
}

// Reader is what c may ask of the log, over the wire as on a page. An auditor may ask for all
// that her partner may see, which for an oversight partner is everything; whoever works with a
// woman, for what was done about her. One decision for both ways in: a page that decided by
// itself would be the way round the other.
func (c Caller) Reader() audit.Reader {
	all := c.Has(AuditRead)
	return audit.Reader{
		By: c.Entry("log.read"), All: all, Oversees: all && c.Category() == Oversight,
		About:   all || slices.ContainsFunc([]Scope{ReferralsSend, ReferralsReceive, ConsentsWrite}, c.Has),
		Refusal: ErrScope.With("scope", string(AuditRead)),
	}
}

// Asker is c as somebody who takes an export of the log. It needs AuditRead, which whoever lets
// her through asks for.
func (c Caller) Asker() audit.Asker {
	return audit.Asker{Partner: string(c.Partner()), Oversight: c.Category() == Oversight, By: c.Entry("log.export")}
}
