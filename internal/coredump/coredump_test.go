//go:build linux

package coredump

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestMain makes this program the one that is looked at, when it is told to.
func TestMain(m *testing.M) {
	switch os.Getenv("COREDUMP_TEST") {
	case "":
		os.Exit(m.Run())
	case "marks":
		os.Exit(printMarks())
	case "disabled":
		if err := Disable(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		// Root may have the limit back. Then the mark of the memory must do.
		lifted := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: 1 << 30, Max: 1 << 30})
		fmt.Fprintln(os.Stderr, "a larger limit:", lifted)
	}
	panic("as told")
}

// crash runs a process that panics where a core dump is wanted, and returns whether it
// dumped, what it left in its folder, and what it said.
func crash(t *testing.T, as string) (dumped bool, left []string, said string) {
	t.Helper()
	folder := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -c unlimited && exec "$0"`, os.Args[0])
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "COREDUMP_TEST="+as, "GOTRACEBACK=crash")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
		t.Skipf("no crash to look at here: %v\n%s", err, out)
	}
	left, err = filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return exit.Sys().(syscall.WaitStatus).CoreDump(), left, string(out)
}

// TestACrashLeavesNothing crashes twice, where dumps are wanted and where they are
// disabled; the first one shows that the second could have left something.
func TestACrashLeavesNothing(t *testing.T) {
	if dumped, _, _ := crash(t, "wanted"); !dumped {
		t.Skip("this machine dumps no core at all, so there is nothing to be seen")
	}
	dumped, left, said := crash(t, "disabled")
	if dumped || len(left) != 0 {
		t.Errorf("dumped %v, left %q", dumped, left)
	}
	if os.Geteuid() != 0 && !strings.Contains(said, "a larger limit: operation not permitted") {
		t.Errorf("the limit could be lifted: %.200s", said)
	}
}

// TestAChildOfAnotherAccountClearsTheMark: why Disable is called once more after the
// built-in PostgreSQL was started. Should the kernel stop doing so, the call can go.
func TestAChildOfAnotherAccountClearsTheMark(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root starts a process under another account")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "COREDUMP_TEST=marks")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var disabled, set, child, again int
	if _, err := fmt.Sscan(string(out), &disabled, &set, &child, &again); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	if disabled != 0 || set != 1 || again != 0 {
		t.Errorf("after Disable %d, after it was undone %d, after Disable %d", disabled, set, again)
	}
	if child == 1 {
		t.Error("a child of another account left the mark as it was: it need not be set again")
	}
}

// printMarks prints the mark after each step, and returns an exit code.
func printMarks() int {
	step := func(err error) {
		mark, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_GET_DUMPABLE, 0, 0)
		if err != nil || errno != 0 {
			fmt.Println(err, errno)
			os.Exit(3)
		}
		fmt.Println(mark)
	}
	step(Disable())
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 1, 0)
	step(nil)
	child := exec.Command("true")
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	step(child.Run())
	step(Disable())
	return 0
}

func TestAnEnvironmentThatAsksForADumpIsRefused(t *testing.T) {
	for value, want := range map[string]error{
		"": nil, "none": nil, "single": nil, "all": nil, "system": nil, "1": nil, "crash": ErrTraceback, "wer": ErrTraceback,
	} {
		if err := Refuse(value); !errors.Is(err, want) {
			t.Errorf("GOTRACEBACK=%s: %v, want %v", value, err, want)
		}
	}
}
