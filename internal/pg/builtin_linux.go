package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/internal/pg/cluster"
)

// Login is the account of the database that the built-in server gives the hub. It owns
// the database and nothing else: were it a superuser, a single injected statement
// could run programs on the machine.
const Login = "handover"

// database is the name of the hub's database in the built-in server.
const database = "handover"

// ErrNoBinaries says that this machine has no PostgreSQL server, and how to get one.
var ErrNoBinaries = cluster.ErrNoBinaries

// ErrInUse says that another hub runs on the same folder.
var ErrInUse = errors.New("another hub is using this folder: stop it first, or give this one a folder of its own with HUB_DIR")

// durable are the settings that "nothing accepted is ever lost" rests on. They go on
// the command line, where no edit of postgresql.conf can weaken them.
func durable() []string {
	return []string{"fsync=on", "synchronous_commit=on", "full_page_writes=on", "zero_damaged_pages=off"}
}

// sizes is what the operator of a larger machine may change, in postgresql.conf.
const sizes = `
# Sizes for one hub on one machine. These may be changed; what durability and privacy
# rest on is given on the command line and may not.
shared_buffers = 256MB
max_connections = 200
max_wal_size = 2GB
jit = off
update_process_title = off
`

// BuiltIn is a private PostgreSQL server that runs while this process does.
type BuiltIn struct {
	server *cluster.Server
	url    string
	done   chan struct{}
}

// StartBuiltIn starts a private PostgreSQL server whose files are in dir/postgres, and
// returns when it takes connections and has the hub's database. The first start
// creates the data directory; later ones pick it up, and recover it when hub, server
// or machine went down in between. It is reached through a Unix socket that only this
// machine's server account and root can open, and at the same URL after each restart.
//
// One dir belongs to one process: a second one gets ErrInUse. Data that another major
// version wrote are refused and left as they are. ctx bounds the start, not the life
// of the server: that ends with Stop, or with this process, even when it is killed.
//
// Run by root, the server gives up root's rights for the account postgres, or nobody.
// If dir is root's alone (0700), that account's group may pass through it (0710). If
// a folder above dir is closed to it, as /root is, the files are kept under
// /var/lib/handover, and dir/postgres is a link to them.
func StartBuiltIn(ctx context.Context, dir string, log *slog.Logger) (_ *BuiltIn, err error) {
	dir, err = makeDir(dir)
	if err != nil {
		return nil, err
	}
	unlock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			unlock()
		}
	}()
	c, err := prepare(ctx, dir, log)
	if err != nil {
		return nil, err
	}
	server, err := c.Start(ctx)
	if errors.Is(err, cluster.ErrOccupied) {
		return nil, fmt.Errorf("%w (%w)", ErrInUse, err)
	}
	if err != nil {
		return nil, err
	}
	if err := furnish(ctx, c.Socket); err != nil {
		return nil, errors.Join(err, server.Stop())
	}
	b := &BuiltIn{server: server, url: address(c.Socket, Login, database), done: make(chan struct{})}
	go func() {
		<-server.Done()
		unlock() // before anybody learns of the end, so that she can start again at once
		close(b.done)
	}()
	log.InfoContext(ctx, "built-in PostgreSQL is ready", "pid", server.Pid(), "version", c.Binaries.Major,
		"folder", c.Folder, "account", c.Account.Name)
	return b, nil
}

// URL is the address of the hub's database.
func (b *BuiltIn) URL() string { return b.url }

// Pid is the number of the server's first process.
func (b *BuiltIn) Pid() int { return b.server.Pid() }

// Done is closed when the server has ended, whoever ended it. StartBuiltIn may then be
// called again for the same folder.
func (b *BuiltIn) Done() <-chan struct{} { return b.done }

// Err returns why the server ended: nil while it runs and after an orderly Stop.
func (b *BuiltIn) Err() error { return b.server.Err() }

// Stop disconnects every client, writes everything out and returns when the server has
// ended. Stopping again returns the same.
func (b *BuiltIn) Stop() error {
	err := b.server.Stop()
	<-b.done
	return err
}

// prepare finds the server's binaries and its files, and creates the data directory if
// there is none.
func prepare(ctx context.Context, dir string, log *slog.Logger) (cluster.Cluster, error) {
	c, err := place(ctx, dir, log)
	if err != nil {
		return c, err
	}
	c.Settings = durable()
	c.Socket, err = socketDir(c)
	if err != nil {
		return c, err
	}
	written, err := c.Version()
	if err != nil || written != 0 {
		return c, err
	}
	log.InfoContext(ctx, "creating a database for the built-in PostgreSQL", "folder", c.Folder)
	// Were the way to the data lost in a power cut, the next start would begin an empty
	// database beside them.
	if err := errors.Join(cluster.SyncDir(dir), cluster.SyncDir(filepath.Dir(c.Folder))); err != nil {
		return c, err
	}
	return c, c.Init(ctx, sizes)
}

// pick chooses the binaries for data written by a major version, 0 for none yet.
func pick(found []cluster.Binaries, written int, data string) (cluster.Binaries, error) {
	for _, b := range found {
		if written == 0 || b.Major == written {
			return b, nil
		}
	}
	first := found[0]
	return first, fmt.Errorf("the data in %s were written by PostgreSQL %d, and the server in %s is PostgreSQL %d: "+
		"install PostgreSQL %d and name its bin folder in HUB_PG_BIN, or upgrade the data with pg_upgrade; nothing was changed",
		data, written, first.Dir, first.Major, written)
}

// furnish makes the login, the roles and the hub's database, those that are missing.
func furnish(ctx context.Context, socket string) (err error) {
	conn, err := pgx.Connect(ctx, address(socket, cluster.Superuser, "postgres"))
	if err != nil {
		return fmt.Errorf("connecting to the built-in PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if err := CreateLogin(ctx, conn); err != nil {
		return err
	}
	var there bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&there)
	if err != nil || there {
		return err
	}
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+database+" OWNER "+Login); err != nil {
		return fmt.Errorf("creating the hub's database: %w", err)
	}
	return nil
}

// CreateLogin makes, as superuser, the login and the two roles it is a member of. So
// the login needs no CREATEROLE, which up to PostgreSQL 15 is next to being superuser.
func CreateLogin(ctx context.Context, superuser *pgx.Conn) error {
	_, err := superuser.Exec(ctx, `
		DO $$
		BEGIN
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '`+RoleHub+`') THEN
				CREATE ROLE `+RoleHub+` NOLOGIN;
			END IF;
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '`+RoleLog+`') THEN
				CREATE ROLE `+RoleLog+` NOLOGIN;
			END IF;
			IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '`+Login+`') THEN
				CREATE ROLE `+Login+` LOGIN IN ROLE `+RoleHub+`, `+RoleLog+`;
			END IF;
		END
		$$`)
	if err != nil {
		return fmt.Errorf("creating the hub's login: %w", err)
	}
	return nil
}

// address is the URL of a database behind a socket.
func address(socket, login, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(login), Path: "/" + database,
		RawQuery: url.Values{"host": {socket}, "port": {cluster.Port}, "sslmode": {"disable"}}.Encode()}
	return u.String()
}

const (
	lockTries = 20
	lockPause = 50 * time.Millisecond
)

// lockDir makes this process the only one on dir. The kernel releases the lock with
// the process, so none is ever stale.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "postgres.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the hub's folder: %w", err)
	}
	// Whoever gave the lock back may have been starting another program: until that has
	// begun, it holds a copy of our file and so the lock. A real neighbour stays.
	for range lockTries {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
			break
		}
		time.Sleep(lockPause)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, err), f.Close())
	}
	return func() { _ = f.Close() }, nil
}
