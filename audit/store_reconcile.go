package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit/proof"
)

// reconcileLock is the key of the advisory lock on comparing ("rows" in ASCII).
const reconcileLock = 0x726f7773

// ErrReconciling means that another hub is comparing at this moment.
var ErrReconciling = errors.New("another hub is comparing the log with its rows")

// Reconcile holds every row that names an entry against the log, and every entry against the
// rows, and builds the tree anew from the entries. It reads one snapshot of the database as
// owner, who sees every row, logs the outcome and returns it. It returns ErrReconciling while
// another does the same.
//
// Whoever owns the database can change a row, or take one away, and no trigger and no foreign
// key stops him: it is here that it shows. What he cannot make good is the entry, which the
// tree holds.
func (l *Log) Reconcile(ctx context.Context, owner *pgxpool.Pool, ledger Ledger) (Report, error) {
	return l.reconcile(ctx, owner, ledger, func(context.Context, pgx.Tx) (bool, error) { return true, nil })
}

// ReconcileDaily does what Reconcile does unless it has been done today (UTC) by any hub, and
// reports whether it was due. A log in which nothing is older than today waits until tomorrow.
func (l *Log) ReconcileDaily(ctx context.Context, owner *pgxpool.Pool, ledger Ledger) (report Report, due bool, err error) {
	report, err = l.reconcile(ctx, owner, ledger, func(ctx context.Context, tx pgx.Tx) (bool, error) {
		err := tx.QueryRow(ctx, `
			SELECT NOT EXISTS (SELECT FROM audit_reconciled WHERE at >= date_trunc('day', now()))
				AND coalesce((SELECT at FROM audit_entry ORDER BY id LIMIT 1) < date_trunc('day', now()), false)`).Scan(&due)
		return due, err
	})
	return report, due, err
}

// LastReconciled returns when the log was last compared with its rows, and how many differences
// there were; a zero time if it never was.
func (l *Log) LastReconciled(ctx context.Context) (at time.Time, found int64, err error) {
	err = l.store.hub.QueryRow(ctx, `SELECT at, differences FROM audit_reconciled ORDER BY at DESC LIMIT 1`).Scan(&at, &found)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, 0, nil
	}
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("reading the last comparison: %w", err)
	}
	return at, found, nil
}

// reconcile does the work while it holds the lock, so that hubs do it one at a time and the
// next sees that it is done.
func (l *Log) reconcile(ctx context.Context, owner *pgxpool.Pool, ledger Ledger, due func(context.Context, pgx.Tx) (bool, error)) (Report, error) {
	var report Report
	err := pgx.BeginFunc(ctx, owner, func(tx pgx.Tx) error {
		var free bool
		if err := tx.QueryRow(ctx, `
			SELECT pg_try_advisory_xact_lock($1) FROM
				(SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true)) AS patience`,
			int64(reconcileLock)).Scan(&free); err != nil {
			return fmt.Errorf("beginning to compare: %w", err)
		}
		if !free {
			return ErrReconciling
		}
		if wanted, err := due(ctx, tx); err != nil || !wanted {
			return err
		}
		var err error
		if report, err = l.compare(ctx, owner, ledger); err != nil {
			return err
		}
		return keepOutcome(ctx, tx, report)
	})
	if err == nil {
		l.Kick()
	}
	return report, err
}

// keepOutcome writes the outcome, with its entry.
func keepOutcome(ctx context.Context, tx pgx.Tx, report Report) error {
	e := proof.Entry{Act: proof.Reconciled, Count: report.Found, Outcome: "agrees"}
	if report.Found > 0 {
		e.Outcome = "differs"
	}
	if err := tx.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&e.Time); err != nil {
		return fmt.Errorf("reading the time: %w", err)
	}
	id, err := Append(ctx, tx, e)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO audit_reconciled (at, entries, rows, differences, log_entry) VALUES ($1, $2, $3, $4, $5)`,
		e.Time, report.Entries, report.Rows, report.Found, id)
	if err != nil {
		return fmt.Errorf("keeping the outcome: %w", err)
	}
	return nil
}

// compare compares everything, in one snapshot.
func (l *Log) compare(ctx context.Context, owner *pgxpool.Pool, ledger Ledger) (Report, error) {
	report := Report{Differences: []Difference{}}
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, owner, options, func(tx pgx.Tx) error {
		// Parallel workers may not begin the subtransactions of audit_said.
		_, err := tx.Exec(ctx, `
			SELECT set_config('statement_timeout', '0', true), set_config('idle_in_transaction_session_timeout', '0', true),
			       set_config('max_parallel_workers_per_gather', '0', true), set_config('plan_cache_mode', 'force_custom_plan', true)`)
		if err != nil {
			return fmt.Errorf("beginning to compare: %w", err)
		}
		c := comparison{tx: tx, report: &report}
		if err := c.ledger(ctx, ledger); err != nil {
			return err
		}
		for _, r := range ledger.Rows {
			if err := c.rows(ctx, r); err != nil {
				return err
			}
		}
		for _, p := range ledger.Pairs {
			if err := c.list(ctx, p.What, p.Table, p.SQL); err != nil {
				return err
			}
		}
		return c.tree(ctx, l)
	})
	if err != nil {
		return Report{}, fmt.Errorf("comparing the log with its rows: %w", err)
	}
	return report, nil
}

// comparison is one comparison under way.
type comparison struct {
	tx     pgx.Tx
	report *Report
	acts   map[string]int64 // how many entries there are of each act
}

// listMost is how many differences one statement lists; the others are counted.
const listMost = 100

// ledger looks for tables and acts that nobody has declared: what is not held against the log
// would be a hole that nothing shows.
func (c *comparison) ledger(ctx context.Context, ledger Ledger) error {
	rows, err := c.tx.Query(ctx, `
		SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE a.attname = 'log_entry' AND NOT a.attisdropped AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
		ORDER BY 1`)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, fault := range ledger.Check(tables) {
		c.report.add(Difference{What: fault})
	}
	c.acts = map[string]int64{}
	if rows, err = c.tx.Query(ctx, `SELECT act, count(*) FROM audit_entry GROUP BY act`); err != nil {
		return err
	}
	var act string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&act, &n}, func() error {
		c.acts[act] = n
		if _, known := proof.ActOf(act); !known {
			c.report.add(Difference{What: "the log has entries of an act that is on no list: " + act})
		}
		return nil
	})
	return err
}

// list adds what a statement selects: keys of rows and ids of entries. What is wrong is what,
// or, if that is "", the statement's third column.
func (c *comparison) list(ctx context.Context, what, table, sql string, args ...any) error {
	columns, own := `key, entry`, `NULL::text`
	if what == "" {
		columns, own = `key, entry, what`, `d.what`
	}
	rows, err := c.tx.Query(ctx, `
		SELECT d.key, d.entry::text, l.idx, `+own+`, count(*) OVER ()
		FROM (`+sql+`) AS d(`+columns+`)
		LEFT JOIN audit_leaf l ON l.entry = d.entry ORDER BY l.idx, d.entry, d.key LIMIT `+fmt.Sprint(listMost), args...)
	if err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	var key, entry, said *string
	var index *int64
	var all, listed int64
	_, err = pgx.ForEachRow(rows, []any{&key, &entry, &index, &said, &all}, func() error {
		d := Difference{What: what, Table: table, Index: index}
		if key != nil {
			d.Key = *key
		}
		if entry != nil {
			d.Entry = *entry
		}
		if said != nil {
			d.What = *said
		}
		c.report.add(d)
		listed++
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", table, err)
	}
	c.report.more(all - listed)
	return nil
}

// rows compares the rows of one table with the entries that they name, and the entries of its
// acts with the rows.
func (c *comparison) rows(ctx context.Context, r Rows) error {
	var n int64
	if err := c.tx.QueryRow(ctx, `SELECT count(log_entry) FROM `+r.Table).Scan(&n); err != nil {
		return err
	}
	c.report.Rows += n
	if err := c.list(ctx, "", r.Table, r.differing()); err != nil {
		return err
	}
	for _, k := range r.Kinds {
		if !slices.ContainsFunc(k.Acts, func(act string) bool { return c.acts[act] > 0 }) {
			continue
		}
		if sql := r.missing(k); sql != "" {
			what := "no row shows what an entry says was done"
			if err := c.list(ctx, what, r.Table, sql, k.Acts); err != nil {
				return err
			}
		}
		if k.Every == Exactly {
			sql := `SELECT string_agg(` + r.Key + `, ' and ' ORDER BY 1), r.log_entry
				FROM ` + r.from() + ` JOIN audit_entry e ON e.id = r.log_entry
				WHERE e.act = ANY ($1) GROUP BY r.log_entry HAVING count(*) > 1`
			if err := c.list(ctx, "two rows name one entry", r.Table, sql, k.Acts); err != nil {
				return err
			}
		}
	}
	if r.Moves {
		return c.list(ctx, "a row names an entry that a later one about it has overtaken", r.Table, r.overtaken())
	}
	return nil
}

func (r Rows) from() string { return r.Table + ` r ` + r.Join }

// differing selects the rows that do not fit the entry that they name.
func (r Rows) differing() string {
	before := `false`
	if r.Before != "" {
		before = r.Before
	}
	cases := []string{
		`WHEN r.log_entry IS NULL THEN CASE WHEN ` + before + ` THEN NULL ELSE 'a row names no entry' END`,
		`WHEN e.id IS NULL THEN 'a row names an entry that the log does not have'`,
	}
	for _, k := range r.Kinds {
		cases = append(cases, fmt.Sprintf(`WHEN e.act = ANY ('{%s}') THEN CASE %s END`, strings.Join(k.Acts, ","), strings.Join(k.cases(), " ")))
	}
	cases = append(cases, `ELSE 'a row names an entry of another act'`)
	return `
		SELECT ` + r.Key + `, r.log_entry, verdict.what
		FROM ` + r.from() + ` LEFT JOIN audit_entry e ON e.id = r.log_entry
		LEFT JOIN LATERAL (SELECT audit_said(e.body) AS said OFFSET 0) b ON true
		CROSS JOIN LATERAL (SELECT CASE ` + strings.Join(cases, "\n") + ` END AS what OFFSET 0) verdict
		WHERE verdict.what IS NOT NULL`
}

// cases are what can be wrong with a row of this kind.
func (k Kind) cases() []string {
	var cases []string
	if k.Stands != "" {
		cases = append(cases, `WHEN NOT coalesce((`+k.Stands+`), false) THEN 'a row says otherwise than the last entry about it'`)
	}
	cases = append(cases, `WHEN e.body IS NULL THEN NULL`, `WHEN said IS NULL THEN 'a row names an entry that cannot be read'`)
	if k.Agrees != "" {
		cases = append(cases, `WHEN NOT coalesce((`+k.Agrees+`), false) THEN 'a row says otherwise than its entry'`)
	}
	for _, s := range append([]Say{k.Is}, k.Says...) {
		if s.Member == "" {
			continue
		}
		differs := s.said() + ` IS DISTINCT FROM nullif((` + s.Row + `)::text, '')`
		if s.Older {
			differs = s.said() + ` IS NOT NULL AND ` + differs
		}
		cases = append(cases, `WHEN `+differs+` THEN 'a row says otherwise than its entry of `+s.Member+`'`)
	}
	return append(cases, `ELSE NULL`)
}

// said is the member of the entry in SQL.
func (s Say) said() string { return `said #>> '{` + strings.ReplaceAll(s.Member, ".", ",") + `}'` }

// missing selects the entries of a kind that no row stands for; "" where there need not be one.
func (r Rows) missing(k Kind) string {
	switch k.Every {
	case Exactly, Several:
		return `SELECT NULL::text, e.id FROM audit_entry e WHERE e.act = ANY ($1) AND NOT EXISTS (SELECT FROM ` + r.Table + ` r WHERE r.log_entry = e.id)`
	case Found:
		return `SELECT NULL::text, e.id FROM (SELECT id, audit_said(body) AS said FROM audit_entry WHERE act = ANY ($1) AND body IS NOT NULL OFFSET 0) e
			WHERE NOT EXISTS (SELECT FROM ` + r.from() + ` WHERE (` + k.name().Row + `)::text = ` + k.name().said() + `)`
	case NotHome, GoneRows:
	}
	return ""
}

// overtaken selects the rows about which the log has a later entry than the one they name. Two
// changes of one row at the same moment may be logged in either order, so it is later by a
// minute: longer than a transaction can take.
func (r Rows) overtaken() string {
	var about []string
	for _, k := range r.Kinds {
		if k.Is.Row != "" {
			about = append(about, fmt.Sprintf(`SELECT %s AS key, r.log_entry, later.id, later.at
				FROM %s JOIN (SELECT id, at, audit_said(body) AS said FROM audit_entry WHERE act = ANY ('{%s}') AND body IS NOT NULL OFFSET 0) later
				ON (%s)::text = %s`, r.Key, r.from(), strings.Join(k.Acts, ","), k.Is.Row, k.Is.said()))
		}
	}
	return `SELECT DISTINCT ON (a.key) a.key, a.id FROM (` + strings.Join(about, " UNION ALL ") + `) a
		JOIN audit_entry e ON e.id = a.log_entry WHERE a.at > e.at + interval '1 minute' ORDER BY a.key, a.at DESC`
}
