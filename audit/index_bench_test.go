package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
	"handover/internal/pg"
	"handover/internal/pgtest"
)

// BenchmarkIndexes measures what an entry of an accepted packet costs to write, in batches of
// eight: into the table of entries as it is, and into one that is only found by id. Both hold
// the same 100,000 entries at first. Run both in one go: go test ./audit -run '^$' -bench Indexes
func BenchmarkIndexes(b *testing.B) {
	server, err := pg.StartBuiltIn(b.Context(), pgtest.Dir(b), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = server.Stop() }()
	if err := pg.Migrate(b.Context(), server.URL()); err != nil {
		b.Fatal(err)
	}
	owner, err := pgx.Connect(b.Context(), server.URL())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = owner.Close(b.Context()) }()
	tables := map[string]string{"with": "audit_entry", "without": "plain_entry"}
	for _, sql := range []string{
		`SET synchronous_commit = off`, // the commit's own cost is the same
		`CREATE TABLE plain_entry (LIKE audit_entry)`,
		`ALTER TABLE plain_entry ADD PRIMARY KEY (id)`,
		`CREATE TRIGGER well_formed BEFORE INSERT ON plain_entry FOR EACH ROW EXECUTE FUNCTION audit_entry_well_formed()`,
	} {
		if _, err := owner.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	write := func(b *testing.B, table string, entries []sealed) {
		if _, err := owner.Exec(b.Context(), strings.Replace(insertEntries, "INTO audit_entry", "INTO "+table, 1), columns(entries)...); err != nil {
			b.Fatal(err)
		}
	}
	made := 0
	for range 100 {
		entries := requests(b, &made, 1000)
		for _, table := range tables {
			write(b, table, entries)
		}
	}
	const batch = 8
	for _, name := range []string{"without", "with", "without", "with"} {
		b.Run("indexes="+name, func(b *testing.B) {
			for n := 0; n < b.N; n += batch {
				b.StopTimer()
				entries := requests(b, &made, batch)
				b.StartTimer()
				write(b, tables[name], entries)
			}
		})
	}
}

// requests are entries of requests between 50 agencies, each about another woman.
func requests(b *testing.B, made *int, n int) (all []sealed) {
	b.Helper()
	random := func(what string) [32]byte { return sha256.Sum256(fmt.Append(nil, what, *made)) }
	text := func(what string, size int) string {
		d := random(what)
		return base64.RawURLEncoding.EncodeToString(d[:size])
	}
	for range n {
		*made++
		s, err := seal(proof.Entry{Act: "referral.request", Time: time.Now(), Partner: fmt.Sprint("agency-", *made%50), Client: "agency.k3f9q",
			Other: fmt.Sprint("agency-", *made%47), Referral: text("referral", 32), Event: "request", Subject: text("subject", 16),
			Envelope: text("referral", 32), State: "requested", Consent: text("consent", 16), Digest: text("record", 32), Sections: []string{"identity", "need"}})
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}
