package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The quarterly check of docs/audit.md, as its reader does it:
//
//	follows NAME STEP…  NAME types the commands of these steps of the page, in their order, in
//	                    $HANDOVER_HOME and with $FROM, $TO and $HUB, and is answered as at a
//	                    terminal; without --kept as long as there is no last.checkpoint
//	followed NAME       NAME has typed every command of every step from 1 to 9
type followed map[string][]string

type followedKey struct{}

// stepOf takes the page's steps apart: each is a heading with its number, and what is typed
// there. A and B set the laptop up.
var stepOf = regexp.MustCompile(`(?ms)^### (\d+|[AB])\. [^\n]*\n(.*?)(?:^##)`)

// quarterly are the commands of each step of the page.
func quarterly(ts *testscript.TestScript) map[string][]string {
	page, err := os.ReadFile(filepath.Join(ts.Getenv("DOCS"), "audit.md"))
	ts.Check(err)
	steps, rest := map[string][]string{}, string(page)
	for {
		at := stepOf.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		var typed []string
		for line := range strings.SplitSeq(rest[at[4]:at[5]], "\n") {
			if command, is := strings.CutPrefix(line, "    handover "); is {
				typed = append(typed, command)
			}
		}
		steps[rest[at[2]:at[3]]] = typed
		rest = rest[at[5]:]
	}
	if len(steps) != 11 {
		ts.Fatalf("the page has %d steps", len(steps))
	}
	return steps
}

func follows(ts *testscript.TestScript, _ bool, args []string) {
	steps := quarterly(ts)
	done := ts.Value(followedKey{}).(followed)
	for _, step := range args[1:] {
		for _, line := range steps[step] {
			typed := strings.Fields(line)
			for i, word := range typed {
				if word == "FROM" || word == "TO" || word == "HUB" {
					typed[i] = ts.Getenv(word)
				}
			}
			if _, err := os.Stat(ts.MkAbs("last.checkpoint")); err != nil { // the first time
				if at := slices.Index(typed, "--kept"); at >= 0 {
					typed = slices.Delete(typed, at, at+2)
				}
			}
			if typed[0] == "sign-in" && typed[1] == "--scope" {
				signsIn(ts, false, []string{args[0], ts.Getenv("HANDOVER_HOME"), typed[2]})
			} else {
				if step != "A" { // whose token the script takes out of the JSON
					typed = slices.Insert(typed, 0, "--json=false") // as she reads it at a terminal
				}
				ts.Check(ts.Exec("handover", typed...))
			}
		}
		done[args[0]] = append(done[args[0]], step)
	}
}

func allFollowed(ts *testscript.TestScript, _ bool, args []string) {
	done := ts.Value(followedKey{}).(followed)[args[0]]
	for step, commands := range quarterly(ts) {
		if len(commands) > 0 && step != "A" && step != "B" && !slices.Contains(done, step) {
			ts.Fatalf("%s has not done step %s", args[0], step)
		}
	}
}

// audited prepares a script for the page.
func audited(e *testscript.Env) {
	e.Values[followedKey{}] = followed{}
	docs, err := filepath.Abs(filepath.Join("..", "..", "docs"))
	if err != nil {
		e.T().(testing.TB).Fatal(err) //nolint:errcheck // of testscript, over a *testing.T
	}
	e.Setenv("DOCS", docs)
}
