package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"handover/internal/hubtest"
)

// People of a script, each with a browser and a passkey of her own:
//
//	joins NAME               somebody opens the link that the last command printed, and joins
//	signs-in NAME HOME SCOPE she runs handover sign-in in HOME and says yes in her browser
//	agrees NAME ACT AGREEMENT    she signs, refuses or ends it on the hub's page, or proposes the next version as it is
//	aged OVERRIDE DURATION   what was recorded of an override was recorded so much earlier
type browsers map[string]*hubtest.Browser

type browsersKey struct{}

// tbKey keeps the test that a script runs in.
type tbKey struct{}

// peopled prepares a script for people.
func peopled(e *testscript.Env) {
	e.Values[browsersKey{}] = browsers{}
	e.Values[tbKey{}] = e.T().(testing.TB) //nolint:errcheck // of testscript, over a *testing.T
}

// joins makes somebody of the link that hub user add has printed.
func joins(ts *testscript.TestScript, _ bool, args []string) {
	t := ts.Value(tbKey{}).(testing.TB)
	_, code, found := strings.Cut(ts.ReadFile("stdout"), "/join#")
	if !found {
		ts.Fatalf("no link was printed")
	}
	code, _, _ = strings.Cut(code, "\n")
	her := hubtest.NewBrowser(ts.Getenv("HUB"), overNetwork(t))
	if a := her.Join(t, strings.TrimSpace(code)); a.Status != http.StatusOK {
		ts.Fatalf("%s cannot join: %d %s", args[0], a.Status, a.Body)
	}
	ts.Value(browsersKey{}).(browsers)[args[0]] = her
}

// overNetwork sends a request to a hub that listens, and follows no redirect.
func overNetwork(t testing.TB) func(*http.Request) hubtest.Answer {
	browser := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(r *http.Request) hubtest.Answer {
		r.RequestURI = "" // of a server
		answer, err := browser.Do(r.WithContext(context.WithoutCancel(t.Context())))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return hubtest.Answer{Status: answer.StatusCode, Header: answer.Header, Body: body}
	}
}

var askedAt = regexp.MustCompile(`http://localhost:\d+(/oauth/authorize\?\S+)`)

// signsIn has somebody say yes in her browser to the program that asks. She signs in anew
// each time, and so proves who she is.
func signsIn(ts *testscript.TestScript, _ bool, args []string) {
	t, her := ts.Value(tbKey{}).(testing.TB), ts.Value(browsersKey{}).(browsers)[args[0]]
	binary, err := lookPath(ts, "handover")
	ts.Check(err)
	program := exec.Command(binary, "--home", args[1], "sign-in", "--scope", args[2])
	program.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"))
	said, err := program.StderrPipe()
	ts.Check(err)
	ts.Check(program.Start())
	defer func() { _ = program.Process.Kill() }() // which has ended, if all went well
	var address, talk string
	for lines := bufio.NewScanner(said); address == "" && lines.Scan(); {
		talk += lines.Text() + "\n"
		if found := askedAt.FindStringSubmatch(lines.Text()); found != nil {
			address = found[1]
		}
	}
	if address == "" {
		ts.Fatalf("nobody is sent to a browser:\n%s", talk)
	}
	if a := her.SignIn(t); a.Status != http.StatusOK {
		ts.Fatalf("%s cannot sign in: %d %s", args[0], a.Status, a.Body)
	}
	asked, err := url.Parse(address)
	ts.Check(err)
	if page := her.Get(t, asked.RequestURI()); page.Status != http.StatusOK {
		ts.Fatalf("the permission page: %d %s", page.Status, page.Body)
	}
	answer := her.Form(t, "/oauth/authorize", url.Values{"client_id": asked.Query()["client_id"], "request_uri": asked.Query()["request_uri"], "answer": {"allow"}})
	back, err := http.Get(answer.Header.Get("Location"))
	ts.Check(err)
	ts.Check(back.Body.Close())
	_, err = io.Copy(io.Discard, said)
	ts.Check(err)
	ts.Check(program.Wait())
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// agrees has somebody do something with an agreement on the hub's pages, answering each that asks.
func agrees(ts *testscript.TestScript, _ bool, args []string) {
	t, her := ts.Value(tbKey{}).(testing.TB), ts.Value(browsersKey{}).(browsers)[args[0]]
	path := "/agency/agreements/" + args[2] + "/" + args[1]
	page := her.Get(t, path)
	if args[1] == "propose" {
		path = "/agency/agreements/propose"
		page = her.Get(t, path+"?after="+args[2])
	}
	for range 5 {
		said := url.Values{"confirm": {"yes"}, "reason": {"talk-first"}}
		if args[1] == "propose" {
			said = url.Values{"send-purposes": {"housing"}, "send-sections": {"need"}, "receive-purposes": {"housing"}, "receive-sections": {"need"}, "months": {"12"}, "review": {"6"}}
		}
		for _, m := range hiddenField.FindAllStringSubmatch(string(page.Body), -1) {
			said.Set(m[1], m[2])
		}
		if page = her.Form(t, path, said); page.Status == http.StatusSeeOther {
			return
		}
	}
	ts.Fatalf("%s cannot %s: %d %s", args[0], args[1], page.Status, page.Body)
}

// aged moves the recording of an override into the past, as the schema's owner, who alone
// can: there is no way of the hub's own.
func aged(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	by, err := time.ParseDuration(args[1])
	ts.Check(err)
	address, err := os.ReadFile(filepath.Join(ts.Getenv("HUB_DIR"), "database.url"))
	ts.Check(err)
	conn, err := pgx.Connect(ctx, string(address))
	ts.Check(err)
	defer conn.Close(ctx)
	tag, err := conn.Exec(ctx, `UPDATE consent_override_state SET recorded_at = recorded_at - $2::interval WHERE id = $1`, args[0], by)
	ts.Check(err)
	if tag.RowsAffected() != 1 {
		ts.Fatalf("there is no override %s", args[0])
	}
}
