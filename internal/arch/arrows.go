package arch

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// checkImports compares one file's imports with the arrows and the seams.
func checkImports(s source) []Violation {
	var found []Violation
	for _, spec := range s.ast.Imports {
		target := importPath(spec)
		report := func(rule, text string) {
			found = append(found, Violation{s.path, s.at(spec.Pos()), rule, text})
		}
		if spec.Name != nil && spec.Name.Name == "." && !s.test {
			report("dot-import", "name the package where it is used")
		}
		if to, ours := own(target); ours {
			if text := checkArrow(s, to); text != "" {
				report("arrow", text)
			}
			continue
		}
		if text := checkSeam(s, target); text != "" {
			report("seam", text)
		}
		if !s.test && withinAny(s.dir, pureTrees()) && impure(target) {
			report("pure", fmt.Sprintf("%s takes bytes and returns values; it may not import %s", s.dir, target))
		}
	}
	return found
}

func importPath(spec *ast.ImportSpec) string {
	p, _ := strconv.Unquote(spec.Path.Value) // the parser has seen that it is a string
	return p
}

// own returns the folder of an import of this module.
func own(target string) (dir string, ours bool) {
	return strings.CutPrefix(target, Module+"/")
}

// checkArrow says why s may not import the folder to, or "".
//
// A test may import what its package may, and besides: anything of internal,
// keys, audit and client, to set its scene and to act as a partner would, and the wire
// format, to cheat in it. No test reaches up into cmd or web, or sideways into another
// room.
func checkArrow(s source, to string) string {
	if !s.test && withinAny(to, testOnly()) && !withinAny(s.dir, append(testOnly(), "cmd/bench", "test")) {
		return to + " is for tests"
	}
	a, ok := arrowFor(s.dir)
	if !ok {
		return s.dir + " is in no room of the plan"
	}
	allowed := a.to
	if s.test {
		allowed = append(slices.Clone(allowed), a.tree, "internal", "keys", "audit", "client", "referral/packet")
	}
	if slices.Contains(allowed, everything) || within(to, a.tree) || withinAny(to, allowed) {
		return ""
	}
	return fmt.Sprintf("%s may not import %s; it may import %s", s.dir, to, strings.Join(a.to, ", "))
}

func arrowFor(dir string) (best arrow, ok bool) {
	for _, a := range arrows() {
		if within(dir, a.tree) && len(a.tree) > len(best.tree) {
			best, ok = a, true
		}
	}
	return best, ok
}

// checkSeam says why s may not import the library target, or "".
func checkSeam(s source, target string) string {
	for _, m := range seams() {
		if !within(target, m.library) || m.tests && s.test || withinAny(s.dir, m.trees) || m.isFile(s.name) {
			continue
		}
		var where []string
		for _, f := range m.files {
			where = append(where, f+".go")
		}
		where = append(where, m.trees...)
		if len(where) == 0 {
			where = []string{"nowhere"}
		}
		return fmt.Sprintf("%s may be imported only in %s", m.library, strings.Join(where, ", "))
	}
	return ""
}

// isFile reports whether a file of this name is the seam: store.go, or
// store_keys.go when one file would be too long.
func (m seam) isFile(name string) bool {
	base := strings.TrimSuffix(strings.TrimSuffix(name, ".go"), "_test")
	return slices.ContainsFunc(m.files, func(f string) bool {
		return base == f || strings.HasPrefix(base, f+"_")
	})
}

// impure reports whether a pure package may not import target.
func impure(target string) bool {
	first, _, _ := strings.Cut(target, "/")
	if strings.Contains(first, ".") { // a library of others
		return !withinAny(target, pureLibraries())
	}
	return withinAny(target, doesIO()) && !slices.Contains(exceptIO(), target)
}

// checkReach follows the imports of client through the whole module: what is
// behind it, partners compile and must trust.
func checkReach(sources []source) []Violation {
	byDir := map[string][]source{}
	for _, s := range sources {
		if !s.test {
			byDir[s.dir] = append(byDir[s.dir], s)
		}
	}
	var found []Violation
	seen := map[string]bool{"client": true}
	for queue := []string{"client"}; len(queue) > 0; queue = queue[1:] {
		for _, s := range byDir[queue[0]] {
			for _, spec := range s.ast.Imports {
				target := importPath(spec)
				if to, ours := own(target); ours {
					if !seen[to] {
						seen[to] = true
						queue = append(queue, to)
					}
					continue
				}
				if withinAny(target, notBehindClient()) {
					found = append(found, Violation{
						s.path, s.at(spec.Pos()), "behind-client",
						fmt.Sprintf("client reaches %s, and so %s: partners would compile it", s.dir, path.Clean(target)),
					})
				}
			}
		}
	}
	return found
}
