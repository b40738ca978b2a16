// Package arch holds the house to its plan: which room may import which, which
// file is the seam to which library, where the clock, the environment and
// standard output may be touched, and that docs/problems.md lists every refusal.
//
// It reads the source with go/parser and needs no build, so it also sees files
// that a build tag hides. rules.go is the plan as tables; arrows.go, calls.go,
// faults.go and shape.go compare the tree with it; the test runs Check over
// this repository, and over a small tree in testdata in which every rule is
// broken once.
package arch

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Module is the path that imports of our own packages begin with.
const Module = "handover"

// Violation is one place that differs from the plan.
type Violation struct {
	File string // slash-separated, from the root of the repository
	Line int
	Rule string // the name of the rule, as in rules.go
	Text string // what is wrong and what to do
}

func (v Violation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", v.File, v.Line, v.Rule, v.Text)
}

// source is one parsed Go file.
type source struct {
	path string // from the root
	dir  string
	name string
	test bool
	fset *token.FileSet
	ast  *ast.File
	rows int
}

func (s source) at(pos token.Pos) int { return s.fset.Position(pos).Line }

// Check compares the repository at root with the plan and returns every
// violation, in order of file and line. It returns an error only if the tree
// cannot be read or parsed.
func Check(root string) ([]Violation, error) {
	sources, folders, err := read(root)
	if err != nil {
		return nil, err
	}
	var found []Violation
	found = append(found, checkFolders(folders)...)
	for _, s := range sources {
		found = append(found, checkShape(s)...)
		found = append(found, checkImports(s)...)
		found = append(found, checkCalls(s)...)
	}
	found = append(found, checkComments(sources)...)
	found = append(found, checkReach(sources)...)
	faults, err := checkFaults(root, sources)
	if err != nil {
		return nil, err
	}
	found = append(found, faults...)
	slices.SortFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule))
	})
	return found, nil
}

// read parses every Go file under root but those of nested modules, testdata and
// folders that are not ours (hidden ones, built ones, npm's).
func read(root string) (sources []source, folders []string, err error) {
	fset := token.NewFileSet()
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if rel != "." && notOurs(file, rel) {
				return fs.SkipDir
			}
			folders = append(folders, rel)
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		s, err := parse(fset, file, rel)
		if err != nil {
			return err
		}
		sources = append(sources, s)
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the tree: %w", err)
	}
	return sources, folders, nil
}

func notOurs(file, rel string) bool {
	base := path.Base(rel)
	if strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" || rel == "bin" {
		return true
	}
	_, err := os.Stat(filepath.Join(file, "go.mod"))
	return err == nil
}

func parse(fset *token.FileSet, file, rel string) (source, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return source{}, err
	}
	tree, err := parser.ParseFile(fset, rel, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return source{}, err
	}
	return source{
		path: rel, dir: path.Dir(rel), name: path.Base(rel),
		test: strings.HasSuffix(rel, "_test.go"),
		fset: fset, ast: tree, rows: strings.Count(string(text), "\n"),
	}, nil
}

// within reports whether dir is tree or lies beneath it.
func within(dir, tree string) bool {
	return dir == tree || strings.HasPrefix(dir, tree+"/")
}

// withinAny reports whether dir lies in one of the trees.
func withinAny(dir string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return within(dir, tree) })
}
