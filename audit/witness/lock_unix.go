//go:build unix

package witness

import (
	"os"
	"syscall"
)

// exclusive waits until no other open file, of this process or another, holds the lock
// on f, and takes it. It ends with the file or the process, so a process that is killed
// leaves no lock behind.
func exclusive(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err != syscall.EINTR {
			return err
		}
	}
}
