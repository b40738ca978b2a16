package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/pgtest"
)

// The operator compares beside a hub that runs. What somebody has changed behind the log's back
// is named with its place, and the command fails, for whoever runs it from a timer.
func TestTheOperatorHoldsTheRowsAgainstTheLog(t *testing.T) {
	t.Parallel()
	r := startHub(t, slog.DiscardHandler).named()
	r.operator(t, "partner", "add", "sample-housing", "--name", "Sample", "--category", "housing", "--area", "E09000007")
	drained(t, r.db) // the operator's commands wake no hub
	if told := r.operator(t, "log", "reconcile"); !strings.Contains(told, "; nothing differs") {
		t.Errorf("of a log that nobody changed it says:\n%s", told)
	}
	r.db.Rewrite(t, `UPDATE partner SET status = 'active' WHERE id = 'sample-housing'`)
	if why := r.refuses(t, "log", "reconcile"); !strings.Contains(why, "the log and the rows differ") {
		t.Errorf("it ends with %q", why)
	}
	var out bytes.Buffer
	cmd := command(r.env)
	cmd.SetArgs([]string{"log", "reconcile", "--json"})
	cmd.SetOut(&out)
	if err := cmd.ExecuteContext(t.Context()); err == nil {
		t.Error("it ends well")
	}
	var report audit.Report
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.Found != 1 || len(report.Differences) != 1 {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	if d := report.Differences[0]; d.Table != "partner" || d.Key != "sample-housing" || d.Entry == "" || d.Index == nil {
		t.Errorf("the place is not named: %+v", d)
	}
	r.db.Rewrite(t, `UPDATE partner SET status = 'invited' WHERE id = 'sample-housing'`)
	if told := r.operator(t, "log", "reconcile"); !strings.Contains(told, "; nothing differs") {
		t.Errorf("of a log that was put right it says:\n%s", told)
	}
}

// Every hub on a database tells of what the nightly comparison found, whichever of them made it,
// and goes on telling while it is so.
func TestANightlyDifferenceIsToldUntilItIsGone(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	cfg, err := load([]string{"HUB_DIR=" + t.TempDir(), "HUB_DATABASE_URL=" + db.URL, "HUB_ISSUER=https://hub.example"})
	if err != nil {
		t.Fatal(err)
	}
	h, err := assemble(t.Context(), cfg, db.URL, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	logYesterday(t, db, h.log)
	var said bytes.Buffer
	night := func() (differences float64, lines string) {
		t.Helper()
		registry := prometheus.NewRegistry()
		said.Reset()
		newComparing(h.log, db.URL, slog.New(slog.NewTextHandler(&said, nil)), registry).round(t.Context())
		found, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.GetName() == "hub_log_differences" {
				differences = f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return differences, said.String()
	}
	db.Rewrite(t, `INSERT INTO audit_pending VALUES (gen_random_uuid())`)
	if n, lines := night(); n != 1 || !strings.Contains(lines, "what waits for a place in the log is no entry") || !strings.Contains(lines, "differences=1") {
		t.Errorf("at night: %v, %s", n, lines)
	}
	if n, lines := night(); n != 1 || strings.Contains(lines, "is no entry") || !strings.Contains(lines, "differences=1") {
		t.Errorf("another hub, or the same one started anew: %v, %s", n, lines)
	}
	db.Rewrite(t, `DELETE FROM audit_pending WHERE NOT EXISTS (SELECT FROM audit_entry WHERE id = entry)`)
	db.Rewrite(t, `UPDATE audit_reconciled SET at = at - interval '1 day'`)
	if n, lines := night(); n != 0 || strings.Contains(lines, "level=ERROR") || !strings.Contains(lines, "differences=0") {
		t.Errorf("the night after it was put right: %v, %s", n, lines)
	}
}

// logYesterday writes an entry of yesterday, and has it get its place.
func logYesterday(t *testing.T, db *pgtest.DB, log *audit.Log) {
	t.Helper()
	err := pgx.BeginFunc(t.Context(), db.Owner, func(tx pgx.Tx) error {
		_, err := audit.Append(t.Context(), tx, proof.Entry{Act: proof.Refused, Time: time.Now().AddDate(0, 0, -1), Partner: "sample-housing", Outcome: "no-agreement"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- log.Run(ctx) }()
	drained(t, db)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

// drained returns when every entry has its place in the log.
func drained(t *testing.T, db *pgtest.DB) {
	t.Helper()
	for waiting := 1; waiting > 0; {
		if err := db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM audit_pending`).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
	}
}
