package codes_test

import (
	"strings"
	"testing"

	"handover/internal/codes"
)

// TestEveryMemberHasWords: whatever a sender's program has called it, a page has words for it.
func TestEveryMemberHasWords(t *testing.T) {
	for _, m := range codes.Members() {
		section, _, ok := strings.Cut(m.Code, "/")
		if !ok || !codes.Sections().Has(section) || m.Label == "" || strings.ContainsAny(m.Label, "_") {
			t.Errorf("%q has the words %q", m.Code, m.Label)
		}
	}
	for member, want := range map[string]string{"if_dropped": "If the line drops", "shoe_size": "Shoe size", "x": "X", "été": "Été", "": "Without a name", "_": "Without a name"} {
		if got := codes.Member("safe-contact", member); got != want {
			t.Errorf("%q is called %q, want %q", member, got, want)
		}
	}
}
