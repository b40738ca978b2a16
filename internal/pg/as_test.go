package pg_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/internal/pg"
	"handover/internal/pgtest"
)

// notes is a table like those that hold partners' data.
func notes(t *testing.T, db *pgtest.DB) {
	t.Helper()
	run(t, db.Owner,
		"CREATE TABLE note (partner text NOT NULL, body text NOT NULL)",
		"ALTER TABLE note ENABLE ROW LEVEL SECURITY",
		`CREATE POLICY note_partner ON note USING (partner = nullif(current_setting('hub.partner', true), ''))`,
		"GRANT SELECT, INSERT ON note TO "+pg.RoleHub)
}

func write(ctx context.Context, pool *pgxpool.Pool, as, partner, body string) error {
	return pg.As(ctx, pool, as, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO note (partner, body) VALUES ($1, $2)", partner, body)
		return err
	})
}

func read(t *testing.T, pool *pgxpool.Pool, as string) (bodies []string) {
	t.Helper()
	err := pg.As(t.Context(), pool, as, func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), "SELECT body FROM note ORDER BY body")
		if err != nil {
			return err
		}
		bodies, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return bodies
}

func TestPartnersSeeTheirOwnRowsOnly(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	notes(t, db)
	for partner, body := range map[string]string{"camden-outreach": "a", "lantern-housing": "b"} {
		if err := write(t.Context(), db.Hub, partner, partner, body); err != nil {
			t.Fatal(err)
		}
	}
	if err := write(t.Context(), db.Hub, "camden-outreach", "lantern-housing", "forged"); !refusedBy(err, insufficientPrivilege) {
		t.Errorf("one partner wrote as another: %v", err)
	}
	if err := write(t.Context(), db.Hub, "", "", "nobody's"); !refusedBy(err, insufficientPrivilege) {
		t.Errorf("nobody wrote: %v", err)
	}
	for as, want := range map[string][]string{
		"camden-outreach": {"a"}, "lantern-housing": {"b"}, "": nil, "other": nil, "camden-outreach' OR true --": nil,
	} {
		if got := read(t, db.Hub, as); !slices.Equal(got, want) {
			t.Errorf("%q sees %q, want %q", as, got, want)
		}
	}
	if n := one[int](t, db.Hub, "SELECT count(*) FROM note"); n != 0 {
		t.Errorf("unbound, the hub sees %d rows", n)
	}
}

// single is a pool of one connection, so that what one transaction leaves on it meets
// the next.
func single(t *testing.T, db *pgtest.DB) *pgxpool.Pool {
	t.Helper()
	pool, err := pg.Open(t.Context(), db.URL, pg.RoleHub, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func TestBindingEndsWithTheTransaction(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	pool := single(t, db)
	stop := errors.New("stop")
	for name, row := range map[string]struct {
		fn   func(pgx.Tx) error
		want error
	}{
		"committed":         {func(pgx.Tx) error { return nil }, nil},
		"rolled back":       {func(pgx.Tx) error { return stop }, stop},
		"committed in fn":   {func(tx pgx.Tx) error { return tx.Commit(t.Context()) }, pgx.ErrTxClosed},
		"aborted by server": {func(tx pgx.Tx) error { _, _ = tx.Exec(t.Context(), "SELECT 1/0"); return nil }, pgx.ErrTxCommitRollback},
	} {
		err := pg.As(t.Context(), pool, "camden-outreach", func(tx pgx.Tx) error {
			if bound := one[string](t, tx, "SELECT current_setting('hub.partner')"); bound != "camden-outreach" {
				t.Errorf("%s: bound to %q", name, bound)
			}
			return row.fn(tx)
		})
		if !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
		if left := one[string](t, pool, "SELECT current_setting('hub.partner')"); left != "" {
			t.Errorf("%s: %q is left behind", name, left)
		}
	}
}

func TestUnfinishedWorkLeavesNothingAndKeepsTheConnection(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	notes(t, db)
	pool := single(t, db)
	backend := func() int { return one[int](t, pool, "SELECT pg_backend_pid()") }
	before := backend()
	stop := errors.New("stop")
	for name, end := range map[string]func(cancel func()) error{
		"an error":              func(func()) error { return stop },
		"a caller who has gone": func(cancel func()) error { cancel(); return nil },
		"a panic":               func(func()) error { panic(stop) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		func() {
			defer func() { _ = recover() }()
			err := pg.As(ctx, pool, "camden-outreach", func(tx pgx.Tx) error {
				run(t, tx, "INSERT INTO note (partner, body) VALUES ('camden-outreach', 'unfinished')")
				return end(cancel)
			})
			if err == nil {
				t.Errorf("%s: committed", name)
			}
		}()
		cancel()
		if got := read(t, pool, "camden-outreach"); len(got) != 0 {
			t.Errorf("%s: left %q", name, got)
		}
		if after := backend(); after != before {
			t.Errorf("%s: cost a connection", name)
		}
	}
}

func TestACallerWhoHasGoneBeginsNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := pg.As(ctx, db.Hub, "camden-outreach", func(pgx.Tx) error {
		t.Error("ran")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// turns counts how often a connection waits for an answer: a write followed by a read.
type turns struct {
	net.Conn
	n       *atomic.Int64
	written atomic.Bool
}

func (c *turns) Write(b []byte) (int, error) {
	c.written.Store(true)
	return c.Conn.Write(b)
}

func (c *turns) Read(b []byte) (int, error) {
	if c.written.Swap(false) {
		c.n.Add(1)
	}
	return c.Conn.Read(b)
}

func TestBeginningAndBindingAreOneRoundTrip(t *testing.T) {
	t.Parallel()
	cfg, err := pgxpool.ParseConfig(pgtest.New(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	cfg.MaxConns = 1
	cfg.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &turns{Conn: conn, n: &n}, err
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var began int64
	work := func(pgx.Tx) error { began = n.Load(); return nil }
	for range 2 { // the first time prepares the statements
		n.Store(0)
		if err := pg.As(t.Context(), pool, "camden-outreach", work); err != nil {
			t.Fatal(err)
		}
	}
	if began != 1 || n.Load() != 2 {
		t.Errorf("%d round trips to begin and bind, %d in all, want 1 and 2", began, n.Load())
	}
}

func TestBindHoldsForAWholeBatch(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	notes(t, db)
	send := func(partner string) error {
		var b pgx.Batch
		pg.Bind(&b, "camden-outreach")
		b.Queue("INSERT INTO note (partner, body) VALUES ('camden-outreach', 'first')")
		b.Queue("INSERT INTO note (partner, body) VALUES ($1, 'second')", partner)
		return db.Hub.SendBatch(t.Context(), &b).Close()
	}
	if err := send("lantern-housing"); !refusedBy(err, insufficientPrivilege) {
		t.Errorf("a foreign row passed: %v", err)
	}
	if got := read(t, db.Hub, "camden-outreach"); len(got) != 0 {
		t.Errorf("a refused batch left %q", got)
	}
	if err := send("camden-outreach"); err != nil {
		t.Fatal(err)
	}
	if got := read(t, db.Hub, "camden-outreach"); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("the batch wrote %q", got)
	}
}

func TestIdleTransactionIsCutAndWritesNothing(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	notes(t, db)
	err := pg.As(t.Context(), db.Hub, "camden-outreach", func(tx pgx.Tx) error {
		run(t, tx, "INSERT INTO note (partner, body) VALUES ('camden-outreach', 'idle')")
		backend := one[int](t, tx, "SELECT pg_backend_pid()")
		run(t, tx, "SET LOCAL idle_in_transaction_session_timeout = '1ms'") // not the ten seconds
		eventually(t, "the server ends the session", func() bool {
			return one[int](t, db.Owner, "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", backend) == 0
		})
		return nil
	})
	if err == nil {
		t.Error("a cut transaction was committed")
	}
	if got := read(t, db.Hub, "camden-outreach"); len(got) != 0 {
		t.Errorf("it wrote %q", got)
	}
}
