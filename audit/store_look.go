package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
)

// queueByID queues the reading of those of the entries that by may see, the ones without a place
// at index -1, and of the newest checkpoint after them.
func queueByID(b *pgx.Batch, by Reader, ids []EntryID, found *[]Listed, under *signedTree) {
	if by.Oversees {
		b.Queue(`SELECT set_config('hub.oversees', 'all', true)`)
	}
	b.Queue(`SELECT e.id, coalesce(l.idx, -1), e.body, e.salt FROM audit_entry e LEFT JOIN audit_leaf l ON l.entry = e.id
		WHERE e.id = ANY ($1::uuid[])`, ids).Query(func(rows pgx.Rows) (err error) {
		*found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Listed])
		return err
	})
	queueNewest(b, under)
}

// queueNewest queues the reading of the newest checkpoint, which is the zero one in a new log.
func queueNewest(b *pgx.Batch, under *signedTree) {
	b.Queue(`SELECT coalesce(c.size, 0), c.note FROM (SELECT) one LEFT JOIN LATERAL
		(SELECT size, note FROM audit_checkpoint ORDER BY size DESC LIMIT 1) c ON true`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&under.Size, &under.Note) })
}

// one returns an entry that by may see, and logs which she asked for, with what it is about; or
// ErrNoEntry.
func (s *store) one(ctx context.Context, by Reader, id EntryID) (Listed, signedTree, error) {
	var now time.Time
	var found []Listed
	var under signedTree
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	queueByID(read, by, []EntryID{id}, &found, &under)
	err := pg.Decide(ctx, s.hub, by.By.Partner, read, func() (*pgx.Batch, error) {
		if len(found) == 0 {
			return nil, ErrNoEntry
		}
		write := &pgx.Batch{}
		e := by.By
		e.Act, e.Time, e.Reason, e.Target = actRead, now, "entry", id.String()
		e.Referral, e.Consent, e.Override = about(found[0].Body)
		_, err := Queue(write, e)
		return write, err
	})
	if err != nil {
		if errors.Is(err, ErrNoEntry) {
			return Listed{}, under, err
		}
		return Listed{}, under, fmt.Errorf("reading an entry of the log: %w", err)
	}
	return found[0], under, nil
}

// about is what an entry is about, as far as it has the form of an id: of one that somebody has
// changed, nothing is written into the log again.
func about(body []byte) (referral, consent, override string) {
	e, err := proof.ParseEntry(body)
	if err != nil {
		return "", "", ""
	}
	if ids.IsDigest(e.Referral) {
		referral = e.Referral
	}
	switch {
	case ids.IsUUID(e.Consent):
		consent = e.Consent
	case ids.IsUUID(e.Override):
		override = e.Override
	}
	return referral, consent, override
}

// several returns those of the entries that by may see.
func (s *store) several(ctx context.Context, by Reader, ids []EntryID) (found []Listed, under signedTree, err error) {
	b := &pgx.Batch{}
	queueByID(b, by, ids, &found, &under)
	err = pg.As(ctx, s.hub, by.By.Partner, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() })
	if err != nil {
		return nil, under, fmt.Errorf("reading entries of the log: %w", err)
	}
	return found, under, nil
}

// newestSigned returns the newest checkpoint, which is the zero one in a new log.
func (s *store) newestSigned(ctx context.Context) (under signedTree, err error) {
	b := &pgx.Batch{}
	queueNewest(b, &under)
	if err := s.log.SendBatch(ctx, b).Close(); err != nil {
		return under, fmt.Errorf("reading the newest checkpoint: %w", err)
	}
	return under, nil
}

// referralsOf returns the ids of referrals that begin with one of the prefixes and that entries name
// which by may see, 1000 entries' worth of each.
func (s *store) referralsOf(ctx context.Context, by Reader, prefixes []string) (found []string, err error) {
	b := &pgx.Batch{}
	if by.Oversees {
		b.Queue(`SELECT set_config('hub.oversees', 'all', true)`)
	}
	b.Queue(`SELECT DISTINCT x.referral FROM unnest($1::text[]) p(prefix) CROSS JOIN LATERAL (
			SELECT e.referral FROM audit_entry e WHERE e.referral >= p.prefix AND e.referral < p.prefix || '~' ORDER BY e.referral LIMIT 1000) x`, prefixes).
		Query(func(rows pgx.Rows) (err error) {
			found, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	err = pg.As(ctx, s.hub, by.By.Partner, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() })
	if err != nil {
		return nil, fmt.Errorf("looking for a referral by its reference: %w", err)
	}
	return found, nil
}

// madeAt is when the entry at index was made; zero if there is none.
func (s *store) madeAt(ctx context.Context, index int64) (time.Time, error) {
	var id EntryID
	err := s.log.QueryRow(ctx, `SELECT entry FROM audit_leaf WHERE idx = $1`, index).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the time of an entry: %w", err)
	}
	return id.at(), nil
}

// StatementsOf returns the signed statements that an entry commits to or rests on, as far as by
// may read them, each once, without what is sealed: those that an export of it would have, by the same
// rooms. To oversight there are none.
func (x *Exporter) StatementsOf(ctx context.Context, by Reader, entry Listed) ([]Statement, error) {
	if by.Oversees || !by.All {
		return nil, nil
	}
	var all []Statement
	given := map[string]bool{}
	named := namedBy([]exported{{index: entry.Index, salt: entry.Salt, body: entry.Body}})
	err := pg.As(ctx, x.Log.store.hub, by.By.Partner, func(tx pgx.Tx) error {
		for _, room := range x.Rooms {
			err := room.Statements(ctx, tx, named, func(s Statement) error {
				if digest := ids.Digest(s.Text); !given[digest] {
					given[digest] = true
					all = append(all, s)
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the statements of an entry: %w", err)
	}
	return all, nil
}
