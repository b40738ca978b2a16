package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// examples writes the examples of docs/oauth.md, each under the name that its first line
// gives it, into a new folder, and returns the folder.
func examples(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/oauth.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, m := range regexp.MustCompile("(?ms)^```(?:sh|go|js)\n(?:#|//) ([a-z]+\\.[a-z]+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		if err := os.WriteFile(filepath.Join(dir, m[1]), []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	modules, err := filepath.Abs("../../internal/interop/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestTheExamplesOfTheDocumentsRun copies them out of docs/oauth.md and runs each twice, as a
// partner's developer would: the second time with the keys that are there.
func TestTheExamplesOfTheDocumentsRun(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{"token.sh": {"sh"}, "token.go": {"go", "run"}, "token.mjs": {"node"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startHub(t, slog.DiscardHandler)
			dir, env := examples(t), r.initialToken(t)
			for _, attempt := range []string{"first", "second"} {
				out, err := r.example(t, dir, env, append(command, name)...).CombinedOutput()
				if err != nil || !strings.Contains(string(out), "example-agency") {
					t.Errorf("the %s time: %v\n%s", attempt, err, out)
				}
				env = "INITIAL_TOKEN=" // it is used
			}
		})
	}
}

// TestTheExampleForAPersonRuns has somebody say yes in a browser.
func TestTheExampleForAPersonRuns(t *testing.T) {
	t.Parallel()
	r := startHub(t, slog.DiscardHandler)
	cmd := r.example(t, examples(t), r.initialToken(t), "sh", "person.sh")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("it prints no address: %v", cmd.Wait())
	}
	answer, err := http.Get(r.browser(t, "example-agency") + "?url=" + url.QueryEscape(lines.Text())) //nolint:noctx // of the test itself
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	location, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(append(location, '\n')); err != nil {
		t.Fatal(err)
	}
	var rest []string
	for lines.Scan() {
		rest = append(rest, lines.Text())
	}
	err = cmd.Wait()
	if err != nil || len(rest) != 2 || !strings.Contains(rest[0], `"active":true`) || !strings.Contains(rest[0], `"sub":`) || rest[1] != `{"active":false}` {
		t.Errorf("%v\n%s", err, strings.Join(rest, "\n"))
	}
}

// example is an example's command in its folder.
func (r running) example(t *testing.T, dir, env string, command ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "HUB="+r.Issuer, env)
	return cmd
}
