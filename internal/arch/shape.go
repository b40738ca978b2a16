package arch

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// checkFolders compares the folders with the plan's: which may stand at the root,
// and which names say nothing.
func checkFolders(folders []string) []Violation {
	var found []Violation
	for _, dir := range folders {
		if dir == "." {
			continue
		}
		if !strings.Contains(dir, "/") && !slices.Contains(topLevel(), dir) {
			found = append(found, Violation{dir, 1, "top-level", "the plan has no such room; it has " + strings.Join(topLevel(), ", ")})
		}
		if slices.Contains(shapelessNames(), path.Base(dir)) {
			found = append(found, Violation{dir, 1, "name", "the name says nothing of what is inside: name the thing"})
		}
	}
	return found
}

// checkShape looks at one file as a whole.
func checkShape(s source) []Violation {
	var found []Violation
	report := func(line int, rule, text string) {
		found = append(found, Violation{s.path, line, rule, text})
	}
	if name := strings.TrimSuffix(s.ast.Name.Name, "_test"); name != path.Base(s.dir) && slices.Contains(shapelessNames(), name) {
		report(s.at(s.ast.Name.Pos()), "name", "the package's name says nothing of what is inside: name the thing")
	}
	if s.rows > mostRows {
		report(1, "length", fmt.Sprintf("%d lines; at %d a seam wants finding", s.rows, mostRows))
	}
	for _, d := range s.ast.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			report(s.at(f.Pos()), "init", "what runs before main cannot be tested or given a parameter: call it by name")
		}
	}
	return found
}

// checkComments looks for packages that do not say what they are.
func checkComments(sources []source) []Violation {
	first := map[string]source{}
	said := map[string]bool{}
	for _, s := range sources {
		if s.test {
			continue
		}
		if _, ok := first[s.dir]; !ok {
			first[s.dir] = s
		}
		said[s.dir] = said[s.dir] || s.ast.Doc != nil
	}
	var found []Violation
	for dir, s := range first {
		if !said[dir] {
			found = append(found, Violation{s.path, s.at(s.ast.Name.Pos()), "comment", "the package has no comment that says what it is for"})
		}
	}
	return found
}
