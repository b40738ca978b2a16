package audit

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// signedTree is a checkpoint as it is stored.
type signedTree struct {
	Size int64
	Note []byte
}

// gathererLock is the key of the advisory lock on gathering cosignatures ("witns" in ASCII).
const gathererLock = 0x7769746e73

// cosignedChannel is where the size of each cosigned checkpoint is announced to all hubs.
const cosignedChannel = "handover_cosigned"

// gatherer returns a connection that holds the lock on gathering, or nil when another hub
// holds it. The lock lasts as long as the connection, and what is gathered is stored on
// that connection (storeCosigned), so whoever has lost the lock can store nothing.
func (s *store) gatherer(ctx context.Context) (*session, error) {
	c, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	var held bool
	if err := c.conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, int64(gathererLock)).Scan(&held); err != nil {
		c.close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("locking the gathering of cosignatures: %w", err)
	}
	if !held {
		c.conn.Release()
		return nil, nil
	}
	return c, nil
}

// newest returns the newest checkpoint, or errNone.
func (c *session) newest(ctx context.Context) (signedTree, error) {
	rows, err := c.conn.Query(ctx, `SELECT size, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1`)
	if err != nil {
		return signedTree{}, fmt.Errorf("reading the newest checkpoint: %w", err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[signedTree])
	return t, none(err)
}

// storeCosigned keeps a cosigned checkpoint and tells the other hubs.
func (c *session) storeCosigned(ctx context.Context, policy string, t signedTree) error {
	_, err := c.conn.Exec(ctx, `WITH kept AS (INSERT INTO audit_cosigned (policy, size, note) VALUES ($1, $2, $3))
		SELECT pg_notify($4, $5)`, policy, t.Size, t.Note, cosignedChannel, strconv.FormatInt(t.Size, 10))
	if err != nil {
		return fmt.Errorf("storing a cosigned checkpoint: %w", err)
	}
	return nil
}

// cosignedAfter returns the cosigned checkpoints of trees larger than size, at most limit, in order.
func (s *store) cosignedAfter(ctx context.Context, policy string, size int64, limit int) ([]signedTree, error) {
	rows, err := s.log.Query(ctx, `SELECT size, note FROM audit_cosigned WHERE policy = $1 AND size > $2 ORDER BY size LIMIT $3`,
		policy, size, limit)
	if err != nil {
		return nil, fmt.Errorf("reading cosigned checkpoints: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[signedTree])
}

// lastCosigned returns the newest cosigned checkpoint, or errNone.
func (s *store) lastCosigned(ctx context.Context, policy string) (signedTree, error) {
	rows, err := s.log.Query(ctx, `SELECT size, note FROM audit_cosigned WHERE policy = $1 ORDER BY size DESC LIMIT 1`, policy)
	if err != nil {
		return signedTree{}, fmt.Errorf("reading the newest cosigned checkpoint: %w", err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[signedTree])
	return t, none(err)
}

// cosignedOf returns the cosigned checkpoint of a size, or errNone.
func (s *store) cosignedOf(ctx context.Context, policy string, size int64) (note []byte, err error) {
	err = s.log.QueryRow(ctx, `SELECT note FROM audit_cosigned WHERE policy = $1 AND size = $2`, policy, size).Scan(&note)
	return note, none(err)
}
