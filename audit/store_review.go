package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
	"handover/internal/pg"
)

// Item is one thing that an auditor is to look at.
type Item struct {
	Kind    string    `json:"kind"`
	Since   time.Time `json:"since"` // the oldest, or the first, of what it counts
	Partner string    `json:"partner"`
	User    string    `json:"user,omitempty"`  // the person it is about, by opaque id, or the partner's system
	IDs     []string  `json:"ids"`             // of what it counts, at most 100
	Count   int64     `json:"count"`           // how many there are
	Rules   []string  `json:"rules,omitempty"` // of refusals: by which rules, the most frequent first
	Words   string    `json:"words"`           // what it is and what to do

	Entries []EntryID `json:"-"` // of what it counts, at most 100, for whoever holds them against the log
}

// A Source queues the reading of what else there is to look at, in the words of the domain
// that knows of it. It shows what by may see.
type Source func(b *pgx.Batch, by Reader, into *[]Item)

// The kinds of items that the log itself tells of.
const (
	kindRefusals = "refusals"
	kindOpenings = "openings"
)

// The rules by which the log finds them. Their words say them to the auditor.
const (
	// At least refusalsMany of one person, or of one system, within refusalsWithin.
	refusalsMany   = 5
	refusalsWithin = "1 hour"
	// One person, or one system, opened more than openingsFloor referrals in one day (UTC), and
	// more than openingsTimes the median of what her agency's people open in a day.
	openingsFloor = 10
	openingsTimes = 3
	// The median is of the days of usually on which somebody opened anything; listed is what
	// was done recently.
	usually  = "28 days"
	recently = "7 days"

	kindMost = 200 // items of one kind
	idsMost  = 100 // ids of one item
	// lookMost is how many entries of one kind are looked at, the newest first, so that nobody
	// makes the queue too dear to ask for by being refused a million times.
	lookMost = 100_000
)

// review returns what by is to look at, the oldest first, and logs that she asked.
func (s *store) review(ctx context.Context, by Reader, sources []Source) ([]Item, error) {
	var now time.Time
	items := []Item{}
	read := &pgx.Batch{}
	if by.Oversees {
		read.Queue(`SELECT set_config('hub.oversees', 'all', true)`)
	}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	for _, source := range sources {
		source(read, by, &items)
	}
	queueRefusals(read, by, &items)
	queueOpenings(read, by, &items)
	err := pg.Decide(ctx, s.hub, by.By.Partner, read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		e := by.By
		e.Act, e.Time, e.Reason = actRead, now, "review"
		_, err := Queue(write, e)
		return write, err
	})
	if err != nil {
		return nil, fmt.Errorf("reading what is to be reviewed: %w", err)
	}
	slices.SortStableFunc(items, func(a, b Item) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Kind, b.Kind)) })
	return items, nil
}

// recent reads the newest entries of some acts, since so long ago, with who did it: of the
// reader's own partner, or of all by the index on the act.
func recent(by Reader) string {
	const columns = `e.id, e.at, e.partner, e.outcome, e.referral, e.body`
	const since = `(lpad(to_hex((extract(epoch FROM now() - @span::interval) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid`
	const never = `'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid`
	from := `(SELECT ` + columns + ` FROM audit_entry e WHERE (e.partner, e.id) >= (@me, ` + since + `) AND (e.partner, e.id) < (@me, ` + never + `)
			AND e.act = ANY (@acts) ORDER BY e.partner DESC, e.id DESC LIMIT @look) e`
	if by.Oversees {
		from = `unnest(@acts::text[]) a(act) CROSS JOIN LATERAL (SELECT ` + columns + ` FROM audit_entry e
			WHERE (e.act, e.id) >= (a.act, ` + since + `) AND (e.act, e.id) < (a.act, ` + never + `) AND NOT starts_with(e.act, 'referral.')
			ORDER BY e.act DESC, e.id DESC LIMIT @look) e`
	}
	// The canonical bytes have each member in one spelling. They are searched and not parsed: bytes
	// that somebody has changed into no JSON would else take the whole queue from the auditor.
	return `SELECT e.id, e.at, e.partner, e.outcome, e.referral,
			coalesce(substring(said from '"user":"([^"]*)"'), substring(said from '"client":"([^"]*)"')) AS actor
		FROM ` + from + `, LATERAL (SELECT encode(e.body, 'escape') AS said) b WHERE e.partner <> ''`
}

// arguments are those of recent, and more.
func (by Reader) arguments(span string, acts []string, more pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	args := pgx.StrictNamedArgs{"span": span, "acts": acts, "look": lookMost, "most": kindMost, "ids": idsMost}
	if !by.Oversees {
		args["me"] = by.By.Partner
	}
	maps.Copy(args, more)
	return args
}

// queueRefusals finds who was refused again and again: the last time of each, whatever the
// rule was, since whoever tries what she may not gets to know one rule after the other.
func queueRefusals(b *pgx.Batch, by Reader, into *[]Item) {
	b.Queue(`WITH r AS (`+recent(by)+`),
		w AS (SELECT partner, actor, at, at - lag(at, @many - 1) OVER (PARTITION BY partner, actor ORDER BY at, id) <= @within::interval AS many FROM r),
		last AS (SELECT partner, actor, max(at) AS until FROM w WHERE many GROUP BY partner, actor ORDER BY max(at) DESC LIMIT @most)
		SELECT l.partner, coalesce(l.actor, ''), min(r.at), count(*), (array_agg(r.id::text ORDER BY r.id DESC))[:@ids], array_agg(DISTINCT r.outcome),
		       (array_agg(r.id ORDER BY r.id DESC))[:@ids]
		FROM last l JOIN r ON r.partner = l.partner AND r.actor IS NOT DISTINCT FROM l.actor
		     AND r.at BETWEEN l.until - @within::interval AND l.until
		GROUP BY l.partner, l.actor`,
		by.arguments(recently, []string{proof.Refused}, pgx.StrictNamedArgs{"many": refusalsMany, "within": refusalsWithin})).
		Query(func(rows pgx.Rows) error {
			i := Item{Kind: kindRefusals, Words: "Refused at least 5 times within an hour, by the rules named. A program that is set up wrongly repeats itself; so does " +
				"somebody who tries what she may not. Look at the entries, and ask who it was what she was doing."}
			_, err := pgx.ForEachRow(rows, []any{&i.Partner, &i.User, &i.Since, &i.Count, &i.IDs, &i.Rules, &i.Entries}, func() error {
				*into = append(*into, i)
				i.IDs, i.Rules, i.Entries = nil, nil, nil
				return nil
			})
			return err
		})
}

// queueOpenings finds who opened the content of unusually many referrals in one day.
func queueOpenings(b *pgx.Batch, by Reader, into *[]Item) {
	var opens []string
	for _, a := range proof.Acts() {
		if a.Opens {
			opens = append(opens, a.Name)
		}
	}
	b.Queue(`WITH o AS (
			SELECT partner, actor, (at AT TIME ZONE 'UTC')::date AS day, min(at) AS since, count(DISTINCT referral) AS n, array_agg(DISTINCT referral) AS ids,
			       (array_agg(id ORDER BY id DESC))[:@ids] AS entries
			FROM (`+recent(by)+`) e WHERE referral IS NOT NULL GROUP BY 1, 2, 3),
		usual AS (SELECT partner, percentile_cont(0.5) WITHIN GROUP (ORDER BY n) AS median FROM o GROUP BY partner)
		SELECT o.partner, coalesce(o.actor, ''), o.since, o.n, o.ids[:@ids], o.entries
		FROM o JOIN usual u ON u.partner = o.partner
		WHERE o.since >= now() - @recently::interval AND o.n > @floor AND o.n > @times * u.median ORDER BY o.since DESC LIMIT @most`,
		by.arguments(usually, opens, pgx.StrictNamedArgs{"recently": recently, "floor": openingsFloor, "times": openingsTimes})).
		Query(func(rows pgx.Rows) error {
			i := Item{Kind: kindOpenings, Words: "Opened more than 10 referrals in one day, and more than three times what is usual at that agency. It may be a busy " +
				"day, or somebody who covers for others; ask her manager for the reason."}
			_, err := pgx.ForEachRow(rows, []any{&i.Partner, &i.User, &i.Since, &i.Count, &i.IDs, &i.Entries}, func() error {
				*into = append(*into, i)
				i.IDs, i.Entries = nil, nil
				return nil
			})
			return err
		})
}
