package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc's CPU times: USER_HZ, 100 a second on every Linux.
const tick = 10 * time.Millisecond

// cost is CPU time: the server's own, and that of PostgreSQL for it.
type cost struct{ server, postgres time.Duration }

func (c cost) total() time.Duration { return c.server + c.postgres }

// spent is the CPU time that a target has used so far. PostgreSQL serves the target
// alone while it is measured.
func (t *target) spent() cost {
	c := cost{server: used(t.server)}
	children := tree()
	for pids := []int{t.postgres}; len(pids) > 0; {
		pid := pids[0]
		pids = append(pids[1:], children[pid]...)
		c.postgres += used(pid)
	}
	return c
}

// used is the CPU time of one process and of those children that have ended: a backend
// that goes while its server is measured would take its time with it.
func used(pid int) time.Duration {
	f := stat(pid)
	if f == nil {
		return 0
	}
	var ticks int64
	for _, field := range f[11:15] { // utime, stime, cutime, cstime (proc_pid_stat(5))
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * tick
}

// tree maps each process to its children.
func tree() map[int][]int {
	children := map[int][]int{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		pid, err := strconv.Atoi(filepath.Base(d))
		if f := stat(pid); err == nil && f != nil {
			parent, _ := strconv.Atoi(f[1])
			children[parent] = append(children[parent], pid)
		}
	}
	return children
}

// stat returns the fields of /proc/PID/stat after the command's name: state, parent
// and so on.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, after, ok := strings.Cut(string(text), ") ")
	if !ok {
		return nil
	}
	return strings.Fields(after)
}

// resident is the memory a process holds, in bytes.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(text))
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
