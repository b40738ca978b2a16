package audit

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit/proof"
)

// Room is where statements are kept that entries commit to. Both methods read within tx, and
// see what the partner that it is bound to may see.
type Room interface {
	// Grounds tells the entries that stored what is named, as far as its statements may be read.
	Grounds(ctx context.Context, tx pgx.Tx, named Named, found func(EntryID)) error
	// Statements gives those of its statements that are named by their digests, and consent
	// records and overrides that are named by their ids. The same one may be given twice.
	Statements(ctx context.Context, tx pgx.Tx, named Named, give func(Statement) error) error
}

// KeyRoom is where the partners' public keys are kept.
type KeyRoom interface {
	WithKeys(ctx context.Context, tx pgx.Tx) ([]string, error) // ids of all partners that ever had one
	PartnerKeys(ctx context.Context, tx pgx.Tx, id string) (PartnerKeys, error)
}

// HubKeyRoom is where the public keys are kept that the hub signed steps of its own with.
type HubKeyRoom interface {
	HubKeys(ctx context.Context, tx pgx.Tx) ([]HubKey, error)
}

// Snapshots are where an export is read: as the schema's owner, everything; as pg.RoleHub,
// what the partner may see that the reading is bound to.
type Snapshots struct{ Pool *pgxpool.Pool }

// snapshot is one moment of the database.
type snapshot struct{ tx pgx.Tx }

// A reader who takes an export slowly holds a connection and keeps the server from cleaning
// up, so that is bounded. Finding the entries of a year is one statement, and takes longer than
// a page may. Of the many small ones none is worth a second worker, which would be started each time.
const (
	exportIdle  = "60s" // between two statements, while lines are being taken
	exportAsk   = "60s" // one statement
	rollbackEnd = 5 * time.Second
)

// read calls do within one transaction that changes nothing and sees one moment, bound to the
// partner of q. To oversight it says that it reads everybody's entries; the database asks whether
// that partner may.
func (s Snapshots) read(ctx context.Context, q ExportQuery, do func(*snapshot) error) error {
	tx, err := s.Pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("beginning to read an export: %w", err)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackEnd)
	defer cancel()
	defer func() { _ = tx.Rollback(end) }()
	oversees := ""
	if q.Scope == proof.ScopeOversight {
		oversees = "all"
	}
	if _, err := tx.Exec(ctx, `SELECT set_config('hub.partner', $1, true), set_config('hub.oversees', $2, true),
		set_config('idle_in_transaction_session_timeout', $3, true), set_config('statement_timeout', $4, true),
		set_config('max_parallel_workers_per_gather', '0', true)`, q.Partner, oversees, exportIdle, exportAsk); err != nil {
		return fmt.Errorf("beginning to read an export: %w", err)
	}
	return do(&snapshot{tx})
}

// exportHead is what the log is at a moment.
type exportHead struct {
	now         time.Time
	size        int64
	note        []byte
	successions []string
}

// head returns the newest checkpoint. A log without one is ErrReceiptPending.
func (s *snapshot) head(ctx context.Context) (h exportHead, err error) {
	err = s.tx.QueryRow(ctx, `SELECT now(), size, note, ARRAY (SELECT note FROM audit_succession ORDER BY position)
		FROM audit_checkpoint ORDER BY size DESC LIMIT 1`).Scan(&h.now, &h.size, &h.note, &h.successions)
	if errors.Is(err, pgx.ErrNoRows) {
		return h, ErrReceiptPending
	}
	if err != nil {
		return h, fmt.Errorf("reading the head of the log: %w", err)
	}
	return h, nil
}

// newest returns the id of the newest entry, or errNone.
func (s *store) newest(ctx context.Context) (id EntryID, err error) {
	err = s.log.QueryRow(ctx, `SELECT id FROM audit_entry ORDER BY id DESC LIMIT 1`).Scan(&id)
	return id, none(err)
}

// idFrom is the lowest id that an entry of t can have.
func idFrom(t time.Time) (id EntryID) {
	binary.BigEndian.PutUint64(id[:8], uint64(t.UnixMilli())<<16)
	return id
}

// spans returns the smallest range of indexes that covers the entries from one time on and before
// another, as far as they can be seen; 0 and 0 when there is none. The ids are ordered by
// time, so no index on the time is needed.
func (s *snapshot) spans(ctx context.Context, from, to time.Time) (first, end int64, err error) {
	err = s.tx.QueryRow(ctx, `SELECT coalesce(min(l.idx), 0), coalesce(max(l.idx) + 1, 0)
		FROM audit_entry e JOIN audit_leaf l ON l.entry = e.id
		WHERE e.id >= $1 AND e.id < $2 AND e.at >= $3 AND e.at < $4`,
		idFrom(from), idFrom(to.Add(time.Millisecond)), from, to).Scan(&first, &end)
	if err != nil {
		return 0, 0, fmt.Errorf("finding the entries of a time: %w", err)
	}
	return first, end, nil
}

// cosignedWithin returns the newest cosigned checkpoint of a tree of those sizes, or errNone.
func (s *store) cosignedWithin(ctx context.Context, policy string, least, most int64) (signedTree, error) {
	rows, err := s.log.Query(ctx, `SELECT size, note FROM audit_cosigned WHERE policy = $1 AND size BETWEEN $2 AND $3
		ORDER BY size DESC LIMIT 1`, policy, least, most)
	if err != nil {
		return signedTree{}, fmt.Errorf("reading a cosigned checkpoint: %w", err)
	}
	t, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[signedTree])
	return t, none(err)
}

// span returns the entries of a range of indexes that can be seen.
func (s *snapshot) span(ctx context.Context, first, end int64) ([]exported, error) {
	rows, err := s.tx.Query(ctx, `SELECT l.idx, e.salt, e.body FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry
		WHERE l.idx >= $1 AND l.idx < $2 ORDER BY l.idx`, first, end)
	return collectExported(rows, err)
}

// entriesAt returns the entries of those indexes, whoever made them: that they may be shown
// was decided where the indexes come from.
func (s *store) entriesAt(ctx context.Context, indexes []int64) ([]exported, error) {
	rows, err := s.log.Query(ctx, `SELECT l.idx, e.salt, e.body FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry
		WHERE l.idx = ANY ($1) ORDER BY l.idx`, indexes)
	return collectExported(rows, err)
}

func collectExported(rows pgx.Rows, err error) ([]exported, error) {
	if err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (x exported, err error) {
		return x, row.Scan(&x.index, &x.salt, &x.body)
	})
	if err != nil {
		return nil, fmt.Errorf("reading entries: %w", err)
	}
	return found, nil
}

// groundActs are the acts of entries that a consent record or an override stands by.
func groundActs() []string {
	return []string{"consent.record", "consent.review", "consent.withdraw", "override.propose", "override.decision", "override.review", "override.lapsed"}
}

// restedOn returns the indexes below first of entries that can be seen and that the records
// and overrides with those ids stand by; and the indexes below end of the entries stored.
func (s *snapshot) restedOn(ctx context.Context, consents []string, stored []EntryID, first, end int64) (own, others []int64, err error) {
	b := &pgx.Batch{}
	b.Queue(`SELECT l.idx FROM audit_entry e JOIN audit_leaf l ON l.entry = e.id
		WHERE e.consent = ANY ($1::text[]) AND e.act = ANY ($2::text[]) AND l.idx < $3`, consents, groundActs(), first).
		Query(func(rows pgx.Rows) (err error) {
			own, err = pgx.CollectRows(rows, pgx.RowTo[int64])
			return err
		})
	b.Queue(`SELECT idx FROM audit_leaf WHERE entry = ANY ($1::uuid[]) AND idx < $2`, stored, end).
		Query(func(rows pgx.Rows) (err error) {
			others, err = pgx.CollectRows(rows, pgx.RowTo[int64])
			return err
		})
	if err := s.tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, nil, fmt.Errorf("finding grounds: %w", err)
	}
	return own, others, nil
}
