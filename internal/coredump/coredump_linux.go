package coredump

import (
	"fmt"
	"syscall"
)

// Disable makes sure that this process leaves no core dump, for good: no larger limit
// can be had without privilege, and the memory is not dumpable, which also holds where
// the kernel pipes dumps to a program and so asks for no limit. With it go ptrace and
// /proc/PID/mem for every other process of the same account.
//
// Starting a process under another account clears the mark, since the child shares this
// memory until it runs its own program (credentials(7), fs.suid_dumpable): whoever has
// started one calls Disable again. It returns an error when the kernel refuses.
func Disable() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil {
		return fmt.Errorf("limiting core dumps to no bytes: %w", err)
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		return fmt.Errorf("marking the memory as not dumpable: %w", errno)
	}
	return nil
}
