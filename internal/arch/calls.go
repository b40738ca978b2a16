package arch

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// checkCalls looks for the clock, the environment, standard output and the like
// outside their places. Tests may use all of them.
func checkCalls(s source) []Violation {
	if s.test {
		return nil
	}
	names := localNames(s.ast)
	defaults := clockDefaults(s.ast)
	var found []Violation
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if builtin, ok := n.(*ast.CallExpr); ok {
			if f, ok := builtin.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
				found = append(found, Violation{s.path, s.at(n.Pos()), "call", f.Name + ": it writes to standard error"})
			}
		}
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || defaults[sel] {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		for _, c := range calls() {
			if names[x.Name] == c.pkg && slices.Contains(c.names, sel.Sel.Name) && !withinAny(s.dir, c.trees) {
				found = append(found, Violation{
					s.path, s.at(n.Pos()), "call",
					fmt.Sprintf("%s.%s: %s", c.pkg, sel.Sel.Name, c.why),
				})
			}
		}
		return true
	})
	return found
}

// localNames maps the name a file uses for a package to the package's path.
func localNames(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		p := importPath(spec)
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}

// clockDefaults finds the one allowed mention of time.Now: not called, but given
// to a field or variable whose name ends in Now.
func clockDefaults(file *ast.File) map[*ast.SelectorExpr]bool {
	given := map[*ast.SelectorExpr]bool{}
	note := func(target, value ast.Expr) {
		sel, ok := value.(*ast.SelectorExpr)
		if ok && sel.Sel.Name == "Now" && strings.HasSuffix(strings.ToLower(nameOf(target)), "now") {
			given[sel] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i := range min(len(n.Lhs), len(n.Rhs)) {
				note(n.Lhs[i], n.Rhs[i])
			}
		case *ast.KeyValueExpr:
			note(n.Key, n.Value)
		}
		return true
	})
	return given
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
