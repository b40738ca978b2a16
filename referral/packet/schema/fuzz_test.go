package schema_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"handover/internal/codes"
	"handover/internal/strict"
	"handover/referral/packet/schema"
)

// FuzzComplete: whatever is written, what is completed fits, keeps every member that was there,
// and is not changed again; and no finding repeats the canary, wherever it stood.
func FuzzComplete(f *testing.F) {
	for section, text := range examples() {
		f.Add(section, text)
		f.Add(section, strings.Replace(text, `"schema":"`+section+`/1",`, "", 1))
	}
	for _, row := range unfit() {
		f.Add(row.section, row.content)
	}
	f.Fuzz(func(t *testing.T, section, text string) {
		if !codes.Sections().Has(section) {
			return
		}
		for _, m := range schema.Misfits(section, []byte(text)) {
			if m.Section != section || m.Says == "" || strings.Contains(m.String(), canary) {
				t.Errorf("said: %+v", m)
			}
		}
		whole, err := schema.Complete(section, []byte(text))
		if err != nil {
			return
		}
		if found := schema.Misfits(section, whole); found != nil {
			t.Errorf("%s: what was completed does not fit: %v", whole, found)
		}
		if again, err := schema.Complete(section, whole); err != nil || string(again) != string(whole) {
			t.Errorf("%s is changed again to %s, %v", whole, again, err)
		}
		var was, is map[string]jsontext.Value
		if strict.Unmarshal([]byte(text), &was) != nil || strict.Unmarshal(whole, &is) != nil {
			t.Fatalf("%s was completed to %s", text, whole)
		}
		maps.DeleteFunc(is, func(name string, _ jsontext.Value) bool { _, there := was[name]; return !there })
		if diff := cmp.Diff(was, is); diff != "" {
			t.Errorf("what was written was changed:\n%s", diff)
		}
	})
}

// TestALongListOfMistakesIsToldInShort: nobody has the hub write a sentence about each of a
// hundred thousand items.
func TestALongListOfMistakesIsToldInShort(t *testing.T) {
	many := `{"schema":"need/1","needs":[` + strings.TrimSuffix(strings.Repeat(`{},`, 80_000), ",") + `]}`
	if found := schema.Misfits("need", []byte(many)); len(found) == 0 || len(found) > 20 {
		t.Errorf("%d things are told", len(found))
	}
	longer := `{"schema":"need/1","summary":"` + strings.Repeat("x", 256<<10) + `"}`
	if found := schema.Misfits("need", []byte(longer)); len(found) != 1 || !strings.Contains(found[0].Says, "too large") {
		t.Errorf("said: %v", found)
	}
	if _, err := schema.Complete("need", []byte(longer)); err == nil {
		t.Error("what is too large is completed")
	}
}
