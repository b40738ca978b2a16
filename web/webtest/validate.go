package webtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/network"
)

// rules are those that html-validate holds a page to. A button of a form may be named as its
// neighbour is; role=button on a link is GOV.UK's way to show one as a button.
const rules = `{"extends": ["html-validate:recommended", "html-validate:a11y"], "root": true, "rules": {
	"no-trailing-whitespace": "off", "void-style": "off", "long-title": "off", "no-inline-style": "error",
	"form-dup-name": ["error", {"shared": ["checkbox", "radio", "submit"]}],
	"prefer-native-element": ["error", {"exclude": ["button"]}]}}`

// keepHTML keeps the page that is open as it was sent; when the test ends html-validate
// reads all that were kept.
func (b *Tab) keepHTML(name string) {
	b.t.Helper()
	b.mu.Lock()
	sent := b.document
	b.mu.Unlock()
	body := Call(b, network.GetResponseBody, network.GetResponseBodyParams{RequestID: sent}).Body
	if b.html == "" {
		b.html = b.t.TempDir()
		b.t.Cleanup(func() { validate(b.t, b.html) })
	}
	if err := os.WriteFile(filepath.Join(b.html, name+".html"), []byte(body), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func validate(t *testing.T, dir string) {
	config := filepath.Join(dir, ".htmlvalidate.json")
	if err := os.WriteFile(config, []byte(rules), 0o600); err != nil {
		t.Error(err)
		return
	}
	var said bytes.Buffer
	files, _ := filepath.Glob(filepath.Join(dir, "*.html"))
	validator := exec.Command("node", append([]string{filepath.Join(modules(t), "html-validate", "bin", "html-validate.mjs"), "--config", config, "--formatter", "text"}, files...)...) //nolint:gosec // our own files
	validator.Stdout, validator.Stderr = &said, &said
	if err := validator.Run(); err != nil {
		t.Errorf("html-validate: %v\n%s", err, said.String())
	}
}

// modules is where the packages are that we did not write.
func modules(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "internal", "interop", "node_modules")
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("the root of the repository was not found")
		}
		dir = filepath.Dir(dir)
	}
}
