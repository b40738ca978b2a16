package partners_test

import (
	"strings"
	"testing"

	"handover/internal/codes"
	"handover/internal/hubtest"
	"handover/partners"
)

func TestTheFirewallIsTotalAndSaysWhatItsRulesSay(t *testing.T) {
	t.Parallel()
	firewall, err := partners.LoadFirewall()
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, to := range partners.Categories() {
		for _, section := range codes.Sections().Codes() {
			for _, purpose := range codes.Purposes().Codes() {
				asked++
				if got, want := firewall.Allows(to, section, purpose), hubtest.MayReceive(to, section, purpose); got != want {
					t.Errorf("%s may receive %s for %s: %v, want %v", to, section, purpose, got, want)
				}
			}
		}
	}
	if asked != 10*14*17 {
		t.Errorf("%d questions were asked: a code was added or taken away, so the rules want reading", asked)
	}
}

// TestTheFirewallNeverSendsWhatMustNeverBeSent spells the rules out once more, in the
// words of the design, whatever the purpose.
func TestTheFirewallNeverSendsWhatMustNeverBeSent(t *testing.T) {
	t.Parallel()
	firewall, err := partners.LoadFirewall()
	if err != nil {
		t.Fatal(err)
	}
	never := map[partners.Category]string{
		partners.Police:      "immigration justice health history location contact note",
		partners.Housing:     "health justice immigration",
		partners.PrimaryCare: "justice immigration",
		partners.Oversight:   strings.Join(codes.Sections().Codes(), " "),
	}
	for to, sections := range never {
		for section := range strings.FieldsSeq(sections) {
			for _, purpose := range codes.Purposes().Codes() {
				if firewall.Allows(to, section, purpose) {
					t.Errorf("%s may receive %s for %s", to, section, purpose)
				}
			}
		}
	}
	if !firewall.Allows(partners.Housing, "access-needs", "housing") {
		t.Error("housing may not receive what she needs to live there")
	}
}

func TestWhatTheFirewallDoesNotKnowItRefuses(t *testing.T) {
	t.Parallel()
	firewall, err := partners.LoadFirewall()
	if err != nil {
		t.Fatal(err)
	}
	for _, ask := range [][3]string{{"vawg-service", "need", ""}, {"vawg-service", "need", "*"}, {"vawg-service", "need", "Housing"},
		{"vawg-service", "diary", "housing"}, {"vawg-service", "", "housing"}, {"vawg-service", "*", "housing"},
		{"", "need", "housing"}, {"*", "need", "housing"}, {"VAWG-service", "need", "housing"}, {"vawg-service", "attachment-1", "housing"}} {
		if firewall.Allows(partners.Category(ask[0]), ask[1], ask[2]) {
			t.Errorf("%q is allowed", ask)
		}
	}
	if new(partners.Firewall).Allows(partners.VAWGService, "need", "housing") {
		t.Error("an empty firewall allows something")
	}
}
