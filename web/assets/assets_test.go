package assets

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatIsServedIsWhatItIsMadeOf builds style and script anew and compares: what is embedded
// can be read in this folder and in the pinned packages, and nowhere was it changed by hand.
func TestWhatIsServedIsWhatItIsMadeOf(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if said, err := exec.Command("sh", "build.sh", out).CombinedOutput(); err != nil { //nolint:gosec // our own script
		t.Fatalf("build.sh: %v (run npm ci in web/assets first; make test does)\n%s", err, said)
	}
	for _, name := range []string{"hub.css", "app.js"} {
		made, err := os.ReadFile(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		served, err := os.ReadFile(filepath.Join("..", "shell", "static", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, served) {
			t.Errorf("%s is not what build.sh makes: run web/assets/build.sh and commit what it writes", name)
		}
	}
}

// TestNothingOfTheCrownIsServed: GOV.UK's font, crown, crest and logo are not ours to use, and a
// page that looked like the government's would mislead. Nor does anything come from elsewhere.
func TestNothingOfTheCrownIsServed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../shell/static/*")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v %v", files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(file) == ".txt" { // the notices, which say what is not used
			continue
		}
		lower := strings.ToLower(string(content) + filepath.Base(file))
		for _, no := range []string{"@font-face", "gds transport", "crest", "crown", "logotype", "innerhtml", "insertadjacenthtml", "eval(", "document.write"} {
			if strings.Contains(lower, no) {
				t.Errorf("%s has %q", file, no)
			}
		}
		if strings.HasSuffix(file, ".css") && (strings.Contains(lower, "url(http") || strings.Contains(lower, "@import")) {
			t.Errorf("%s loads something from elsewhere", file)
		}
	}
}
