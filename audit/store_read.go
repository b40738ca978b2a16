package audit

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"handover/internal/pg"
)

// waiting reports whether any entry has no place yet.
func (s *store) waiting(ctx context.Context) (bool, error) {
	var any bool
	err := s.log.QueryRow(ctx, `SELECT EXISTS (SELECT FROM audit_pending)`).Scan(&any)
	return any, err
}

// places returns where those of the entries stand that have a place.
func (s *store) places(ctx context.Context, ids []EntryID) ([]Sequenced, error) {
	rows, err := s.log.Query(ctx, `SELECT l.entry, l.idx, l.size, c.note
		FROM audit_leaf l JOIN audit_checkpoint c ON c.size = l.size WHERE l.entry = ANY ($1::uuid[])`, ids)
	if err != nil {
		return nil, fmt.Errorf("looking for log entries: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Sequenced, error) {
		var p Sequenced
		err := row.Scan(&p.Entry, &p.Index, &p.Size, &p.Checkpoint)
		return p, err
	})
}

// visible returns the id if the entry exists and partner made it or is named in it;
// the database decides (row-level security), so absent and foreign look the same.
func (s *store) visible(ctx context.Context, partner string, id EntryID) (found bool, err error) {
	err = pg.As(ctx, s.hub, partner, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM audit_entry WHERE id = $1)`, id).Scan(&found)
	})
	return found, err
}

// opening returns the stored entry.
func (s *store) opening(ctx context.Context, id EntryID) (stored, error) {
	rows, err := s.log.Query(ctx, `SELECT id, leaf, salt, body FROM audit_entry WHERE id = $1`, id)
	if err != nil {
		return stored{}, fmt.Errorf("reading log entry: %w", err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanStored)
	return e, none(err)
}

// leaves returns the leaves of count entries from the index first.
func (s *store) leaves(ctx context.Context, first int64, count int) ([][]byte, error) {
	rows, err := s.log.Query(ctx, `SELECT e.leaf FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry
		WHERE l.idx >= $1 AND l.idx < $1 + $2::bigint ORDER BY l.idx`, first, int64(count))
	if err != nil {
		return nil, fmt.Errorf("reading leaves: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[[]byte])
}

// lastCheckpoint returns the newest signed checkpoint.
func (s *store) lastCheckpoint(ctx context.Context) (note []byte, err error) {
	err = s.log.QueryRow(ctx, `SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1`).Scan(&note)
	return note, none(err)
}

// lastSize returns the size of the newest checkpoint, or errNone.
func (s *store) lastSize(ctx context.Context) (size int64, err error) {
	err = s.log.QueryRow(ctx, `SELECT size FROM audit_checkpoint ORDER BY size DESC LIMIT 1`).Scan(&size)
	return size, none(err)
}

// checkpoint returns the signed checkpoint of a size.
func (s *store) checkpoint(ctx context.Context, size int64) (note []byte, err error) {
	err = s.log.QueryRow(ctx, `SELECT note FROM audit_checkpoint WHERE size = $1`, size).Scan(&note)
	return note, none(err)
}

func none(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return errNone
	}
	return err
}

// tiles reads tiles, each at least as wide as asked for.
func (s *store) tiles(ctx context.Context, tiles []tlog.Tile) ([][]byte, error) {
	return readTiles(ctx, s.log, tiles)
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// readTiles returns the data of each tile, cut to its width: a narrower tile of an
// earlier tree is the beginning of what is stored. A tile that is missing or too
// narrow is left nil.
func readTiles(ctx context.Context, q querier, tiles []tlog.Tile) ([][]byte, error) {
	levels, ns := make([]int16, len(tiles)), make([]int64, len(tiles))
	for i, t := range tiles {
		levels[i], ns[i] = int16(t.L), t.N
	}
	rows, err := q.Query(ctx, `SELECT t.level, t.n, t.data
		FROM unnest($1::smallint[], $2::bigint[]) AS u(level, n)
		JOIN audit_tile t ON t.level = u.level AND t.n = u.n`, levels, ns)
	if err != nil {
		return nil, fmt.Errorf("reading tiles: %w", err)
	}
	found := make(map[place][]byte, len(tiles))
	if err := scanTiles(rows, found); err != nil {
		return nil, fmt.Errorf("reading tiles: %w", err)
	}
	data := make([][]byte, len(tiles))
	for i, t := range tiles {
		if d := found[place{t.L, t.N}]; len(d) >= t.W*tlog.HashSize {
			data[i] = d[:t.W*tlog.HashSize]
		}
	}
	return data, nil
}

func scanStored(row pgx.CollectableRow) (stored, error) {
	var s stored
	err := row.Scan(&s.id, &s.leaf, &s.salt, &s.body)
	return s, err
}

func scanTiles(rows pgx.Rows, into map[place][]byte) error {
	var at place
	var data []byte
	_, err := pgx.ForEachRow(rows, []any{&at.level, &at.n, &data}, func() error {
		into[at] = append([]byte(nil), data...)
		return nil
	})
	return err
}
