package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"handover/client"
	"handover/client/profile"
	"handover/keys"
)

// try runs one command line in a fresh profile directory.
func try(t *testing.T, env map[string]string, in string, people bool, args ...string) (code int, out, talk string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, surroundings{in: strings.NewReader(in), out: &o, talk: &e, people: people,
		getenv: func(name string) string { return env[name] }, now: time.Now})
	return code, o.String(), e.String()
}

func TestWrongCommandLineIsToldApartFromAFailure(t *testing.T) {
	env := map[string]string{"HOME": t.TempDir()}
	id := strings.Repeat("A", 43)
	for _, c := range []struct {
		line string
		want int
		says string
	}{
		{"frobnicate", exitUsage, "unknown command"},
		{"inbox --frob", exitUsage, "unknown flag"},
		{"show", exitUsage, "arg"},
		{"inbox --limit x", exitUsage, "invalid argument"},
		{"open R-0000-0000", exitUsage, "triage"},
		{"decline R-0000-0000 --reason lazy", exitUsage, "no-capacity"},
		{"complete R-0000-0000", exitUsage, "housed"},
		{"ask R-0000-0000", exitUsage, "--note"},
		{"message R-0000-0000 --note x", exitUsage, "--consent"},
		{"accept R-0000-0000 --consent x", exitUsage, "there is none"},
		{"keys new --signing RS256", exitUsage, "EdDSA"},
		{"keys new --encryption P-521", exitUsage, "X25519"},
		{"consent new --purpose housing", exitUsage, "--recipient, --section"},
		{"verify - --log-key x", exitUsage, "name+hash+base64"},
		{"inbox", exitAuth, "handover keys new"},
		{"open -" + id[1:] + " --reason triage", exitAuth, "handover keys new"},
		{"accept " + id + " --prev -" + id[1:], exitAuth, "handover keys new"},
		{"subject-access -" + id[22:] + " -o x", exitAuth, "handover keys new"},
		{"subject-access " + id[21:], exitUsage, "-o DIR"},
		{"slip R-0000-0000 --html", exitUsage, "-o FILE"},
		{"verify no-such-file", exitError, "no such file"},
		{"verify -", exitError, "bundle"},
	} {
		code, out, talk := try(t, env, "x", false, strings.Fields(c.line)...)
		if code != c.want || !strings.Contains(talk, c.says) || out != "" {
			t.Errorf("%s: exit code %d, want %d\n%s%s", c.line, code, c.want, out, talk)
		}
	}
	if code, _, talk := try(t, nil, "", false, "inbox"); code != exitUsage || !strings.Contains(talk, "HANDOVER_HOME") {
		t.Errorf("without a home: %d, %s", code, talk)
	}
}

func TestEveryKindOfFailureHasItsExitCode(t *testing.T) {
	problem := func(status int, code string) error {
		return fmt.Errorf("sending: %w", &client.Problem{Status: status, Code: code, Title: "No."})
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitOK},
		{errors.New("disk full"), exitError},
		{&url.Error{Op: "Get", Err: errors.New("refused")}, exitError},
		{context.Canceled, exitError},
		{usage("no"), exitUsage},
		{problem(0, "envelope-claim"), exitUsage},
		{problem(400, "list-query-invalid"), exitUsage},
		{problem(400, "malformed-json"), exitError},
		{problem(401, "unauthenticated"), exitAuth},
		{problem(400, "invalid_dpop_proof"), exitAuth},
		{problem(403, "insufficient-scope"), exitAuth},
		{fmt.Errorf("x: %w", profile.ErrNotEnrolled), exitAuth},
		{fmt.Errorf("x: %w", keys.ErrRoot), exitAuth},
		{problem(404, "referral-not-found"), exitNotFound},
		{problem(409, "referral-moved"), exitConflict},
		{profile.ErrExists, exitConflict},
		{fmt.Errorf("x: %w", client.ErrProof), exitFalse},
		{client.ErrForged, exitFalse},
		{client.ErrVerification, exitFalse},
		{problem(0, "section-unreadable"), exitFalse},
		{problem(403, "consent-withdrawn"), exitRefused},
		{problem(422, "envelope-expired"), exitRefused},
		{problem(0, "recipient-inactive"), exitRefused},
		{problem(429, "rate"), exitError},
		{problem(503, "receipt-pending"), exitError},
	} {
		a := &app{surroundings: surroundings{talk: &bytes.Buffer{}}, began: true}
		if got := a.exit(c.err); got != c.want {
			t.Errorf("%v: exit code %d, want %d", c.err, got, c.want)
		}
	}
}

func TestProfileIsMadeAndShown(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{"XDG_CONFIG_HOME": dir}
	code, out, _ := try(t, env, "", true, "keys", "new")
	if code != exitOK || !strings.Contains(out, filepath.Join(dir, "handover")) || strings.HasPrefix(out, "{") {
		t.Fatalf("%d\n%s", code, out)
	}
	code, again, _ := try(t, env, "", true, "keys", "show")
	if code != exitOK || again != out {
		t.Errorf("%d\n%s", code, again)
	}
	if code, out, _ = try(t, env, "", true, "keys", "show", "--json"); code != exitOK || !strings.HasPrefix(out, "{") {
		t.Errorf("with --json, for people: %d\n%s", code, out)
	}
	if code, out, _ = try(t, env, "", false, "keys", "show", "--json=false"); code != exitOK || strings.HasPrefix(out, "{") {
		t.Errorf("with --json=false, piped: %d\n%s", code, out)
	}
	if code, _, talk := try(t, env, "", false, "doctor"); code != exitError || !strings.Contains(talk, "wrong") {
		t.Errorf("not enrolled: %d, %s", code, talk)
	}
}

func TestPassphraseOpensTheProfile(t *testing.T) {
	dir := t.TempDir()
	words, wrong := filepath.Join(dir, "words"), filepath.Join(dir, "wrong")
	for path, text := range map[string]string{words: "seven quiet herons at dusk\n", wrong: "seven quiet herons at dawn\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	home := filepath.Join(dir, "side")
	if code, _, talk := try(t, map[string]string{"HANDOVER_HOME": home, "HANDOVER_PASSPHRASE_FILE": words}, "", false, "keys", "new"); code != exitOK {
		t.Fatal(talk)
	}
	for file, want := range map[string]string{words: "not enrolled", wrong: "HANDOVER_PASSPHRASE_FILE", "": "HANDOVER_PASSPHRASE_FILE"} {
		code, _, talk := try(t, map[string]string{"HANDOVER_HOME": home, "HANDOVER_PASSPHRASE_FILE": file}, "", false, "inbox")
		if code != exitAuth || !strings.Contains(talk, want) {
			t.Errorf("%q: %d, %s", file, code, talk)
		}
	}
}

func TestTextOfOthersCannotSteerATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"Larkfield":                  "Larkfield",
		"a\tb\nc":                    "a\tb\nc",
		"\x1b[2Jgone":                "[2Jgone",
		"\u009b31mred":               "31mred",
		"over\rwritten":              "overwritten",
		"\u202etxet sdrawkcab\u202c": "txet sdrawkcab",
		"\u2067isolated\u2069":       "isolated",
		"سلام\u200cها, Zoë, 👩\u200d🦰": "سلام\u200cها, Zoë, 👩\u200d🦰",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q reads %q, want %q", in, got, want)
		}
	}
}

func TestClockIsJudgedAsTheHubDoes(t *testing.T) {
	for ahead, want := range map[time.Duration]bool{0: true, 50 * time.Second: true, 51 * time.Second: false,
		-8 * time.Second: true, -9 * time.Second: false, time.Hour: false} {
		if got := clock(ahead); got.OK != want || got.OK == (got.Fix != "") {
			t.Errorf("the hub is %v ahead: %+v", ahead, got)
		}
	}
}

func TestEveryStepOfTheFormatHasACommandWithAnExampleThatWorks(t *testing.T) {
	env := map[string]string{"HOME": t.TempDir()}
	for _, s := range steps() {
		line := strings.Fields(strings.TrimPrefix(s.example(), "  handover "))
		if code, _, talk := try(t, env, "", false, line...); code == exitUsage {
			t.Errorf("%v: %s", line, talk)
		}
	}
}

func TestWatchWaitsOutAnOutageAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&url.Error{Op: "Get", Err: errors.New("refused")}, true},
		{&client.Problem{Status: 503, Code: "hub-busy"}, true},
		{&client.Problem{Status: 500, Code: "internal"}, true},
		{&client.Problem{Status: 429, Code: "rate"}, true},
		{&client.Problem{Status: 401, Code: "unauthenticated"}, false},
		{client.ErrForged, false},
		{nil, false},
	} {
		if got := passes(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}

// A remedy for a code that no hub answers would never be read.
func TestEveryRemedyIsForARefusalThatExists(t *testing.T) {
	docs, err := os.ReadFile(filepath.Join("..", "..", "docs", "problems.md"))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := []string{"invalid_client", "invalid_dpop_proof", "invalid_grant", "invalid_scope", "invalid_token", "access_denied", "unexpected-answer"} // of OAuth, and of the client
	for code := range remedies() {
		if !slices.Contains(elsewhere, code) && !strings.Contains(string(docs), "## "+code+"\n") && !strings.Contains(string(docs), "## `"+code+"`\n") {
			t.Errorf("%s is in no list of refusals", code)
		}
	}
}
