package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit/proof"
	"handover/internal/pg"
)

func TestScratchMigrate(t *testing.T) {
	b, err := pg.StartBuiltIn(context.Background(), "/tmp/c/pgdir", slog.Default())
	if err != nil { t.Fatal(err) }
	defer b.Stop()
	t.Log(b.URL())
	if err := pg.Migrate(context.Background(), b.URL()); err != nil { t.Fatal(err) }
	if os.Getenv("HOLD") != "" { time.Sleep(time.Hour) }
}

func must[T any](v T, err error) T { if err != nil { panic(err) }; return v }

func sample(i int) proof.Entry {
	return proof.Entry{Act: "referral.request", Time: time.Now(), Partner: "camden-outreach", Client: "camden-outreach.k3f9q", Other: "solace-example",
		Referral: "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ", Event: "request",
		Envelope: "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ", State: "requested", Consent: "01980000-0000-7000-8000-000000000000",
		Sections: []string{"need", "safe-contact"}, Digest: "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"}
}

func BenchmarkScratch(b *testing.B) {
	ctx := context.Background()
	url := os.Getenv("URL")
	for _, mode := range []string{"only", "wait", "receipt"} {
	for _, writers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("%s/%d", mode, writers), func(b *testing.B) {
			owner := must(pgxpool.New(ctx, url))
			must(owner.Exec(ctx, `ALTER TABLE audit_entry DISABLE TRIGGER USER; ALTER TABLE audit_leaf DISABLE TRIGGER USER; ALTER TABLE audit_tile DISABLE TRIGGER USER; ALTER TABLE audit_checkpoint DISABLE TRIGGER USER; ALTER TABLE audit_pending DISABLE TRIGGER USER; TRUNCATE audit_entry, audit_leaf, audit_tile, audit_checkpoint, audit_pending CASCADE; ALTER TABLE audit_entry ENABLE TRIGGER USER; ALTER TABLE audit_leaf ENABLE TRIGGER USER; ALTER TABLE audit_tile ENABLE TRIGGER USER; ALTER TABLE audit_checkpoint ENABLE TRIGGER USER; ALTER TABLE audit_pending ENABLE TRIGGER USER`))
			owner.Close()
			hub := must(pg.Open(ctx, url, pg.RoleHub, 16)); defer hub.Close()
			log := must(pg.Open(ctx, url, pg.RoleLog, 4)); defer log.Close()
			_, key, _ := ed25519.GenerateKey(rand.Reader)
			l := must(Open(ctx, log, hub, must(NewSigner("hub.example/v1/log", key)), time.Now))
			rctx, stop := context.WithCancel(ctx)
			var run sync.WaitGroup
			if mode != "only" { run.Go(func() { if err := l.Run(rctx); err != nil { b.Error(err) } }) }
			var n atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for range writers {
				wg.Go(func() {
					for {
						i := n.Add(1)
						if i > int64(b.N) { return }
						batch := &pgx.Batch{}
						id := must(Queue(batch, sample(int(i))))
						if err := hub.SendBatch(ctx, batch).Close(); err != nil { b.Error(err); return }
						l.Kick()
						switch mode {
						case "wait": must(l.Wait(ctx, id))
						case "receipt": must(l.Receipt(ctx, id))
						}
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
			batches := 1
			if mode != "only" { must(0, log.QueryRow(ctx, "select count(*) from audit_checkpoint").Scan(&batches)) }
			b.ReportMetric(float64(b.N)/float64(batches), "entries/batch")
			stop(); run.Wait()
		})
	}}
}
