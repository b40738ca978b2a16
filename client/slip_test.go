package client_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"handover/audit/proof"
	"handover/client"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/hubtest"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

var update = flag.Bool("update", false, "write the slips of testdata/slip anew; read every line of them")

// at is a time of the day in March 2026, when London's clocks still showed UTC.
func at(day, hour int) time.Time { return time.Date(2026, time.March, day, hour, 15, 0, 0, time.UTC) }

const (
	slipConsent = "0190a1b2-0000-7000-8000-000000000001"
	slipSubject = "c3ViamVjdC1yZWZlcmVuY2U"
)

func digestOf(n string) string { return ids.Digest("slip " + n) }

// step is one step of the referral, as History returns it.
func step(n, event, by, to, state, transport string, when time.Time, sections ...string) client.Event {
	c := client.Claims{Issuer: by, Audience: to, Subject: slipSubject, IssuedAt: when.Unix()}
	if len(sections) > 0 {
		c.Basis, c.Sections = &packet.Basis{Consent: slipConsent}, map[string]packet.Sealing{}
	}
	for _, name := range sections {
		c.Sections[name] = packet.Sealing{}
	}
	return client.Event{Event: event, Digest: digestOf(n), State: state, Transport: transport, Claims: c, Receipt: &client.Receipt{Time: when}}
}

func opened(act, n, by, reason string, when time.Time, sections ...string) proof.Entry {
	return proof.Entry{Act: act, Partner: by, Envelope: digestOf(n), Referral: digestOf("1"), Time: when, Sections: sections, Reason: reason,
		User: "u-ada-sample", Client: by + ".abcde"}
}

// slipped is a referral that was sent with her yes, and of which something was opened.
func slipped() client.SlipFacts {
	return client.SlipFacts{
		Made: at(16, 9), Own: "brook-lane",
		Agencies: map[string]client.Partner{
			"brook-lane": {ID: "brook-lane", Name: "Brook Lane Outreach", Category: "borough-outreach"},
			"larkfield":  {ID: "larkfield", Name: "Larkfield Housing", Category: "housing"},
		},
		Steps: []client.Event{
			step("1", "request", "brook-lane", "larkfield", "requested", "opened", at(3, 10), "need", "safe-contact", "note", "attachment-1"),
			step("2", "receive", "larkfield", "brook-lane", "received", "stored", at(4, 9)),
			step("3", "accept", "larkfield", "brook-lane", "accepted", "delivered", at(5, 9), "note"),
		},
		Consents: []client.StoredConsent{{ID: slipConsent, State: "agreed", Review: "stands", Claims: record.Claims{
			ID: slipConsent, Agreement: "agreed", Subject: slipSubject, Purpose: "exiting-support", Recipients: []string{"larkfield"},
			GivenAt: at(2, 10).Unix(), Expires: at(30, 10).Unix()}}},
		Entries: []proof.Entry{
			opened("section.open", "1", "larkfield", "decide", at(4, 16), "safe-contact"),
			opened("section.open", "1", "larkfield", "decide", at(4, 9), "need"),
			opened("section.read", "1", "larkfield", "provide-service", at(6, 9), "need"),
			opened("copy.open", "1", "brook-lane", "resend", at(5, 9), "need"),
			{Act: "log.read", Partner: "brook-lane", Referral: digestOf("1"), Time: at(7, 9)},
		},
	}
}

// overridden is one that was sent without her yes.
func overridden(t *testing.T) client.SlipFacts {
	t.Helper()
	f := slipped()
	key, err := jose.Generate(jose.EdDSA, jose.Ed25519)
	must(err)
	o := client.StoredOverride{ID: "0190a1b2-0000-7000-8000-000000000002", State: "approved", Claims: record.OverrideClaims{
		Issuer: "brook-lane", Agreement: "refused", Reason: "child-at-risk", Told: "yes", IssuedAt: at(3, 8).Unix()}}
	decision, err := record.DecisionClaims{Said: record.Said{Hub: fakeIssuer, Issuer: "brook-lane", ID: "0190a1b2-0000-7000-8000-000000000003",
		IssuedAt: at(3, 9).Unix(), Act: "0190a1b2-0000-4000-8000-000000000004", Of: o.ID, Digest: digestOf("override")}, Decision: record.Approved}.Sign(key.Signer())
	must(err)
	o.Steps = []string{decision}
	f.Consents, f.Overrides = nil, []client.StoredOverride{o}
	for i := range f.Steps {
		if b := f.Steps[i].Claims.Basis; b != nil {
			*b = packet.Basis{Override: o.ID}
		}
	}
	return f
}

// withdrawn is one whose yes she took back.
func withdrawn() client.SlipFacts {
	f := slipped()
	c := &f.Consents[0]
	c.State, c.Withdrawal, c.Receipt = "withdrawn", "a.signed.statement", client.Receipt{Time: at(9, 9)}
	f.Answers = []client.Recall{
		{Partner: "larkfield", Question: "still-held", Answer: "deleted", Receipt: &client.Receipt{Time: at(10, 9)}},
		{Partner: "harbour", Question: "still-held", Answer: "kept", Receipt: &client.Receipt{Time: at(11, 9)}},
		{Partner: "larkfield", Question: "does-help-go-on"},
	}
	f.Agencies["harbour"] = client.Partner{Name: "Harbour Women", Category: "vawg-service"}
	for _, e := range []struct {
		outcome string
		of      []string
	}{{"consent-withdrawn", []string{"note"}}, {"consent-withdrawn", []string{"note"}}, {"section-not-found", []string{"health"}}, {"consent-review-awaited", []string{"need"}}} {
		f.Entries = append(f.Entries, proof.Entry{Act: "refused", Partner: "larkfield", Time: at(12, 9), Outcome: e.outcome, Sections: e.of})
	}
	return f
}

// slips are the slips of testdata/slip, by name.
func slips(t *testing.T) map[string]client.SlipFacts {
	t.Helper()
	nameless, short, unsure := withdrawn(), overridden(t), slipped()
	nameless.NoNames = true
	short.Overrides[0].State, short.Overrides[0].Steps, short.Overrides[0].Claims.Emergency = "lapsed", nil, true
	unsure.Unchecked, unsure.Entries = 1, nil
	worried := overridden(t)
	worried.Overrides[0].Claims.Reason, worried.Overrides[0].Claims.Agreement = "coercion", "not-asked-unsafe"
	return map[string]client.SlipFacts{"agreed": slipped(), "overridden": overridden(t), "withdrawn": withdrawn(), "nameless": nameless,
		"lapsed": short, "unsure": unsure, "worried": worried}
}

// What is said to her, word for word. Whoever changes a line reads the whole slip.
func TestTheSlipSaysWhatHappenedToHerReferral(t *testing.T) {
	for name, facts := range slips(t) {
		path := filepath.Join("testdata", "slip", name+".txt")
		got := facts.Slip().Text()
		if *update {
			must(os.WriteFile(path, []byte(got), 0o600))
		}
		want, err := os.ReadFile(path)
		must(err)
		if got != string(want) {
			t.Errorf("%s reads\n%s", path, got)
		}
	}
}

// It may be found: no id but the short reference, nothing of what she needs help with, of a
// doubt about her yes, or of who works where.
func TestTheSlipGivesNothingAway(t *testing.T) {
	for name, facts := range slips(t) {
		text := facts.Slip().Text()
		for _, hidden := range []string{slipConsent, slipSubject, digestOf("1"), "brook-lane", "larkfield\n", "u-ada-sample", "exploit", "support",
			"press", "control", "doubt", "safe to ask", "consent", "exiting", "override", "Handover", "handover"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%s says %q", name, hidden)
			}
		}
		if !strings.Contains(text, ids.Reference(digestOf("1"))) {
			t.Errorf("%s has no number to ask by", name)
		}
		for _, p := range facts.Agencies {
			if facts.NoNames && strings.Contains(text, p.Name) {
				t.Errorf("%s names %s", name, p.Name)
			}
		}
		if facts.NoNames && regexp.MustCompile(`(?i)women|outreach|housing|police`).MatchString(text) {
			t.Errorf("%s says of what kind the agencies are", name)
		}
		if outside, _, _ := strings.Cut(text, "\n"); outside != "For you" {
			t.Errorf("%s says on its outside %q", name, outside)
		}
	}
}

// A child of nine can read it.
func TestAChildOfNineCanReadTheSlip(t *testing.T) {
	for name, facts := range slips(t) {
		var lines []string
		for _, p := range facts.Slip().Parts {
			for _, line := range p.Lines {
				lines = append(lines, append([]string{line.Text}, line.Points...)...)
			}
		}
		hubtest.Readable(t, name, lines)
	}
}

// An opening that the hub keeps from her shows in what it says of the packet.
func TestTheSlipSaysWhatCouldNotBeChecked(t *testing.T) {
	f := slipped()
	if n := f.Slip().Unchecked; n != 0 {
		t.Errorf("%d could not be checked", n)
	}
	f.Entries = slices.DeleteFunc(f.Entries, func(e proof.Entry) bool { return e.Act != "copy.open" })
	if n := f.Slip().Unchecked; n != 1 {
		t.Errorf("the hub keeps all openings back, and %d could not be checked", n)
	}
	f = slipped()
	f.Consents = nil
	if text := f.Slip().Text(); !strings.Contains(text, "could not check if you had said yes") || strings.Contains(text, "You had said yes") {
		t.Errorf("her yes is not there:\n%s", text)
	}
}

// Her worker learns that the slip would be the first to tell her of an override.
func TestTheWorkerLearnsThatSheHasNotBeenTold(t *testing.T) {
	f := overridden(t)
	if got := f.Slip().NotTold; len(got) != 0 {
		t.Errorf("she was told, and the worker reads %v", got)
	}
	f.Overrides[0].Claims.Told, f.Overrides[0].Claims.NotTold = "no", "unsafe"
	if got := f.Slip().NotTold; !slices.Equal(got, []string{"unsafe"}) {
		t.Errorf("she was not told, and the worker reads %v", got)
	}
}

// Every code that a slip can meet has words of its own.
func TestTheSlipHasWordsForEveryCode(t *testing.T) {
	f := slipped()
	f.Steps[0].Claims.Sections = map[string]packet.Sealing{}
	for _, s := range codes.Sections() {
		f.Steps[0].Claims.Sections[s.Code] = packet.Sealing{}
	}
	f.Entries = nil
	for i, reason := range codes.OpenReasons() {
		f.Entries = append(f.Entries, opened("section.open", "1", "larkfield", reason.Code, at(10+i, 9), "need"))
	}
	text := f.Slip().Text()
	for _, code := range slices.Concat(codes.Sections().Codes(), codes.OpenReasons().Codes()) {
		if strings.Contains(text, code) && strings.Contains(code, "-") {
			t.Errorf("it says %s", code)
		}
	}
	if strings.Contains(text, "- \n") || strings.Count(text, "opened this to ") < 5 {
		t.Errorf("there are no words for something:\n%s", text)
	}
	for _, category := range []string{"vawg-service", "borough-outreach", "housing", "primary-care", "mental-health", "substance-use",
		"social-care", "legal-advice", "police", "oversight"} {
		f.Agencies["larkfield"] = client.Partner{Name: "Larkfield", Category: category}
		if strings.Contains(f.Slip().Text(), "a team that works with us") {
			t.Errorf("it has no words for %s", category)
		}
	}
}
