package client_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/client"
	"handover/consent/record"
	"handover/referral/packet"
)

// TestPathwaysNameTheGatesOfConsentRecords: what a pathway says she is asked is what her
// record has to say.
func TestPathwaysNameTheGatesOfConsentRecords(t *testing.T) {
	for _, p := range client.Pathways() {
		if !slices.Contains(record.PathwaysFor(p.Code), p.Gate) {
			t.Errorf("%s: a record for this purpose cannot name the gate %q", p.Code, p.Gate)
		}
		var asked []string
		for _, a := range p.Agreements {
			asked = append(asked, a.Code)
		}
		var want []string
		if p.Gate == "duty-to-refer" {
			want = record.DutyAgreements().Codes()
		}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("%s (-record +pathway):\n%s", p.Code, diff)
		}
	}
}

// TestWhatDoesNotFitIsSealedByNobody: neither a referral nor a step, and no byte leaves.
func TestWhatDoesNotFitIsSealedByNobody(t *testing.T) {
	p := newPair(t)
	misspelt := map[string]client.Content{"safe-contact": client.Content(`{"channel":"none","voicmail":true,"last_confirmed":"2026-11-20"}`)}
	q := asking(p.consent.ID)
	q.Sections = misspelt
	if _, err := p.from.Seal(t.Context(), q); client.Code(err) != "section-unfit" {
		t.Errorf("a request is sealed: %v", err)
	}
	if _, err := p.from.SealStep(t.Context(), client.Step{Referral: p.referral, Event: "answer", Consent: p.consent.ID, Sections: misspelt}); client.Code(err) != "section-unfit" {
		t.Errorf("a step is sealed: %v", err)
	}
	if err := client.Fits(misspelt); client.Code(err) != "section-unfit" {
		t.Errorf("it fits: %v", err)
	}
	q = asking(p.consent.ID)
	q.Purpose = "duty-to-refer"
	if _, err := p.from.Seal(t.Context(), q); client.Code(err) != "pathway-incomplete" {
		t.Errorf("a Duty to Refer without a name is sealed: %v", err)
	}
}

// TestWhatDoesNotFitIsShownWithAWarning: whoever was sent it must read it, whatever program
// its sender used.
func TestWhatDoesNotFitIsShownWithAWarning(t *testing.T) {
	p := newPair(t)
	opened, err := p.to.Open(t.Context(), client.Opening{Referral: p.referral, Reason: "triage"})
	if err != nil || len(opened.Unfit) != 0 || opened.Stale {
		t.Fatalf("what fits: %v, %+v", err, opened)
	}
	odd := p.sends(t, map[string]packet.Content{"need": packet.Content(`{"text":"canary"}`), "safe-contact": packet.Content(`{"channel":"none","last_confirmed":"2020-01-01"}`)})
	opened, err = p.to.Open(t.Context(), client.Opening{Referral: odd, Reason: "triage"})
	if err != nil {
		t.Fatal(err)
	}
	if string(opened.Sections["need"]) != `{"text":"canary"}` || len(opened.Unfit) == 0 || opened.Unfit[0].Section != "need" || !opened.Stale {
		t.Errorf("opened %s, unfit %v, stale %v", []byte(opened.Sections["need"]), opened.Unfit, opened.Stale)
	}
}

// sends seals content as another program might, which looks at none of it, and returns the
// referral's id.
func (p *pair) sends(t *testing.T, sections map[string]packet.Content) string {
	t.Helper()
	stored, err := p.from.Consent(t.Context(), p.consent.ID)
	if err != nil {
		t.Fatal(err)
	}
	q := asking(p.consent.ID)
	sealed, err := packet.Seal(packet.Claims{Hub: p.hub.issuer, Issuer: "camden-outreach", Audience: q.To, Event: packet.Request, Subject: stored.Claims.Subject,
		Purpose: stored.Claims.Purpose, Urgency: q.Urgency, Service: q.Service, Area: q.Area, Basis: &packet.Basis{Consent: stored.ID, Digest: stored.Digest}},
		sections, packet.To{Recipient: p.hub.private[q.To].Encryption[0].Public()}, p.hub.private["camden-outreach"].Signing, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	body, err := sealed.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := p.from.Post(t.Context(), body)
	if err != nil {
		t.Fatal(err)
	}
	return receipt.Referral
}
