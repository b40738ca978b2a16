package jose

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The library is given bytes to sign, to verify, to seal and to open, and is never
// asked to parse a JWS, to read a JWK or to write claims, which it does without
// escaping their names (GHSA-4cf7-xm37-g63h). Whoever widens this list has read
// what the new call accepts.
func TestLibraryIsUsedForThisAlone(t *testing.T) {
	allowed := []string{
		"jwa.SignatureAlgorithm", "jwa.ECDH_ES_A256KW", "jwa.A256GCM",
		"jws.NewSigner", "jws.NewVerifier",
		"jwe.Encrypt", "jwe.Decrypt", "jwe.NewHeaders", "jwe.KeyIDKey", "jwe.ContentTypeKey",
		"jwe.WithKey", "jwe.WithContentEncryption", "jwe.WithProtectedHeaders", "jwe.WithMaxDecompressBufferSize",
		"x25519.PublicKey", "x25519.PrivateKey",
	}
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var used []string
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, i := range file.Imports {
			if path := strings.Trim(i.Path.Value, `"`); strings.Contains(path, "lestrrat-go") {
				names = append(names, path[strings.LastIndexByte(path, '/')+1:])
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(names, x.Name) {
				used = append(used, x.Name+"."+s.Sel.Name)
			}
			return true
		})
	}
	slices.Sort(used)
	used = slices.Compact(used)
	slices.Sort(allowed)
	if !slices.Equal(used, allowed) {
		t.Errorf("used %v, want %v", used, allowed)
	}
}
