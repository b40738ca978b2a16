//go:build linux

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	patience     = 30 * time.Second // for a predecessor to end
	fastStop     = 60 * time.Second // for a server to stop in good order
	hardStop     = 10 * time.Second // for it to stop without a checkpoint
	longestLog   = 16 << 20         // a log longer than this is set aside at the next start
	retryLatency = 100 * time.Millisecond
)

// Server is a running server. It dies with this process.
type Server struct {
	cmd      *exec.Cmd
	asked    atomic.Bool // Stop was called
	done     chan struct{}
	err      error // set before done is closed
	log      string
	logStart int64
}

// Start runs the server on the data directory and returns when it takes connections,
// which after a crash is when it has recovered. ctx bounds the start only.
func (c Cluster) Start(ctx context.Context) (*Server, error) {
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		namesake, err := AwaitFree(wait, c.Data())
		if err != nil {
			return nil, err
		}
		s, err := c.launch(namesake)
		if err != nil {
			return nil, err
		}
		err = s.awaitReady(ctx, c.Data())
		if err == nil {
			return s, nil
		}
		if stopErr := s.Stop(); !errors.Is(err, ErrOccupied) {
			return nil, errors.Join(err, stopErr)
		}
		// The predecessor's own processes may outlive it for a moment.
		select {
		case <-time.After(retryLatency):
		case <-wait.Done():
			return nil, err
		}
	}
}

// launch starts the process. Its number's namesake, if any, is passed off as an
// ancestor: PostgreSQL then knows that this process is not the one its old
// postmaster.pid speaks of, and still checks whether the old shared memory is in use.
func (c Cluster) launch(namesake int) (*Server, error) {
	log, at, err := c.openLog()
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	argv := c.Command()
	// Not bound to a context: the server ends by Stop, or with this process.
	cmd := c.Account.command(context.Background(), c.Folder, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if namesake != 0 {
		cmd.Env = append(cmd.Env, "PG_GRANDPARENT_PID="+strconv.Itoa(namesake))
	}
	// Its own process group: Ctrl-C in a terminal is for the hub, which first answers
	// those who wait and then stops the server.
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT // a fast shutdown, should we be killed

	s := &Server{cmd: cmd, done: make(chan struct{}), log: log.Name(), logStart: at}
	started := make(chan error, 1)
	onOwnThread(func() {
		err := cmd.Start()
		started <- err
		if err == nil {
			s.ended(cmd.Wait())
		}
	})
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting PostgreSQL: %w", err)
	}
	return s, nil
}

// onOwnThread runs f on a thread that does nothing else and lasts until f returns.
// The kernel ties a child's death signal to the thread that made it, not to the
// process: on a thread of the pool, the server would be shut down whenever Go
// retires that thread.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread()
		f()
	}()
}

// openLog opens the log for appending and tells where this run begins.
func (c Cluster) openLog() (*os.File, int64, error) {
	if info, err := os.Stat(c.Log()); err == nil && info.Size() > longestLog {
		if err := os.Rename(c.Log(), c.Log()+".1"); err != nil {
			return nil, 0, fmt.Errorf("setting the server's log aside: %w", err)
		}
	}
	f, err := os.OpenFile(c.Log(), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, fmt.Errorf("opening the server's log: %w", err)
	}
	at, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		err = c.Account.Own(c.Log())
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("opening the server's log: %w", err), f.Close())
	}
	return f, at, nil
}

// awaitReady returns nil when the server takes connections, or why it does not.
func (s *Server) awaitReady(ctx context.Context, data string) error {
	look := time.NewTicker(glance)
	defer look.Stop()
	for {
		if state := readPidFile(data); state.ready && state.pid == s.Pid() {
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for PostgreSQL to start: %w", ctx.Err())
		case <-s.done:
			return s.refusal()
		}
	}
}

// refusal explains, from the server's own words, why it ended before it was ready.
func (s *Server) refusal() error {
	said, err := since(s.log, s.logStart)
	if err != nil {
		return err
	}
	for _, sign := range []string{`lock file "postmaster.pid" already exists`, "pre-existing shared memory block", "is still in use"} {
		if bytes.Contains(said, []byte(sign)) {
			return fmt.Errorf("%w: %s", ErrOccupied, tail(said))
		}
	}
	return fmt.Errorf("PostgreSQL did not start (its log is %s): %s", s.log, tail(said))
}

// since reads what a log says from a place on.
func since(path string, at int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the server's log: %w", err)
	}
	defer func() { _ = f.Close() }()
	said, err := io.ReadAll(io.NewSectionReader(f, at, longestLog))
	if err != nil {
		return nil, fmt.Errorf("reading the server's log: %w", err)
	}
	return said, nil
}

// ended records how the process ended.
func (s *Server) ended(err error) {
	switch {
	case err != nil:
		s.err = fmt.Errorf("PostgreSQL (process %d) ended: %w", s.Pid(), err)
	case !s.asked.Load():
		s.err = fmt.Errorf("PostgreSQL (process %d) was shut down by someone else", s.Pid())
	}
	close(s.done)
}

// Pid is the number of the server's first process.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// Done is closed when the server has ended, whoever ended it.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err returns why the server ended, or nil while it runs and after an orderly Stop.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop ends the server and returns when it has ended: its clients are disconnected and
// everything is written. One that does not end is made to, which loses nothing that
// was committed: the next start recovers it.
func (s *Server) Stop() error {
	s.asked.Store(true)
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, fastStop}, {syscall.SIGQUIT, hardStop}, {syscall.SIGKILL, hardStop}} {
		if err := s.cmd.Process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stopping PostgreSQL: %w", err)
		}
		select {
		case <-s.done:
			return s.err
		case <-time.After(step.wait):
		}
	}
	return fmt.Errorf("stopping PostgreSQL: process %d does not end", s.Pid())
}
