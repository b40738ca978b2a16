package main

import (
	"context"
	"log/slog"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"handover/internal/pgtest"
	"handover/partners"
)

// running is a whole hub in this process, on a free port and a database of its own.
type running struct {
	Config
	Private string // where metrics are
	address string // of the database
	db      *pgtest.DB
	env     []string
}

// startHub serves a hub until the test ends, and then sees it end in order. lines
// receives its log; also are more settings.
func startHub(t *testing.T, log slog.Handler, also ...string) running {
	t.Helper()
	db, private := pgtest.New(t), freeAddress(t)
	r := running{Private: "http://" + private, address: db.URL, db: db, env: []string{"HUB_DIR=" + t.TempDir(), "PORT=0",
		"HUB_DATABASE_URL=" + db.URL, "HUB_PRIVATE_LISTEN=" + private}}
	r.env = append(r.env, also...)
	cfg, err := load(r.env)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan Config, 1), make(chan error, 1)
	go func() {
		ended <- serve(ctx, cfg, slog.New(log), func(_ context.Context, bound Config, _ string) error {
			ready <- bound
			return nil
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the hub ended with: %v", err)
		}
	})
	select {
	case r.Config = <-ready:
	case err := <-ended:
		ended <- nil
		t.Fatalf("the hub did not start: %v", err)
	}
	return r
}

// freeAddress is an address on loopback that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// operator runs one of the operator's commands and returns what it printed.
func (r running) operator(t *testing.T, args ...string) string {
	t.Helper()
	var out strings.Builder
	cmd := command(r.env)
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("hub %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(out.String())
}

// TestAnotherImplementation sends, opens, answers and verifies with a client written
// from docs/ alone on npm jose and oauth4webapi: the documents are enough, and our
// reading of the standards is not only ours.
func TestAnotherImplementation(t *testing.T) {
	t.Parallel()
	r := startHub(t, slog.DiscardHandler)
	for id, category := range map[string]partners.Category{"node-outreach": partners.BoroughOutreach, "node-housing": partners.Housing} {
		r.operator(t, "partner", "add", id, "--name", "Sample agency", "--category", string(category), "--area", "E09000007")
	}
	r.operator(t, "agreement", "add", "node-outreach", "node-housing", "--purpose", "housing",
		"--section", "need,safe-contact,note,location", "--both-ways")
	service := r.operator(t, "service", "add", "node-housing", "Homes", "--purpose", "housing", "--area", "E09000007")

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	node := exec.CommandContext(ctx, "node", "interop.mjs")
	node.Dir = "../../internal/interop"
	node.Env = append(node.Environ(), "HUB="+r.Issuer, "SERVICE="+service,
		"CODE_SENDER="+r.operator(t, "invite", "node-outreach"), "CODE_RECIPIENT="+r.operator(t, "invite", "node-housing"))
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v (run npm ci in internal/interop first; make test does)\n%s", err, out)
	}
	if !strings.Contains(string(out), "sent, answered and verified") {
		t.Errorf("the script did not come to its end:\n%s", out)
	}
}

// TestOperatorRefusesInPlainWords: a mistake of the operator is a sentence, not a code.
func TestOperatorRefusesInPlainWords(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	env := []string{"HUB_DIR=" + t.TempDir(), "HUB_DATABASE_URL=" + db.URL}
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"partner", "add", "X", "--name", "n", "--category", "housing", "--area", "E09000007"}, "short id"},
		{[]string{"partner", "add", "some-team", "--name", "n", "--category", "army", "--area", "E09000007"}, "known categories"},
		{[]string{"partner", "add", "some-team", "--name", "n", "--category", "housing", "--area", "W06000015"}, "GSS"},
		{[]string{"partner", "suspend", "nobody-here"}, "nothing here"},
		{[]string{"invite", "nobody-here"}, "nothing here"},
		{[]string{"user", "add", "nobody-here", "--name", "Ada", "--role", "administrator"}, "nothing here"},
		{[]string{"user", "add", "nobody-here", "--name", "Ada", "--role", "root"}, "one of the roles"},
		{[]string{"user", "add", "nobody-here", "--name", "", "--role", "manager"}, "needs a name"},
		{[]string{"user", "add", "nobody-here", "--name", "A\nB", "--role", "manager"}, "printable characters"},
		{[]string{"provider", "remove", "nobody-here"}, "nothing here"},
		{[]string{"provider", "set", "nobody-here", "--client-secret-file", "/nowhere"}, "client-secret-file"},
		{[]string{"provider", "set", "nobody-here", "--role", "staff"}, "VALUE=ROLE"},
		{[]string{"agreement", "add", "some-team", "some-team", "--purpose", "housing", "--section", "need"}, "two different partners"},
		{[]string{"agreement", "end", "01a2003f-09cf-77ca-b58c-fbe130191142"}, "nothing here"},
	} {
		cmd := command(env)
		cmd.SetArgs(row.args)
		err := cmd.ExecuteContext(t.Context())
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("hub %s: %v, want a sentence with %q", strings.Join(row.args, " "), err, row.want)
		}
	}
}
