package jose

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// weakness is something that the JOSE library, v2.1.7, accepts or does and must not. signed
// and sealed name what shows it for a JWS and for a JWE: a test, or a row of a test's table
// behind a slash. A word in brackets says why there is nothing to show.
type weakness struct{ what, signed, sealed string }

// weaknesses is the index.
var weaknesses = []weakness{
	{"a critical extension that nobody knows (RFC 7515 §4.1.11)",
		"TestSignedHeaderCheatsAreRefused/unknown crit", "TestSealedHeaderCheatsAreRefused/unknown crit"},
	{"a parameter given twice, of which the last wins (RFC 7515 §4)",
		"TestSignedHeaderCheatsAreRefused/alg twice, the last one honest", "TestSealedHeaderCheatsAreRefused/alg twice"},
	{"b64 without crit (RFC 7797 §6)",
		"TestSignedHeaderCheatsAreRefused/b64 false without crit", "TestSealedHeaderCheatsAreRefused/b64 false without crit"},
	{"an alg that is not the one it was verified with",
		"TestSignedHeaderCheatsAreRefused/alg none", "(it compares here)"},
	{"base64 of the other alphabet",
		"TestSignedFormCheatsAreRefused/signature in the standard alphabet", "TestSealedFormCheatsAreRefused/another alphabet in the nonce"},
	{"base64 with other bits behind the last byte",
		"TestSignedFormCheatsAreRefused/signature with other trailing bits", "TestSealedFormCheatsAreRefused/other trailing bits in the tag"},
	{"base64 with padding",
		"TestSignedFormCheatsAreRefused/signature with padding", "TestSealedFormCheatsAreRefused/padding"},
	{"base64 with line breaks",
		"TestSignedFormCheatsAreRefused/line break in the signature", "TestSealedFormCheatsAreRefused/line break in the ciphertext"},
	{"one valid signature among several is enough",
		"TestSignedFormCheatsAreRefused/one good signature beside a bad one", "(nobody signs a seal)"},
	{"a signature of an unknown algorithm beside a valid one",
		"TestSignedFormCheatsAreRefused/one good signature beside one of an unknown algorithm", "(nobody signs a seal)"},
	{"a header that is not signed",
		"TestSignedFormCheatsAreRefused/unprotected header", "(JSON alone has one; see recipients)"},
	{"recipients without limit: a thousand cost most of a second",
		"(see signatures)", "TestSealedFormCheatsAreRefused/a thousand recipients"},
	{"ES256 on P-521, ECDH-ES on P-384 and P-521",
		"TestES256NeedsP256", "TestSealingNeedsItsCurves"},
	{"PS256 with a salt of any length",
		"TestPS256SignatureCheatsAreRefused/no salt", "(no RSA here)"},
	{"a key whose use is another",
		"TestUseOfAKeyIsHeeded", "TestUseOfAKeyIsHeeded"},
	{"a content encryption that nobody asked for",
		"(a signature has none)", "TestSealedHeaderCheatsAreRefused/an enc that nobody asked for"},
	{"zip: 2 KiB that grow to 1 MiB (CVE-2024-28122 and what is left of it)",
		"TestSignedHeaderCheatsAreRefused/zip", "TestSealedHeaderCheatsAreRefused/zip that grows from 2 KiB to 1 MiB"},
	{"p2c, work at the sender's wish (CVE-2023-49290)",
		"TestSignedHeaderCheatsAreRefused/p2c", "TestSealedHeaderCheatsAreRefused/p2c"},
	{"apu and apv, which it seals with and cannot open",
		"TestSignedHeaderCheatsAreRefused/apu", "TestPartiesNamesAreRefused"},
	{"jku, an address to fetch keys from",
		"TestSignedHeaderCheatsAreRefused/jku", "TestSealedHeaderCheatsAreRefused/jku"},
	{"jwk, the sender's own key",
		"TestSignedHeaderCheatsAreRefused/jwk", "TestSealedHeaderCheatsAreRefused/jwk"},
	{"x5u, an address to fetch a certificate from",
		"TestSignedHeaderCheatsAreRefused/x5u", "TestSealedHeaderCheatsAreRefused/x5u"},
	{"x5c, the sender's own certificate",
		"TestSignedHeaderCheatsAreRefused/x5c", "TestSealedHeaderCheatsAreRefused/x5c"},
	{"no kid",
		"TestSignedHeaderCheatsAreRefused/no kid", "TestSealedHeaderCheatsAreRefused/no kid"},
	{"a typ that is missing or another's",
		"TestSignedHeaderCheatsAreRefused/another typ", "(cty says what it is; typ is refused)"},
	{"a payload elsewhere, which its JSON holds all the same",
		"TestDetachedPayloadsAreRefused", "(a seal has none)"},
	{"names that are written unescaped (GHSA-4cf7-xm37-g63h)",
		"TestNamesCannotBreakOut", "TestNamesCannotBreakOut"},
	{"symmetric keys among the public ones",
		"TestSymmetricKeysAreNeverPublic", "TestSymmetricKeysAreNeverPublic"},
	{"a panic: no wrapped key, a signer's nonsense",
		"TestASignersNonsenseDoesNotPanic", "TestSealedFormCheatsAreRefused/no wrapped key"},
	{"a second signature of the same statement, which is valid: nothing is recognised by its token",
		"TestSecondSignatureOfTheSameStatementVerifies", "(whoever seals anew has another token)"},
}

// TestTheLibrarysWeaknessesAreShownAndRefused holds the index to the tests: each that it
// names is there, and each row says that the library accepts, or panics, where the gate
// refuses. That it does is the named test's to show.
func TestTheLibrarysWeaknessesAreShownAndRefused(t *testing.T) {
	tests := testsHere(t)
	for _, w := range weaknesses {
		for _, where := range []string{w.signed, w.sealed} {
			if strings.HasPrefix(where, "(") {
				continue
			}
			name, row, ofTable := strings.Cut(where, "/")
			test, ok := tests[name]
			switch {
			case !ok:
				t.Errorf("%s: there is no test %s", w.what, name)
			case ofTable && !hasRow(test, row):
				t.Errorf("%s: %s has no row %q that the library accepts and the gate refuses", w.what, name, row)
			case !ofTable && name != "TestSecondSignatureOfTheSameStatementVerifies" && !usesLibrary(test):
				t.Errorf("%s: %s does not show what the library does", w.what, name)
			}
		}
	}
}

// testsHere are the tests of this package, by name.
func testsHere(t *testing.T) map[string]*ast.FuncDecl {
	t.Helper()
	paths, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]*ast.FuncDecl{}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				tests[f.Name.Name] = f
			}
		}
	}
	return tests
}

// hasRow reports whether a test's table has the row: its name, its token, a refusal of
// ours, and accepts or panics of the library.
func hasRow(test *ast.FuncDecl, name string) (found bool) {
	ast.Inspect(test, func(n ast.Node) bool {
		row, ok := n.(*ast.CompositeLit)
		if !ok || len(row.Elts) != 4 {
			return true
		}
		first, ok := row.Elts[0].(*ast.BasicLit)
		if !ok || first.Value != strconv.Quote(name) {
			return true
		}
		ours, _ := row.Elts[2].(*ast.Ident)
		theirs, _ := row.Elts[3].(*ast.Ident)
		found = ours != nil && strings.HasPrefix(ours.Name, "Err") &&
			theirs != nil && (theirs.Name == "accepts" || theirs.Name == "panics")
		return !found
	})
	return found
}

// usesLibrary reports whether a test asks the library.
func usesLibrary(test *ast.FuncDecl) (found bool) {
	ast.Inspect(test, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				found = found || x.Name == "jws" || x.Name == "jwe" || x.Name == "jwk"
			}
		}
		return !found
	})
	return found
}
