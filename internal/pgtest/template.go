package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/internal/pg"
	"handover/internal/pg/cluster"
)

// maker makes and drops databases, as superuser. There is one for each test binary.
type maker struct {
	server server
	admin  *pgxpool.Pool
	one    sync.Mutex // held while a database is dropped: one at a time leaves connections for those who wait
}

// templateLock is the advisory lock under which a template is made: "template".
const templateLock = 0x74656d706c617465

// newMaker joins the server and makes the login and the roles if nobody has.
func newMaker() (*maker, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*startTime)
	defer cancel()
	s, err := join(ctx, "", linger)
	if err != nil {
		return nil, err
	}
	admin, err := pgxpool.New(ctx, s.url(cluster.Superuser, "postgres"))
	if err != nil {
		return nil, fmt.Errorf("connecting to the test server: %w", err)
	}
	m := &maker{server: s, admin: admin}
	return m, m.locked(ctx, func(conn *pgx.Conn) error { return pg.CreateLogin(ctx, conn) })
}

// locked runs f while no other test binary runs one.
func (m *maker) locked(ctx context.Context, f func(*pgx.Conn) error) error {
	return m.admin.AcquireFunc(ctx, func(c *pgxpool.Conn) error {
		if _, err := c.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(templateLock)); err != nil {
			return fmt.Errorf("locking the test server: %w", err)
		}
		err := f(c.Conn())
		_, unlockErr := c.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(templateLock))
		return errors.Join(err, unlockErr)
	})
}

// template returns the name of a database with the migrations of this test binary in
// it. It gets its name only when it is complete, and nobody can connect to it then: a
// session in the template would make each clone wait and fail.
func (m *maker) template(ctx context.Context) (string, error) {
	version, err := pg.Fingerprint()
	if err != nil {
		return "", err
	}
	name := "template_" + version
	return name, m.locked(ctx, func(conn *pgx.Conn) error {
		var there bool
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there)
		if err != nil || there {
			return err
		}
		draft, err := m.create(ctx, "template0")
		if err != nil {
			return err
		}
		if err := pg.Migrate(ctx, m.server.url(pg.Login, draft)); err != nil {
			return errors.Join(err, m.drop(draft))
		}
		for _, statement := range []string{
			"ALTER DATABASE " + draft + " ALLOW_CONNECTIONS false",
			"ALTER DATABASE " + draft + " RENAME TO " + name,
		} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("finishing the template: %w", errors.Join(err, m.drop(draft)))
			}
		}
		return nil
	})
}

// create makes a database with a name of its own from a template.
func (m *maker) create(ctx context.Context, template string) (string, error) {
	const attempts = 5
	name := "test_" + strings.ToLower(rand.Text())
	statement := "CREATE DATABASE " + name + " OWNER " + pg.Login + " TEMPLATE " + template + " STRATEGY wal_log"
	for i := 1; ; i++ {
		_, err := m.admin.Exec(ctx, statement)
		if err == nil {
			return name, nil
		}
		// PostgreSQL itself waits five seconds for a stray session in the template.
		if refused, ok := errors.AsType[*pgconn.PgError](err); !ok || refused.Code != objectInUse || i == attempts {
			return "", fmt.Errorf("creating a test database: %w", err)
		}
	}
}

// objectInUse is the SQLSTATE of a template that somebody is connected to.
const objectInUse = "55006"

// drop removes a database and whoever is connected to it. Were they all kept until the
// server goes, a long run would fill the disk: each takes some 8 MB.
func (m *maker) drop(name string) error {
	m.one.Lock()
	defer m.one.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := m.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("dropping a test database: %w", err)
	}
	return nil
}
