package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"handover/internal/pgtest"
)

// nobody is an account without rights, or nil when the tests run as one already.
func nobody() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

// TestTheHubLeavesNoCoreDump looks at a hub that serves, as the kernel does: no bytes of
// core, files in /proc that are root's since the memory is not to be read, and nothing
// left behind when it is aborted.
func TestTheHubLeavesNoCoreDump(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a hub of its own")
	}
	h := &victim{t: t, dir: pgtest.Dir(t), as: nobody()}
	h.binary = build(t, h.dir, "hub")
	if h.as != nil {
		if err := os.Chown(h.dir, int(h.as.Uid), int(h.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	h.start()
	t.Cleanup(h.stop)
	proc := fmt.Sprintf("/proc/%d/", h.cmd.Process.Pid)

	limits, err := os.ReadFile(proc + "limits")
	if err != nil {
		t.Skipf("there is no /proc here: %v", err)
	}
	if !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).Match(limits) {
		t.Errorf("the hub may dump core:\n%s", limits)
	}
	// proc(5): what is the account's own becomes root's with the mark, and only then.
	if owner := ownerOf(t, proc+"mem"); owner != 0 {
		t.Errorf("the memory belongs to account %d, so its other processes may read it", owner)
	}

	if err := h.cmd.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := h.cmd.Wait(); !errors.As(err, &exit) {
		t.Fatalf("the hub that was aborted ended with: %v", err)
	}
	if status := exit.Sys().(syscall.WaitStatus); status.CoreDump() {
		t.Error("the hub that was aborted has dumped core")
	}
	for _, dir := range []string{".", h.dir} {
		if left, err := filepath.Glob(filepath.Join(dir, "core*")); err != nil || len(dumps(left)) != 0 {
			t.Errorf("left in %s: %q, %v", dir, left, err)
		}
	}
}

// dumps leaves out this package's own files.
func dumps(files []string) (found []string) {
	for _, f := range files {
		if !strings.HasSuffix(f, ".go") {
			found = append(found, f)
		}
	}
	return found
}

func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

// TestTheHubRefusesATracebackThatDumps: with GOTRACEBACK=crash the runtime ends a panic
// by dumping core, and no program can set that back.
func TestTheHubRefusesATracebackThatDumps(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the programs")
	}
	for _, program := range []string{"hub", "handover"} {
		cmd := exec.CommandContext(t.Context(), build(t, t.TempDir(), program), "--help")
		cmd.Env = append(os.Environ(), "GOTRACEBACK=crash")
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "GOTRACEBACK is set") {
			t.Errorf("%s: %v, %s", program, err, out)
		}
	}
}
