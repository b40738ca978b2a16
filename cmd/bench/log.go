package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
)

// logBed is a log alone, over a durable PostgreSQL of its own, beside a table without any
// proof.
type logBed struct {
	dir    string
	server *pg.BuiltIn
	hub    *pgxpool.Pool // as requests write
	logs   *pgxpool.Pool // as the sequencer does
	log    *audit.Log
	quit   func()
	ran    sync.WaitGroup
	failed error // of the sequencer
}

// waits are how long each writer waited for a receipt after its commit.
type waits struct {
	mu   sync.Mutex
	took []time.Duration
}

func (w *waits) add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took = append(w.took, d)
}

// logs measures what the log costs: writing an entry and waiting for its receipt, and
// writing it without waiting, each beside the same bytes written into a plain table; then
// proofs in a log of o.entries entries.
func logs(ctx context.Context, o options) error {
	b, err := startLog(ctx)
	if err != nil {
		return fmt.Errorf("starting the log: %w", err)
	}
	defer b.stop()
	for _, n := range o.senders {
		if err := b.writers(ctx, n, o); err != nil {
			return err
		}
	}
	return errors.Join(b.proofs(ctx, o.entries), b.failed)
}

func startLog(ctx context.Context) (_ *logBed, err error) {
	b := &logBed{quit: func() {}}
	defer func() {
		if err != nil {
			b.stop()
		}
	}()
	if b.dir, err = os.MkdirTemp("", "handover-bench-log-"); err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	if b.server, err = pg.StartBuiltIn(ctx, b.dir, quiet); err != nil {
		return nil, err
	}
	if err := pg.Migrate(ctx, b.server.URL()); err != nil {
		return nil, err
	}
	owner, err := pg.Open(ctx, b.server.URL(), "", 1)
	if err != nil {
		return nil, err
	}
	defer owner.Close()
	_, err = owner.Exec(ctx, `CREATE TABLE bench_plain (id uuid PRIMARY KEY, at timestamptz NOT NULL, body bytea NOT NULL);
		GRANT INSERT ON bench_plain TO handover_hub`)
	if err != nil {
		return nil, err
	}
	if b.hub, err = pg.Open(ctx, b.server.URL(), pg.RoleHub, 16); err != nil {
		return nil, err
	}
	if b.logs, err = pg.Open(ctx, b.server.URL(), pg.RoleLog, 4); err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	signer, err := audit.NewSigner("hub.example/v1/log", key)
	if err != nil {
		return nil, err
	}
	if b.log, err = audit.Open(ctx, b.logs, b.hub, signer, time.Now); err != nil {
		return nil, err
	}
	ctx, b.quit = context.WithCancel(ctx)
	b.ran.Go(func() { b.failed = b.log.Run(ctx) })
	return b, nil
}

func (b *logBed) stop() {
	b.quit()
	b.ran.Wait()
	for _, p := range []*pgxpool.Pool{b.hub, b.logs} {
		if p != nil {
			p.Close()
		}
	}
	if b.server != nil {
		_ = b.server.Stop() // nothing in it is kept
	}
	_ = os.RemoveAll(b.dir)
}

// writers measures n writers at once, each kind for a slice in turns.
func (b *logBed) writers(ctx context.Context, n int, o options) error {
	var waited waits
	kinds := []struct {
		name string
		do   func(context.Context) error
		done int
		span time.Duration
	}{
		{name: "plain", do: b.plain},
		{name: "append", do: func(ctx context.Context) error { _, err := b.append(ctx); return err }},
		{name: "receipt", do: func(ctx context.Context) error { return b.receipt(ctx, &waited) }},
	}
	for range o.rounds {
		for begin := time.Now(); time.Since(begin) < o.span; {
			for i := range kinds {
				k := &kinds[i]
				took, spent, err := repeat(ctx, n, slice/2, k.do)
				if err != nil {
					return fmt.Errorf("log, %s: %w", k.name, err)
				}
				k.done, k.span = k.done+len(took), k.span+spent
			}
		}
	}
	rate := func(i int) float64 { return float64(kinds[i].done) / kinds[i].span.Seconds() }
	for i, k := range kinds {
		fmt.Printf("figure log-%s-%d-rate %.0f /s\n", k.name, n, rate(i))
		if i > 0 {
			fmt.Printf("ratio log-%s-%d %.2f\n", k.name, n, rate(i)/rate(0))
		}
	}
	spread(fmt.Sprintf("log-wait-%d", n), waited.took)
	return nil
}

// spread prints the median and the 99th in a hundred.
func spread(name string, took []time.Duration) {
	slices.Sort(took)
	fmt.Printf("figure %s-p50 %.2f ms\n", name, took[len(took)/2].Seconds()*1000)
	fmt.Printf("figure %s-p99 %.2f ms\n", name, took[len(took)*99/100].Seconds()*1000)
}

// benchEntry is an entry like that of a packet.
func benchEntry() proof.Entry {
	id := ids.Digest(uuid.NewString())
	return proof.Entry{Time: time.Now(), Act: "referral.request", Partner: "camden-outreach", Client: "camden-outreach.bench",
		Other: "larkfield-housing", Referral: id, Event: "request", Envelope: id, State: "requested",
		Consent: uuid.Must(uuid.NewV7()).String(), Sections: []string{"need", "safe-contact"}}
}

// plain writes the bytes of an entry and commits.
func (b *logBed) plain(ctx context.Context) error {
	e := benchEntry()
	body, err := e.Bytes()
	if err != nil {
		return err
	}
	_, err = b.hub.Exec(ctx, `INSERT INTO bench_plain (id, at, body) VALUES ($1, $2, $3)`, uuid.Must(uuid.NewV7()), e.Time, body)
	return err
}

// append writes an entry and commits; the sequencer works beside it.
func (b *logBed) append(ctx context.Context) (audit.EntryID, error) {
	batch := &pgx.Batch{}
	id, err := audit.Queue(batch, benchEntry())
	if err != nil {
		return id, err
	}
	if err := b.hub.SendBatch(ctx, batch).Close(); err != nil {
		return id, err
	}
	b.log.Kick()
	return id, nil
}

// receipt is append, and the wait for the proof.
func (b *logBed) receipt(ctx context.Context, waited *waits) error {
	id, err := b.append(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	_, err = b.log.Receipt(ctx, id)
	waited.add(time.Since(begin))
	return err
}

// fillBatch is how many entries one transaction writes while the log is filled.
const fillBatch = 2048

// proofs fills the log up to count entries and measures what a receipt of an old entry
// costs: its place, its opening and the tiles of its path, all read and checked anew.
func (b *logBed) proofs(ctx context.Context, count int) error {
	begin := time.Now()
	var sample []audit.EntryID
	for written := 0; written < count; written += fillBatch {
		batch := &pgx.Batch{}
		for range fillBatch {
			id, err := audit.Queue(batch, benchEntry())
			if err != nil {
				return err
			}
			if rand.IntN(count/2000+1) == 0 {
				sample = append(sample, id)
			}
		}
		if err := b.hub.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("filling the log: %w", err)
		}
		b.log.Kick()
	}
	if err := b.drained(ctx); err != nil {
		return err
	}
	fmt.Printf("figure log-fill-rate %.0f /s\n", float64(count)/time.Since(begin).Seconds())
	took := make([]time.Duration, len(sample))
	for i, id := range sample {
		start := time.Now()
		if _, err := b.log.Receipt(ctx, id); err != nil {
			return fmt.Errorf("proving an old entry: %w", err)
		}
		took[i] = time.Since(start)
	}
	spread(fmt.Sprintf("log-proof-of-%d", count), took)
	return nil
}

// drained waits until no entry is without a place.
func (b *logBed) drained(ctx context.Context) error {
	for {
		var waiting bool
		if err := b.logs.QueryRow(ctx, `SELECT EXISTS (SELECT FROM audit_pending)`).Scan(&waiting); err != nil || !waiting {
			return err
		}
		if err := b.log.Healthy(); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
