// Command handover is a partner's side of the exchange on the command line: make
// keys, enrol, record what she agreed to, send, collect, open, answer, verify.
//
//	handover keys new
//	handover enrol --hub https://hub.example
//	handover consent new --purpose housing --recipient westside-aid --section need …
//	handover send referral.json --to westside-aid --consent ID --area E09000007 --urgency urgent
//	handover inbox
//	handover open R-7K3F-9Q2M --reason triage
//	handover accept R-7K3F-9Q2M
//	handover history R-7K3F-9Q2M --out bundle.json
//	handover verify bundle.json
//
// An agency's administrator signs in (handover sign-in) and says who works there, which
// systems act for it and which keys count: handover people, clients, keys rotate, revoke.
//
// What a section holds, what a pathway needs and a GP practice may not ask for need no hub:
// handover schema, pathway, gp.
//
// Data goes to standard output: text on a terminal, JSON when it is piped or with
// --json. Talk goes to standard error. Content of a section is printed by open and by
// nothing else.
//
// Exit codes (also: handover help exit-codes):
//
//	0  it was done
//	1  it failed; the message says what to do
//	2  the command line is wrong
//	3  the hub does not accept who you are, or you are not enrolled yet
//	4  there is no such thing that you may see
//	5  it conflicts with what has happened in the meantime
//	6  what was checked does not hold
//	7  the hub refused it: a rule, an agreement or her consent stands against it
//
// main.go runs it, app.go is what every command shares, exit.go says how a failure
// is told; then there is one file for each noun.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"

	"handover/internal/coredump"
)

func main() {
	// Before there is any key to dump.
	if err := errors.Join(coredump.Refuse(os.Getenv("GOTRACEBACK")), coredump.Disable()); err != nil {
		fmt.Fprintln(os.Stderr, "handover:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], surroundings{
		in: os.Stdin, out: os.Stdout, talk: os.Stderr, getenv: os.Getenv, now: time.Now,
		asks:   term.IsTerminal(int(os.Stdin.Fd())),
		people: term.IsTerminal(int(os.Stdout.Fd())),
	})
	stop()
	os.Exit(code)
}

// surroundings are what the program meets outside, so that a test can be them.
type surroundings struct {
	in     io.Reader
	out    io.Writer // data
	talk   io.Writer // everything else
	asks   bool      // somebody is there to answer questions
	people bool      // out is read by people
	getenv func(string) string
	now    func() time.Time
	http   *http.Client // nil is one with timeouts
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, s surroundings) int {
	a := &app{surroundings: s}
	root := a.command()
	root.SetArgs(guard(args))
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.talk)
	return a.exit(root.ExecuteContext(ctx))
}
