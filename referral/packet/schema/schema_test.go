package schema_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/referral/packet/attachment"
	"handover/referral/packet/schema"
)

// TestMain makes the properties draw the same values in every run.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.seed", "20261126"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestEverySectionHasASchema(t *testing.T) {
	var got []string
	for _, d := range schema.All() {
		if d.Kind == schema.Section {
			got = append(got, d.Describes)
		}
		if d.Title == "" || d.Description == "" {
			t.Errorf("%s does not say what it is", d.Name)
		}
		if found, ok := schema.Find(d.Name); !ok || found.Name != d.Name || !cmp.Equal(found.Text, d.Text) {
			t.Errorf("%s is not found by its name", d.Name)
		}
	}
	if diff := cmp.Diff(codes.Sections().Codes(), got); diff != "" {
		t.Errorf("sections (-codes +schemas):\n%s", diff)
	}
	if _, ok := schema.Find("need/0"); ok {
		t.Error("there is a version 0")
	}
}

func TestWholeExamplesFit(t *testing.T) {
	for section, text := range examples() {
		if found := schema.Misfits(section, []byte(text)); found != nil {
			t.Errorf("%s: %v", section, found)
		}
		if whole, err := schema.Complete(section, []byte(text)); err != nil || string(whole) != text {
			t.Errorf("%s: what is whole was changed to %s, %v", section, whole, err)
		}
	}
}

// TestTheExamplesUseEveryMember holds the examples to the documents: a member that no example
// has is one that nobody has tried.
func TestTheExamplesUseEveryMember(t *testing.T) {
	for section, text := range examples() {
		d, _ := schema.Newest(section)
		var example any
		if err := json.Unmarshal([]byte(text), &example); err != nil {
			t.Fatal(err)
		}
		used := map[string]bool{}
		membersOf(example, "", used)
		walk(t, d, func(path string, about map[string]any) {
			if path != "" && !used[path] {
				t.Errorf("%s: no example has %s", d.Name, path)
			}
		})
	}
}

// membersOf collects the members of a value, lists taken apart.
func membersOf(value any, at string, into map[string]bool) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			into[at+"/"+name] = true
			membersOf(member, at+"/"+name, into)
		}
	case []any:
		for _, item := range v {
			membersOf(item, at, into)
		}
	}
}

// walk visits every described member of a document, lists taken apart.
func walk(t *testing.T, d schema.Document, visit func(path string, about map[string]any)) {
	t.Helper()
	var document map[string]any
	if err := json.Unmarshal(d.Text, &document); err != nil {
		t.Fatal(err)
	}
	var within func(path string, about map[string]any)
	within = func(path string, about map[string]any) {
		visit(path, about)
		if items, ok := about["items"].(map[string]any); ok {
			within(path, items)
		}
		properties, _ := about["properties"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			within(path+"/"+name, properties[name].(map[string]any))
		}
	}
	within("", document)
}

func TestTheDocumentsKeepTheirRules(t *testing.T) {
	for _, d := range schema.All() {
		walk(t, d, func(path string, about map[string]any) {
			says, _ := about["description"].(string)
			_, isConst := about["const"]
			if says == "" {
				t.Errorf("%s%s has no description", d.Name, path)
			}
			if about["type"] == "object" && about["additionalProperties"] != false {
				t.Errorf("%s%s takes members that nobody knows", d.Name, path)
			}
			_, formed := about["format"]
			_, patterned := about["pattern"]
			_, coded := about["enum"]
			dated := strings.HasSuffix(path, "/value") && strings.Contains(says, "2004-05-31")
			if free := about["type"] == "string" && !formed && !patterned && !coded && !isConst && !dated; free {
				if !strings.Contains(says, "Do not write ") {
					t.Errorf("%s%s is free text and does not say what not to write", d.Name, path)
				}
				if about["maxLength"] == nil || about["minLength"] == nil {
					t.Errorf("%s%s has no bounds", d.Name, path)
				}
			}
			if about["type"] == "array" && (about["maxItems"] == nil || about["minItems"] == nil) {
				t.Errorf("%s%s has no bounds", d.Name, path)
			}
		})
		for _, never := range []string{"sex worker", "sex_worker", "sex-worker", "prostitut", "victim type", "offender"} {
			if strings.Contains(strings.ToLower(string(d.Text)), never) {
				t.Errorf("%s says %q: record what is done to her, never what she is", d.Name, never)
			}
		}
	}
}

// TestTheDocumentsSayTheCodes: the lists are in one place, and the documents say them again
// for implementations that read no Go.
func TestTheDocumentsSayTheCodes(t *testing.T) {
	for place, list := range map[string]codes.List{
		"need/needs/need": codes.Purposes(), "risk/harms/type": codes.HarmTypes(), "risk/harms/basis": codes.HarmBases(),
		"safe-contact/channel": codes.Channels(), "housing/eligibility": codes.Answers(), "identity/date_of_birth/precision": codes.Precisions(),
		"gp-refusal/reason": codes.RefusalReasons(), "gp-refusal/asked_for": codes.AskedFor(),
		"safe-contact/device_shared": codes.Answers(), "safe-contact/device_monitored": codes.Answers(),
	} {
		section, path, _ := strings.Cut(place, "/")
		d, _ := schema.Newest(section)
		said := false
		walk(t, d, func(at string, about map[string]any) {
			values, ok := about["enum"].([]any)
			if at != "/"+path || !ok {
				return
			}
			said = true
			var got []string
			for _, v := range values {
				got = append(got, v.(string))
			}
			if diff := cmp.Diff(list.Codes(), got); diff != "" {
				t.Errorf("%s (-codes +document):\n%s", place, diff)
			}
		})
		if !said {
			t.Errorf("%s says no codes", place)
		}
	}
}

func TestCompleteWritesWhatMustNotBeGuessed(t *testing.T) {
	for _, row := range [][3]string{
		{"need", `{"summary":"a room"}`, `{"schema":"need/1","summary":"a room"}`},
		{"need", ` { "summary" : "a room" } `, `{"schema":"need/1", "summary" : "a room" }`},
		{"safe-contact", `{"channel":"via-worker","last_confirmed":"2026-11-20"}`,
			`{"schema":"safe-contact/1","do_not_visit":true,"text":false,"voicemail":false,"expires":"2026-12-04","channel":"via-worker","last_confirmed":"2026-11-20"}`},
		{"safe-contact", `{"schema":"safe-contact/1","channel":"text","number":"+447700900123","text":true,"do_not_visit":true,"last_confirmed":"2026-12-30","expires":"2027-01-02"}`,
			`{"voicemail":false,"schema":"safe-contact/1","channel":"text","number":"+447700900123","text":true,"do_not_visit":true,"last_confirmed":"2026-12-30","expires":"2027-01-02"}`},
		{"housing", `{"now":"hostel"}`, `{"schema":"housing/1","eligibility":"unknown","now":"hostel"}`},
	} {
		got, err := schema.Complete(row[0], []byte(row[1]))
		if err != nil || string(got) != strings.TrimSpace(row[2]) {
			t.Errorf("%s\n got %s, %v\nwant %s", row[1], got, err, row[2])
		}
	}
	var sealed attachment.Sealed
	w, err := attachment.NewWriter("application/pdf", func(int, string) error { return nil })
	if err == nil {
		_, err = w.Write([]byte("scan"))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if sealed, err = w.Sealed(); err != nil {
		t.Fatal(err)
	}
	if got, err := schema.Complete("attachment-1", sealed.Head); err != nil || string(got) != string([]byte(sealed.Head)) {
		t.Errorf("the head of an attachment was changed: %v", err)
	}
	if found := schema.Misfits("attachment", sealed.Head); len(found) != 0 {
		t.Errorf("the head of an attachment does not fit its schema: %v", found)
	}
}

func TestCompleteAllNamesEverySectionThatDoesNotFit(t *testing.T) {
	_, err := schema.CompleteAll(map[string][]byte{"need": []byte(`{"summary":"a room"}`), "risk": []byte(`{}`), "note": []byte(`{"txt":"x"}`)})
	refusal, ok := errors.AsType[*fault.Fault](err)
	if !errors.Is(err, schema.ErrUnfit) || !ok {
		t.Fatalf("refused with %v", err)
	}
	detail := fmt.Sprint(refusal.Members()["detail"])
	if refusal.Members()["section"] != "note" || !strings.Contains(detail, "note, text: is missing") || !strings.Contains(detail, "risk: is empty") || strings.Contains(detail, "need") {
		t.Errorf("refused with %v", refusal.Members())
	}
}

func TestSafeContactIsStaleAfterFourteenDays(t *testing.T) {
	at := func(day string) time.Time {
		when, err := time.Parse(time.DateTime, day)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, row := range []struct {
		data, now string
		stale     bool
	}{
		{`{"last_confirmed":"2026-11-20"}`, "2026-12-04 23:59:59", false},
		{`{"last_confirmed":"2026-11-20"}`, "2026-12-05 00:00:00", true},
		{`{"last_confirmed":"2026-11-20","expires":"2026-11-22"}`, "2026-11-23 00:00:00", true},
		{`{"last_confirmed":"2026-11-20","expires":"2026-11-22"}`, "2026-11-22 12:00:00", false},
		{`{"last_confirmed":"2026-11-20","expires":"2027-11-22"}`, "2026-12-06 00:00:00", true}, // says more than it may
		{`{"channel":"call"}`, "2026-11-20 00:00:00", true},
		{`{"last_confirmed":"soon"}`, "2026-11-20 00:00:00", true},
		{`no JSON`, "2026-11-20 00:00:00", true},
	} {
		if got := schema.Stale([]byte(row.data), at(row.now)); got != row.stale {
			t.Errorf("%s at %s: stale %v", row.data, row.now, got)
		}
	}
}

func TestPoliceAreGivenHerWorkersContactAndNeverHers(t *testing.T) {
	const workers = `"schema":"safe-contact/1","channel":"via-worker","worker":{"called":"Cass","phone":"+442079460123"},"last_confirmed":"2026-11-20","expires":"2026-12-04"`
	for _, fine := range []string{`{` + workers + `}`, `{` + workers + `,"voicemail":false,"text":false,"do_not_visit":true}`,
		`{"schema":"safe-contact/1","channel":"none","last_confirmed":"2026-11-20"}`} {
		if err := schema.ForPolice([]byte(fine)); err != nil {
			t.Errorf("%s: %v", fine, err)
		}
	}
	d, _ := schema.Newest("safe-contact")
	var whole map[string]any
	if err := json.Unmarshal([]byte(examples()["safe-contact"]), &whole); err != nil {
		t.Fatal(err)
	}
	may := strings.Fields("schema channel worker last_confirmed expires voicemail text do_not_visit")
	walk(t, d, func(path string, _ map[string]any) {
		name := strings.TrimPrefix(path, "/")
		if name == "" || strings.Contains(name, "/") || slices.Contains(may, name) {
			return
		}
		member, err := json.Marshal(whole[name])
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.ForPolice(fmt.Appendf(nil, `{%s,%q:%s}`, workers, name, member)); !errors.Is(err, schema.ErrHersForPolice) {
			t.Errorf("%s goes to police: %v", name, err)
		}
	})
	for _, hers := range []string{examples()["safe-contact"], `{"channel":"call"}`, `{}`, `[]`, `x`, `{` + workers + `,"voicemail":true}`, `{` + workers + `,"text":true}`, `{` + workers + `,"do_not_visit":false}`} {
		if err := schema.ForPolice([]byte(hers)); !errors.Is(err, schema.ErrHersForPolice) {
			t.Errorf("%s goes to police: %v", hers, err)
		}
	}
}
