package referral

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// Summary is a referral as its two parties list it. Times are the hub's.
type Summary struct {
	ID        string    `json:"id"`
	Reference string    `json:"reference"`
	Sender    string    `json:"sender"`
	Recipient string    `json:"recipient"`
	State     string    `json:"state"`
	Transport string    `json:"transport"` // of the request: stored, delivered, opened, expired
	Asked     bool      `json:"asked"`     // the recipient waits for the sender's answer
	Purpose   string    `json:"purpose"`
	Urgency   string    `json:"urgency"`
	Service   string    `json:"service"`
	Area      string    `json:"area"`
	Head      string    `json:"head"` // the newest envelope: prev of the next
	Created   time.Time `json:"created"`
	Changed   time.Time `json:"changed"`
	Withdrawn bool      `json:"withdrawn,omitempty"` // the hub cancelled it, because she withdrew her consent

	seq int64
}

// Filter narrows a list. The zero Filter lists what is open.
type Filter struct {
	State   string // one state; "" for all that are open; "all"
	Urgency string
	After   int64 // the seq of the last row of the page before; 0 for the first page
	Limit   int
}

const summaryColumns = `
	SELECT r.seq, r.id, r.sender, r.recipient, r.state, r.asked, r.purpose, r.urgency, r.service, r.area, r.head,
	       r.created_at, r.changed_at,
	       (SELECT CASE WHEN d.state <> 'opened' AND p.expires_at <= now() THEN 'expired' ELSE d.state END
	        FROM packet p JOIN delivery d ON d.packet = p.seq WHERE p.referral = r.seq ORDER BY p.seq LIMIT 1),
	       r.state = 'cancelled' AND coalesce((SELECT strpos(p.issuer, ':') > 0 FROM packet p WHERE p.referral = r.seq ORDER BY p.seq DESC LIMIT 1), false)
	FROM referral r`

func (m *Summary) columns() []any {
	return []any{&m.seq, &m.ID, &m.Sender, &m.Recipient, &m.State, &m.Asked, &m.Purpose, &m.Urgency, &m.Service,
		&m.Area, &m.Head, &m.Created, &m.Changed, &m.Transport, &m.Withdrawn}
}

// listWhere picks what one side's list shows. The open states are spelled as in the
// partial index.
func listWhere(c partners.Caller, side Side, f Filter) (string, pgx.StrictNamedArgs) {
	where := ` WHERE r.` + string(side) + ` = @me`
	args := pgx.StrictNamedArgs{"me": c.Partner()}
	switch f.State {
	case "":
		where += ` AND r.state IN ('requested', 'received', 'accepted', 'in-progress')`
	case "all":
	default:
		where += ` AND r.state = @state`
		args["state"] = f.State
	}
	if f.Urgency != "" {
		where += ` AND r.urgency = @urgency`
		args["urgency"] = f.Urgency
	}
	if f.After != 0 {
		where += ` AND r.seq < @after`
		args["after"] = f.After
	}
	return where, args
}

// listPage picks one page, newest first, by keyset: the cost of a page does not grow
// with the table.
func listPage(c partners.Caller, side Side, f Filter) (string, pgx.StrictNamedArgs) {
	where, args := listWhere(c, side, f)
	args["limit"] = f.Limit
	return where + ` ORDER BY r.seq DESC LIMIT @limit`, args
}

// arrived is a packet that a listing delivers.
type arrived struct {
	packet                   int64
	digest, referral, issuer string
	event                    string
}

// List returns one page of the referrals that the caller received or sent, newest
// first, and marks what it shows her for the first time as delivered: each such
// packet with a log entry of its own. The rows being delivered are locked, so two
// listings at once deliver each packet once; they are read before the page, which
// therefore shows all that they brought, and what the page does not show (newer
// referrals have pushed it off) is not delivered by it.
func (s *Store) List(ctx context.Context, c partners.Caller, side Side, f Filter) ([]Summary, error) {
	page, args := listPage(c, side, f)
	found := []Summary{}
	var fresh []arrived
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	// One look into the index for each row of the page, however many packets wait.
	read.Queue(`
		SELECT d.packet, p.digest, r.id, p.issuer, p.event
		FROM (SELECT r.seq, r.id FROM referral r`+page+`) r
		CROSS JOIN LATERAL (SELECT d.packet FROM delivery d
			WHERE d.audience = @me AND d.state = 'stored' AND d.referral = r.seq FOR UPDATE SKIP LOCKED) d
		JOIN packet p ON p.seq = d.packet`, args).Query(func(rows pgx.Rows) error {
		var a arrived
		_, err := pgx.ForEachRow(rows, []any{&a.packet, &a.digest, &a.referral, &a.issuer, &a.event}, func() error {
			fresh = append(fresh, a)
			return nil
		})
		return err
	})
	read.Queue(summaryColumns+page, args).Query(func(rows pgx.Rows) error {
		var m Summary
		_, err := pgx.ForEachRow(rows, m.columns(), func() error {
			m.Reference = ids.Reference(m.ID)
			found = append(found, m)
			return nil
		})
		return err
	})
	err := pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		fresh = markDelivered(found, fresh)
		return queueListing(c, now, fresh)
	})
	if err != nil {
		return nil, fmt.Errorf("listing referrals: %w", err)
	}
	return found, nil
}

// markDelivered shows in the page what this listing is about to do, and returns what
// of fresh is on the page.
func markDelivered(page []Summary, fresh []arrived) (shown []arrived) {
	for _, a := range fresh {
		i := slices.IndexFunc(page, func(m Summary) bool { return m.ID == a.referral })
		if i < 0 {
			continue
		}
		shown = append(shown, a)
		if a.digest == a.referral && page[i].Transport == string(Stored) {
			page[i].Transport = string(Delivered)
		}
	}
	return shown
}

func queueListing(c partners.Caller, now time.Time, fresh []arrived) (*pgx.Batch, error) {
	b := &pgx.Batch{}
	for _, a := range fresh {
		e := c.Entry("packet.deliver")
		e.Time, e.Referral, e.Event, e.Envelope = now, a.referral, a.event, a.digest
		if ids.IsName(a.issuer) { // and not the hub
			e.Other = a.issuer
		}
		entry, err := audit.Queue(b, e)
		if err != nil {
			return nil, err
		}
		b.Queue(`UPDATE delivery SET state = 'delivered', delivered_at = $2, log_entry = $3 WHERE packet = $1 AND state = ANY ($4)`,
			a.packet, now, entry, before(Delivered))
	}
	e := c.Entry("referral.list")
	e.Time = now
	_, err := audit.Queue(b, e)
	return b, err
}

// Undelivered reports whether anything stored waits to be listed to the partner by
// this very list. What only another list would show, such as an answer to what it
// sent, must not count: no listing would deliver it, and every poll would end at once.
func (s *Store) Undelivered(ctx context.Context, c partners.Caller, side Side, f Filter) (bool, error) {
	var waits bool
	where, args := listWhere(c, side, f)
	b := &pgx.Batch{}
	b.Queue(`SELECT EXISTS (SELECT FROM
		(SELECT d.referral FROM delivery d WHERE d.audience = @me AND d.state = 'stored' OFFSET 0) d
		JOIN referral r ON r.seq = d.referral`+where+`)`, args).
		QueryRow(func(row pgx.Row) error { return row.Scan(&waits) })
	err := pg.Decide(ctx, s.pool, string(c.Partner()), b, func() (*pgx.Batch, error) { return nil, nil })
	return waits, err
}

// Step is one packet of the chain, without its content.
type Step struct {
	Event     string    `json:"event"`
	Envelope  string    `json:"envelope"` // the signed envelope
	Digest    string    `json:"digest"`
	State     string    `json:"state"` // of the referral after it
	Stored    time.Time `json:"stored"`
	Transport string    `json:"transport"`
	Receipt   any       `json:"receipt,omitempty"`

	Entry audit.EntryID `json:"-"`

	byHub bool
}

// Read returns a referral with its whole chain, oldest first, to one of its two
// parties, and logs that she read it; or ErrNotThere.
func (s *Store) Read(ctx context.Context, c partners.Caller, id string) (Summary, []Step, error) {
	if !ids.IsDigest(id) {
		return Summary{}, nil, ErrNotThere
	}
	var m Summary
	chain := []Step{}
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(summaryColumns+` WHERE r.id = $1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, m.columns(), func() error { return nil })
		return err
	})
	read.Queue(`
		SELECT p.event, p.envelope, p.digest, p.state, p.stored_at, d.state, p.log_entry, p.issuer = $2
		FROM referral r JOIN packet p ON p.referral = r.seq JOIN delivery d ON d.packet = p.seq
		WHERE r.id = $1 ORDER BY p.seq`, id, s.hub).Query(func(rows pgx.Rows) error {
		var st Step
		_, err := pgx.ForEachRow(rows, []any{&st.Event, &st.Envelope, &st.Digest, &st.State, &st.Stored,
			&st.Transport, &st.Entry, &st.byHub}, func() error {
			chain = append(chain, st)
			return nil
		})
		return err
	})
	err := pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if m.ID == "" {
			return nil, ErrNotThere
		}
		m.Reference = ids.Reference(m.ID)
		write := &pgx.Batch{}
		e := c.Entry("referral.read")
		e.Time, e.Referral, e.Other = now, id, m.other(c)
		_, err := audit.Queue(write, e)
		return write, err
	})
	return m, chain, err
}

func (m Summary) other(c partners.Caller) string {
	if m.Sender == string(c.Partner()) {
		return m.Recipient
	}
	return m.Sender
}
