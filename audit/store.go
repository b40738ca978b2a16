package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit/proof"
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
		INSERT INTO audit_entry (id, at, partner, other, act, outcome, salt, body, leaf, referral, consent, subject)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, ''), nullif($11, ''), nullif($12, '')))
	INSERT INTO audit_pending (entry) VALUES ($1)`

func (s sealed) args() []any {
	return []any{s.id, s.e.Time, s.e.Partner, s.e.Other, s.e.Act, s.e.Outcome, s.salt[:], s.body, s.leaf,
		s.e.Referral, s.basis(), s.e.Subject}
}

// Append writes e in the caller's transaction: the entry is in the log exactly if
// that transaction commits. The caller sets everything but V and ID; Time is the
// database's time of the transaction. Append comes last: nothing may be decided
// after it. After the commit, call Log.Receipt for the proof, or Log.Kick if nobody asks for one.
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
	if texts, err := l.store.successions(ctx); err != nil {
		return nil, err
	} else if err := l.inherit(signer, texts); err != nil {
		return nil, fmt.Errorf("opening the log's successions: %w", err)
	}
	if _, err := l.signer().open(last); err != nil {
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
	said             *proof.Entry // what body says, if this hub has just written it
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
		return EntryID{}, fmt.Errorf("appending log entry: %w", err)
	}
	return sealed.id, nil
}

// count adds counts to the rows of the current hour. All hubs lock these rows in the
// order of their codes, so none waits for another in a circle.
func (s *store) count(ctx context.Context, codes []string, counts []int64) error {
	_, err := s.log.Exec(ctx, `INSERT INTO audit_anonymous AS a (hour, code, count)
		SELECT date_trunc('hour', now()), u.code, u.count FROM unnest($1::text[], $2::bigint[]) AS u(code, count)
		ORDER BY u.code ON CONFLICT ON CONSTRAINT audit_anonymous_pkey DO UPDATE SET count = a.count + excluded.count`, codes, counts)
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
		rows, err := tx.Query(ctx, `DELETE FROM audit_anonymous WHERE (hour, code) IN (
				SELECT hour, code FROM audit_anonymous WHERE hour < date_trunc('hour', now())
				ORDER BY hour, code FOR UPDATE)
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
