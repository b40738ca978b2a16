package consent_test

import (
	"net/http"
	"slices"
	"testing"

	"handover/consent/record"
	"handover/internal/hubtest"
	"handover/partners"
)

// TestWhichAgencyMayRelyOnWhat holds every category against the lawful bases that not
// everybody has. A public authority has neither legitimate interests nor recognised ones for
// its own tasks (UK GDPR Art 6(1), last paragraph), and nobody but the police processes for
// law enforcement (Data Protection Act 2018 Part 3), whoever records it, and however the
// controller is named: else a charity could write down for a council what no council may say.
func TestWhichAgencyMayRelyOnWhat(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	charity := h.Agency(t, "a-charity", partners.VAWGService)
	public := []partners.Category{partners.BoroughOutreach, partners.Housing, partners.PrimaryCare, partners.MentalHealth, partners.SocialCare,
		partners.Police, partners.Oversight}
	all := map[string]record.Basis{
		"legitimate interests": {Article6: "f"}, "recognised": {Article6: "ea", Condition: "safeguarding"}, "law enforcement": {Article6: "le-part3"},
		"public task": {Article6: "e", Provision: "Care Act 2014 s42"}, "vital interests": {Article6: "d"},
	}
	allowed, refused := 0, 0
	for _, category := range partners.Categories() {
		agency := h.Agency(t, partners.ID("of-"+category), category)
		for name, basis := range all {
			may := true
			switch basis.Article6 {
			case "f", "ea":
				may = !slices.Contains(public, category)
			case "le-part3":
				may = category == partners.Police
			}
			if basis.Article6 != "le-part3" {
				basis.Article9 = "c"
			}
			own := agency.Consent(t, hubtest.Subject(), []string{"a-charity"}, func(c *record.Claims) {
				basis.Controller = string(agency.ID)
				c.Bases, c.Sections = record.Bases{basis}, []string{"need", "risk"}
			})
			answers := map[string]hubtest.Answer{"its own": agency.PostConsent(t, own)}
			for how, controller := range map[string]string{"by its id": string(agency.ID), "by its category": record.CategoryPrefix + string(category)} {
				others := charity.Consent(t, hubtest.Subject(), []string{string(agency.ID)}, func(c *record.Claims) {
					basis.Controller = controller
					c.Bases, c.Sections = append(c.Bases, basis), []string{"need", "risk"}
				})
				answers[how] = charity.PostConsent(t, others)
			}
			for how, a := range answers {
				got := a.Status == http.StatusCreated
				if got != may || !got && (a.Problem().Code != "consent-claim" || a.Problem().Claim != "basis.art6") {
					t.Errorf("%s for %s, %s: %d %s, want it stored: %v", name, category, how, a.Status, a.Body, may)
				}
				if got {
					allowed++
				} else {
					refused++
				}
			}
		}
	}
	if allowed == 0 || refused == 0 {
		t.Errorf("%d allowed, %d refused", allowed, refused)
	}
}

// TestWithdrawingAndSupersedingAtOnce: a record that is taken back while a later one is about
// to take its place has either no successor, or one that is to be taken back in its place; what
// rested on either is over in both cases.
func TestWithdrawingAndSupersedingAtOnce(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	p.To.Token(t)
	seen := map[string]int{}
	for range 20 {
		first := p.From.Record(t, hubtest.Subject(), p.Named())
		p.From.Sent(t, p.From.Request(p.To, p.Service, first, "need").Seal(t))
		later := p.From.Consent(t, first.Subject, p.Named(), func(c *record.Claims) { c.Supersedes = first.ID })
		answers := hubtest.Together(2, func(i int) hubtest.Answer {
			if i == 0 {
				return p.To.Withdraw(t, first)
			}
			return p.From.PostConsent(t, later)
		})
		code := answers[1].Problem().Code
		if late := answers[0].Problem().Code; late == "consent-superseded" && code == "" {
			var newest struct{ Newest string }
			answers[0].Into(t, http.StatusConflict, &newest)
			if newest.Newest != later.ID || p.To.Withdraw(t, later).Status != http.StatusCreated {
				t.Fatalf("the newest is %s, want %s, and it is withdrawn in its place", newest.Newest, later.ID)
			}
			code = "superseded"
		} else if answers[0].Status != http.StatusCreated {
			t.Fatalf("withdrawing: %d %s", answers[0].Status, answers[0].Body)
		}
		if seen[code]++; code != "superseded" && code != "consent-withdrawn" {
			t.Fatalf("superseding: %d %s", answers[1].Status, answers[1].Body)
		}
		on := map[string]string{"superseded": "consent-withdrawn", "consent-withdrawn": "no-consent"}[code]
		if got := p.From.Send(t, p.From.Request(p.To, p.Service, later, "need").Seal(t)).Problem().Code; got != on {
			t.Errorf("on the later record, %q: %q, want %q", code, got, on)
		}
		if got := p.From.Send(t, p.From.Request(p.To, p.Service, first, "need").Seal(t)).Problem().Code; got != "consent-withdrawn" {
			t.Errorf("on what was taken back: %q", got)
		}
	}
	t.Logf("superseding was answered: %v", seen)
}
