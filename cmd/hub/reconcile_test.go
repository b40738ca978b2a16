package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

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
	if err := h.log.Refuse(t.Context(), proof.Entry{Partner: "sample-housing", Outcome: "no-agreement"}); err != nil {
		t.Fatal(err)
	}
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
	dayLater := func() {
		db.Rewrite(t, `UPDATE audit_entry SET at = at - interval '1 day'`)
		_, _ = db.Owner.Exec(t.Context(), `ALTER TABLE audit_reconciled DISABLE TRIGGER USER`)
		if _, err := db.Owner.Exec(t.Context(), `UPDATE audit_reconciled SET at = at - interval '1 day'`); err != nil {
			t.Fatal(err)
		}
	}
	if n, lines := night(); n != 0 || lines != "" {
		t.Errorf("on the first day: %v, %s", n, lines)
	}
	dayLater() // the time in the columns is now another than the one in the entry, and it waits too long
	if n, lines := night(); n != 1 || !strings.Contains(lines, "waiting for its place") || !strings.Contains(lines, "differences=1") {
		t.Errorf("at night: %v, %s", n, lines)
	}
	if n, lines := night(); n != 1 || strings.Contains(lines, "waiting for its place") || !strings.Contains(lines, "differences=1") {
		t.Errorf("another hub, or the same one started anew: %v, %s", n, lines)
	}
}
