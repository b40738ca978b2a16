package pgtest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"handover/internal/pg"
	"handover/internal/pg/cluster"
)

// shared is this test binary's one connection to the server: tests have no place to
// hand it from one to the next.
var shared = sync.OnceValues(newMaker)

// migrated is the name of the migrated template, or why the migrations fail.
var migrated = sync.OnceValues(func() (string, error) {
	m, err := shared()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	return m.template(ctx)
})

const (
	hubPool   = 8 // connections of each pool of a DB
	logPool   = 5
	ownerPool = 4
	closeTime = 20 * time.Second // for a test to give its connections back
)

// DB is a database that belongs to one test, with a pool in each role.
type DB struct {
	URL   string // as the login that owns the schema
	Hub   *pgxpool.Pool
	Log   *pgxpool.Pool
	Owner *pgxpool.Pool
}

// New returns a migrated, empty database for t, in about a twentieth of a second. Tests
// may call it in parallel. When t ends, the pools are closed and the database is
// dropped; a connection that t has not given back by then fails it.
//
// The server is not durable: what a crash leaves is tested with pg.StartBuiltIn in a
// folder from Dir.
func New(t testing.TB) *DB {
	t.Helper()
	name, err := migrated()
	if err != nil {
		t.Fatalf("preparing the test databases: %v", err)
	}
	db := &DB{URL: database(t, name)}
	db.Hub = open(t, db.URL, pg.RoleHub, hubPool)
	db.Log = open(t, db.URL, pg.RoleLog, logPool)
	db.Owner = open(t, db.URL, "", ownerPool)
	return db
}

// Empty returns the URL of a database for t in which no migration has run.
func Empty(t testing.TB) string {
	t.Helper()
	return database(t, "template0")
}

// Dir returns a folder for a built-in server of t's own: short enough for a socket,
// and open to the account that the server runs as when the tests run as root, both of
// which t.TempDir is not. It is removed with t, once a server that is still shutting
// down in it has ended.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "handover-")
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatalf("making a folder: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		if _, err := cluster.AwaitFree(ctx, filepath.Join(dir, "postgres", "data")); err != nil {
			t.Errorf("a server was left running: %v", err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("removing a folder: %v", err)
		}
	})
	return dir
}

// database creates one from a template, to be dropped when t ends, and returns its URL.
func database(t testing.TB, template string) string {
	t.Helper()
	m, err := shared()
	if err != nil {
		t.Fatalf("starting the test server: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	name, err := m.create(ctx, template)
	if err != nil {
		t.Fatal(err)
	}
	// Nobody waits for it, since PostgreSQL takes a tenth of a second to see that the last
	// session has ended; what is not dropped in time goes with the server.
	t.Cleanup(func() { go func() { _ = m.drop(name) }() })
	return m.server.url(pg.Login, name)
}

// open opens a pool that t gives back.
func open(t testing.TB, url, role string, most int32) *pgxpool.Pool {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	pool, err := pg.Open(ctx, url, role, most)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() {
			pool.Close() // waits for every connection in use
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(closeTime):
			t.Errorf("the test ended with a connection of a pool still in use (role %q)", role)
		}
	})
	return pool
}
