package client_test

import (
	"slices"
	"strings"
	"testing"

	"handover/client"
)

// hers is what the sender of a pair holds about the woman it is about.
func hers(t *testing.T, p *pair) client.SubjectAccess {
	t.Helper()
	all, err := p.from.SubjectAccess(t.Context(), client.SubjectQuery{Subjects: []string{p.consent.Subject}, SearchAll: true})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What does not hold is named, and the rest is there all the same: she is answered within a
// month, whatever a hub shows.
func TestASubjectAccessNamesWhatDoesNotHold(t *testing.T) {
	p := newPair(t)
	named := func(all client.SubjectAccess, what string) bool {
		return slices.ContainsFunc(all.Unchecked, func(s string) bool { return strings.HasPrefix(s, what) })
	}
	all := hers(t, p)
	if len(all.Referrals) != 1 || len(all.Consents) != 1 || named(all, "the consent record") || len(all.Shared) != 1 {
		t.Fatalf("of an honest hub it holds %d referrals, %d consents, and names %v", len(all.Referrals), len(all.Consents), all.Unchecked)
	}
	if got := string(all.Referrals[0].Packets[0].Sections["need"]); !strings.Contains(got, "somewhere to sleep") {
		t.Errorf("what was sent reads %s", got)
	}
	other := agreed(t, p.from)
	p.hub.consents[p.consent.ID] = p.hub.consents[other.ID]
	all = hers(t, p)
	if len(all.Referrals) != 1 || len(all.Consents) != 0 || !named(all, "the consent record "+p.consent.ID) {
		t.Errorf("of another record it holds %d consents, and names %v", len(all.Consents), all.Unchecked)
	}
	if text := all.Text(); !strings.Contains(text, "What does not hold, or could not be shown") || !strings.Contains(text, p.consent.ID) {
		t.Errorf("the text says\n%s", text)
	}
}

// A system that can open nothing would say that there is nothing.
func TestASubjectAccessIsMadeWhereTheKeysAre(t *testing.T) {
	p := newPair(t)
	c, err := client.New(client.Options{Hub: fakeIssuer, Partner: "camden-outreach", ClientID: "camden-outreach.abcde", LogKey: p.from.LogKey(), HTTP: p.hub.HTTP(),
		Keys: client.Keys{Authentication: p.hub.private["camden-outreach"].Authentication}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.SubjectAccess(t.Context(), client.SubjectQuery{Subjects: []string{p.consent.Subject}}); err == nil || !strings.Contains(err.Error(), "no keys") {
		t.Errorf("it is made: %v", err)
	}
	if _, err := c.SlipFacts(t.Context(), p.referral); err != nil {
		t.Errorf("a slip opens nothing, and is not made: %v", err)
	}
}
