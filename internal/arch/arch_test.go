package arch_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/internal/arch"
)

// TestTheHouseIsBuiltAsPlanned holds this repository to its plan.
func TestTheHouseIsBuiltAsPlanned(t *testing.T) {
	found, err := arch.Check("../..")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range found {
		t.Error(v)
	}
}

// TestEveryRuleReportsItsViolation runs the same check over a tree in which each
// rule is broken, and kept, in the lines that say so with "// want RULE". What is
// reported must be those lines and no other.
func TestEveryRuleReportsItsViolation(t *testing.T) {
	root := planted(t)
	want := wanted(t, root)
	want = append(want,
		"docs/problems.md:11 fault-docs",
		"internal/helper:1 name",
		"keys/toolong.go:1 length",
		"scripts:1 top-level",
	)
	found, err := arch.Check(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range found {
		got = append(got, fmt.Sprintf("%s:%d %s", v.File, v.Line, v.Rule))
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("violations (-planted +reported):\n%s", diff)
	}
}

func TestAMissingListOfProblemsIsReportedOnce(t *testing.T) {
	root := planted(t)
	if err := os.Remove(filepath.Join(root, "docs/problems.md")); err != nil {
		t.Fatal(err)
	}
	found, err := arch.Check(root)
	if err != nil {
		t.Fatal(err)
	}
	var about []string
	for _, v := range found {
		if v.Rule == "fault-docs" {
			about = append(about, v.String())
		}
	}
	if len(about) != 1 || !strings.Contains(about[0], "missing") || !strings.Contains(about[0], "fine-code") {
		t.Errorf("reported %q, want one line that names the codes", about)
	}
}

func TestAListWithoutTheBlandAnswerIsReported(t *testing.T) {
	root := planted(t)
	if err := os.WriteFile(filepath.Join(root, "docs/problems.md"), []byte("## fine-code\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := arch.Check(root)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(found, func(v arch.Violation) bool {
		return v.File == "docs/problems.md" && strings.Contains(v.Text, `"## internal"`)
	}) {
		t.Errorf("reported %v, want the missing heading", found)
	}
}

func TestATreeThatCannotBeReadIsAnError(t *testing.T) {
	if _, err := arch.Check(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent tree passes")
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "broken.go"), []byte("package"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := arch.Check(root); err == nil {
		t.Error("a tree that does not parse passes")
	}
}

// planted copies testdata/planted, where tests may change it, and adds a file of
// one line too many.
func planted(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/planted")); err != nil {
		t.Fatal(err)
	}
	write := func(name string, rows int) {
		text := "package keys\n" + strings.Repeat("\n", rows-1)
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("keys/toolong.go", 401)
	write("keys/short.go", 400)
	return root
}

// wanted collects "file:line rule" from the comments of the tree.
func wanted(t *testing.T, root string) []string {
	t.Helper()
	var want []string
	err := fs.WalkDir(os.DirFS(root), ".", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(file) != ".go" {
			return err
		}
		text, err := os.ReadFile(filepath.Join(root, file))
		for i, row := range strings.Split(string(text), "\n") {
			if _, rules, ok := strings.Cut(row, "// want "); ok {
				for rule := range strings.FieldsSeq(rules) {
					want = append(want, fmt.Sprintf("%s:%d %s", file, i+1, rule))
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(want) == 0 {
		t.Fatal("nothing is planted")
	}
	return want
}
