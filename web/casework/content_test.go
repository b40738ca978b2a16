package casework

import (
	"slices"
	"strings"
	"testing"

	"handover/referral/packet"
	"handover/referral/packet/schema"
)

// said is a section as one text: label, values, parts.
func said(all []row) string {
	var b strings.Builder
	for _, r := range all {
		b.WriteString(r.Label + ":")
		for _, v := range r.Values {
			if v.Text != "" {
				b.WriteString(" " + v.Text)
			}
			for _, p := range v.More {
				b.WriteString(" " + p.Label + "=" + p.Text)
			}
			b.WriteString(";")
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestASectionReadsAsItsSchemaHasIt(t *testing.T) {
	for _, row := range []struct {
		name, section, content string
		hide                   bool
		want                   string
	}{
		{"in the schema's order, codes in words", "risk",
			`{"to_workers":"a dog","immediate_danger":"unknown","harms":[{"basis":"professional-view","type":"cuckooing","detail":"at night"}],"schema":"risk/1"}`, false,
			"Harm: Kind=Her home taken over by others How it is known=The view of a professional Detail=at night;\nIn danger now: Not known;\nRisk to workers: a dog;\n"},
		{"what forbids is said in words", "safe-contact",
			`{"channel":"via-worker","voicemail":false,"text":true,"do_not_visit":true,"safe_days":["monday","friday"],"last_confirmed":"2026-11-20"}`, false,
			"How to reach her: Through her worker;\nSafe days: Monday; Friday;\nVoicemail: Leave none;\nTexts: They may be sent;\nVisits: Do not visit her;\nShe last said so on: 20 November 2026;\n"},
		{"the numbers are hidden, not her worker's", "safe-contact",
			`{"channel":"call","number":"+447700900123","app":"x","worker":{"phone":"+442079460000"},"trusted_contact":{"called":"Jo","phone":"+447700900456"}}`, true,
			"How to reach her: A call;\nNumber: " + hiddenNumber + ";\nApp: " + hiddenNumber + ";\nHer worker: Phone=+442079460000;\nSomebody who may pass a message on: Called=Jo Phone=" + hiddenNumber + ";\n"},
		{"contact is hidden too", "contact", `{"phone":"+447700900123","email":"a@example.org","post":{"lines":["1 High Road","London"]}}`, true,
			"Phone: " + hiddenNumber + ";\nE-mail: " + hiddenNumber + ";\nPost: Lines=1 High Road, London;\n"},
		{"a number in another shape is hidden too", "safe-contact",
			`{"number":{"mobile":"+447700900123"},"trusted_contact":{"phone":["+447700900456"]},"worker":{"phone":"+442079460000"},"last_confirmed":"2026-11-20"}`, true,
			"Number: Mobile=" + hiddenNumber + ";\nHer worker: Phone=+442079460000;\nSomebody who may pass a message on: Phone=" + hiddenNumber + ";\nShe last said so on: 20 November 2026;\n"},
		{"and one under another name", "contact", `{"mobile":"07700 900123","work":447700900123,"other":{"mail":["a@example.org"]},"days":7}`, true,
			"Days: 7;\nMobile: " + hiddenNumber + ";\nOther: Mail=" + hiddenNumber + ";\nWork: " + hiddenNumber + ";\n"},
		{"and one that says how sure it is", "contact", `{"phone":{"precision":"day","value":"+447700900123"}}`, true,
			"Phone: Precision=" + hiddenNumber + " Value=" + hiddenNumber + ";\n"},
		{"and what is no object", "contact", `"+447700900123"`, true, "What was sent: " + hiddenNumber + ";\n"},
		{"dates say how sure they are", "identity", `{"known_as":"Quennell","date_of_birth":{"precision":"month","value":"2004-05"}}`, false,
			"She goes by: Quennell;\nDate of birth: May 2004 (the month is known);\n"},
		{"and do so while numbers are hidden", "identity", `{"date_of_birth":{"precision":"month","value":"2004-05"}}`, true,
			"Date of birth: May 2004 (the month is known);\n"},
		{"an unknown date is said to be", "need", `{"since":{"precision":"unknown"}}`, false, "Since: Not known;\n"},
		{"a date that is none stays what it is", "need", `{"since":{"precision":"day","value":"soon"}}`, false, "Since: soon (the day is known);\n"},
		{"what the schema does not know is shown last", "need", `{"zebra":{"deep":[1,{"er":true}]},"summary":"a room","an_other":null}`, false,
			"In short: a room;\nAn other: Not said;\nZebra: Deep=1, Er: Yes;\n"},
		{"an unknown section", "new-thing", `{"b":1.5,"a":"x"}`, false, "A: x;\nB: 1.5;\n"},
		{"an unknown schema", "need", `{"schema":"need/9","summary":"a room"}`, false, "In short: a room;\n"},
		{"what is no object", "need", `"a room"`, false, "What was sent: \"a room\";\n"},
		{"nothing", "need", ``, false, "What was sent:;\n"},
		{"an empty list", "need", `{"needs":[]}`, false, "What she needs:\n"},
		{"an authority by its name", "housing", `{"not_safe_in":["E09000012","E06000023"],"now":"with-who-harms-her"}`, false,
			"Where she sleeps now: With who harms her;\nNot safe in: Hackney; E06000023;\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := said(rows(row.section, packet.Content(row.content), row.hide)); got != row.want {
				t.Errorf("reads\n%s\nwant\n%s", got, row.want)
			}
		})
	}
}

// TestNothingOfASectionIsLost: whatever a schema knows is shown, under words and in place.
func TestNothingOfASectionIsLost(t *testing.T) {
	for _, d := range schema.All() {
		if d.Kind != schema.Section {
			continue
		}
		names := namesAt(d.Text, "properties")
		if len(names) < 2 || !slices.Contains(names, "schema") {
			t.Fatalf("%s has the members %v", d.Name, names)
		}
		content := `{"schema":"` + d.Name + `"`
		for _, n := range names[1:] {
			content += `,"` + n + `":"said ` + n + `"`
		}
		got := said(rows(d.Describes, packet.Content(content+"}"), false))
		at := -1
		for _, n := range names[1:] {
			i := strings.Index(got, "said "+n+";")
			if i < 0 || i < at {
				t.Errorf("%s: %s is lost, or out of place:\n%s", d.Name, n, got)
			}
			at = i
		}
		if strings.ContainsRune(got[:strings.IndexByte(got, ':')], '_') {
			t.Errorf("%s: no words for a member:\n%s", d.Name, got)
		}
	}
}

func FuzzNoContentBreaksAPage(f *testing.F) {
	f.Add("need", `{"summary":"x","needs":[{"need":"housing"}]}`)
	f.Add("safe-contact", `{"a":[[{"b":[{}]}]]}`)
	f.Add("risk", `[`)
	f.Add("risk", `{"immediate_danger":[]}`)
	f.Fuzz(func(t *testing.T, section, content string) {
		for _, hide := range []bool{false, true} {
			for _, r := range rows(section, packet.Content(content), hide) {
				if r.Label == "" {
					t.Errorf("a member without words in %q", content)
				}
			}
		}
		inDanger(packet.Content(content))
	})
}
