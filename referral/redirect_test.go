package referral_test

import (
	"testing"

	"github.com/google/uuid"

	"handover/internal/hubtest"
	"handover/partners"
	"handover/referral/packet"
)

// TestARedirectNamesAServiceOfAnotherThatTakesSuchReferrals: what the sender is told to try
// must be there to be tried, and be neither of the two.
func TestARedirectNamesAServiceOfAnotherThatTakesSuchReferrals(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	other := h.Agency(t, "better-placed", partners.Housing)
	offered := func(change func(*partners.Service)) string { return h.Offer(t, other, change) }
	for name, service := range map[string]string{
		"of nobody":          uuid.NewString(),
		"her own":            p.Service,
		"the sender's":       h.Offer(t, p.From),
		"another purpose's":  offered(func(s *partners.Service) { s.Purposes = []string{"benefits"} }),
		"of another borough": offered(func(s *partners.Service) { s.Areas = []string{"E09000001"} }),
		"paused":             offered(func(s *partners.Service) { s.Capacity = "paused" }),
	} {
		r := p.Sent(t, "need")
		d := p.To.Event(p.From, packet.Redirect, r.Digest, r.Digest)
		d.Service = service
		if a := p.To.Send(t, d.Seal(t)); a.Problem().Code != "service-unavailable-for-referral" {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	r := p.Sent(t, "need")
	d := p.To.Event(p.From, packet.Redirect, r.Digest, r.Digest).With(p.Consent, "note") // and why, in a note
	d.Service = h.Offer(t, other)
	p.To.Sent(t, d.Seal(t))

	// The sender goes there with a record that names the new agency, and not without.
	h.Agree(t, p.From, other)
	again := p.From.Request(other, d.Service, p.Consent)
	again.OnwardFrom = r.Digest
	if a := p.From.Send(t, again.Seal(t)); a.Problem().Code != "not-covered" {
		t.Errorf("on the old record: %d %s", a.Status, a.Body)
	}
	again = p.From.Request(other, d.Service, p.From.Record(t, hubtest.Subject(), []string{string(other.ID)}))
	again.OnwardFrom = r.Digest
	p.From.Sent(t, again.Seal(t))
}
