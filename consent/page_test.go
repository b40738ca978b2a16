package consent_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/consent/record"
	"handover/internal/codes"
	"handover/partners"
)

var update = flag.Bool("update", false, "rewrite the lists in docs/consent.md")

const consentPage = "../docs/consent.md"

// TestThePageHasEveryList holds the lists and refusals of docs/consent.md, which a data
// protection officer signs off, to the program. Run it with -update after changing one.
func TestThePageHasEveryList(t *testing.T) {
	text, err := os.ReadFile(consentPage)
	if err != nil {
		t.Fatal(err)
	}
	want := between(t, between(t, string(text), "lists", listed(t)), "refusals", refusals(t))
	if *update {
		if err := os.WriteFile(consentPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("%s is not what the program says (-want +got); run go test ./consent -run PageHasEveryList -update\n%s", consentPage, diff)
	}
}

// between replaces what stands between the two marks of that name.
func between(t *testing.T, page, name, text string) string {
	t.Helper()
	before, rest, ok := strings.Cut(page, "<!-- "+name+" -->\n")
	_, after, ended := strings.Cut(rest, "<!-- /"+name+" -->")
	if !ok || !ended {
		t.Fatalf("%s has no place for the %s", consentPage, name)
	}
	return before + "<!-- " + name + " -->\n" + text + "<!-- /" + name + " -->" + after
}

// titledList is a list with the heading that people read over it, and the function that returns it.
type titledList struct {
	title, from string
	list        codes.List
}

// lists are all lists of consent, in reading order.
func lists() []titledList {
	return []titledList{
		{"Agreement: what she said, or why she was not asked (`agreement`)", "Agreements", record.Agreements()},
		{"How she said it (`method`)", "Methods", record.Methods()},
		{"What for (`purpose`)", "", codes.Purposes()},
		{"What can be shared (`sections`, `withheld`)", "", codes.Sections()},
		{"Travelling on (`onward`)", "Onwards", record.Onwards()},
		{"Pressure (`coercion`)", "Coercions", record.Coercions()},
		{"Interpreter (`interpreter`)", "Interpreters", record.Interpreters()},
		{"Whether she could decide (`capacity`)", "Capacities", record.Capacities()},
		{"What is sealed beside a record (`sealed`)", "SealedParts", record.SealedParts()},
		{"Lawful basis (`art6`)", "Articles6", record.Articles6()},
		{"Recognised legitimate interest (`ea_condition`)", "Recognised", record.Recognised()},
		{"Condition for special category data (`art9`)", "Articles9", record.Articles9()},
		{"Ground for data about offences (`art10`)", "Articles10", record.Articles10()},
		{"Paragraph of Schedule 1 (`schedule1`)", "Schedules1", record.Schedules1()},
		{"Reason of paragraph 18 (`schedule1_18_reason`)", "Safeguardings", record.Safeguardings()},
		{"Statutory gate (`pathway`)", "Pathways", record.Pathways()},
		{"The three agreements of a homelessness referral (`agreements`)", "DutyAgreements", record.DutyAgreements()},
		{"Decision of a second person (`decision`)", "Decisions", record.Decisions()},
		{"Override: reason (`reason`)", "Reasons", record.Reasons()},
		{"Override: who is at risk (`at_risk`)", "AtRisks", record.AtRisks()},
		{"Override: why she was not told (`not_told_reason`)", "NotToldReasons", record.NotToldReasons()},
		{"Override: what is sealed beside it (`sealed`)", "OverrideParts", record.OverrideParts()},
		{"Override: looked at again (`outcome`)", "Reviews", record.Reviews()},
		{"After a withdrawal: the answer (`answer`)", "RecallAnswers", record.RecallAnswers()},
		{"After a withdrawal: why it is kept (`because`)", "KeepReasons", record.KeepReasons()},
		{"Police request: line of enquiry (`line_of_enquiry`)", "Enquiries", record.Enquiries()},
		{"Police request: why it is needed (`necessity`)", "Necessities", record.Necessities()},
		{"Police request: rank of the second officer (`rank`)", "Ranks", record.Ranks()},
		{"Police request: whether she has been told (`notice`)", "InquiryNotices", record.InquiryNotices()},
		{"Police request: why she is not told (`withheld_reason`)", "WithheldReasons", record.WithheldReasons()},
		{"Police request: why yes, which the police never read", "InquiryReasons", record.InquiryReasons()},
		{"Police request: why no, which the police never read", "NoReasons", record.NoReasons()},
		{"Police request: why she was not told of a no", "InquiryNotToldReasons", record.InquiryNotToldReasons()},
	}
}

// listed writes every list, and what the program decides by.
func listed(t *testing.T) string {
	t.Helper()
	shown := map[string]bool{}
	var b strings.Builder
	for _, l := range lists() {
		shown[l.from] = true
		fmt.Fprintf(&b, "\n### %s\n\n| code | means | source |\n| --- | --- | --- |\n", l.title)
		for _, c := range l.list {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Code, c.Label, c.Source)
		}
	}
	for _, name := range functions(t, "record/*.go") {
		if !shown[name] {
			t.Errorf("record.%s is a list that no DPO is shown: give it its place in lists", name)
		}
	}
	decided(&b)
	return b.String() + "\n"
}

// decided writes what the program decides by besides the lists.
func decided(b *strings.Builder) {
	fmt.Fprint(b, "\n### What goes with what\n\n| what | as it is built |\n| --- | --- |\n")
	row := func(what string, list []string) {
		fmt.Fprintf(b, "| %s | %s |\n", what, "`"+strings.Join(list, "`, `")+"`")
	}
	row("Categories judged as public authorities: neither `ea` nor `f`", record.PublicAuthorities())
	var others []string
	for _, c := range partners.Categories() {
		if !slices.Contains(record.PublicAuthorities(), string(c)) {
			others = append(others, string(c))
		}
	}
	row("Categories that are not", others)
	row("Sections of special category data: need `art9`", record.SpecialSections())
	row("Sections of data about offences: need `art10`", record.OffenceSections())
	for _, letter := range record.Articles9().Codes() {
		if paragraphs := record.SchedulesFor(letter, ""); len(paragraphs) > 0 {
			row("Article 9 `"+letter+"` needs one of the paragraphs", paragraphs)
		}
	}
	row("Article 10 `schedule-1` needs one of the paragraphs", record.SchedulesFor("", "schedule-1"))
	row("Paragraphs that need an appropriate policy document", slices.DeleteFunc(record.Schedules1().Codes(), func(p string) bool { return !record.NeedsPolicy(p) }))
	for _, purpose := range codes.Purposes().Codes() {
		if paths := record.PathwaysFor(purpose); !slices.Equal(paths, record.PathwaysFor("housing")) {
			row("Gates of the purpose `"+purpose+"`", paths)
		}
	}
	row("Gates of every other purpose", record.PathwaysFor("housing"))
	var own []string
	for _, purpose := range codes.Purposes().Codes() {
		if record.Passable(purpose, record.PathwaysFor(purpose)[0]) != nil {
			own = append(own, purpose)
		}
	}
	row("Purposes that no override passes", own)
	lasts := func(what string, long time.Duration) {
		if hours := long.Hours(); hours <= 24 {
			fmt.Fprintf(b, "| %s | %g hours |\n", what, hours)
		} else {
			fmt.Fprintf(b, "| %s | %g days |\n", what, hours/24)
		}
	}
	lasts("The longest that a consent stands", record.MaxLife)
	lasts("The longest that an override stands", record.OverrideLife)
	lasts("How long an emergency counts without a second person", record.EmergencyLife)
	lasts("The least time that the police give to answer", record.InquirySoonest)
	lasts("The most time that the police give to answer", record.InquiryLatest)
}

// functions are the exported functions of the files that return a list of codes.
func functions(t *testing.T, pattern string) (names []string) {
	t.Helper()
	each(t, pattern, func(n ast.Node) {
		f, ok := n.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !f.Name.IsExported() || f.Type.Results == nil || len(f.Type.Results.List) != 1 {
			return
		}
		if s, ok := f.Type.Results.List[0].Type.(*ast.SelectorExpr); ok && s.Sel.Name == "List" && len(f.Type.Params.List) == 0 {
			names = append(names, f.Name.Name)
		}
	})
	if len(names) < 25 {
		t.Errorf("%d lists were found: this test reads the program wrongly", len(names))
	}
	return names
}

// refusals writes the refusals of everything about consent, with what each says to do.
func refusals(t *testing.T) string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.go", "record/*.go", "police/*.go", "../referral/referral.go"} {
		each(t, pattern, func(n ast.Node) {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 4 {
				return
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); !ok || s.Sel.Name != "New" {
				return
			}
			if code := said(t, call.Args[1]); !strings.HasPrefix(pattern, "..") || strings.HasPrefix(code, "recall-") {
				found[code] = said(t, call.Args[3])
			}
		})
	}
	if len(found) < 40 {
		t.Errorf("%d refusals were found: this test reads the program wrongly", len(found))
	}
	var b strings.Builder
	b.WriteString("\n| code | what it says |\n| --- | --- |\n")
	for _, code := range slices.Sorted(maps.Keys(found)) {
		fmt.Fprintf(&b, "| [`%s`](problems.md#%s) | %s |\n", code, code, found[code])
	}
	b.WriteString("\nOf `consent-claim` the member `claim` says which claim is at fault, and `why` what it must be:\n\n| claim | why |\n| --- | --- |\n")
	claims := 0
	each(t, "record/words.go", func(n ast.Node) {
		row, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return
		}
		claim := said(t, row.Key)
		if record.Why(claim) != said(t, row.Value) {
			t.Errorf("of %s the page would say something else than the program", claim)
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", claim, record.Why(claim))
		claims++
	})
	if claims < 40 {
		t.Errorf("%d claims were found: this test reads the program wrongly", claims)
	}
	return b.String() + "\n"
}

// said is the string that an argument is written as.
func said(t *testing.T, e ast.Expr) string {
	t.Helper()
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		t.Fatalf("a refusal is not written as a plain string")
	}
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// each walks the program's own files.
func each(t *testing.T, pattern string, visit func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files are %s: %v", pattern, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			visit(n)
			return true
		})
	}
}
