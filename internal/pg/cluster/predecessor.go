//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrOccupied says that a server still runs on the data directory.
var ErrOccupied = errors.New("a PostgreSQL server still runs on this data directory")

// glance is the time between two looks at a file or a process.
const glance = 10 * time.Millisecond

// pidFile is what a server writes about itself into its data directory.
type pidFile struct {
	pid   int
	ready bool
}

// readPidFile reads postmaster.pid; a missing or half-written one is the zero value.
// Its lines are the process, the data directory, the start time, the port, the
// socket's folder, the address, the shared memory key and the state.
func readPidFile(data string) pidFile {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return pidFile{}
	}
	lines := strings.Split(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil {
		return pidFile{}
	}
	if pid < 0 { // a server without postmaster writes its number negated
		pid = -pid
	}
	return pidFile{pid: pid, ready: len(lines) > 7 && strings.TrimSpace(lines[7]) == "ready"}
}

// AwaitFree returns when no server runs on the data directory, or ErrOccupied when ctx
// ends first. A hub that was killed leaves a server that is shutting down; its
// postmaster.pid is never removed by us, because that file is what keeps two servers
// from writing one set of files.
//
// namesake is not 0 when postmaster.pid was left by a server that was killed and its
// number now belongs to some other process, as happens after each start of a container.
func AwaitFree(ctx context.Context, data string) (namesake int, err error) {
	look := time.NewTicker(glance)
	defer look.Stop()
	for {
		pid := readPidFile(data).pid
		if pid == 0 || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return 0, nil
		}
		if !serves(pid, data) {
			return pid, nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("%w (process %d)", ErrOccupied, pid)
		}
	}
}

// End shuts down, without a checkpoint, a server that somebody left running on the data
// directory, and returns when it has ended.
func End(ctx context.Context, data string) error {
	pid := readPidFile(data).pid
	if pid == 0 || !serves(pid, data) {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("ending a server: %w", err)
	}
	_, err := AwaitFree(ctx, data)
	return err
}

// Ready reports whether a server on the data directory takes connections.
func (c Cluster) Ready() bool { return readPidFile(c.Data()).ready }

// serves reports whether process pid may be a server on the data directory.
func serves(pid int, data string) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return liveServer(string(stat)) && (cwd == data || errors.Is(err, fs.ErrPermission))
}

// liveServer reports whether stat, of the form "4711 (postgres) S …", is that of a live
// process named postgres. A dead one whose exit nobody has asked for is still listed,
// and a container's root may not see in which folder any process works, so the name
// and the state have to be asked for too.
func liveServer(stat string) bool {
	end := strings.LastIndex(stat, ") ") // the name itself may hold anything
	if end < 0 || !strings.HasSuffix(stat[:end], " (postgres") {
		return false
	}
	state := stat[end+len(") "):]
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}
