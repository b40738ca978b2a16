package proof_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	. "handover/audit/proof"
)

// root is the repository's folder, seen from this package.
const root = "../.."

// composed are the acts that the code puts together out of two words.
func composed() []string {
	return []string{
		"referral.request", "referral.receive", "referral.ask", "referral.answer", "referral.accept", "referral.decline", "referral.redirect",
		"referral.start", "referral.complete", "referral.fail", "referral.withdraw", "referral.message",
		"override.decision", "override.review",
	}
}

// TestEveryActHasALabel reads the acts that the code names and compares them with the list:
// none without a label, and no label for an act that nothing does. (An act that no literal
// shows is refused when its entry is sealed.)
func TestEveryActHasALabel(t *testing.T) {
	named, words := actsInTheCode(t)
	if len(named) < 50 {
		t.Fatalf("found %d acts in the code: the reading is at fault", len(named))
	}
	for act, at := range named {
		if a, known := ActOf(act); !known || a.Label == "" {
			t.Errorf("%s: the act %q is not in audit/proof/acts.go", at, act)
		}
	}
	for _, a := range Acts() {
		if !words[a.Name] && !slices.Contains(composed(), a.Name) {
			t.Errorf("audit/proof/acts.go lists %q, which the code does not name", a.Name)
		}
	}
}

func TestEachActIsListedOnceAndInWords(t *testing.T) {
	form := regexp.MustCompile(`^[a-z]+(\.[a-z-]+)?$`)
	label := regexp.MustCompile(`^[a-z][a-z' -]+$`)
	names, labels := map[string]bool{}, map[string]bool{}
	for _, a := range Acts() {
		if !form.MatchString(a.Name) || !label.MatchString(strings.ToLower(a.Label)) {
			t.Errorf("%q has the label %q", a.Name, a.Label)
		}
		if names[a.Name] || labels[a.Label] {
			t.Errorf("%q or its label is listed twice", a.Name)
		}
		names[a.Name], labels[a.Label] = true, true
		if LabelOf(a.Name) != a.Label {
			t.Errorf("LabelOf(%q) is %q", a.Name, LabelOf(a.Name))
		}
	}
	if LabelOf("of.tomorrow") != "of.tomorrow" {
		t.Error("an unknown act has another label than itself")
	}
}

// actsInTheCode returns the acts that log entries are made with, each with a place, and all
// the words that stand as string literals outside the list.
func actsInTheCode(t *testing.T) (named map[string]string, words map[string]bool) {
	t.Helper()
	named, words = map[string]string{}, map[string]bool{}
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || path != root && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(filepath.ToSlash(path), root+"/audit/proof/acts") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if word, ok := literal(n); ok {
				words[word] = true
			}
			if e := actOf(n); e != nil {
				if act, ok := literal(e); ok {
					named[act] = fset.Position(e.Pos()).String()
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, constant := range []string{KeyAdded, KeyEnded, KeyRevoked, HubKey, Refused, Successor, Reconciled, WitnessShort, WitnessAgain, WitnessRefused} {
		words[constant] = true
	}
	return named, words
}

// actOf returns what n makes an entry's act: c.Entry("…") or proof.Entry{Act: "…"}.
func actOf(n ast.Node) ast.Expr {
	switch n := n.(type) {
	case *ast.CallExpr:
		if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Entry" && len(n.Args) == 1 {
			return n.Args[0]
		}
	case *ast.CompositeLit:
		s, ok := n.Type.(*ast.SelectorExpr)
		if !ok || s.Sel.Name != "Entry" {
			return nil
		}
		for _, member := range n.Elts {
			if kv, ok := member.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Act" {
					return kv.Value
				}
			}
		}
	}
	return nil
}

func literal(n ast.Node) (string, bool) {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}
