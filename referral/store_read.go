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

	DueAt  *time.Time `json:"due_at,omitempty"`  // by when what is due next has to be done; nil: nothing is
	DueFor string     `json:"due_for,omitempty"` // what that is: delivered, opened, decided, first-contact
	Holder *Holder    `json:"holder,omitempty"`  // who of the caller's own agency has it
	Ends   *time.Time `json:"-"`                 // when the consent ends that it rests on

	seq int64
}

// Holder is a person who has a referral for her agency.
type Holder struct {
	User  string    `json:"user"`
	Name  string    `json:"-"` // for the eyes of her colleagues
	Since time.Time `json:"since"`
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
	       r.state = 'cancelled' AND coalesce((SELECT strpos(p.issuer, ':') > 0 FROM packet p WHERE p.referral = r.seq ORDER BY p.seq DESC LIMIT 1), false),
	       r.due_at, coalesce(r.due_for, ''), r.consent_ends, h.holder::text, h.name, h.since
	FROM referral r LEFT JOIN LATERAL (
		SELECT h.holder, u.name, h.since FROM referral_holding h JOIN partner_user u ON u.id = h.holder
		WHERE h.referral = r.seq AND h.partner = @me OFFSET 0) h ON true`

// scan reads the rows of summaryColumns.
func (m *Summary) scan(rows pgx.Rows, each func()) error {
	var holder, name *string
	var since *time.Time
	_, err := pgx.ForEachRow(rows, []any{&m.seq, &m.ID, &m.Sender, &m.Recipient, &m.State, &m.Asked, &m.Purpose, &m.Urgency, &m.Service,
		&m.Area, &m.Head, &m.Created, &m.Changed, &m.Transport, &m.Withdrawn, &m.DueAt, &m.DueFor, &m.Ends, &holder, &name, &since}, func() error {
		if m.Reference, m.Holder = ids.Reference(m.ID), nil; holder != nil {
			m.Holder = &Holder{User: *holder, Name: *name, Since: *since}
		}
		each()
		m.DueAt, m.Ends = nil, nil // what the next row is read into must not be this one's
		return nil
	})
	return err
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
	packet                int64
	digest, issuer, event string
	of                    row // the referral: what the listing needs of it
}

// List returns one page of the referrals that the caller received or sent, newest
// first, and marks what it shows her for the first time as delivered: each such
// packet with a log entry of its own. The rows being delivered are locked, so two
// listings at once deliver each packet once; they are read before the page, which
// therefore shows all that they brought, and what the page does not show (newer
// referrals have pushed it off) is not delivered by it.
func (s *Store) List(ctx context.Context, c partners.Caller, side Side, f Filter) ([]Summary, error) {
	page, args := listPage(c, side, f)
	return s.list(ctx, c, `SELECT r.seq FROM referral r`+page, page, args, func(*pgx.Batch) {})
}

// list is List of the referrals whose seqs a statement picks; page is the same choice, and its
// order, after summaryColumns. also queues what is asked besides.
func (s *Store) list(ctx context.Context, c partners.Caller, picks, page string, args pgx.StrictNamedArgs, also func(*pgx.Batch)) ([]Summary, error) {
	found := []Summary{}
	var fresh []arrived
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	// One look into the index for each row of the page, however many packets wait. What is
	// being filed, opened or listed by somebody else is passed over: whoever waited for it here
	// would wait for those who wait for this.
	read.Queue(`
		SELECT d.packet, p.digest, p.issuer, p.event, d.seq, d.id, d.urgency, d.due_from, coalesce(d.due_for, '')
		FROM (`+picks+`) k
		CROSS JOIN LATERAL (SELECT d.packet, r.seq, r.id, r.urgency, r.due_from, r.due_for FROM delivery d JOIN referral r ON r.seq = d.referral
			WHERE d.audience = @me AND d.state = 'stored' AND d.referral = k.seq FOR NO KEY UPDATE SKIP LOCKED) d
		JOIN packet p ON p.seq = d.packet`, args).Query(func(rows pgx.Rows) error {
		var a arrived
		_, err := pgx.ForEachRow(rows, []any{&a.packet, &a.digest, &a.issuer, &a.event, &a.of.seq, &a.of.id, &a.of.urgency, &a.of.dueFrom, &a.of.dueFor}, func() error {
			fresh = append(fresh, a)
			return nil
		})
		return err
	})
	read.Queue(summaryColumns+page, args).Query(func(rows pgx.Rows) error {
		var m Summary
		return m.scan(rows, func() { found = append(found, m) })
	})
	also(read)
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
		i := slices.IndexFunc(page, func(m Summary) bool { return m.ID == a.of.id })
		if i < 0 {
			continue
		}
		shown = append(shown, a)
		if a.digest == a.of.id && page[i].Transport == string(Stored) {
			page[i].Transport = string(Delivered)
		}
		if next, changes := a.delivered(); changes {
			page[i].DueAt, page[i].DueFor = next.at, string(next.next)
		}
	}
	return shown
}

// delivered is what is due of a referral once this has been delivered, and whether that
// changes anything: its request does.
func (a arrived) delivered() (due, bool) {
	next, changes := a.of.delivered()
	return next, changes && a.digest == a.of.id
}

func queueListing(c partners.Caller, now time.Time, fresh []arrived) (*pgx.Batch, error) {
	b := &pgx.Batch{}
	for _, a := range fresh {
		e := c.Entry("packet.deliver")
		e.Time, e.Referral, e.Event, e.Envelope = now, a.of.id, a.event, a.digest
		if ids.IsName(a.issuer) { // and not the hub
			e.Other = a.issuer
		}
		entry, err := audit.Queue(b, e)
		if err != nil {
			return nil, err
		}
		b.Queue(`UPDATE delivery SET state = 'delivered', delivered_at = $2, log_entry = $3 WHERE packet = $1 AND state = ANY ($4)`,
			a.packet, now, entry, before(Delivered))
		if next, changes := a.delivered(); changes {
			next.queue(b, a.of.seq)
		}
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
	read.Queue(summaryColumns+` WHERE r.id = @id`, pgx.StrictNamedArgs{"id": id, "me": c.Partner()}).Query(func(rows pgx.Rows) error {
		var found Summary
		return found.scan(rows, func() { m = found })
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
