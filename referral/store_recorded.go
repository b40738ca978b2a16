package referral

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/consent"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// Recorded is a consent record of the caller's own agency, the newest of its chain, as her
// workers list it: to whom, what for, until when, and which referrals rest on it. Of whom it
// is about it says nothing.
type Recorded struct {
	ID         string
	Agreement  string // what she said: one of record.Agreements
	Purpose    string
	Recipients []string
	Given      time.Time
	Expires    time.Time
	Ended      bool
	Withdrawn  bool
	Review     string   // not-needed, awaited, stands, does-not-stand
	Referrals  []string // that rest on its chain and that the caller's agency sees
}

// recordedMost is how many records one page has.
const recordedMost = 50

// recordedPage takes the newest of each chain alone: what it took the place of, its own page
// says.
const recordedPage = `
	SELECT c.id::text, c.agreement, c.purpose, c.recipients, c.given_at, c.expires_at, c.expires_at <= now(), s.withdrawn_at IS NOT NULL, s.review,
	       coalesce((SELECT array_agg(DISTINCT r.id ORDER BY r.id) FROM consent e JOIN packet p ON p.consent = e.id AND p.event = 'request'
	                 JOIN referral r ON r.seq = p.referral WHERE e.chain = c.chain), '{}')
	FROM consent c JOIN consent_state s ON s.id = c.id
	WHERE c.recorder = @me AND s.successors = 0 AND (@after = '' OR c.id < nullif(@after, '')::uuid)
	ORDER BY c.id DESC LIMIT @limit`

// Recorded returns one page of what women said to the caller's agency, newest first, and
// whether there is more, and logs that it was listed. after is the id of the last record of
// the page before, "" for the first. Other agencies' records, in which hers is named, are not
// in it: they come with their referrals.
func (s *Store) Recorded(ctx context.Context, c partners.Caller, after string) (page []Recorded, more bool, err error) {
	if after != "" && !ids.IsUUID(after) {
		return nil, false, consent.ErrQuery
	}
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(recordedPage, pgx.StrictNamedArgs{"me": c.Partner(), "after": after, "limit": recordedMost + 1}).
		Query(func(rows pgx.Rows) (err error) {
			page, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Recorded])
			return err
		})
	err = pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		e := c.Entry("consent.list")
		e.Time = now
		_, err := audit.Queue(write, e)
		return write, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("listing consent records: %w", err)
	}
	if len(page) > recordedMost {
		return page[:recordedMost], true, nil
	}
	return page, false, nil
}
