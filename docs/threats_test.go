package docs_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// root is the repository's folder, seen from this package.
const root = ".."

// sections says how many requirements each section of the chapters V6 to V10 of OWASP ASVS
// 5.0.0 has, in order of their numbers. Counted in the standard's own list,
// https://github.com/OWASP/ASVS/blob/v5.0.0/5.0/docs_en/OWASP_Application_Security_Verification_Standard_5.0.0_en.csv
var sections = map[int][]int{
	6:  {3, 12, 8, 6, 8, 4, 2, 4},
	7:  {3, 4, 2, 5, 3, 2},
	8:  {4, 4, 3, 2},
	9:  {3, 4},
	10: {2, 3, 5, 16, 5, 2, 3},
}

// levels says how many requirements of each chapter begin to count at level 1, 2 and 3, by
// the same list.
var levels = map[int][3]int{6: {13, 22, 12}, 7: {6, 12, 1}, 8: {4, 3, 6}, 9: {4, 3, 0}, 10: {5, 24, 7}}

// The standings that a requirement can have, as the list writes them.
const (
	met           = "met: "
	notApplicable = "not applicable: "
	notMet        = "not met: "
)

// requirement is one row of the list.
type requirement struct {
	id       string
	chapter  int
	level    int
	wanted   string
	standing string
}

var row = regexp.MustCompile(`^\| ((\d+)\.\d+\.\d+) \| (\d+) \| ([^|]+) \| ([^|]+) \|$`)

// requirements reads the rows of the list, in the order in which they stand there.
func requirements(t *testing.T) (all []requirement) {
	t.Helper()
	for line := range strings.Lines(threats(t)) {
		line = strings.TrimSuffix(line, "\n")
		m := row.FindStringSubmatch(line)
		if m == nil {
			if regexp.MustCompile(`^\|\s*\d+\.`).MatchString(line) {
				t.Errorf("a row is not of the list's form: %s", line)
			}
			continue
		}
		chapter, _ := strconv.Atoi(m[2])
		level, _ := strconv.Atoi(m[3])
		all = append(all, requirement{m[1], chapter, level, m[4], m[5]})
	}
	return all
}

func threats(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("threats.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEveryRequirementIsListedOnceInItsPlace compares the ids with those of the standard:
// none is missing, twice, invented or out of order.
func TestEveryRequirementIsListedOnceInItsPlace(t *testing.T) {
	t.Parallel()
	var want, got []string
	for _, chapter := range slices.Sorted(maps.Keys(sections)) {
		for section, n := range sections[chapter] {
			for i := range n {
				want = append(want, fmt.Sprintf("%d.%d.%d", chapter, section+1, i+1))
			}
		}
	}
	counted := map[int][3]int{}
	for _, r := range requirements(t) {
		got = append(got, r.id)
		if r.level < 1 || r.level > 3 {
			t.Errorf("%s is of level %d", r.id, r.level)
			continue
		}
		c := counted[r.chapter]
		c[r.level-1]++
		counted[r.chapter] = c
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ids (-standard +listed):\n%s", diff)
	}
	if diff := cmp.Diff(levels, counted); diff != "" {
		t.Errorf("requirements of each level, by chapter (-standard +listed):\n%s", diff)
	}
}

// TestEveryRequirementSaysHowItStands: met with the tests that show it, or with a reason
// why not. The summary counts what is listed.
func TestEveryRequirementSaysHowItStands(t *testing.T) {
	t.Parallel()
	counts := map[int]map[string]int{}
	for _, r := range requirements(t) {
		if counts[r.chapter] == nil {
			counts[r.chapter] = map[string]int{}
		}
		standing := ""
		for _, s := range []string{met, notApplicable, notMet} {
			if reason, ok := strings.CutPrefix(r.standing, s); ok && len(reason) > 3 {
				standing = s
			}
		}
		counts[r.chapter][standing]++
		if standing == "" {
			t.Errorf("%s stands as %q", r.id, r.standing)
		}
		if named := evidence(t, r.standing); standing == met && len(named) == 0 {
			t.Errorf("%s is met, and no test is named that shows it", r.id)
		}
	}
	for chapter, c := range counts {
		summary := fmt.Sprintf(`(?m)^\| V%d [^|]+\| %d \| %d \| %d \| %d \|$`, chapter,
			c[met]+c[notApplicable]+c[notMet], c[met], c[notApplicable], c[notMet])
		if !regexp.MustCompile(summary).MatchString(threats(t)) {
			t.Errorf("the summary of V%d is not %s", chapter, summary)
		}
	}
}

// TestEveryTestThatIsNamedExists looks in the repository for each test that the document
// names, in its tables and outside of them.
func TestEveryTestThatIsNamedExists(t *testing.T) {
	t.Parallel()
	found, missing, named := map[string]map[string]bool{}, map[shown]bool{}, 0
	for line := range strings.Lines(threats(t)) {
		for _, e := range evidence(t, line) {
			if found[e.place] == nil {
				found[e.place] = tests(t, e.place)
			}
			if named++; !found[e.place][e.test] {
				missing[e] = true
			}
		}
	}
	for e := range missing {
		t.Errorf("there is no test %s in %s", e.test, e.place)
	}
	if named < 100 {
		t.Errorf("%d tests are named: this test reads the document wrongly", named)
	}
}

// shown is a test with the file or package that it is said to be in.
type shown struct{ place, test string }

var placeOrTest = regexp.MustCompile("`([a-z][a-z0-9/_]*(?:_test\\.go)?)`|\\b(Test[A-Z][A-Za-z0-9]*)")

// evidence finds the tests that a line names: each stands behind its file, or its package,
// in backquotes.
func evidence(t *testing.T, line string) (all []shown) {
	t.Helper()
	place := ""
	for _, m := range placeOrTest.FindAllStringSubmatch(line, -1) {
		switch {
		case m[1] != "":
			place = m[1]
		case place == "":
			t.Errorf("where is %s?", m[2])
		default:
			all = append(all, shown{place, m[2]})
		}
	}
	return all
}

// tests are the names of the tests in a file, or in all files of a package. Build tags are
// not asked: a test for one system alone is a test.
func tests(t *testing.T, place string) map[string]bool {
	t.Helper()
	files := []string{filepath.Join(root, place)}
	if !strings.HasSuffix(place, ".go") {
		var err error
		if files, err = filepath.Glob(filepath.Join(root, place, "*_test.go")); err != nil {
			t.Fatal(err)
		}
	}
	names := map[string]bool{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if errors.Is(err, fs.ErrNotExist) {
			continue // then each test that is named in it is missing
		}
		if err != nil {
			t.Fatalf("reading %s: %v", place, err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && isTest(f) {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}

// isTest reports whether go test would run the function: it has no receiver, and takes a
// *testing.T and nothing else.
func isTest(f *ast.FuncDecl) bool {
	if f.Recv != nil || f.Type.TypeParams != nil || f.Type.Results != nil || len(f.Type.Params.List) != 1 || len(f.Type.Params.List[0].Names) > 1 {
		return false
	}
	star, ok := f.Type.Params.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	s, ok := star.X.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "T" {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "testing"
}
