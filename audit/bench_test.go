package audit

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
	"handover/internal/pg"
	"handover/internal/pgtest"
)

// BenchmarkAppendReceipt measures one entry from its transaction (one round trip) to
// its receipt, on a durable server, beside the same transaction without waiting.
func BenchmarkAppendReceipt(b *testing.B) { benchmarkReceipts(b, func(*Log) {}) }

// BenchmarkWitnessedReceipt is the same with three witnesses on this machine, of whom two
// must have cosigned.
func BenchmarkWitnessedReceipt(b *testing.B) {
	benchmarkReceipts(b, func(l *Log) {
		var lines []string
		for i := range 3 {
			d := newDoor(b, fmt.Sprintf("w%d", i), l.signer().current)
			lines = append(lines, fmt.Sprintf("witness %s %s %s", d.name, d.Self().Key, d.server.URL))
		}
		p, err := proof.ParsePolicy(strings.Join(append(lines, "group g 2 w0 w1 w2", "quorum g"), "\n"))
		if err != nil {
			b.Fatal(err)
		}
		if err := l.WitnessedBy(p, 5*time.Second); err != nil {
			b.Fatal(err)
		}
	})
}

func benchmarkReceipts(b *testing.B, prepare func(*Log)) {
	b.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	server, err := pg.StartBuiltIn(b.Context(), pgtest.Dir(b), quiet)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = server.Stop() }()
	if err := pg.Migrate(b.Context(), server.URL()); err != nil {
		b.Fatal(err)
	}
	hub, err := pg.Open(b.Context(), server.URL(), pg.RoleHub, 16)
	if err != nil {
		b.Fatal(err)
	}
	defer hub.Close()
	logs, err := pg.Open(b.Context(), server.URL(), pg.RoleLog, minWitnessPool)
	if err != nil {
		b.Fatal(err)
	}
	defer logs.Close()
	l, err := Open(b.Context(), logs, hub, testSigner(b, 1), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	l.Logger = quiet
	prepare(l)
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := l.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	defer running.Wait()
	defer stop()

	write := func(wait bool) error {
		batch := &pgx.Batch{}
		id, err := Queue(batch, testEntry())
		if err != nil {
			return err
		}
		if err := hub.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		l.Kick()
		if wait {
			_, err = l.Receipt(ctx, id)
		}
		return err
	}
	for _, wait := range []bool{false, true} {
		for _, writers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("receipt=%v/writers=%d", wait, writers), func(b *testing.B) {
				var done atomic.Int64
				var group sync.WaitGroup
				for range writers {
					group.Go(func() {
						for done.Add(1) <= int64(b.N) {
							if err := write(wait); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				group.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			})
		}
	}
}
