package client_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"handover/audit/proof"
	"handover/client"
	"handover/internal/ids"
)

// slipOf is the slip about the referral of a pair, as one side makes it.
func slipOf(t *testing.T, c *client.Client, referral string) (client.Slip, string) {
	t.Helper()
	facts, err := c.SlipFacts(t.Context(), referral)
	if err != nil {
		t.Fatal(err)
	}
	slip := facts.Slip()
	return slip, strings.ReplaceAll(slip.Text(), "\n", " ")
}

// holds reports what a text ought to have, and what it must not.
func hasAndHasNot(t *testing.T, text string, has, hasNot []string) {
	t.Helper()
	for _, s := range has {
		if !strings.Contains(text, s) {
			t.Errorf("it does not say %q:\n%s", s, text)
		}
	}
	for _, s := range hasNot {
		if strings.Contains(text, s) {
			t.Errorf("it says %q:\n%s", s, text)
		}
	}
}

func TestASlipIsMadeOfWhatWasVerified(t *testing.T) {
	p := newPair(t)
	slip, text := slipOf(t, p.from, p.referral)
	hasAndHasNot(t, text, []string{"You said yes on", "You had said yes to this", "Nobody at westside-aid has opened this. It is locked: - what you need", ids.Reference(p.referral)},
		[]string{"opened this to", "could not"})
	if slip.Unchecked != 0 {
		t.Errorf("%d were not checked", slip.Unchecked)
	}
	if _, err := p.to.Open(t.Context(), client.Opening{Referral: p.referral, Reason: "decide"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*client.Client{p.from, p.to} {
		_, text = slipOf(t, c, p.referral)
		hasAndHasNot(t, text, []string{"westside-aid opened this to see if it can help: - what you need"}, []string{"Nobody at westside-aid", "could not be checked"})
	}
	if _, err := p.from.WithdrawConsent(t.Context(), p.consent.ID); err != nil {
		t.Fatal(err)
	}
	_, text = slipOf(t, p.to, p.referral) // her recipient is not asked who holds something
	hasAndHasNot(t, text, []string{"You took your yes back on", "You have stopped this."}, []string{"It lasts until"})
}

// A hub that makes up an opening, gives a false proof, or keeps a statement back does not get its word onto the slip.
func TestAHubThatLiesIsNotBelievedByASlip(t *testing.T) {
	for name, c := range map[string]struct {
		lie  func(p *pair)
		says string
	}{
		"a false proof": {func(p *pair) {
			p.hub.twist = func(r *http.Request, body []byte) []byte {
				if r.URL.Path == "/v1/log/proof" {
					return bytes.Replace(body, []byte("index "), []byte("index 1"), 1)
				}
				return body
			}
		}, "We could not check if anybody at westside-aid has opened this"},
		"an opening that is not in the log": {func(p *pair) {
			p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/v1/log/proof" {
					refuse(w, 404, "no-such-entry")
				}
				return r.URL.Path == "/v1/log/proof"
			}
		}, "We could not check if anybody at westside-aid has opened this"},
		"no consent record": {func(p *pair) {
			p.hub.consents = map[string]fakeConsent{}
		}, "We could not check if you had said yes to this"},
		"another consent record": {func(p *pair) {
			second := agreed(t, p.from)
			p.hub.consents[p.consent.ID] = p.hub.consents[second.ID]
		}, "We could not check if you had said yes to this"},
	} {
		p := newPair(t)
		if _, err := p.to.Open(t.Context(), client.Opening{Referral: p.referral, Reason: "decide"}); err != nil {
			t.Fatal(err)
		}
		c.lie(p)
		slip, text := slipOf(t, p.from, p.referral)
		if slip.Unchecked == 0 {
			t.Errorf("%s: all of it was checked", name)
		}
		hasAndHasNot(t, text, []string{c.says}, []string{"your health"})
	}
}

// Nor is it made of another referral's entries, which the hub passes off as hers.
func TestASlipIsNotMadeOfAnotherReferralsEntries(t *testing.T) {
	p := newPair(t)
	p.hub.logged(proof.Entry{Act: "section.open", Partner: "westside-aid", Other: "camden-outreach", Referral: ids.Digest("another"), Sections: []string{"health"}})
	p.hub.before = func(_ http.ResponseWriter, r *http.Request) bool {
		if q := r.URL.Query(); q.Has("referral") {
			q.Set("referral", "")
			r.URL.RawQuery = q.Encode()
		}
		return false
	}
	if _, err := p.from.SlipFacts(t.Context(), p.referral); !errors.Is(err, client.ErrAnswer) {
		t.Errorf("it is made: %v", err)
	}
}

func TestASlipAboutNoReferralIsRefused(t *testing.T) {
	p := newPair(t)
	for _, id := range []string{"", "R-0000-0000", ids.Digest("none")} {
		if _, err := p.from.SlipFacts(t.Context(), id); client.Code(err) != "referral-not-found" {
			t.Errorf("%q: %v", id, err)
		}
	}
	if slip := (client.SlipFacts{}).Slip(); len(slip.Parts) != 0 {
		t.Errorf("of nothing it says %v", slip)
	}
}
