package arch

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// problemsFile lists every refusal for partners: one heading `## code` each.
const problemsFile = "docs/problems.md"

// codeInternal is the one code that is not declared as a fault: the answer to
// everything that nobody classified (internal/httpd).
const codeInternal = "internal"

var kebab = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// declared is one fault.New.
type declared struct {
	code string
	file string
	line int
}

// checkFaults finds every fault.New and compares the codes with each other and
// with the headings of docs/problems.md.
func checkFaults(root string, sources []source) ([]Violation, error) {
	var found []Violation
	var all []declared
	for _, s := range sources {
		if s.test || within(s.dir, "internal/fault") {
			continue
		}
		faults, wrong := faultsOf(s)
		all = append(all, faults...)
		found = append(found, wrong...)
	}
	first := map[string]declared{}
	for _, d := range all {
		if f, twice := first[d.code]; twice {
			found = append(found, Violation{
				d.file, d.line, "fault-twice",
				fmt.Sprintf("%q is declared at %s:%d too; a code says which rule refused", d.code, f.file, f.line),
			})
			continue
		}
		first[d.code] = d
	}
	text, err := os.ReadFile(filepath.Join(root, problemsFile))
	if errors.Is(err, fs.ErrNotExist) {
		codes := slices.Sorted(maps.Keys(first))
		return append(found, Violation{problemsFile, 1, "fault-docs", fmt.Sprintf(
			"the file is missing; it must have one heading \"## code\" for %s and each of: %s",
			codeInternal, strings.Join(codes, ", "))}), nil
	}
	if err != nil {
		return nil, err
	}
	return append(found, compareWithDocs(first, headings(text))...), nil
}

// faultsOf returns the faults that one file declares, and what is wrong with
// their form.
func faultsOf(s source) (all []declared, wrong []Violation) {
	names := localNames(s.ast)
	isFault := func(e ast.Expr, name string) bool {
		sel, ok := e.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != name {
			return false
		}
		x, ok := sel.X.(*ast.Ident)
		return ok && names[x.Name] == Module+"/internal/fault"
	}
	report := func(n ast.Node, rule, text string) {
		wrong = append(wrong, Violation{s.path, s.at(n.Pos()), rule, text})
	}
	sentinels := packageLevel(s.ast)
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			if isFault(n.Type, "Fault") && !within(s.dir, "internal/httpd") {
				report(n, "fault-form", "declare it with fault.New, so that this test sees its code")
			}
		case *ast.CallExpr:
			if !isFault(n.Fun, "New") {
				return true
			}
			if !inside(n.Pos(), sentinels) {
				report(n, "fault-form", "declare it as a package-level variable: its text must be fixed, so that nothing can be echoed through it")
			}
			code, ok := literal(n, 1)
			text, fixed := literal(n, 3)
			if !ok || !kebab.MatchString(code) {
				report(n, "fault-form", "the code must be a kebab-case string literal")
				return true
			}
			if !fixed || !strings.HasSuffix(text, ".") {
				report(n, "fault-form", "the text must be a string literal of whole sentences")
			}
			all = append(all, declared{code, s.path, s.at(n.Pos())})
		}
		return true
	})
	return all, wrong
}

// span is a part of a file.
type span struct{ from, to token.Pos }

func inside(p token.Pos, spans []span) bool {
	return slices.ContainsFunc(spans, func(s span) bool { return s.from <= p && p < s.to })
}

// packageLevel returns where the package-level variables of a file stand.
func packageLevel(file *ast.File) []span {
	var spans []span
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
			spans = append(spans, span{g.Pos(), g.End()})
		}
	}
	return spans
}

// literal returns the i-th argument if it is a string written out, in one piece or
// joined by plus signs.
func literal(call *ast.CallExpr, i int) (string, bool) {
	if i >= len(call.Args) {
		return "", false
	}
	return spelled(call.Args[i])
}

func spelled(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok1 := spelled(e.X)
		right, ok2 := spelled(e.Y)
		return left + right, ok1 && ok2 && e.Op == token.ADD
	}
	return "", false
}

// headings returns the codes that are level-two headings of docs/problems.md, with
// their lines. A heading of several words is not a code.
func headings(text []byte) map[string]int {
	codes := map[string]int{}
	for i, row := range bytes.Split(text, []byte("\n")) {
		h, ok := strings.CutPrefix(string(row), "## ")
		if ok && kebab.MatchString(h) {
			codes[h] = i + 1
		}
	}
	return codes
}

// compareWithDocs reports the codes that only one of the two lists has.
func compareWithDocs(code map[string]declared, docs map[string]int) []Violation {
	var found []Violation
	for c, d := range code {
		if _, ok := docs[c]; !ok {
			found = append(found, Violation{
				d.file, d.line, "fault-docs",
				fmt.Sprintf("%s has no heading \"## %s\": tell partners what it means and what to do", problemsFile, c),
			})
		}
	}
	if _, ok := docs[codeInternal]; !ok {
		found = append(found, Violation{
			problemsFile, 1, "fault-docs",
			fmt.Sprintf("there is no heading \"## %s\", the answer to whatever nobody classified", codeInternal),
		})
	}
	for c, line := range docs {
		if _, ok := code[c]; !ok && c != codeInternal {
			found = append(found, Violation{
				problemsFile, line, "fault-docs",
				fmt.Sprintf("no fault.New declares %q: take the heading out, or the code is misspelt", c),
			})
		}
	}
	return found
}
