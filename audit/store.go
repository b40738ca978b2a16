package audit

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
	"handover/internal/pg"
)

// UUIDValue lets PostgreSQL's driver write the id as a uuid.
func (id EntryID) UUIDValue() (pgtype.UUID, error) {
	return pgtype.UUID{Bytes: id, Valid: true}, nil
}

// ScanUUID lets PostgreSQL's driver read the id from a uuid.
func (id *EntryID) ScanUUID(v pgtype.UUID) error {
	if !v.Valid {
		return errors.New("an entry id is not null")
	}
	*id = v.Bytes
	return nil
}

// appendSQL is one statement, so that an entry is never without its place in the
// queue: no code path can write one and forget the other.
const appendSQL = `
	WITH entry AS (
		INSERT INTO audit_entry (id, at, partner, other, act, outcome, salt, body, leaf)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9))
	INSERT INTO audit_pending (entry) VALUES ($1)`

func (s sealed) args() []any {
	return []any{s.id, s.e.Time, s.e.Partner, s.e.Other, s.e.Act, s.e.Outcome, s.salt[:], s.body, s.leaf}
}

// Append writes e in the caller's transaction: the entry is in the log exactly if
// that transaction commits. The caller sets everything but V and ID; Time is the
// database's time of the transaction. Append comes last: nothing may be decided
// after it. After the commit, call Log.Kick, and Log.Receipt for the proof.
func Append(ctx context.Context, tx pgx.Tx, e proof.Entry) (EntryID, error) {
	s, err := seal(e)
	if err != nil {
		return EntryID{}, err
	}
	if _, err := tx.Exec(ctx, appendSQL, s.args()...); err != nil {
		return EntryID{}, fmt.Errorf("appending log entry: %w", err)
	}
	return s.id, nil
}

// Queue is Append as one statement of a batch, for a transaction of a single round
// trip. The id holds only if the batch's transaction commits.
func Queue(b *pgx.Batch, e proof.Entry) (EntryID, error) {
	s, err := seal(e)
	if err != nil {
		return EntryID{}, err
	}
	b.Queue(appendSQL, s.args()...)
	return s.id, nil
}

// minLogPool is how many connections the log's pool must allow: Run keeps two, and
// reading while it runs must not wait for them.
const minLogPool = 4

// Open returns the log that is kept behind the two pools: log, whose role is
// pg.RoleLog, and hub, whose role is pg.RoleHub. now is the clock. Open fails when
// the stored log is not signer's.
func Open(ctx context.Context, log, hub *pgxpool.Pool, signer Signer, now func() time.Time) (*Log, error) {
	if log.Config().MaxConns < minLogPool {
		return nil, fmt.Errorf("the log's pool must allow %d connections", minLogPool)
	}
	l := newLog(&store{log: log, hub: hub}, signer, now)
	last, err := l.store.lastCheckpoint(ctx)
	if errors.Is(err, errNone) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	if _, err := signer.open(last); err != nil {
		return nil, fmt.Errorf("opening the last checkpoint of the log: %w", err)
	}
	return l, nil
}

// errNone means that there is no such row.
var errNone = errors.New("no such row")

type store struct{ log, hub *pgxpool.Pool }

// stored is an entry as the database holds it. salt and body are nil once erased.
type stored struct {
	id               EntryID
	leaf, salt, body []byte
}

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
	h := head{tiles: map[place][]byte{}}
	var waiting []stored
	b := &pgx.Batch{}
	b.Queue(`BEGIN ISOLATION LEVEL READ COMMITTED`)
	b.Queue(`SELECT pg_advisory_xact_lock($1)`, int64(sequencerLock))
	b.Queue(`SELECT coalesce((SELECT max(idx) + 1 FROM audit_leaf), 0), coalesce(c.size, 0), c.note
		FROM (SELECT) one LEFT JOIN (
			SELECT size, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1) c ON true`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&h.leaves, &h.size, &h.note) })
	b.Queue(`SELECT t.level, t.n, t.data
		FROM (SELECT size FROM audit_checkpoint ORDER BY size DESC LIMIT 1) c
		CROSS JOIN generate_series(0, $1::int) AS l(level)
		CROSS JOIN LATERAL (SELECT level, n, data FROM audit_tile
			WHERE level = l.level AND n = c.size >> (8 * (l.level + 1)) OFFSET 0) t`, maxTileLevel).
		Query(func(rows pgx.Rows) error { return scanTiles(rows, h.tiles) })
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
	return h, waiting, nil
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

// rollback ends a transaction in which nothing was done.
func (c *session) rollback(ctx context.Context) error {
	_, err := c.conn.Exec(ctx, `ROLLBACK`)
	return err
}

// fullTiles reads tiles within the open transaction.
func (c *session) fullTiles(ctx context.Context, tiles []tlog.Tile) ([][]byte, error) {
	return readTiles(ctx, c.conn.Conn(), tiles)
}

// commit writes the places of the entries, the changed tiles and the checkpoint,
// tells the other hubs, and commits, in one round trip.
func (c *session) commit(ctx context.Context, first int64, ids []EntryID, tiles map[place][]byte, size int64, note []byte) error {
	levels, ns, data := make([]int16, 0, len(tiles)), make([]int64, 0, len(tiles)), make([][]byte, 0, len(tiles))
	for at, d := range tiles {
		levels, ns, data = append(levels, int16(at.level)), append(ns, at.n), append(data, d)
	}
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO audit_leaf (idx, entry, size)
		SELECT $1::bigint + u.ord - 1, u.entry, $2 FROM unnest($3::uuid[]) WITH ORDINALITY AS u(entry, ord)`,
		first, size, ids)
	b.Queue(`INSERT INTO audit_tile (level, n, data)
		SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[])
		ON CONFLICT ON CONSTRAINT audit_tile_pkey DO UPDATE SET data = excluded.data`, levels, ns, data)
	b.Queue(`INSERT INTO audit_checkpoint (size, note) VALUES ($1, $2)`, size, note)
	b.Queue(`SELECT pg_notify($1, $2)`, channel, strconv.FormatInt(size, 10))
	b.Queue(`COMMIT`)
	if err := c.conn.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("writing checkpoint: %w", err)
	}
	return nil
}

// channel is where each new checkpoint's size is announced to all hubs.
const channel = "handover_log"

// listen calls heard with the size of each checkpoint that any hub commits, until
// ctx ends or the connection breaks. It keeps one connection.
func (s *store) listen(ctx context.Context, heard func(size int64)) error {
	conn, err := s.log.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting to listen: %w", err)
	}
	defer (&session{conn}).close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return fmt.Errorf("listening for checkpoints: %w", err)
	}
	for {
		n, err := conn.Conn().WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("listening for checkpoints: %w", err)
		}
		if size, err := strconv.ParseInt(n.Payload, 10, 64); err == nil {
			heard(size)
		}
	}
}

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

// refuse appends e in a transaction of its own, at the database's time.
func (s *store) refuse(ctx context.Context, e proof.Entry) (EntryID, error) {
	if err := s.hub.QueryRow(ctx, `SELECT now()`).Scan(&e.Time); err != nil {
		return EntryID{}, fmt.Errorf("reading the time: %w", err)
	}
	sealed, err := seal(e)
	if err != nil {
		return EntryID{}, err
	}
	if _, err := s.hub.Exec(ctx, appendSQL, sealed.args()...); err != nil {
		return EntryID{}, fmt.Errorf("appending refusal: %w", err)
	}
	return sealed.id, nil
}

// count adds counts to the rows of the current hour.
func (s *store) count(ctx context.Context, codes []string, counts []int64) error {
	_, err := s.log.Exec(ctx, `INSERT INTO audit_anonymous AS a (hour, code, count)
		SELECT date_trunc('hour', now()), u.code, u.count FROM unnest($1::text[], $2::bigint[]) AS u(code, count)
		ON CONFLICT ON CONSTRAINT audit_anonymous_pkey DO UPDATE SET count = a.count + excluded.count`, codes, counts)
	if err != nil {
		return fmt.Errorf("counting refusals: %w", err)
	}
	return nil
}

// closeHours turns the counts of hours that have passed into one entry each, in one
// transaction. Two hubs at it at once wait for each other's rows and then find them
// gone, so an hour is told once.
func (s *store) closeHours(ctx context.Context) error {
	type row struct {
		Now, Hour time.Time
		Code      string
		Count     int64
	}
	return pgx.BeginFunc(ctx, s.log, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `DELETE FROM audit_anonymous WHERE hour < date_trunc('hour', now())
			RETURNING now(), hour, code, count`)
		if err != nil {
			return fmt.Errorf("closing the hour: %w", err)
		}
		counted, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
		if err != nil {
			return fmt.Errorf("closing the hour: %w", err)
		}
		for _, c := range counted {
			e := proof.Entry{Act: actRefused, Time: c.Now, Outcome: c.Code, Count: c.Count,
				Reason: reasonAnonymous, Target: c.Hour.UTC().Format(time.RFC3339)}
			if _, err := Append(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}
