package referral_test

import (
	"slices"
	"testing"

	"handover/internal/hubtest"
	"handover/partners"
)

// Every entry of what was done about her by her reference has it, so that who looks for it in
// the log misses none; but a never and its end, which would tell oversight that there is such
// a word of hers, and join her references.
func TestTheLogNamesHerByHerReference(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	worker := h.Person(t, p.From.ID, partners.Caseworker)
	subject, other := hubtest.Subject(), hubtest.Subject()
	c := p.From.Record(t, subject, p.Named())
	p.From.Sent(t, p.From.Request(p.To, p.Service, c, "need").Seal(t))
	o := p.From.Override(t, worker.ID, p.To, subject)
	if a := worker.Propose(t, o); a.Status != 201 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	id, digest := p.From.Never(t, []string{other, subject}, string(p.To.ID))
	if a := p.From.Send(t, p.From.Request(p.To, p.Service, c, "need").Seal(t)); a.Problem().Code != "not-covered" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	p.From.Lift(t, id, digest)

	named := map[string][]string{}
	for _, e := range h.Entries(t, 0) {
		if e.Subject != "" {
			named[e.Subject] = append(named[e.Subject], e.Act)
		}
	}
	slices.Sort(named[subject])
	want := []string{"consent.record", "override.propose", "referral.request", "refused"}
	if !slices.Equal(named[subject], want) {
		t.Errorf("named in %q", named[subject])
	}
	if len(named[other]) > 0 {
		t.Errorf("her other reference is named in %q", named[other])
	}
}
