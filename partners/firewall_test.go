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

// sentence is one sentence of the design about the firewall, and what it says of a cell.
type sentence struct {
	says     string
	to       partners.Category
	sections string
	may      string // never, always, or the purposes for which alone it may be sent
}

// sentences are those of the design, in its order.
func sentences() []sentence {
	all := strings.Join(codes.Sections().Codes(), " ")
	return []sentence{
		{"police never receives immigration, justice, health, history, location, contact, note", partners.Police, "immigration justice health history location contact note", "never"},
		{"police: identity, need, risk and safe-contact only for purpose protect-from-harm", partners.Police, "identity need risk safe-contact", "protect-from-harm"},
		{"what is not said is no: police", partners.Police, "access-needs housing children", "never"},
		{"housing never receives health", partners.Housing, "health", "never"},
		{"but access-needs", partners.Housing, "access-needs", "always"},
		{"housing never receives justice, immigration", partners.Housing, "justice immigration", "never"},
		{"what decides eligibility is a coded yes, no or unknown in housing", partners.Housing, "housing", "always"},
		{"primary-care never receives justice or immigration", partners.PrimaryCare, "justice immigration", "never"},
		{"vawg-service: all, if consent says so", partners.VAWGService, all, "always"},
		{"legal-advice: all, if consent says so", partners.LegalAdvice, all, "always"},
		{"oversight: no section, ever", partners.Oversight, all, "never"},
	}
}

// TestTheFirewallSaysTheSentencesOfTheDesign holds the table to each of them, for every purpose.
func TestTheFirewallSaysTheSentencesOfTheDesign(t *testing.T) {
	t.Parallel()
	firewall, err := partners.LoadFirewall()
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, s := range sentences() {
		for section := range strings.FieldsSeq(s.sections) {
			told[string(s.to)+" "+section] = true
			for _, purpose := range codes.Purposes().Codes() {
				want := s.may == "always" || s.may == purpose
				if got := firewall.Allows(s.to, section, purpose); got != want {
					t.Errorf("%q: %s to %s for %s: %v", s.says, section, s.to, purpose, got)
				}
			}
		}
	}
	for _, section := range codes.Sections().Codes() {
		if !told[string(partners.Police)+" "+section] {
			t.Errorf("no sentence says whether police may be sent %s", section)
		}
	}
	for n := range 9 { // an attachment without class
		if attachment := "attachment-" + string(rune('1'+n)); firewall.Allows(partners.Police, attachment, "protect-from-harm") {
			t.Errorf("police may be sent %s without a class", attachment)
		}
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
