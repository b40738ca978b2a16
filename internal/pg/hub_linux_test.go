package pg_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"handover/internal/pg"
	"handover/internal/pgtest"
)

// A test binary that finds this variable is another hub: it starts the built-in server
// in the folder named, says how that went, and runs until its standard input ends.
const hubVariable = "HANDOVER_TEST_HUB"

func TestMain(m *testing.M) {
	if dir := os.Getenv(hubVariable); dir != "" {
		b, err := pg.StartBuiltIn(context.Background(), dir, slog.New(slog.DiscardHandler))
		if err != nil {
			fmt.Println(0, err)
			os.Exit(1)
		}
		fmt.Println(b.Pid(), b.URL())
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = b.Stop()
		os.Exit(0)
	}
	code := m.Run()
	if err := os.RemoveAll(seedDir()); err != nil {
		code = 1
	}
	os.Exit(code)
}

// seedDir is the folder of a data directory that the tests of this binary copy.
func seedDir() string { return filepath.Join("/tmp", fmt.Sprintf("handover-seed-%d", os.Getpid())) }

// seed makes it: initdb takes a second, and a copy a tenth of one.
var seed = sync.OnceValue(func() error {
	if err := os.Mkdir(seedDir(), 0o711); err != nil {
		return err
	}
	b, err := pg.StartBuiltIn(context.Background(), seedDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return b.Stop()
})

// copySeed puts into dir the files of a server that was started once and stopped.
func copySeed(t *testing.T, dir string) {
	t.Helper()
	if err := seed(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", filepath.Join(seedDir(), "postgres"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// used returns a folder in which a server was started once and stopped.
func used(t *testing.T) string {
	t.Helper()
	dir := pgtest.Dir(t)
	copySeed(t, dir)
	return dir
}

// startHub starts another hub and returns its process and its server's.
func startHub(t *testing.T, dir string) (hub *exec.Cmd, server int, said string) {
	t.Helper()
	hub = exec.Command(os.Args[0])
	hub.Env = append(os.Environ(), hubVariable+"="+dir)
	if os.Geteuid() == 0 { // with a group besides, so that keeping it would show
		hub.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{4}}}
	}
	stdin, err := hub.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := hub.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = hub.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, said, _ := strings.Cut(strings.TrimSpace(line), " ")
	server, err = strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	return hub, server, said
}

// start starts the built-in server and stops it with t.
func start(t *testing.T, dir string) *pg.BuiltIn {
	t.Helper()
	b, err := pg.StartBuiltIn(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Stop() })
	return b
}

// refused returns the text of the error that a start ends in.
func refused(t *testing.T, dir string) string {
	t.Helper()
	b, err := pg.StartBuiltIn(t.Context(), dir, slog.New(slog.DiscardHandler))
	if err == nil {
		_ = b.Stop()
		t.Fatal("it started")
	}
	return err.Error()
}

func stop(t *testing.T, b *pg.BuiltIn) {
	t.Helper()
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// superuser is the address of a database of the built-in server as superuser.
func superuser(b *pg.BuiltIn, database string) string {
	return strings.Replace(b.URL(), "://handover@/handover?", "://postgres@/"+database+"?", 1)
}

func pgdata(dir string) string { return filepath.Join(dir, "postgres", "data") }
