package referral

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/pg"
	"handover/partners"
)

// Ending is a consent that ends soon, or has ended, while referrals that rest on it are
// open. Its end stops every release and does nothing else: whoever recorded it asks her
// whether she still agrees, and records that in its place.
type Ending struct {
	ID        string    `json:"id"`
	Subject   string    `json:"subject"`
	Purpose   string    `json:"purpose"`
	Expires   time.Time `json:"expires"`
	Ended     bool      `json:"ended"`
	Referrals []string  `json:"referrals"` // open, that you can see
}

// endingMost is how many records one page has.
const endingMost = 200

// endingPage takes of each chain of records the newest alone, by which the end is counted:
// of one that a later record has renewed there is nothing to do.
const endingPage = `
	SELECT c.id::text, c.subject, c.purpose, c.expires_at, c.expires_at <= now(), array_agg(DISTINCT r.id ORDER BY r.id)
	FROM consent c JOIN consent_state s ON s.id = c.id JOIN consent e ON e.chain = c.chain
	JOIN packet p ON p.consent = e.id AND p.event = 'request' JOIN referral r ON r.seq = p.referral
	WHERE c.recorder = @me AND c.expires_at <= now() + @days * interval '1 day' AND s.successors = 0 AND s.withdrawn_at IS NULL
	  AND r.state IN ('requested', 'received', 'accepted', 'in-progress')
	  AND (@after = '' OR (c.expires_at, c.id) > (SELECT a.expires_at, a.id FROM consent a WHERE a.id = nullif(@after, '')::uuid))
	GROUP BY c.id ORDER BY c.expires_at, c.id LIMIT @limit`

// EndingConsents returns one page of the caller's records that end within so many days, or
// have ended, and on which open referrals rest, soonest first, and whether there is more.
// after is the id of the last record of the page before, "" for the first.
func (s *Store) EndingConsents(ctx context.Context, c partners.Caller, days int, after string) (page []Ending, more bool, err error) {
	page = []Ending{}
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(endingPage, pgx.StrictNamedArgs{"me": c.Partner(), "days": days, "after": after, "limit": endingMost + 1}).
		Query(func(rows pgx.Rows) (err error) {
			page, err = pgx.AppendRows(page, rows, pgx.RowToStructByPos[Ending])
			return err
		})
	err = pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		e := c.Entry("consent.ending")
		e.Time = now
		_, err := audit.Queue(write, e)
		return write, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("listing consents that end: %w", err)
	}
	if len(page) > endingMost {
		return page[:endingMost], true, nil
	}
	return page, false, nil
}
