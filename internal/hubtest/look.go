package hubtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
)

// PostJSON posts v as JSON as the agency.
func (a *Agency) PostJSON(t testing.TB, path string, v any) Answer {
	t.Helper()
	return a.Do(t, Call{Method: http.MethodPost, Path: path, Type: "application/json", Body: must(json.Marshal(v))})
}

// Post posts v as JSON as the person; nil is no body.
func (p *Person) Post(t testing.TB, path string, v any) Answer {
	t.Helper()
	c := Call{Method: http.MethodPost, Path: path}
	if v != nil {
		c.Type, c.Body = "application/json", must(json.Marshal(v))
	}
	return p.Do(t, c)
}

// Exec changes the database as its owner, behind the hub's back.
func (h *Hub) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := h.DB.Owner.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// Value reads one value as the database's owner.
func Value[T any](t testing.TB, h *Hub, sql string, args ...any) (v T) {
	t.Helper()
	if err := h.DB.Owner.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// Content is what every table of the domains holds: its rows, digested. What the log
// and the replay memory hold is left out, since every request writes there.
func (h *Hub) Content(t testing.TB) map[string]string {
	t.Helper()
	tables := Column[string](t, h, `
		SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
		  AND relname !~ '^(audit|oauth|goose)_' ORDER BY relname`)
	var parts []string
	for _, name := range tables {
		parts = append(parts, fmt.Sprintf(
			`SELECT '%[1]s', count(*) || ' rows ' || coalesce(md5(string_agg(x::text, E'\n' ORDER BY x::text)), '') FROM %[1]s x`, name))
	}
	rows, err := h.DB.Owner.Query(t.Context(), strings.Join(parts, " UNION ALL "))
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	var name, held string
	_, err = pgx.ForEachRow(rows, []any{&name, &held}, func() error {
		content[name] = held
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Column reads one column as the database's owner.
func Column[T any](t testing.TB, h *Hub, sql string, args ...any) []T {
	t.Helper()
	rows, err := h.DB.Owner.Query(t.Context(), sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Entries returns the log's entries, oldest first, that follow the first n of them.
func (h *Hub) Entries(t testing.TB, n int) []proof.Entry {
	t.Helper()
	var entries []proof.Entry
	for _, body := range Column[[]byte](t, h, `SELECT body FROM audit_entry ORDER BY at, id OFFSET $1`, n) {
		e, err := proof.ParseEntry(body)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

// Logged is how many entries the log has.
func (h *Hub) Logged(t testing.TB) int {
	t.Helper()
	return Value[int](t, h, `SELECT count(*) FROM audit_entry`)
}

// Together makes n calls at the same time and returns their answers in order.
func Together[T any](n int, call func(i int) T) []T {
	answers := make([]T, n)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			answers[i] = call(i)
		})
	}
	close(start)
	all.Wait()
	return answers
}

// patience is how long a test waits for what must come, before it fails.
const patience = 30 * time.Second

// Blocked returns once n sessions wait for a lock that holder holds, or an error when
// they do not.
func Blocked(t testing.TB, h *Hub, holder pgx.Tx, n int) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for waiting := 0; waiting < n; {
		// Sessions that wait behind others that wait are waiting too.
		err := h.DB.Owner.QueryRow(ctx, `
			WITH RECURSIVE behind(pid) AS (
				SELECT $1::int UNION SELECT a.pid FROM behind b JOIN pg_stat_activity a ON b.pid = ANY (pg_blocking_pids(a.pid))
				WHERE a.datname = current_database() AND a.wait_event_type = 'Lock')
			SELECT count(*) - 1 FROM behind`, holder.Conn().PgConn().PID()).Scan(&waiting)
		if err != nil {
			return fmt.Errorf("%d sessions wait for the lock, want %d: %w", waiting, n, err)
		}
	}
	return nil
}

// Convoy makes n calls at the same time while statement holds what they all need, and
// lets go once so many sessions of theirs wait for it: they have read, then, and have
// not yet written.
func Convoy[T any](t testing.TB, h *Hub, n, sessions int, call func(i int) T, statement string, args ...any) []T {
	t.Helper()
	tx, err := h.DB.Owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
	released := make(chan error, 1)
	go func() { released <- errors.Join(Blocked(t, h, tx, sessions), tx.Commit(t.Context())) }()
	answers := Together(n, call)
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	return answers
}
