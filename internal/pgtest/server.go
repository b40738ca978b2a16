package pgtest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"handover/internal/pg/cluster"
)

//go:embed keeper.sh
var keeper string

const (
	linger    = 5 * time.Second  // how long the server outlives its last user
	startTime = 60 * time.Second // for the server to be there, on a busy machine
	glance    = 10 * time.Millisecond
)

// server is this process's share in the running server. It keeps the FIFO open for as
// long as the process lives, and the kernel closes it.
type server struct {
	socket string
	fifo   int
}

// url is the address of a database of the server.
func (s server) url(login, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(login), Path: "/" + database,
		RawQuery: url.Values{"host": {s.socket}, "port": {cluster.Port}, "sslmode": {"disable"}}.Encode()}
	return u.String()
}

// join finds the running server or starts one that outlives its last user by linger.
// Its files are under parent, or a temporary folder if that is empty.
func join(ctx context.Context, parent string, linger time.Duration) (server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	account, err := cluster.Choose("")
	if err != nil {
		return server{}, err
	}
	found, err := cluster.Find(ctx, account)
	if err != nil {
		return server{}, err
	}
	if parent == "" {
		parent, err = parentFor(ctx, account, found[0])
		if err != nil {
			return server{}, err
		}
	}
	base := filepath.Join(parent, fmt.Sprintf("handover-pgtest-%d-%d", os.Getuid(), found[0].Major))
	unlock, err := lockBase(ctx, base, account)
	if err != nil {
		return server{}, err
	}
	defer unlock()
	entries, err := os.ReadDir(base)
	if err != nil {
		return server{}, fmt.Errorf("looking for a test server: %w", err)
	}
	for _, e := range entries {
		folder := filepath.Join(base, e.Name())
		if fifo, err := enter(filepath.Join(folder, "join")); err == nil {
			return server{socket: folder, fifo: fifo}, nil
		}
		if err := sweep(ctx, folder); err != nil {
			return server{}, err
		}
	}
	return start(ctx, base, account, found[0], linger)
}

// enter opens the writing end of a FIFO that a keeper reads and leaves the byte that
// says so. It fails at once when there is no keeper.
func enter(fifo string) (int, error) {
	fd, err := syscall.Open(fifo, syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if _, err := syscall.Write(fd, []byte{'.'}); err != nil {
		return -1, errors.Join(err, syscall.Close(fd))
	}
	return fd, nil
}

// sweep removes what a killed keeper left, its server included. A keeper that lives is
// left to end its server itself.
func sweep(ctx context.Context, folder string) error {
	fd, err := syscall.Open(filepath.Join(folder, "gone"), syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err == nil {
		return syscall.Close(fd)
	}
	if err := cluster.End(ctx, filepath.Join(folder, "data")); err != nil {
		return fmt.Errorf("ending an abandoned test server: %w", err)
	}
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("removing an abandoned test server: %w", err)
	}
	return nil
}

// start makes a new cluster in base, hands it to a keeper and waits until it answers.
func start(ctx context.Context, base string, account cluster.Account, bin cluster.Binaries, linger time.Duration) (server, error) {
	folder, err := os.MkdirTemp(base, "")
	if err != nil {
		return server{}, fmt.Errorf("making a folder for a test server: %w", err)
	}
	if err := account.Own(folder); err != nil {
		return server{}, err
	}
	c := cluster.Cluster{Binaries: bin, Account: account, Folder: folder, Socket: folder, Settings: volatile()}
	if err := c.Init(ctx, "", "--no-sync"); err != nil {
		return server{}, err
	}
	fifo, err := hire(c, linger)
	if err != nil {
		return server{}, err
	}
	look := time.NewTicker(glance)
	defer look.Stop()
	for !c.Ready() {
		select {
		case <-look.C:
		case <-ctx.Done():
			said, _ := os.ReadFile(c.Log())
			return server{}, fmt.Errorf("waiting for a test server: %w: %s", ctx.Err(), said)
		}
	}
	return server{socket: folder, fifo: fifo}, nil
}

// volatile are settings for speed that would lose data in a crash, and room for many
// tests at once.
func volatile() []string {
	return []string{
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off",
		"shared_buffers=128MB", "max_connections=500", "jit=off",
	}
}

// hire starts the keeper, and through it the server, and returns the writing end of
// the FIFO. The keeper is in a session of its own: neither Ctrl-C nor a killed process
// group reaches it, only the end of its users. It holds none of our output open, for
// which `go test` would wait.
func hire(c cluster.Cluster, linger time.Duration) (fifo int, err error) {
	path := filepath.Join(c.Folder, "join")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		return -1, fmt.Errorf("making a FIFO: %w", err)
	}
	// Open for both, which never waits, and then each end by itself.
	both, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening a FIFO: %w", err)
	}
	defer func() { err = errors.Join(err, syscall.Close(both)) }()
	reading, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("opening a FIFO: %w", err)
	}
	end := os.NewFile(uintptr(reading), path)
	defer func() { err = errors.Join(err, end.Close()) }()
	if fifo, err = enter(path); err != nil {
		return -1, fmt.Errorf("opening a FIFO: %w", err)
	}
	seconds := strconv.Itoa(int(linger.Seconds()))
	cmd := exec.Command("/bin/sh", append([]string{"-c", keeper, "keeper", c.Folder, seconds}, c.Command()...)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.ExtraFiles = []*os.File{end}
	cmd.SysProcAttr = c.Account.Attributes()
	cmd.SysProcAttr.Setsid = true
	if err := cmd.Start(); err != nil {
		return -1, fmt.Errorf("starting the keeper: %w", err)
	}
	return fifo, cmd.Process.Release()
}

// lockBase makes the folder of all test servers of this user and version, if need be,
// and keeps other test binaries from looking into it until unlock.
func lockBase(ctx context.Context, base string, account cluster.Account) (unlock func(), err error) {
	look := time.NewTicker(glance)
	defer look.Stop()
	for {
		unlock, err := tryLock(base, account)
		if err != nil || unlock != nil {
			return unlock, err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another test binary to start the server: %w", ctx.Err())
		}
	}
}

// tryLock makes the folder and locks it; a nil unlock means to try again. The last
// keeper removes the folder, so the one that is locked may be gone from its path.
func tryLock(base string, account cluster.Account) (unlock func(), err error) {
	if err := os.Mkdir(base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the folder of the test servers: %w", err)
	}
	f, err := os.OpenFile(base, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the folder of the test servers: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = nil
		}
		return nil, errors.Join(err, f.Close())
	}
	locked, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	now, err := os.Lstat(base)
	if err != nil || !os.SameFile(locked, now) {
		return nil, f.Close()
	}
	// In a folder for everybody, somebody else could have made it first.
	owner, ok := locked.Sys().(*syscall.Stat_t)
	if !ok || locked.Mode().Perm() != 0o700 || owner.Uid != account.UID && int(owner.Uid) != os.Geteuid() {
		return nil, errors.Join(fmt.Errorf("%s is not a private folder of the account %s: remove it", base, account.Name), f.Close())
	}
	if err := account.Own(base); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// parentFor returns a temporary folder that the server's account can reach and whose
// path is short enough for a socket.
func parentFor(ctx context.Context, account cluster.Account, bin cluster.Binaries) (string, error) {
	const ours = len("/handover-pgtest-4294967295-99/4294967295")
	dir, err := filepath.EvalSymlinks(os.TempDir())
	if err != nil || len(dir)+ours > cluster.LongestSocketDir {
		return "/tmp", nil
	}
	reached, err := account.Reaches(ctx, bin, dir)
	if err == nil && !reached {
		dir = "/tmp"
	}
	return dir, err
}
