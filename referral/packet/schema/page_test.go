package schema_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/ids"
	"handover/referral/packet/schema"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs")

const docs = "../../../docs"

// generated are the parts of the documents for readers that are made from the schemas, each
// between <!-- NAME --> and <!-- /NAME -->. A page may have any of them.
func generated(t *testing.T) map[string]string {
	return map[string]string{"schemas": listOfSchemas(), "formats": listOfFormats(), "sections": sections(t), "pathways": listOfPathways()}
}

// TestThePagesSayWhatTheSchemasSay holds docs to the schemas. Run it with -update after a change.
func TestThePagesSayWhatTheSchemasSay(t *testing.T) {
	pages, err := filepath.Glob(docs + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, path := range pages {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := string(text)
		for name, part := range generated(t) {
			begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
			before, rest, ok := strings.Cut(want, begin)
			_, after, closed := strings.Cut(rest, end)
			if ok != closed {
				t.Fatalf("%s has one of %s and %s", path, begin, end)
			}
			if ok {
				found[name] = true
				want = before + begin + part + end + after
			}
		}
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil { //nolint:gosec // a document for everybody
				t.Fatal(err)
			}
		} else if diff := cmp.Diff(want, string(text)); diff != "" {
			t.Errorf("%s (-want +got); run go test ./referral/packet/schema -run Pages -update\n%s", path, diff)
		}
	}
	for name := range generated(t) {
		if !found[name] {
			t.Errorf("no page has the %s", name)
		}
	}
}

func listOfSchemas() string {
	var b strings.Builder
	b.WriteString("| schema | title | what it is for |\n| --- | --- | --- |\n")
	for _, d := range schema.All() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.Name, d.Title, d.Description)
	}
	return b.String()
}

func listOfFormats() string {
	var b strings.Builder
	b.WriteString("| format | what is told | source |\n| --- | --- | --- |\n")
	for _, f := range schema.Formats() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.Says, f.Source)
	}
	return b.String()
}

// sections says every member of every document, safe-contact first as it is shown.
func sections(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	safe, _ := schema.Newest("safe-contact")
	section(t, &b, safe)
	for _, d := range schema.All() {
		if d.Name != safe.Name {
			section(t, &b, d)
		}
	}
	return b.String()
}

func section(t *testing.T, b *strings.Builder, d schema.Document) {
	t.Helper()
	fmt.Fprintf(b, "\n### %s: %s\n\n%s\n\n| member | what | form |\n| --- | --- | --- |\n", d.Name, d.Title, d.Description)
	seen := map[string]bool{}
	walk(t, d, func(path string, about map[string]any) {
		path = strings.TrimPrefix(path, "/")
		if path == "" || path == "schema" || seen[path] {
			return
		}
		seen[path] = true
		if strings.HasSuffix(path, "/precision") || strings.HasSuffix(path, "/value") {
			return // said once, above
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", path, about["description"], form(about))
	})
}

// form says the form of a member in a word or two.
func form(about map[string]any) string {
	if items, ok := about["items"].(map[string]any); ok {
		return fmt.Sprintf("list of %s, at most %v", form(items), about["maxItems"])
	}
	if properties, ok := about["properties"].(map[string]any); ok {
		if _, dated := properties["precision"]; dated {
			return "a date with precision"
		}
		return "object"
	}
	if values, ok := about["enum"].([]any); ok {
		words := make([]string, len(values))
		for i, v := range values {
			words[i] = fmt.Sprintf("`%v`", v)
		}
		return strings.Join(words, " ")
	}
	if name, ok := about["format"]; ok {
		return fmt.Sprintf("`%v`", name)
	}
	if value, ok := about["const"]; ok {
		return fmt.Sprintf("`%v`", value)
	}
	switch about["type"] {
	case "string":
		if about["maxLength"] == nil {
			return "text"
		}
		return fmt.Sprintf("text, at most %v", about["maxLength"])
	case "boolean":
		if about["default"] != nil {
			return fmt.Sprintf("true or false, `%v` if it is left out", about["default"])
		}
		return "true or false"
	case "integer":
		return fmt.Sprintf("%v to %v", about["minimum"], about["maximum"])
	}
	return "object"
}

func listOfPathways() string {
	var b strings.Builder
	for _, p := range schema.Pathways() {
		fmt.Fprintf(&b, "\n### %s\n\nPurpose `%s`, gate `%s`. Sources: %s.\n\n| | what | where |\n| --- | --- | --- |\n", p.Title, p.Code, p.Gate, strings.Join(p.Sources, "; "))
		for _, n := range p.Needs {
			mark := "should have"
			if n.Required {
				mark = "**must have**"
			}
			fmt.Fprintf(&b, "| %s | %s: %s | `%s` |\n", mark, n.What, n.Why, strings.Join(n.Any, "`, `"))
		}
		b.WriteString("\n")
		for _, a := range p.Agreements {
			fmt.Fprintf(&b, "- Ask her: %s (`%s`)\n", a.Asks, a.Code)
		}
		for _, prompt := range p.Prompts {
			fmt.Fprintf(&b, "- %s\n", prompt)
		}
		fmt.Fprintf(&b, "- Nobody may ask for: %s.\n", strings.Join(p.NotNeeded, "; "))
	}
	return b.String()
}

// TestAVersionThatWasServedDoesNotChange: what was sealed by need/1 is read by need/1 for good,
// so a change is another version. -update is for a new document, and for the time before a
// first release.
func TestAVersionThatWasServedDoesNotChange(t *testing.T) {
	const served = "testdata/served.txt"
	var want strings.Builder
	for _, d := range schema.All() {
		fmt.Fprintf(&want, "%s %s\n", d.Name, ids.DigestOf(d.Text))
	}
	if *update {
		if err := os.WriteFile(served, []byte(want.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(served)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("the digests of the documents (-now +served):\n%s", diff)
	}
}
