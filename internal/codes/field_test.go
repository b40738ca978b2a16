package codes_test

import (
	"regexp"
	"testing"

	"handover/internal/codes"
)

func TestTheListsOfTheFieldAreCodes(t *testing.T) {
	for name, list := range map[string]codes.List{"harm types": codes.HarmTypes(), "harm bases": codes.HarmBases(), "channels": codes.Channels(),
		"answers": codes.Answers(), "precisions": codes.Precisions(), "refusal reasons": codes.RefusalReasons(), "asked for": codes.AskedFor()} {
		seen := map[string]bool{}
		for _, c := range list {
			if !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(c.Code) || c.Label == "" || c.Source == "" || seen[c.Code] || seen["label "+c.Label] {
				t.Errorf("%s: %+v is no code, or there twice", name, c)
			}
			seen[c.Code], seen["label "+c.Label] = true, true
		}
		if len(list) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	if n := len(codes.HarmTypes()); n != 15 {
		t.Errorf("%d harm types, want the 15 of the design", n)
	}
}

func TestLondonHasItsAuthorities(t *testing.T) {
	list := codes.LondonAuthorities()
	if len(list) != len(london) {
		t.Fatalf("%d authorities", len(list))
	}
	for i, a := range list {
		if a.Label != london[i] || !codes.IsArea(a.Code) || a.Code != "E090000"+string(rune('0'+(i+1)/10))+string(rune('0'+(i+1)%10)) {
			t.Errorf("authority %d is %+v, want %s", i+1, a, london[i])
		}
	}
}
