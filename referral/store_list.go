package referral

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// tabList is what one tab shows: of whose side, which referrals, in which order. Each is read
// along the index that 00029_inbox.sql has for it, from where the page before ended: what a
// page costs does not grow with the table.
type tabList struct {
	side  Side
	from  string // SQL: the referral r, or the holding h as well
	where string
	place string // SQL: of a row in the order, before its seq
	order string // DESC: newest first; ASC: what is due, or ends, soonest
}

// Who has a referral is asked by a scalar query: as EXISTS, the planner would read all that
// anybody has.
const (
	isOpen    = `r.state IN ('requested', 'received', 'accepted', 'in-progress')`
	hasIt     = `(SELECT h.holder FROM referral_holding h WHERE h.referral = r.seq AND h.partner = @me)`
	placeDue  = `r.due_at`
	placeEnds = `r.consent_ends`
)

func tabLists() map[Tab]tabList {
	newest := func(side Side, where string) tabList {
		return tabList{side, `referral r`, `r.` + string(side) + ` = @me AND ` + where, `r.seq`, `DESC`}
	}
	soonest := func(place, where string) tabList {
		return tabList{RecipientSide, `referral r`, `r.recipient = @me AND ` + where, place, `ASC`}
	}
	mine := func(side Side) tabList { // what has ended nobody has
		return tabList{side, `referral_holding h JOIN referral r ON r.seq = h.referral`,
			`h.partner = @me AND h.side = '` + string(side) + `' AND h.holder = nullif(@user, '')::uuid`, `h.referral`, `DESC`}
	}
	return map[Tab]tabList{
		TabNew:      newest(RecipientSide, `r.state = 'requested' AND NOT r.taken`),
		TabMine:     mine(RecipientSide),
		TabWaiting:  newest(RecipientSide, `r.asked AND r.state = 'received'`),
		TabOverdue:  soonest(placeDue, `r.due_at < now()`),
		TabEnding:   soonest(placeEnds, `r.consent_ends < now() + interval '7 days' AND `+isOpen),
		TabOpen:     newest(RecipientSide, isOpen),
		TabAsked:    newest(SenderSide, `r.asked AND r.state = 'received'`),
		TabSent:     newest(SenderSide, isOpen),
		TabSentMine: mine(SenderSide),
		TabSentAll:  newest(SenderSide, `true`),
	}
}

// args is what every statement over the list is asked with.
func (t tabList) args(c partners.Caller) pgx.StrictNamedArgs {
	args := pgx.StrictNamedArgs{"me": c.Partner()}
	if strings.Contains(t.where, "@user") {
		args["user"] = c.User()
	}
	return args
}

// rows picks so many rows of the list after a place, in its order.
func (t tabList) rows(after spot, limit int, args pgx.StrictNamedArgs) string {
	where := t.where
	switch {
	case after.seq == 0:
	case t.order == `DESC`:
		where, args["seq"] = where+` AND `+t.place+` < @seq`, after.seq
	default:
		where, args["at"], args["seq"] = where+` AND (`+t.place+`, r.seq) > (@at, @seq)`, after.at, after.seq
	}
	return fmt.Sprintf(`SELECT r.seq, %s AS place, r.urgency, r.sender, r.recipient FROM %s WHERE %s ORDER BY %[1]s %[4]s, r.seq %[4]s LIMIT %[5]d`,
		t.place, t.from, where, t.order, limit)
}

// picks is the statement that picks at most so many referrals for a page. Filters are asked of
// the next lookThrough alone: a tab of a hundred thousand, of which nothing passes, is not read
// to its end.
func (t tabList) picks(q InboxQuery, after spot, limit int, args pgx.StrictNamedArgs) string {
	if !q.narrowed() {
		return t.rows(after, limit, args)
	}
	var where []string
	if q.Urgency != "" {
		where, args["urgency"] = append(where, `r.urgency = @urgency`), q.Urgency
	}
	switch q.Holder {
	case "":
	case Nobody:
		where = append(where, hasIt+` IS NULL`)
	default:
		where, args["holder"] = append(where, hasIt+` = @holder::uuid`), q.Holder
	}
	if q.Other != "" {
		other := `r.sender`
		if t.side == SenderSide {
			other = `r.recipient`
		}
		where, args["other"] = append(where, other+` = @other`), q.Other
	}
	return fmt.Sprintf(`SELECT * FROM (%s) r WHERE %s ORDER BY r.place %[3]s, r.seq %[3]s LIMIT %[4]d`,
		t.rows(after, lookThrough, args), strings.Join(where, ` AND `), t.order, limit)
}

// Summaries returns one page of a tab, with what its siblings count, and marks what it shows
// for the first time as delivered, as List does. Errors: ErrQuery, partners.ErrScope.
func (s *Store) Summaries(ctx context.Context, c partners.Caller, q InboxQuery) (InboxPage, error) {
	after, err := q.check()
	if err != nil {
		return InboxPage{}, err
	}
	if q.Reference != "" {
		return s.byReference(ctx, c, q.Reference)
	}
	t := tabLists()[q.Tab]
	if err := allows(c, t.side); err != nil {
		return InboxPage{}, err
	}
	page := InboxPage{Counts: map[Tab]int{}}
	var more int
	var stopped spot
	args, wider := t.args(c), t.args(c)
	picks := t.picks(q, after, pageOf, args)
	page.Rows, err = s.list(ctx, c, picks, picked(picks, t.order), args, func(b *pgx.Batch) {
		b.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&page.Now) })
		b.Queue(`SELECT count(*) FROM (`+t.picks(q, after, pageOf+1, wider)+`) x`, wider).QueryRow(func(row pgx.Row) error { return row.Scan(&more) })
		if q.narrowed() {
			t.queueStop(b, c, after, &stopped)
		}
		queueCounts(b, c, t.side, page.Counts)
		queueNewest(b, c, &page.Newest)
	})
	if err != nil {
		return InboxPage{}, err
	}
	switch {
	case more > pageOf && len(page.Rows) > 0:
		page.Next = t.after(page.Rows[len(page.Rows)-1]).String()
	case stopped.seq != 0:
		page.Next, page.Stopped = stopped.String(), true
	}
	return page, nil
}

// picked is the page of what a statement picks, in its order, as Store.list wants it.
func picked(picks, order string) string {
	return ` JOIN (` + picks + `) k ON k.seq = r.seq ORDER BY k.place ` + order + `, r.seq ` + order
}

// queueStop asks for the last referral that a narrowed page looks through, if there are so many.
func (t tabList) queueStop(b *pgx.Batch, c partners.Caller, after spot, last *spot) {
	args := t.args(c)
	at := `NULL::timestamptz`
	if t.order == `ASC` {
		at = `place`
	}
	b.Queue(fmt.Sprintf(`SELECT seq, %s FROM (%s) r ORDER BY place %[3]s, seq %[3]s OFFSET %[4]d`,
		at, t.rows(after, lookThrough, args), t.order, lookThrough-1), args).Query(func(rows pgx.Rows) error {
		var moment *time.Time
		_, err := pgx.ForEachRow(rows, []any{&last.seq, &moment}, func() error {
			last.at = orZero(moment)
			return nil
		})
		return err
	})
}

// queueCounts counts each tab of a side, no further than CountMost and one.
func queueCounts(b *pgx.Batch, c partners.Caller, side Side, into map[Tab]int) {
	for name, t := range tabLists() {
		if t.side != side || name == TabSentAll {
			continue
		}
		b.Queue(fmt.Sprintf(`SELECT count(*) FROM (SELECT FROM %s WHERE %s LIMIT %d) x`, t.from, t.where, CountMost+1), t.args(c)).
			QueryRow(func(row pgx.Row) error {
				var n int
				err := row.Scan(&n)
				into[name] = n
				return err
			})
	}
}

// queueNewest asks for the newest referral that the agency has received. Asked for with =, it
// would be looked for among everybody's, from the newest back, for ever by who has received none.
func queueNewest(b *pgx.Batch, c partners.Caller, newest *int64) {
	b.Queue(`SELECT seq FROM referral WHERE recipient >= $1 AND recipient <= $1 ORDER BY recipient, seq DESC LIMIT 1`, c.Partner()).Query(scanOne(newest))
}

// byReference returns the referrals of a reference, of either side: as good as always one.
func (s *Store) byReference(ctx context.Context, c partners.Caller, reference string) (InboxPage, error) {
	if err := allows(c, RecipientSide, SenderSide); err != nil {
		return InboxPage{}, err
	}
	page := InboxPage{}
	var err error
	args := pgx.StrictNamedArgs{"me": c.Partner(), "short": ids.ReferencePrefixes(reference)}
	picks := fmt.Sprintf(`SELECT r.seq, r.seq AS place FROM referral r
		WHERE r.short = ANY (@short) AND @me IN (r.sender, r.recipient) ORDER BY r.seq DESC LIMIT %d`, pageOf)
	page.Rows, err = s.list(ctx, c, picks, picked(picks, `DESC`), args, func(b *pgx.Batch) {
		b.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&page.Now) })
		queueNewest(b, c, &page.Newest)
	})
	return page, err
}

// Arrived counts the open referrals that the agency has received after the one of that number,
// InboxPage.Newest, no further than CountMost and one. It is what a page that is open says has
// come in since; it shows nothing of them, delivers nothing and is not logged.
func (s *Store) Arrived(ctx context.Context, c partners.Caller, after int64) (n int, err error) {
	if err := RecipientSide.Allows(c); err != nil {
		return 0, err
	}
	b := &pgx.Batch{}
	b.Queue(fmt.Sprintf(`SELECT count(*) FROM (SELECT FROM referral r WHERE r.recipient = $1 AND %s AND r.seq > $2 LIMIT %d) x`, isOpen, CountMost+1),
		c.Partner(), after).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	err = pg.Decide(ctx, s.pool, string(c.Partner()), b, func() (*pgx.Batch, error) { return nil, nil })
	if err != nil {
		return 0, fmt.Errorf("counting what has arrived: %w", err)
	}
	return n, nil
}
