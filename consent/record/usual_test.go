package record_test

import (
	"slices"
	"testing"

	"handover/consent/record"
	"handover/internal/codes"
)

// What is suggested to an agency must be what it may have, and with her yes nothing must be
// missing of it: a worker who chooses nothing is not stopped at the end.
func TestWhatIsUsualIsWhatAnAgencyMayHave(t *testing.T) {
	categories := []string{"vawg-service", "borough-outreach", "housing", "primary-care", "mental-health", "substance-use", "social-care", "legal-advice", "police"}
	for _, category := range categories {
		for _, purpose := range codes.Purposes().Codes() {
			u := record.UsualOf(category, purpose)
			if u.Source == "" {
				t.Errorf("%s for %s has no source", category, purpose)
			}
			for _, sections := range [][]string{{"need"}, {"need", "health"}, {"justice"}, codes.Sections().Codes()} {
				if lacks := u.Basis(category, "agreed", sections).Lacks(category, sections); lacks != "" {
					t.Errorf("%s for %s with %v lacks %s", category, purpose, sections, lacks)
				}
				for _, agreement := range []string{"refused", "not-asked-unsafe", "not-asked-impracticable", record.BestInterests} {
					b := u.Basis(category, agreement, sections)
					lacks := b.Lacks(category, sections)
					if lacks != "" && lacks != "basis.policy" {
						t.Errorf("%s for %s with %v after %s lacks %s", category, purpose, sections, agreement, lacks)
					}
					if slices.Contains([]string{b.Article6, b.Article9}, "a") || b.Schedule1 == "29" {
						t.Errorf("%s for %s with %v after %s rests on her consent", category, purpose, sections, agreement)
					}
				}
			}
		}
	}
}

func TestWhatABasisLacksIsNamed(t *testing.T) {
	for lacks, b := range map[string]record.Basis{
		"basis.art6":      {Article6: "f"},
		"basis.provision": {Article6: "e"},
		"basis.art9":      {Article6: "e", Provision: "Care Act 2014 s42"},
	} {
		if got := b.Lacks("housing", []string{"health"}); got != lacks && !(lacks == "basis.art6" && got == "basis.art9") {
			t.Errorf("%+v lacks %q, want %q", b, got, lacks)
		}
	}
	if got := (record.Basis{Article6: "f"}).Lacks("housing", []string{"need"}); got != "basis.art6" {
		t.Errorf("legitimate interests of a council lack %q", got)
	}
}
