package referral_test

import (
	"context"
	"encoding/json"
	"fmt"
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
// each; of ten, six are open. What is delivered is so, but for the newest waiting.
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
	h.Exec(t, `VACUUM (FULL, ANALYZE)`)
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
	store := &referral.Store{Pool: pool, Partners: h.Registry, Hub: hubtest.Issuer, Waiting: referral.NewWaiting()}

	const most = 1200 // a page of 50 reads some nine pages for each of its rows
	cost := map[string]int{}
	for _, size := range []int{2_000, 20_000} {
		for _, waiting := range []int{0, 20, size} { // new ones, or all: a partner that has been away
			fill(t, h, p, size, waiting)
			deep := hubtest.Value[int64](t, h, `SELECT seq FROM referral ORDER BY seq OFFSET $1 LIMIT 1`, size/2)
			for name, list := range map[string]struct {
				by   *hubtest.Agency
				side referral.Side
				f    referral.Filter
			}{
				"inbox":             {p.To, referral.RecipientSide, referral.Filter{Limit: 50}},
				"inbox, far down":   {p.To, referral.RecipientSide, referral.Filter{Limit: 50, After: deep}},
				"all received":      {p.To, referral.RecipientSide, referral.Filter{Limit: 50, State: "all"}},
				"all sent":          {p.From, referral.SenderSide, referral.Filter{Limit: 50, State: "all"}},
				"sent and still on": {p.From, referral.SenderSide, referral.Filter{Limit: 50}},
			} {
				caller := list.by.Caller(t)
				reads, err := watched.reads(func() error {
					_, err := store.List(t.Context(), caller, list.side, list.f)
					return err
				})
				do(t, err)
				asks, err := watched.reads(func() error {
					_, err := store.Undelivered(t.Context(), caller, list.side, list.f)
					return err
				})
				do(t, err)
				if len(reads) != 2 || len(asks) != 1 {
					t.Fatalf("%s reads in %d statements and asks in %d", name, len(reads), len(asks))
				}
				for _, plan := range []string{"force_custom_plan", "force_generic_plan"} {
					fill(t, h, p, size, waiting) // listing has delivered
					for i, s := range append(reads, asks...) {
						n := buffers(t, h, list.by.ID, s, plan)
						key := fmt.Sprintf("%s, %s, statement %d, waiting %v", name, plan, i, waiting == size)
						t.Logf("%d rows, %d wait: %s: %d buffers", size, waiting, key, n)
						cost[key] = n
					}
				}
			}
		}
	}
	_ = most
}
