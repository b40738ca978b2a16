package audit

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/tlog"
)

// head is what the database says of the tree.
type head struct {
	size   int64
	note   []byte // nil before the first checkpoint
	leaves int64  // one more than the highest index
	tiles  map[place][]byte
}

// session is one connection kept for sequencing.
type session struct{ conn *pgxpool.Conn }

// session takes a connection of its own. Its plans go by index always: a plan made
// while the tables were small would otherwise read them whole long after.
func (s *store) session(ctx context.Context) (*session, error) {
	conn, err := s.log.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connecting to sequence: %w", err)
	}
	if _, err := conn.Exec(ctx, `SELECT set_config('enable_seqscan', 'off', false), set_config('plan_cache_mode', 'force_generic_plan', false)`); err != nil {
		conn.Release()
		return nil, fmt.Errorf("connecting to sequence: %w", err)
	}
	return &session{conn}, nil
}

// close gives the connection up. It is not used again, so whatever transaction was
// open on it is rolled back.
func (c *session) close(ctx context.Context) {
	_ = c.conn.Conn().Close(ctx) // the server rolls back either way
	c.conn.Release()
}

// sequencerLock is the key of the advisory lock on sequencing ("audit" in ASCII).
const sequencerLock = 0x6175646974

// begin opens a transaction and returns the tree's head and at most limit entries
// that wait, taken out of the queue, in one round trip.
//
// The lock guarantees that at most one transaction in all hubs is extending the
// tree: it is held until this one ends, so the next reads a head that nobody is
// changing. It blocks instead of failing, because the wait is one batch long. The
// statements after it see what was committed before it was granted (READ COMMITTED:
// each statement takes its snapshot when it begins).
func (c *session) begin(ctx context.Context, limit int) (head, []stored, error) {
	h := newHead()
	var waiting []stored
	b := &pgx.Batch{}
	b.Queue(`BEGIN ISOLATION LEVEL READ COMMITTED`)
	b.Queue(`SELECT pg_advisory_xact_lock($1)`, int64(sequencerLock))
	h.queue(b)
	b.Queue(`WITH taken AS (
			DELETE FROM audit_pending
			WHERE entry = ANY (ARRAY (SELECT entry FROM audit_pending ORDER BY entry LIMIT $1))
			RETURNING entry)
		SELECT taken.entry, e.leaf, e.salt, e.body
		FROM taken LEFT JOIN LATERAL (
			SELECT leaf, salt, body FROM audit_entry WHERE id = taken.entry OFFSET 0) e ON true
		ORDER BY taken.entry`, limit).
		Query(func(rows pgx.Rows) (err error) {
			waiting, err = pgx.CollectRows(rows, scanStored)
			return err
		})
	if err := c.conn.SendBatch(ctx, b).Close(); err != nil {
		return head{}, nil, fmt.Errorf("reading the head of the log: %w", err)
	}
	return *h, waiting, nil
}

func newHead() *head { return &head{tiles: map[place][]byte{}} }

// queue queues the reading of h: the newest checkpoint, and with it a row for each tile
// of its edge.
func (h *head) queue(b *pgx.Batch) {
	b.Queue(`
		SELECT coalesce((SELECT max(idx) + 1 FROM audit_leaf), 0), coalesce(c.size, 0), c.note, t.level, t.n, t.data
		FROM (SELECT) one
		LEFT JOIN (SELECT size, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1) c ON true
		LEFT JOIN LATERAL (
			SELECT stored.* FROM generate_series(0, $1::int) AS l(level)
			CROSS JOIN LATERAL (SELECT level, n, data FROM audit_tile
				WHERE level = l.level AND n = c.size >> (8 * (l.level + 1)) OFFSET 0) stored) t ON true`, maxTileLevel).
		Query(func(rows pgx.Rows) error {
			var level *int
			var n *int64
			var data []byte
			_, err := pgx.ForEachRow(rows, []any{&h.leaves, &h.size, &h.note, &level, &n, &data}, func() error {
				if level != nil {
					h.tiles[place{*level, *n}] = bytes.Clone(data)
				}
				h.note = bytes.Clone(h.note)
				return nil
			})
			return err
		})
}

// rollback ends a transaction in which nothing was done.
func (c *session) rollback(ctx context.Context) error {
	_, err := c.conn.Exec(ctx, `ROLLBACK`)
	return err
}

// fullTiles reads tiles within the open transaction.
func (c *session) fullTiles(ctx context.Context, tiles []tlog.Tile) ([][]byte, error) {
	return readTiles(ctx, c.conn.Conn(), tiles)
}

// commit writes an extension and commits, in one round trip.
func (c *session) commit(ctx context.Context, x extension) error {
	b := &pgx.Batch{}
	x.queue(b)
	b.Queue(`COMMIT`)
	if err := c.conn.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	return nil
}

// queue queues the places of the entries, the changed tiles, the checkpoint, and the
// news for the other hubs. The log's lock is held, and x continues the stored tree.
func (x extension) queue(b *pgx.Batch) {
	b.Queue(`WITH head AS (SELECT true AS fits), `+extendSQL, x.args()...)
	b.Queue(`SELECT pg_notify($1, $2)`, channel, strconv.FormatInt(x.to.tree.N, 10))
}

// queueIfNext is queue for a transaction that has only tried to get the log's lock
// (hub.log_free is the answer) and has not seen the stored tree. If anything stands
// against it, the entries go to the sequencer's queue. fits is set to what was found.
//
// It announces nothing: those who posted these entries wait at this hub, and an
// announcement costs the server half as much as the places do. Who has posted the same
// packet to another hub as well is answered there at its next poll.
func (x extension) queueIfNext(b *pgx.Batch, fits *bool) {
	levels, ns, data := tileColumns(x.from.tiles)
	b.Queue(`
		WITH edge AS (
			SELECT count(*) AS stored, count(*) FILTER (WHERE t.data = known.data) AS same
			FROM generate_series(0, $8::int) AS l(level)
			CROSS JOIN LATERAL (SELECT level, n, data FROM audit_tile
				WHERE level = l.level AND n = $1::bigint >> (8 * (l.level + 1)) OFFSET 0) t
			LEFT JOIN unnest($9::smallint[], $10::bigint[], $11::bytea[]) AS known(level, n, data)
				ON known.level = t.level AND known.n = t.n),
		head AS MATERIALIZED (
			SELECT coalesce(current_setting('hub.log_free')::boolean AND stored = $12 AND same = $12
				AND coalesce((SELECT max(idx) + 1 FROM audit_leaf), 0) = $1
				AND (SELECT (size, note) FROM audit_checkpoint ORDER BY size DESC LIMIT 1) = ($1, $13::bytea), false) AS fits
			FROM edge),
		waits AS (
			INSERT INTO audit_pending (entry) SELECT unnest($3::uuid[]) FROM head WHERE NOT fits), `+extendSQL,
		append(x.args(), maxTileLevel, levels, ns, data, len(levels), x.from.note)...).
		QueryRow(func(row pgx.Row) error { return row.Scan(fits) })
}

// extendSQL writes an extension if head fits.
const extendSQL = `
	leaf AS (
		INSERT INTO audit_leaf (idx, entry, size)
		SELECT $1::bigint + u.ord - 1, u.entry, $2 FROM head, unnest($3::uuid[]) WITH ORDINALITY AS u(entry, ord) WHERE fits),
	tile AS (
		INSERT INTO audit_tile (level, n, data)
		SELECT u.* FROM head, unnest($4::smallint[], $5::bigint[], $6::bytea[]) AS u WHERE fits
		ON CONFLICT ON CONSTRAINT audit_tile_pkey DO UPDATE SET data = excluded.data),
	checkpoint AS (
		INSERT INTO audit_checkpoint (size, note) SELECT $2, $7 FROM head WHERE fits)
	SELECT fits FROM head`

func (x extension) args() []any {
	ids := make([]EntryID, len(x.entries))
	for i, e := range x.entries {
		ids[i] = e.id
	}
	levels, ns, data := tileColumns(x.tiles)
	return []any{x.grown.first, x.to.tree.N, ids, levels, ns, data, x.to.note}
}

func tileColumns(tiles map[place][]byte) (levels []int16, ns []int64, data [][]byte) {
	for at, d := range tiles {
		levels, ns, data = append(levels, int16(at.level)), append(ns, at.n), append(data, d)
	}
	return levels, ns, data
}

// channel is where each new checkpoint's size is announced to all hubs.
const channel = "handover_log"

// listen calls heard with the size of each checkpoint that any hub commits, and of those
// that are cosigned if that is asked for, until ctx ends or the connection breaks. It keeps one connection.
func (s *store) listen(ctx context.Context, cosigned bool, heard func(from string, size int64)) error {
	conn, err := s.log.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting to listen: %w", err)
	}
	defer (&session{conn}).close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("listening for checkpoints: %w", err)
	}
	if cosigned {
		if _, err := conn.Exec(ctx, "LISTEN "+cosignedChannel); err != nil {
			return fmt.Errorf("listening for cosigned checkpoints: %w", err)
		}
	}
	for {
		n, err := conn.Conn().WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listening for checkpoints: %w", err)
		}
		if size, err := strconv.ParseInt(n.Payload, 10, 64); err == nil {
			heard(n.Channel, size)
		}
	}
}
