package consent

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/pg"
	"handover/partners"
)

// Waiting is what a manager of an agency has to decide, or to look at again.
type Waiting struct {
	Doubts    []Doubt        // consent records that cover nothing until she has decided, the oldest first
	Decisions []OverrideLine // overrides that nobody has decided: an emergency that runs or has lapsed first
	Reviews   []OverrideLine // overrides that stand and are to be looked at again within a week
}

// Doubt is a consent record of which a manager has to say whether it stands.
type Doubt struct {
	ID         string
	RecordedAt time.Time
}

// The overrides that a manager is shown, in the words of the database.
const (
	undecided  = `s.decision = 'proposed' AND s.ended_at IS NULL AND (s.expires_at > now() OR s.emergency)`
	lookAgain  = `s.decision = 'approved' AND s.ended_at IS NULL AND s.expires_at > now() AND s.review_at < now() + interval '7 days'`
	waitingMax = 200
)

// Waiting returns what waits for a manager of the caller's agency, and logs that it was
// listed. It tells of nobody whom it is about: for that she opens one, which is logged by
// itself. Whoever is no manager gets ErrManager: that somebody had a doubt is not for every
// colleague.
func (s *Store) Waiting(ctx context.Context, c partners.Caller) (w Waiting, err error) {
	if c.Role() != partners.Manager {
		return Waiting{}, ErrManager
	}
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(`SELECT id::text, recorded_at FROM consent_doubts() WHERE recorder = $1 ORDER BY recorded_at LIMIT $2`, c.Partner(), waitingMax).
		Query(func(rows pgx.Rows) (err error) {
			w.Doubts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Doubt])
			return err
		})
	for _, list := range []struct {
		where string
		into  *[]OverrideLine
	}{{undecided, &w.Decisions}, {lookAgain, &w.Reviews}} {
		read.Queue(overrideLines+`
			WHERE s.recorder = $1 AND `+list.where+`
			ORDER BY s.emergency DESC, s.review_at, s.id LIMIT $2`, c.Partner(), waitingMax).
			Query(func(rows pgx.Rows) error { return scanLines(rows, &now, list.into) })
	}
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		e := c.Entry("consent.waiting")
		e.Time = now
		_, err := audit.Queue(write, e)
		return write, err
	})
	if err != nil {
		return Waiting{}, fmt.Errorf("listing what waits for a manager: %w", err)
	}
	return w, nil
}
