package pg

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrNewerSchema says that a newer hub has migrated the database already.
var ErrNewerSchema = errors.New("the database was migrated by a newer hub: start that version, or restore the backup made before the upgrade")

const (
	migrationLock = 0x68616e646f766572    // the advisory lock's number: "handover"
	migrationWait = 50 * time.Millisecond // between two attempts to take it
	migrationHold = "30s"                 // a migration waits no longer for a table that a running hub has locked
	migrationName = "handover-migrate"    // application_name, to be recognised in pg_stat_activity
)

// Migrate brings the schema at url up to date, each migration in a transaction of its
// own. The login must own the database. Several hubs may start at once: they take
// turns under an advisory lock, which the server releases if its holder dies. A
// database that knows migrations this hub does not is refused with ErrNewerSchema, so
// that an old hub cannot write what a newer schema means otherwise.
func Migrate(ctx context.Context, url string) (err error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return fmt.Errorf("reading the database address: %w", err)
	}
	cfg.RuntimeParams["application_name"] = migrationName
	cfg.RuntimeParams["timezone"] = "UTC"
	cfg.RuntimeParams["lock_timeout"] = migrationHold
	db := stdlib.OpenDB(*cfg)
	defer func() { err = errors.Join(err, db.Close()) }()

	unlock, err := lockMigrations(ctx, db)
	if err != nil {
		return fmt.Errorf("waiting for another hub's migration: %w", err)
	}
	defer unlock()

	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	have, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	if have > known {
		return fmt.Errorf("%w (the schema is at %d, this hub knows %d)", ErrNewerSchema, have, known)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	return nil
}

// lockMigrations waits for its turn and returns what ends it. It asks again and again
// rather than waiting inside one statement, whose snapshot would block a CREATE INDEX
// CONCURRENTLY of the hub that migrates. It stands around goose rather than inside
// it, because goose makes its version table before it takes a lock.
func lockMigrations(ctx context.Context, db *sql.DB) (unlock func(), err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	turn := time.NewTicker(migrationWait)
	defer turn.Stop()
	for {
		var mine bool
		err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(migrationLock)).Scan(&mine)
		if err == nil && mine {
			// Closing the pool ends the session, and the lock with it.
			return func() { _ = conn.Close() }, nil
		}
		if err == nil {
			select {
			case <-turn.C:
				continue
			case <-ctx.Done():
				err = ctx.Err()
			}
		}
		return nil, errors.Join(err, conn.Close())
	}
}

// Fingerprint returns 12 hexadecimal digits that change whenever a migration does.
func Fingerprint() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(migrations, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := migrations.ReadFile(path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(sum, "%s\x00%d\x00%s", path, len(text), text)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("reading the migrations: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)[:6]), nil
}
