package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The roles a connection can work in. Both own nothing (00001_roles.sql); the empty
// role is the login itself, which owns the schema.
const (
	RoleHub = "handover_hub" // serves requests; row-level security binds it to one partner
	RoleLog = "handover_log" // the log's sequencer: only it writes leaves, tiles and checkpoints
)

const (
	connectTimeout = 5 * time.Second // to reach the server, when the address names no other
	endTimeout     = 5 * time.Second // to commit or roll back, whatever became of the caller
)

// session is what every pooled connection is set to, whatever the address says.
// A transaction left idle holds locks and stops vacuum, and a lock waited for too
// long holds a connection that others need: the server ends both.
func session() map[string]string {
	return map[string]string{
		"application_name":                    "handover",
		"timezone":                            "UTC",
		"idle_in_transaction_session_timeout": "10s",
		"statement_timeout":                   "15s",
		"lock_timeout":                        "5s",
		// What a statement reads must be what was committed before it got its locks: with one
		// snapshot for the whole transaction it would decide on what others have changed since.
		"default_transaction_isolation": "read committed",
		// Statements are prepared once and reach their rows by key whatever the values, so one
		// plan serves them all. Left to itself the server plans those with array parameters
		// anew each time, which cost more than running them.
		"plan_cache_mode": "force_generic_plan",
		// Temporary tables come last, so that none can stand in for a real one.
		"search_path": "public, pg_temp",
	}
}

// Open returns a pool of at most max connections to the database at url, and has
// reached it once. Every connection works as role, or as the login itself when role is
// empty.
//
// The role is a startup parameter, so it is what RESET ROLE and DISCARD ALL return to;
// each new connection is asked whether it took effect, because a pooler in between
// that drops the parameter would leave the owner's rights and no row-level security.
// It holds against mistakes and against a statement that goes astray, not against
// someone who can run statements of her own (SET ROLE NONE goes back to the login):
// the login is therefore never a superuser of the built-in server.
func Open(ctx context.Context, url string, role string, max int32) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("reading the database address: %w", err)
	}
	if max > 0 {
		cfg.MaxConns = max
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	maps.Copy(cfg.ConnConfig.RuntimeParams, session())
	if role != "" {
		cfg.ConnConfig.RuntimeParams["role"] = role
	}
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		encodeTexts(conn)
		if role == "" {
			return nil
		}
		return confirm(ctx, conn, role)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("opening a database pool: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("reaching the database: %w", err)
	}
	return pool, nil
}

// confirm returns an error unless conn works as role and row-level security binds it.
func confirm(ctx context.Context, conn *pgx.Conn, role string) error {
	var bound bool
	err := conn.QueryRow(ctx, `
		SELECT rolname = $1 AND NOT rolsuper AND NOT rolbypassrls
		FROM pg_roles WHERE rolname = current_user`, role).Scan(&bound)
	if err != nil {
		return fmt.Errorf("asking for the connection's role: %w", err)
	}
	if !bound {
		return fmt.Errorf("the connection does not work as plain role %s: connect to the server directly, not through a pooler that drops startup parameters", role)
	}
	return nil
}

// As runs fn in a transaction bound to one partner: the row-level-security setting
// hub.partner is that partner until the transaction ends, and empty afterwards. The
// empty partner binds to nobody. It commits when fn returns nil, else rolls back and
// returns fn's error as it is.
//
// Beginning and binding are one round trip. fn must use only its transaction: asking
// the pool for a second connection inside a first hangs for good once there are more
// callers than connections. A caller who leaves before the end leaves nothing behind.
func As(ctx context.Context, pool *pgxpool.Pool, partner string, fn func(pgx.Tx) error) error {
	var batch pgx.Batch
	batch.BeginTx(pgx.TxOptions{})
	Bind(&batch, partner)
	started := pool.SendBatch(ctx, &batch)
	tx := started.Tx()
	// The end of a transaction must reach the server even when the caller has gone:
	// otherwise pgx throws the connection away, and whoever hangs up a thousand times
	// has the server start a thousand processes.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	defer func() { _ = tx.Rollback(end) }() // does nothing after a commit

	if err := started.Close(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	if err := fn(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("committing a transaction: %w", err)
	}
	if err := tx.Commit(end); err != nil {
		return fmt.Errorf("committing a transaction: %w", err)
	}
	return nil
}

// Bind queues the statement that binds the transaction b runs in to one partner. Queued
// first in a batch that begins no transaction of its own, it holds for the whole batch,
// which PostgreSQL runs as one transaction: the fewest round trips there can be.
func Bind(b *pgx.Batch, partner string) {
	b.Queue("SELECT set_config('hub.partner', $1, true)", partner)
}

// Violates reports whether err is PostgreSQL's refusal of a row by the named
// constraint: a CHECK, UNIQUE, foreign key or exclusion, or a trigger that raises an
// error of that class with CONSTRAINT set. Names are the bridge from database to
// failure, so an unnamed violation is nobody's.
func Violates(err error, constraint string) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && constraint != "" && refused.ConstraintName == constraint &&
		strings.HasPrefix(refused.Code, integrityViolation)
}

// integrityViolation is the SQLSTATE class of refused rows.
const integrityViolation = "23"
