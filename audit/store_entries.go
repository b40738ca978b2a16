package audit

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/internal/pg"
)

// Filter says which entries somebody asks for, newest first: those for which all of it holds.
type Filter struct {
	Partner  string // made them, or is named in them
	Act      string
	Acts     []string // of one of these acts; nil for any
	User     string   // made by this person, by opaque id
	Outcome  string
	Subject  string // they name her, or a referral, consent record or override of those that do
	Referral string
	Consent  string    // id of a consent record or override
	From, To time.Time // made at From or later, before To, to the millisecond
	After    EntryID   // made before this one, with which the page before ended
	Limit    int       // the most of one page

	look int // instead of lookBack, for tests
}

// about reports whether f asks what was done about one referral, consent record or woman.
func (f Filter) about() bool { return f.Subject != "" || f.Referral != "" || f.Consent != "" }

// Listed is one entry of a page. Body and Salt are nil once it was erased.
type Listed struct {
	ID         EntryID
	Index      int64
	Body, Salt []byte
}

// lookBack is how many entries one page looks at along an index for those that the rest of
// the filter is about. It bounds what the rarest combination costs: such a page may have
// fewer entries than were asked for, or none, and still be followed by another.
const lookBack = 10_000

// entries returns a page of entries that by's partner may see and that have a place in the
// log, and a checkpoint that covers them, and logs that it was asked for: what cannot be
// logged is not answered. next is the After of the page that follows, zero after the last.
//
// Which entries those are the database decides (row-level security): those that the partner
// made or is named in, and all for an oversight partner whose reader may see them.
func (s *store) entries(ctx context.Context, f Filter, by Reader) (page []Listed, next EntryID, under signedTree, err error) {
	var now time.Time
	read := &pgx.Batch{}
	if by.Oversees {
		read.Queue(`SELECT set_config('hub.oversees', 'all', true)`)
	}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	sql, args := f.statement(by)
	read.Queue(sql, args).Query(func(rows pgx.Rows) (err error) {
		page, next, err = scanPage(rows, f.Limit)
		return err
	})
	// After the page, so that it covers all of it.
	queueNewest(read, &under)
	err = pg.Decide(ctx, s.hub, by.By.Partner, read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		e := by.By
		e.Act, e.Time, e.Reason = actRead, now, f.names()
		e.Referral, e.Consent, e.Subject = f.Referral, f.Consent, f.Subject
		_, err := Queue(write, e)
		return write, err
	})
	if err != nil {
		return nil, EntryID{}, signedTree{}, fmt.Errorf("reading entries of the log: %w", err)
	}
	return page, next, under, nil
}

// actRead is the act of the entry that tells that somebody read the log.
const actRead = "log.read"

// names lists what f asks by, not what for.
func (f Filter) names() string {
	var names []string
	for _, part := range []struct {
		name  string
		asked bool
	}{
		{"partner", f.Partner != ""}, {"act", f.Act != ""}, {"acts", f.Acts != nil}, {"user", f.User != ""}, {"outcome", f.Outcome != ""},
		{"subject", f.Subject != ""}, {"referral", f.Referral != ""}, {"consent", f.Consent != ""},
		{"from", !f.From.IsZero()}, {"to", !f.To.IsZero()},
	} {
		if part.asked {
			names = append(names, part.name)
		}
	}
	return strings.Join(names, " ")
}

// The newest entries, each with its number in that order.
const newest = `SELECT y.*, row_number() OVER (ORDER BY y.id DESC) AS nth FROM (
		SELECT e.id, e.partner, e.other, e.act, e.outcome, e.referral, e.consent FROM audit_entry e
		WHERE %s ORDER BY %s e.id DESC LIMIT @scan) y`

// along reads the newest entries with one value in a column, by the index on both. The rows
// are compared as pairs, and sorted as pairs, because only that index has them in this order:
// told that the column equals the value, the planner may take the index on the id alone, and
// read the whole log for an agency that has done little. The conditions of partial indexes are
// written out, since one plan serves all values.
func along(column, value string) string {
	where := fmt.Sprintf(`(e.%[1]s, e.id) >= (%[2]s, @lo) AND (e.%[1]s, e.id) < (%[2]s, @hi)`, column, value) +
		map[string]string{"other": ` AND e.other <> ''`, "outcome": ` AND e.outcome <> ''`, "act": ` AND NOT starts_with(e.act, 'referral.')`,
			"referral": ` AND e.referral IS NOT NULL`, "consent": ` AND e.consent IS NOT NULL`, "subject": ` AND e.subject IS NOT NULL`}[column]
	return fmt.Sprintf(newest, where, "e."+column+" DESC,")
}

// alongEach reads those of each referral, or of each basis, that an entry names beside her.
func alongEach(column string) string {
	return fmt.Sprintf(`SELECT x.* FROM (SELECT DISTINCT %[1]s FROM named WHERE %[1]s IS NOT NULL) k CROSS JOIN LATERAL (%[2]s) x`,
		column, along(column, "k."+column))
}

// alongActs reads those of each of several acts.
func alongActs() string {
	return `SELECT x.* FROM unnest(@kinds::text[]) k(act) CROSS JOIN LATERAL (` + along("act", "k.act") + `) x`
}

// byPerson finds the person in the canonical bytes, of which no index is made: the member stands
// there in one spelling, and bytes that are no text any more are not hers.
const byPerson = `EXISTS (SELECT FROM audit_entry b WHERE b.id = seen.id AND position(convert_to('"user":"' || @user || '"', 'UTF8') IN b.body) > 0)`

// Entries of who looked for her, or was refused, do not say that a referral is hers: whoever
// asks for two that have nothing in common would else join them.
const namedWithHer = `named AS MATERIALIZED (
	SELECT DISTINCT e.referral, e.consent FROM audit_entry e
	WHERE e.subject = @subject AND e.act NOT IN ('log.read', 'refused')), `

// What was seen along the indexes is complete down to floor: below it an index that was not
// read to its end may have more.
const pageOf = `seen AS MATERIALIZED (%s),
	floor AS (SELECT id FROM seen WHERE nth = @scan ORDER BY id DESC LIMIT 1),
	page AS (SELECT DISTINCT id FROM seen WHERE %s AND NOT EXISTS (SELECT FROM floor f WHERE seen.id < f.id) ORDER BY id DESC LIMIT @limit)
	SELECT f.id, p.id, e.idx, e.body, e.salt
	FROM (SELECT (SELECT id FROM floor) AS id) f LEFT JOIN page p ON true
	LEFT JOIN LATERAL (SELECT l.idx, e.body, e.salt FROM audit_leaf l, audit_entry e WHERE l.entry = p.id AND e.id = p.id OFFSET 0) e ON true
	ORDER BY p.id DESC`

// statement returns the SQL of one page and its arguments. It reads along the index of what
// has the fewest entries, and looks at each for the rest of the filter.
func (f Filter) statement(by Reader) (string, pgx.StrictNamedArgs) {
	args := pgx.StrictNamedArgs{"lo": firstAt(f.From), "hi": f.before(), "limit": f.Limit + 1, "scan": f.Limit + 1}
	with, indexes, rest := f.drive(by)
	values := map[string]any{"me": by.By.Partner, "partner": f.Partner, "act": f.Act, "kinds": f.Acts, "user": f.User, "outcome": f.Outcome,
		"subject": f.Subject, "referral": f.Referral, "consent": f.Consent}
	where := []string{"true"}
	for _, name := range rest {
		where = append(where, map[string]string{"partner": `@partner IN (partner, other)`, "act": `act = @act`, "acts": `act = ANY (@kinds::text[])`,
			"user": byPerson, "outcome": `outcome = @outcome`, "referral": `referral = @referral`, "consent": `consent = @consent`}[name])
		args["scan"] = cmp.Or(f.look, lookBack)
	}
	sql := "WITH " + with + fmt.Sprintf(pageOf, "("+strings.Join(indexes, ") UNION ALL (")+")", strings.Join(where, " AND "))
	for name, value := range values {
		if strings.Contains(sql, "@"+name) {
			args[name] = value
		}
	}
	return sql, args
}

// drive chooses the indexes to read along, and names what of the filter is then left to look
// at.
func (f Filter) drive(by Reader) (with string, indexes, rest []string) {
	asked := map[string]bool{"partner": f.Partner != "", "act": f.Act != "", "acts": f.Acts != nil, "user": f.User != "",
		"outcome": f.Outcome != "", "referral": f.Referral != "", "consent": f.Consent != ""}
	left := func(names ...string) []string {
		return slices.DeleteFunc(append(names, "acts", "user"), func(name string) bool { return !asked[name] })
	}
	of := func(partner string) []string { return []string{along("partner", partner), along("other", partner)} }
	switch {
	case f.Subject != "":
		return namedWithHer, []string{along("subject", "@subject"), alongEach("referral"), alongEach("consent")},
			left("partner", "act", "outcome", "referral", "consent")
	case f.Referral != "":
		return "", []string{along("referral", "@referral")}, left("partner", "act", "outcome", "consent")
	case f.Consent != "":
		return "", []string{along("consent", "@consent")}, left("partner", "act", "outcome")
	case !by.Oversees && f.Partner == by.By.Partner:
		return "", of("@me"), left("act", "outcome")
	case !by.Oversees:
		return "", of("@me"), left("partner", "act", "outcome")
	case f.Partner != "":
		return "", of("@partner"), left("act", "outcome")
	case f.Outcome != "":
		return "", []string{along("outcome", "@outcome")}, left("act")
	case f.Act != "" && !strings.HasPrefix(f.Act, "referral."):
		return "", []string{along("act", "@act")}, left()
	case f.Acts != nil && !slices.ContainsFunc(f.Acts, func(act string) bool { return strings.HasPrefix(act, "referral.") }):
		return "", []string{alongActs()}, slices.DeleteFunc(left("act"), func(name string) bool { return name == "acts" })
	}
	return "", []string{fmt.Sprintf(newest, `e.id >= @lo AND e.id < @hi`, "")}, left("act")
}

// firstAt is the lowest id that an entry made at t can have: ids begin with the time.
func firstAt(t time.Time) EntryID {
	if t.IsZero() {
		return EntryID{}
	}
	id := newEntryID(t, [10]byte{})
	id[6], id[8] = 0, 0
	return id
}

// before is the id below which those of the page are.
func (f Filter) before() EntryID {
	last := EntryID{}
	for i := range last {
		last[i] = 0xff
	}
	if !f.To.IsZero() {
		last = firstAt(f.To)
	}
	if f.After != (EntryID{}) && string(f.After[:]) < string(last[:]) {
		last = f.After
	}
	return last
}

// scanPage reads the rows of a page. It ends where limit entries were found, or else where what
// was looked at ends; entries that wait for their place are not shown.
func scanPage(rows pgx.Rows, limit int) (page []Listed, next EntryID, err error) {
	var floor, id, last *EntryID
	var index *int64
	var l Listed
	found := 0
	_, err = pgx.ForEachRow(rows, []any{&floor, &id, &index, &l.Body, &l.Salt}, func() error {
		switch {
		case id == nil:
			return nil
		case found == limit: // there is one more
			floor = last
			return nil
		}
		found++
		last = new(EntryID)
		*last = *id
		if index != nil {
			page = append(page, Listed{ID: *id, Index: *index, Body: bytes.Clone(l.Body), Salt: bytes.Clone(l.Salt)})
		}
		return nil
	})
	if floor != nil {
		next = *floor
	}
	return page, next, err
}
