package referral_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/internal/hubtest"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral"
)

// spy notes the statements of every batch, so that the test explains what the code
// says and not a copy of it.
type spy struct {
	mu   sync.Mutex
	said []statement
}

type statement struct {
	sql  string
	args []any
}

func (s *spy) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	return ctx
}
func (s *spy) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (s *spy) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (s *spy) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}
func (s *spy) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, statement{data.SQL, data.Args})
}

// reads runs f and returns the statements with which it reads the domain's tables.
func (s *spy) reads(f func() error) ([]statement, error) {
	s.said = nil
	err := f()
	var reads []statement
	for _, said := range s.said {
		if strings.HasPrefix(strings.TrimSpace(said.sql), "SELECT") && strings.Contains(said.sql, "FROM") {
			reads = append(reads, said)
		}
	}
	return reads, err
}

// buffers is how many pages of 8 KiB the statement reads, as the serving role bound to
// the partner, with a plan made for these values or, as after some repetitions, for
// any.
func buffers(t *testing.T, h *hubtest.Hub, partner partners.ID, s statement, plan string) (n int) {
	t.Helper()
	values := make([]string, len(s.args))
	for i, v := range s.args {
		if list, ok := v.([]string); ok {
			v = "{" + strings.Join(list, ",") + "}"
		}
		values[i] = "'" + strings.ReplaceAll(fmt.Sprint(v), "'", "''") + "'"
	}
	execute := "EXECUTE probe"
	if len(values) > 0 {
		execute += "(" + strings.Join(values, ", ") + ")"
	}
	err := pg.As(t.Context(), h.DB.Hub, string(partner), func(tx pgx.Tx) error {
		for _, sql := range []string{"SET LOCAL plan_cache_mode = " + plan, "PREPARE probe AS " + s.sql} {
			if _, err := tx.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
		}
		var raw []byte
		if err := tx.QueryRow(t.Context(), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+execute, pgx.QueryExecModeSimpleProtocol).Scan(&raw); err != nil {
			return err
		}
		var plans []struct {
			Plan struct {
				Hit  int `json:"Shared Hit Blocks"`
				Read int `json:"Shared Read Blocks"`
			}
		}
		if err := json.Unmarshal(raw, &plans); err != nil {
			return err
		}
		n = plans[0].Plan.Hit + plans[0].Plan.Read
		_, err := tx.Exec(t.Context(), "DEALLOCATE probe", pgx.QueryExecModeSimpleProtocol)
		return err
	})
	do(t, err)
	return n
}

// fill makes referrals from one partner to another, so many in all, with a packet
// each; of ten, six are open. All are delivered but for so many of the newest.
func fill(t *testing.T, h *hubtest.Hub, p hubtest.Pair, upTo, waiting int) {
	t.Helper()
	have := hubtest.Value[int](t, h, `SELECT count(*) FROM referral`)
	h.Exec(t, `
		WITH e AS (SELECT id FROM audit_entry LIMIT 1), r AS (
			INSERT INTO referral (id, sender, recipient, subject, purpose, urgency, service, area, state, head, created_at, changed_at)
			SELECT lpad(n::text, 43, 'A'), $1, $2, 'x', 'housing', 'routine', 'x', 'x',
			       (ARRAY['requested', 'received', 'accepted', 'in-progress', 'requested', 'received', 'rejected', 'completed', 'failed', 'cancelled'])[1 + n % 10],
			       lpad(n::text, 43, 'A'), now(), now() FROM generate_series($3::int + 1, $4::int) n ORDER BY n RETURNING seq, id), p AS (
			INSERT INTO packet (referral, issuer, audience, jti, event, digest, envelope, state, expires_at, stored_at, log_entry)
			SELECT r.seq, $1, $2, gen_random_uuid(), 'request', r.id, repeat('e', 1500), 'requested', now() + interval '1 day', now(), e.id FROM r, e ORDER BY r.seq
			RETURNING seq, referral)
		INSERT INTO delivery (packet, referral, issuer, audience, state, delivered_at, log_entry)
		SELECT p.seq, p.referral, $1, $2, 'delivered', now(), e.id FROM p, e`, string(p.From.ID), string(p.To.ID), have, upTo)
	h.Exec(t, `UPDATE delivery SET state = CASE WHEN packet > (SELECT max(packet) - $1 FROM delivery) THEN 'stored' ELSE 'delivered' END`, waiting)
	h.Exec(t, `VACUUM (ANALYZE)`)
}

// TestAPageCostsTheSameHoweverManyReferralsThereAre counts the pages that the listing
// of a page reads, at 2,000 and at 20,000 referrals of one partner: not the time, which
// says more of the machine.
func TestAPageCostsTheSameHoweverManyReferralsThereAre(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	watched := &spy{}
	cfg, err := pgxpool.ParseConfig(h.DB.URL)
	do(t, err)
	cfg.ConnConfig.RuntimeParams["role"] = pg.RoleHub
	cfg.ConnConfig.Tracer = watched
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	do(t, err)
	defer pool.Close()
	store := referral.NewStore(pool, h.Registry, h.Log, hubtest.Issuer)

	cost := map[string]int{}
	for _, size := range []int{2_000, 20_000} {
		var lists []listing
		for name, f := range map[string]referral.Filter{"open": {Limit: 50}, "all": {Limit: 50, State: "all"}, "far down": {Limit: 50, After: int64(size / 2)}} {
			for side, by := range map[referral.Side]*hubtest.Agency{referral.RecipientSide: p.To, referral.SenderSide: p.From} {
				lists = append(lists, listing{string(side) + ", " + name, by, watched.listing(t, store, by, side, f)})
			}
		}
		for _, waiting := range []int{20, size} { // new ones, or all: a partner that has been away
			fill(t, h, p, size, waiting)
			for _, l := range lists {
				for i, s := range l.said {
					plans := []string{"force_custom_plan", "force_generic_plan"}
					if i == poll {
						// A plan for any partner goes by how many share the table: here all is one's.
						plans = plans[:1]
					}
					for _, plan := range plans {
						what := fmt.Sprintf("%s, statement %d, %s, all waiting %v", l.name, i, plan, waiting == size)
						n := buffers(t, h, l.by.ID, s, plan)
						if before, ok := cost[what]; n > most || ok && n > before+before/3+5 {
							t.Errorf("%s: %d buffers at %d rows, %d at 2,000", what, n, size, before)
						}
						cost[what] = n
					}
				}
			}
		}
		t.Logf("%d rows: at most %d buffers a statement", size, slices.Max(slices.Collect(maps.Values(cost))))
	}
}

// most is more than any statement of a page of 50 needs.
const most = 700

// poll is the place of the poll's question among the statements of a listing.
const poll = 2

// listing is what one list says to the database: what waits on the page, the page, and
// what a poll asks.
type listing struct {
	name string
	by   *hubtest.Agency
	said []statement
}

func (s *spy) listing(t *testing.T, store *referral.Store, by *hubtest.Agency, side referral.Side, f referral.Filter) []statement {
	t.Helper()
	caller := by.Caller(t)
	said, err := s.reads(func() error {
		_, err := store.List(t.Context(), caller, side, f)
		if err == nil {
			_, err = store.Undelivered(t.Context(), caller, side, f)
		}
		return err
	})
	do(t, err)
	if len(said) != 3 {
		t.Fatalf("a list says %d things to the database, want 3: %+v", len(said), said)
	}
	return said
}
