package audit

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// walkStep is how many places are read at once.
const walkStep = 4096

// tree holds entries, places, tiles and checkpoints against each other.
func (c *comparison) tree(ctx context.Context, l *Log) error {
	if err := c.queue(ctx); err != nil {
		return err
	}
	held := tileRow{level: -1}
	var failed error
	w := &walk{report: c.report, stored: func(level int, n int64) []byte {
		if held.level != level || held.n != n {
			held = tileRow{level: level, n: n}
			err := c.tx.QueryRow(ctx, `SELECT data FROM audit_tile WHERE level = $1 AND n = $2`, level, n).Scan(&held.data)
			if err = none(err); err != nil && err != errNone && failed == nil { //nolint:errorlint // errNone is returned as it is
				failed = fmt.Errorf("reading a tile: %w", err)
			}
		}
		return held.data
	}}
	ahead := &checkpoints{tx: c.tx, after: -1}
	if err := c.meet(ctx, l, w, ahead); err != nil { // of the empty log
		return err
	}
	for from := int64(0); ; {
		rows, err := c.tx.Query(ctx, `
			SELECT l.idx, l.size, l.entry, e.id IS NOT NULL, CASE WHEN isfinite(e.at) THEN e.at END, e.partner, e.other, e.act, e.outcome, e.salt, e.body, e.leaf,
			       coalesce(e.referral, ''), coalesce(e.consent, ''), coalesce(e.subject, '')
			FROM (SELECT idx, size, entry FROM audit_leaf WHERE idx >= $1 ORDER BY idx LIMIT $2) l LEFT JOIN audit_entry e ON e.id = l.entry
			ORDER BY l.idx`, from, walkStep)
		if err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		step, err := pgx.CollectRows(rows, pgx.RowToStructByPos[leafRow])
		if err != nil {
			return fmt.Errorf("reading the log: %w", err)
		}
		for _, leaf := range step {
			from = leaf.Index + 1
			w.add(leaf)
			if err := c.meet(ctx, l, w, ahead); err != nil {
				return err
			}
		}
		if failed != nil {
			return failed
		}
		if len(step) < walkStep {
			break
		}
	}
	w.end()
	if failed != nil {
		return failed
	}
	return c.beyond(ctx, w.size)
}

type tileRow struct {
	level int
	n     int64
	data  []byte
}

// queue looks for entries that have no place and do not wait for one, or for too long, and for
// what waits for a second one.
func (c *comparison) queue(ctx context.Context) error {
	if err := c.tx.QueryRow(ctx, `SELECT count(*) FROM audit_pending`).Scan(&c.report.Waiting); err != nil {
		return err
	}
	return c.list(ctx, "", "", `
		SELECT NULL::text, coalesce(e.id, p.entry), CASE
			WHEN e.id IS NULL THEN 'what waits for a place in the log is no entry'
			WHEN p.entry IS NULL THEN 'an entry has no place in the log, and does not wait for one'
			WHEN l.entry IS NOT NULL THEN 'an entry waits for a second place in the log'
			ELSE 'an entry has been waiting for its place in the log for more than a minute' END
		FROM audit_entry e FULL JOIN audit_pending p ON p.entry = e.id LEFT JOIN audit_leaf l ON l.entry = coalesce(e.id, p.entry)
		WHERE e.id IS NULL OR (l.entry IS NULL) = (p.entry IS NULL) OR l.entry IS NULL AND e.at < clock_timestamp() - interval '1 minute'`)
}

// beyond looks for tiles and checkpoints of a greater log than there is.
func (c *comparison) beyond(ctx context.Context, size int64) error {
	err := c.list(ctx, "a checkpoint covers more than the log has", "audit_checkpoint",
		`SELECT 'size ' || size, NULL::uuid FROM audit_checkpoint WHERE size > $1`, size)
	if err != nil {
		return err
	}
	return c.list(ctx, "a tile of the log is of places that it does not have", "audit_tile",
		`SELECT 'level ' || level || ', number ' || n, NULL::uuid FROM audit_tile
		 WHERE level > $2 OR n >= ($1::bigint >> (8 * level)) / 256 + (($1::bigint >> (8 * level)) % 256 > 0)::int`, size, maxTileLevel)
}

// checkpoints reads the stored checkpoints in order, some at a time.
type checkpoints struct {
	tx    pgx.Tx
	after int64
	read  []storedCheckpoint
	done  bool
}

type storedCheckpoint struct {
	Size int64
	Note []byte
}

// next returns the next checkpoint, or none.
func (s *checkpoints) next(ctx context.Context) (*storedCheckpoint, error) {
	if len(s.read) == 0 && !s.done {
		rows, err := s.tx.Query(ctx, `SELECT size, note FROM audit_checkpoint WHERE size > $1 ORDER BY size LIMIT $2`, s.after, walkStep)
		if err != nil {
			return nil, fmt.Errorf("reading checkpoints: %w", err)
		}
		if s.read, err = pgx.CollectRows(rows, pgx.RowToStructByPos[storedCheckpoint]); err != nil {
			return nil, fmt.Errorf("reading checkpoints: %w", err)
		}
		s.done = len(s.read) < walkStep
		if len(s.read) > 0 {
			s.after = s.read[len(s.read)-1].Size
		}
	}
	if len(s.read) == 0 {
		return nil, nil
	}
	return &s.read[0], nil
}

// meet holds the checkpoints of the present size against the tree.
func (c *comparison) meet(ctx context.Context, l *Log, w *walk, ahead *checkpoints) error {
	for {
		next, err := ahead.next(ctx)
		if err != nil || next == nil || next.Size > w.size {
			return err
		}
		if next.Size == w.size {
			w.checkpoint(l.openCheckpoint(ctx, next.Note, next.Size))
		}
		ahead.read = ahead.read[1:]
	}
}
