package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/internal/pg/cluster"
)

// A test binary that finds this variable is a helper: it joins the server under the
// folder named, says where it is, and stays until its standard input ends.
const helperVariable = "HANDOVER_PGTEST_HELPER"

func TestMain(m *testing.M) {
	if parent := os.Getenv(helperVariable); parent != "" {
		s, err := join(context.Background(), parent, 0)
		fmt.Println(s.socket, err)
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// helper is another test binary that uses a server.
type helper struct {
	cmd    *exec.Cmd
	leave  io.Closer
	socket string
}

func startHelper(t *testing.T, parent string) *helper {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperVariable+"="+parent)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &helper{cmd: cmd, leave: stdin}
	t.Cleanup(func() { h.kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	socket, failure, _ := strings.Cut(strings.TrimSpace(line), " ")
	if failure != "<nil>" {
		t.Fatalf("helper: %s", failure)
	}
	h.socket = socket
	return h
}

// kill ends the helper the hard way.
func (h *helper) kill() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// own is a parent folder for a server that only this test uses.
func own(t *testing.T) string {
	t.Helper()
	dir := Dir(t)
	t.Cleanup(func() { eventuallyEmpty(t, dir) })
	return dir
}

// eventually waits for something another process does. It fails only if it hangs.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(time.Minute)
	look := time.NewTicker(glance)
	defer look.Stop()
	for !is() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func eventuallyEmpty(t *testing.T, dir string) {
	t.Helper()
	eventually(t, "every file of the server is gone", func() bool {
		left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
		return err == nil && len(left) == 0
	})
}

// answers reports whether a server takes connections at the socket.
func answers(t *testing.T, socket string) bool {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), server{socket: socket}.url(cluster.Superuser, "postgres"))
	if err != nil {
		return false
	}
	return conn.Close(t.Context()) == nil
}

// postmaster returns the server's process and its keeper's.
func postmaster(t *testing.T, socket string) (pid, keeper int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(socket, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	var state string
	if _, err := fmt.Sscan(string(stat[strings.LastIndex(string(stat), ")")+1:]), &state, &keeper); err != nil {
		t.Fatal(err)
	}
	return pid, keeper
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func TestTestBinariesShareOneServer(t *testing.T) {
	t.Parallel()
	parent := own(t)
	first, second := startHelper(t, parent), startHelper(t, parent)
	if first.socket != second.socket {
		t.Errorf("two servers: %s and %s", first.socket, second.socket)
	}
	first.kill()
	if third := startHelper(t, parent); third.socket != second.socket {
		t.Errorf("a second server %s while %s is in use", third.socket, second.socket)
	}
	if !answers(t, second.socket) {
		t.Error("the server went with its first user although it had a second")
	}
}

func TestServerAndFilesGoWithTheLastUser(t *testing.T) {
	t.Parallel()
	parent := own(t)
	for _, row := range []struct {
		name string
		end  func(h *helper) error
	}{
		{"killed", func(h *helper) error { h.kill(); return nil }},
		{"ended", func(h *helper) error { return errors.Join(h.leave.Close(), h.cmd.Wait()) }},
	} {
		h := startHelper(t, parent) // a new server, the second time
		server, keeper := postmaster(t, h.socket)
		if !answers(t, h.socket) {
			t.Errorf("%s: no answer", row.name)
		}
		if err := row.end(h); err != nil {
			t.Errorf("%s: %v", row.name, err)
		}
		eventuallyEmpty(t, parent)
		eventually(t, "server and keeper have ended", func() bool { return gone(server) && gone(keeper) })
	}
}

func TestWhatAKilledKeeperOrAnInterruptedStartLeftIsRemoved(t *testing.T) {
	t.Parallel()
	parent := own(t)
	h := startHelper(t, parent)
	server, keeper := postmaster(t, h.socket)
	half := filepath.Join(filepath.Dir(h.socket), "0", "data.init")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(keeper, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.kill()
	next := startHelper(t, parent)
	if next.socket == h.socket || !answers(t, next.socket) {
		t.Error("joined a server that nobody will end")
	}
	for _, left := range []string{half, h.socket} {
		if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", left, err)
		}
	}
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", server)); err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Error("the abandoned server still runs") // dead is enough; whoever adopted it may not have noticed
	}
}

func TestAnotherAccountsFolderIsNotUsed(t *testing.T) {
	t.Parallel()
	parent := Dir(t)
	account, err := cluster.Choose("")
	if err != nil {
		t.Fatal(err)
	}
	private, open, link := filepath.Join(parent, "private"), filepath.Join(parent, "open"), filepath.Join(parent, "link")
	err = errors.Join(os.Mkdir(private, 0o700), os.Symlink(private, link), os.Mkdir(open, 0o700), os.Chmod(open, 0o755))
	if err != nil {
		t.Fatal(err)
	}
	for _, base := range []string{open, link} {
		if unlock, err := tryLock(base, account); err == nil {
			t.Errorf("%s was accepted (%t)", filepath.Base(base), unlock != nil)
		}
	}
	unlock, err := tryLock(private, account)
	if err != nil || unlock == nil {
		t.Fatalf("a private folder of ours was refused: %v", err)
	}
	unlock()
}
