package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts drives the two built binaries as people do. Each script has a hub of its
// own, on a free port, with its own built-in PostgreSQL. Besides the usual commands a
// script has:
//
//	starthub run|serve       start the hub and wait until it is ready
//	stophub                  stop it, and wait until it has ended
//	exits CODE COMMAND…      run a command that must end with this exit code
//	let VAR PATH             take a member out of the JSON on the last stdout, as referrals.0.id
//	tamper FILE MEMBER       change one character of a member of a JSON file
//	until TEXT COMMAND…      run a command again until its stdout has the text
//	joins, signs-in, agrees, aged    see script_people_test.go
//	follows, followed        see script_audit_test.go
//	expired FILE             wait until the packet in a JSON file may not be opened any more
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts hubs")
	}
	bin := build(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		Deadline:            time.Now().Add(3 * time.Minute), // a script that waits for ever fails sooner
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			// The hub's folder is not in $WORK, which the account that PostgreSQL drops
			// to could not reach.
			dir, err := os.MkdirTemp("", "hub-")
			if err != nil {
				return err
			}
			if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // to pass through, not to look into
				return err
			}
			e.Defer(func() { _ = os.RemoveAll(dir) })
			port, err := freePort()
			if err != nil {
				return err
			}
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("HUB_DIR", filepath.Join(dir, "hub"))
			e.Setenv("PORT", port)
			e.Setenv("HUB", "http://localhost:"+port)
			e.Setenv("HUB_PRIVATE_LISTEN", "off")
			e.Setenv("HUB_RATE_TOKENS", "600") // each command asks for a token of its own
			for _, witness := range []string{"WITNESS1", "WITNESS2"} {
				port, err := freePort()
				if err != nil {
					return err
				}
				e.Setenv(witness, port)
			}
			peopled(e)
			audited(e)
			e.Values[hubKey{}] = &hubProcess{}
			e.Defer(func() { e.Values[hubKey{}].(*hubProcess).stop() })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"starthub": startHub, "stophub": stopHub, "exits": exits, "until": until, "let": let, "tamper": tamper, "expired": expired,
			"joins": joins, "signs-in": signsIn, "agrees": agrees, "aged": aged,
			"follows": follows, "followed": allFollowed,
		},
	})
}

// build builds both binaries, once for all scripts.
func build(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	out, err := exec.Command("go", "build", "-o", bin+string(filepath.Separator), "handover/cmd/hub", "handover/cmd/handover").CombinedOutput()
	if err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	return bin
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// hubProcess is the hub of one script.
type hubProcess struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

type hubKey struct{}

// stop ends the hub by its own process id, and waits.
func (h *hubProcess) stop() {
	if h.cmd == nil {
		return
	}
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-h.ended:
	case <-time.After(20 * time.Second):
		_ = h.cmd.Process.Kill()
		<-h.ended
	}
	h.cmd = nil
}

func startHub(ts *testscript.TestScript, _ bool, args []string) {
	h := ts.Value(hubKey{}).(*hubProcess)
	binary, err := lookPath(ts, "hub")
	ts.Check(err)
	cmd := exec.Command(binary, args...)
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "HUB_DIR", "PORT", "HUB_PRIVATE_LISTEN", "HUB_RATE_TOKENS", "HUB_WITNESS_POLICY", "HUB_WITNESS_WAIT"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	var trouble strings.Builder
	cmd.Stderr = &trouble
	ts.Check(cmd.Start())
	h.cmd, h.ended = cmd, make(chan struct{})
	ready := make(chan bool, 1)
	go func() {
		defer close(h.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "ready:") {
				ready <- true
			}
		}
		_ = cmd.Wait()
	}()
	if args[0] == "serve" {
		go h.await(ts.Getenv("PORT"), ready)
	}
	select {
	case <-ready:
	case <-h.ended:
		ts.Fatalf("the hub ended before it was ready:\n%s", trouble.String())
	case <-time.After(time.Minute):
		ts.Fatalf("the hub is not ready after a minute")
	}
}

// await asks a hub that says nothing whether it is ready.
func (h *hubProcess) await(port string, ready chan<- bool) {
	for {
		select {
		case <-h.ended:
			return
		case <-time.After(50 * time.Millisecond):
			conn, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err != nil {
				continue
			}
			_, _ = fmt.Fprintf(conn, "GET /readyz HTTP/1.0\r\n\r\n")
			line, _ := bufio.NewReader(conn).ReadString('\n')
			_ = conn.Close()
			if strings.Contains(line, " 200 ") {
				ready <- true
				return
			}
		}
	}
}

func lookPath(ts *testscript.TestScript, name string) (string, error) {
	bin, _, _ := strings.Cut(ts.Getenv("PATH"), string(os.PathListSeparator))
	path := filepath.Join(bin, name)
	_, err := os.Stat(path)
	return path, err
}

func stopHub(ts *testscript.TestScript, _ bool, _ []string) { ts.Value(hubKey{}).(*hubProcess).stop() }

// exits runs a command that must end with one exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		code = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// until repeats a command until its standard output has a text. Nothing is timed: what never
// comes ends with the script's deadline.
func until(ts *testscript.TestScript, _ bool, args []string) {
	for {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// let sets a variable to a member of the JSON that the last command printed.
func let(ts *testscript.TestScript, _ bool, args []string) {
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for part := range strings.SplitSeq(args[1], ".") {
		switch held := v.(type) {
		case map[string]any:
			v = held[part]
		case []any:
			i, err := strconv.Atoi(part)
			if ts.Check(err); i >= len(held) {
				ts.Fatalf("%s: there are %d", args[1], len(held))
			}
			v = held[i]
		}
	}
	if v == nil {
		ts.Fatalf("there is no %s", args[1])
	}
	ts.Setenv(args[0], fmt.Sprint(v))
}

// tamper changes the twentieth character of the first member of that name.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	at := strings.Index(string(data), `"`+args[1]+`"`)
	if at < 0 {
		ts.Fatalf("%s has no %s", args[0], args[1])
	}
	at += len(args[1]) + 3
	at += strings.IndexByte(string(data[at:]), '"') + 20
	other := byte('A')
	if data[at] == other {
		other = 'B'
	}
	data[at] = other
	ts.Check(os.WriteFile(path, data, 0o600))
}

// expired waits until the clock has passed the exp of a packet's envelope. It is what
// the hub looks at; nothing is timed.
func expired(ts *testscript.TestScript, _ bool, args []string) {
	var p struct{ Envelope string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &p))
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(p.Envelope, ".")[1])
	ts.Check(err)
	var claims struct{ Exp int64 }
	ts.Check(json.Unmarshal(body, &claims))
	time.Sleep(time.Until(time.Unix(claims.Exp, 0)))
}
