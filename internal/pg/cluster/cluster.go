//go:build linux

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Superuser is the login that initdb makes.
const Superuser = "postgres"

// Port is the number in the socket's name; nothing listens on the network.
const Port = "5432"

// LongestSocketDir is how long a socket's folder may be: the kernel's address of a
// Unix socket holds 107 bytes, and the file name takes these.
const LongestSocketDir = 107 - len("/.s.PGSQL."+Port)

// Cluster is one data directory, and what its server is run with.
type Cluster struct {
	Binaries Binaries
	Account  Account
	Folder   string   // holds data and server.log; belongs to the account, mode 0700
	Socket   string   // folder of the socket, private to the account: whoever reaches it is trusted
	Settings []string // name=value, stronger than any file in the data directory
}

// Data is the data directory.
func (c Cluster) Data() string { return filepath.Join(c.Folder, "data") }

// Log is the file that the server writes its messages to.
func (c Cluster) Log() string { return filepath.Join(c.Folder, "server.log") }

// Command is the server's command line. The settings keep it off the network, and keep
// what people send us out of its log: no statements, no parameters, and no DETAIL,
// which quotes the row that was refused.
func (c Cluster) Command() []string {
	args := []string{filepath.Join(c.Binaries.Dir, "postgres"), "-D", c.Data()}
	fixed := []string{
		"listen_addresses=", "port=" + Port,
		"unix_socket_directories=" + c.Socket, "unix_socket_permissions=0700",
		"logging_collector=off", "log_destination=stderr", "lc_messages=C",
		"log_timezone=UTC", "timezone=UTC", "log_line_prefix=%m [%p] ",
		"log_error_verbosity=terse", "log_min_error_statement=panic", "log_statement=none",
		"log_min_duration_statement=-1", "log_parameter_max_length=0", "log_parameter_max_length_on_error=0",
	}
	for _, setting := range append(fixed, c.Settings...) {
		args = append(args, "-c", setting)
	}
	return args
}

// Version returns the major version that wrote the data directory, or 0 when there is
// none yet.
func (c Cluster) Version() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.Data(), "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(c.Data()); err == nil {
			return 0, fmt.Errorf("%s is not a PostgreSQL data directory: move it away, or choose another HUB_DIR", c.Data())
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the version of the data directory: %w", err)
	}
	major, err := leadingNumber(string(text))
	if err != nil {
		return 0, fmt.Errorf("reading the version of the data directory: %w", err)
	}
	return major, nil
}

// Init makes the data directory, with the lines of conf at the end of its
// postgresql.conf. Until all of it is there and on disk it has another name, so that
// an initdb that was killed leaves nothing that looks like data.
func (c Cluster) Init(ctx context.Context, conf string, options ...string) error {
	unfinished := c.Data() + ".init"
	if err := os.RemoveAll(unfinished); err != nil {
		return fmt.Errorf("removing an unfinished data directory: %w", err)
	}
	args := append([]string{
		"--pgdata", unfinished, "--username", Superuser,
		"--encoding", "UTF8", "--locale", "C.UTF-8", "--lc-messages", "C",
		"--data-checksums", "--no-instructions",
		// No password: the socket's folder lets in the server's account and root,
		// and both could read the files themselves. The network is refused twice.
		"--auth-local", "trust", "--auth-host", "reject",
	}, options...)
	if err := c.initdb(ctx, args); err != nil {
		return err
	}
	if err := appendTo(filepath.Join(unfinished, "postgresql.conf"), conf); err != nil {
		return fmt.Errorf("writing postgresql.conf: %w", err)
	}
	if err := os.Rename(unfinished, c.Data()); err != nil {
		return fmt.Errorf("naming the data directory: %w", err)
	}
	return SyncDir(c.Folder)
}

// initdb runs the program and keeps the end of what it says for the error.
func (c Cluster) initdb(ctx context.Context, args []string) error {
	cmd := c.Account.command(ctx, c.Folder, filepath.Join(c.Binaries.Dir, "initdb"), args...)
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT // it cleans up after itself
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	failed := make(chan error, 1)
	onOwnThread(func() { failed <- cmd.Run() })
	if err := <-failed; err != nil {
		return fmt.Errorf("creating the data directory: %w: %s", errors.Join(err, ctx.Err()), tail(said.Bytes()))
	}
	return nil
}

// appendTo writes text at the end of the file and has it on disk.
func appendTo(path, text string) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	return f.Sync()
}

// SyncDir has the names in a folder on disk.
func SyncDir(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening a folder to sync it: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("syncing a folder: %w", err)
	}
	return nil
}

// tail returns the last few lines of what a program said, on one line.
func tail(said []byte) string {
	const most = 6
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	if len(lines) > most {
		lines = lines[len(lines)-most:]
	}
	return strings.Join(lines, " | ")
}
