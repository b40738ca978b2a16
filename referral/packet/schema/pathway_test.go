package schema_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/referral/packet/schema"
)

// known reports whether a document has the member, given as section/member.
func known(t *testing.T, path string) (found bool) {
	t.Helper()
	section, member, _ := strings.Cut(path, "/")
	d, ok := schema.Newest(section)
	if ok {
		walk(t, d, func(at string, _ map[string]any) { found = found || at == "/"+member })
	}
	return found
}

func TestPathwaysNameWhatThereIs(t *testing.T) {
	var got []string
	for _, p := range schema.Pathways() {
		got = append(got, p.Code)
		if !codes.Purposes().Has(p.Code) {
			t.Errorf("%s is no purpose", p.Code)
		}
		if p.Title == "" || len(p.Sources) == 0 || len(p.Needs) == 0 || len(p.NotNeeded) == 0 || len(p.Prompts) == 0 {
			t.Errorf("%s is not described: %+v", p.Code, p)
		}
		for _, n := range p.Needs {
			if n.Required && p.Code != "duty-to-refer" {
				t.Errorf("%s: %s is required, and no statute says so", p.Code, n.What)
			}
			for _, path := range n.Any {
				if !known(t, path) {
					t.Errorf("%s: there is no %s", p.Code, path)
				}
			}
		}
	}
	if want := "duty-to-refer nrm marac gp-registration"; strings.Join(got, " ") != want {
		t.Errorf("pathways %v, want %s", got, want)
	}
}

func TestADutyToReferNeedsNameContactAndReason(t *testing.T) {
	whole := map[string][]byte{"identity": []byte(`{"known_as":"Rowan"}`), "safe-contact": []byte(`{"channel":"via-worker","worker":{"called":"Cass"}}`),
		"housing": []byte(`{"reason":"asked to leave"}`)}
	if err := schema.Require("duty-to-refer", whole); err != nil {
		t.Errorf("a whole one: %v", err)
	}
	for section, lacks := range map[string]string{"identity": "a name is missing (identity/known_as", "safe-contact": "how the authority reaches her is missing", "housing": "the reason is missing"} {
		part := map[string][]byte{}
		for name, data := range whole {
			if name != section {
				part[name] = data
			}
		}
		err := schema.Require("duty-to-refer", part)
		refusal, _ := errors.AsType[*fault.Fault](err)
		if !errors.Is(err, schema.ErrIncomplete) || !strings.Contains(fmt.Sprint(refusal.Members()["detail"]), lacks) || refusal.Members()["pathway"] != "duty-to-refer" {
			t.Errorf("without %s: %v", section, err)
		}
		if err := schema.Require("housing", part); err != nil {
			t.Errorf("for housing, without %s: %v", section, err)
		}
	}
	agreements := 0
	p, _ := schema.FindPathway("duty-to-refer")
	for _, a := range p.Agreements {
		if slices.Contains([]string{"referral", "contact-details", "authority"}, a.Code) {
			agreements++
		}
	}
	if agreements != 3 {
		t.Errorf("agreements: %+v", p.Agreements)
	}
}

// TestNoOtherPathwayIsAGate: a count, a form or an agency's kind never keeps her from help.
func TestNoOtherPathwayIsAGate(t *testing.T) {
	for _, purpose := range codes.Purposes().Codes() {
		if err := schema.Require(purpose, map[string][]byte{"need": []byte(`{"summary":"x"}`)}); err != nil && purpose != "duty-to-refer" {
			t.Errorf("%s: %v", purpose, err)
		}
	}
	for purpose, told := range map[string]string{
		"nrm": "Only a First Responder", "marac": "never a gate", "gp-registration": "Nothing has to be proved", "duty-to-refer": "no application as homeless",
	} {
		if advice := strings.Join(schema.Advise(purpose, map[string][]byte{}), "\n"); !strings.Contains(advice, told) {
			t.Errorf("%s is told %s", purpose, advice)
		}
	}
	if advice := schema.Advise("marac", map[string][]byte{"risk": []byte(`{"dash":{"count":3}}`)}); strings.Contains(strings.Join(advice, "\n"), "why the risk is high is missing") {
		t.Errorf("a count below 14 is no reason: %v", advice)
	}
	if advice := schema.Advise("advocacy", map[string][]byte{"need": []byte(`{"summary":"x"}`)}); len(advice) != 0 {
		t.Errorf("advocacy is told %v", advice)
	}
	if advice := schema.Advise("advocacy", map[string][]byte{"contact": []byte(`{"phone":"+447700900123"}`)}); len(advice) != 1 {
		t.Errorf("contact without safe-contact: told %v", advice)
	}
}

func TestTheLetterSaysTheRightAndNamesNobody(t *testing.T) {
	letter := strings.Join(strings.Fields(schema.RightToRegister()), " ")
	for _, says := range []string{"identification of any kind", "proof of an address", "immigration status", "an NHS number", "within 14 days", "Regulations 2015 (SI 2015/1862)", "free of charge"} {
		if !strings.Contains(letter, says) {
			t.Errorf("the letter does not say %q", says)
		}
	}
	if blank := regexp.MustCompile(`_{3,}|\.{4,}|[Nn]ame:|Dear `).FindString(letter); blank != "" {
		t.Errorf("the letter asks for a name: %q", blank)
	}
	for line := range strings.Lines(schema.RightToRegister()) {
		if len(line) > 81 {
			t.Errorf("too long to print: %s", line)
		}
	}
}
