package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit/proof"
)

// successions reads the statements, oldest first.
func (s *store) successions(ctx context.Context) ([]string, error) {
	rows, err := s.log.Query(ctx, `SELECT note FROM audit_succession ORDER BY position`)
	if err != nil {
		return nil, fmt.Errorf("reading the log's successions: %w", err)
	}
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("reading the log's successions: %w", err)
	}
	return texts, nil
}

// CurrentKey returns which of the candidates signs the log's checkpoints now: the last one
// to follow another; before any has, the one that signed the last checkpoint; in a new log
// the first. It returns an error when it is none of them: then the key store is another
// log's, or has lost the key.
func CurrentKey(ctx context.Context, log *pgxpool.Pool, origin string, candidates []ed25519.PublicKey) (ed25519.PublicKey, error) {
	s := &store{log: log}
	texts, err := s.successions(ctx)
	if err != nil {
		return nil, err
	}
	var current proof.LogKey
	if len(texts) > 0 {
		last, err := proof.OpenSuccession([]byte(texts[len(texts)-1]))
		if err != nil {
			return nil, fmt.Errorf("opening the last succession of the log: %w", err)
		}
		current = last.To
	}
	signed, err := s.lastCheckpoint(ctx)
	if errors.Is(err, errNone) {
		return candidates[0], nil
	}
	if err != nil {
		return nil, err
	}
	for _, c := range candidates {
		k, err := logKeyOf(origin, c)
		if err != nil {
			return nil, err
		}
		if _, err := proof.OpenCheckpoint(signed, k); err == nil || k.String() == current.String() {
			return c, nil
		}
	}
	return nil, errors.New("the key of the log's last checkpoint is not in the key store: it is another log's, or was lost")
}

// seal seals e at the time of the open transaction.
func (c *session) seal(ctx context.Context, e proof.Entry) (sealed, error) {
	if err := c.conn.QueryRow(ctx, `SELECT now()`).Scan(&e.Time); err != nil {
		return sealed{}, fmt.Errorf("reading the time: %w", err)
	}
	return seal(e)
}

// succeed writes a succession with its entry and the extension that covers the entry, and
// commits.
func (c *session) succeed(ctx context.Context, told sealed, text string, x extension) error {
	b := &pgx.Batch{}
	b.Queue(insertEntries, columns([]sealed{told})...)
	b.Queue(`INSERT INTO audit_succession (position, note, log_entry)
		SELECT coalesce(max(position), 0) + 1, $1, $2 FROM audit_succession`, text, told.id)
	x.queue(b)
	b.Queue(`COMMIT`)
	if err := c.conn.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("writing a succession: %w", err)
	}
	return nil
}
