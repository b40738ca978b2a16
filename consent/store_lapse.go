package consent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/pg"
)

// lapseMost is how many overrides of one partner are noticed at once.
const lapseMost = 100

// Lapse notices each emergency override that nobody approved within 24 hours, with one log
// entry: the auditor's alert. That it covers nothing more does not wait for this; the time
// alone decides it. Any number of hubs may run it at once.
func (s *Store) Lapse(ctx context.Context) error {
	rows, err := s.Pool.Query(ctx, `SELECT id FROM partner`)
	if err != nil {
		return fmt.Errorf("listing partners: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("listing partners: %w", err)
	}
	var failed []error
	for _, partner := range all {
		for more := true; more && ctx.Err() == nil; {
			if more, err = s.lapseSome(ctx, partner); err != nil {
				failed = append(failed, fmt.Errorf("noticing lapsed overrides: %w", err))
				break
			}
		}
	}
	return errors.Join(failed...)
}

func (s *Store) lapseSome(ctx context.Context, partner string) (more bool, err error) {
	type lapsed struct{ id, digest, reason string }
	var now time.Time
	var found []lapsed
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(`
		SELECT s.id::text, o.digest, s.reason
		FROM consent_override_state s JOIN consent_override o ON o.id = s.id
		WHERE s.recorder = $1 AND s.emergency AND s.decision = 'proposed' AND s.lapsed_at IS NULL AND s.recorded_at <= now() - interval '24 hours'
		ORDER BY s.recorded_at LIMIT $2 FOR UPDATE OF s SKIP LOCKED`, partner, lapseMost).Query(func(rows pgx.Rows) error {
		var l lapsed
		_, err := pgx.ForEachRow(rows, []any{&l.id, &l.digest, &l.reason}, func() error {
			found = append(found, l)
			return nil
		})
		return err
	})
	err = pg.Decide(ctx, s.Pool, partner, read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		for _, l := range found {
			entry, err := audit.Queue(write, proof.Entry{Act: "override.lapsed", Time: now, Other: partner, Override: l.id, Digest: l.digest,
				Reason: l.reason, State: stateLapsed})
			if err != nil {
				return nil, fmt.Errorf("logging a lapse: %w", err)
			}
			write.Queue(`UPDATE consent_override_state SET lapsed_at = $2, log_entry = $3 WHERE id = $1`, l.id, now, entry)
		}
		return write, nil
	})
	return len(found) == lapseMost, err
}
