package audit

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
)

// ofTheLog are the differences about the log itself: the rig has no rooms that would declare
// their tables.
func ofTheLog(all []Difference) []Difference {
	return slices.DeleteFunc(slices.Clone(all), func(d Difference) bool {
		return strings.Contains(d.What, "in the ledger") || strings.Contains(d.What, "homes")
	})
}

func (r *rig) compared() []Difference {
	r.t.Helper()
	report, err := r.compare(r.t.Context(), r.db.Owner, Join())
	if err != nil {
		r.t.Fatal(err)
	}
	return ofTheLog(report.Differences)
}

// TestTheTreeIsHeldAgainstTheEntries changes one thing at a time in a log with full and partial
// tiles on two levels, as the database's superuser, and wants it named with its place.
func TestTheTreeIsHeldAgainstTheEntries(t *testing.T) {
	t.Parallel()
	const size = 600
	for _, row := range []struct{ name, sql, want string }{
		{"nothing", `SELECT 1`, ""},
		{"an entry", `UPDATE audit_entry SET body = convert_to(replace(convert_from(body, 'UTF8'), 'camden', 'harbou'), 'UTF8'), partner = replace(partner, 'camden', 'harbou')
			WHERE id = (SELECT entry FROM audit_leaf WHERE idx = 300)`, "an entry was changed: it does not fit its leaf: entry ID, index 300"},
		{"an entry with its leaf", `UPDATE audit_entry SET salt = sha256(salt), leaf = '\x01'::bytea || sha256('handover-audit-v1\000'::bytea || sha256(salt) || body)
			WHERE id = (SELECT entry FROM audit_leaf WHERE idx = 300)`, "a tile of the log does not fit the entries: table audit_tile, row level 0, number 1, hash 44, index 300"},
		{"a column of an entry", `UPDATE audit_entry SET act = 'referral.decline' WHERE id = (SELECT entry FROM audit_leaf WHERE idx = 7)`,
			"the columns of an entry say something else than the entry: entry ID, index 7"},
		{"a column by which an entry is found", `UPDATE audit_entry SET consent = NULL WHERE id = (SELECT entry FROM audit_leaf WHERE idx = 7)`,
			"the columns of an entry say something else than the entry: entry ID, index 7"},
		{"an erased entry's reference to her", `UPDATE audit_entry SET salt = NULL, body = NULL, subject = 'her' WHERE id = (SELECT entry FROM audit_leaf WHERE idx = 7)`,
			"an entry was erased and still names her: entry ID, index 7"},
		{"what is no entry", `UPDATE audit_entry SET body = '\xff00', leaf = '\x01'::bytea || sha256('handover-audit-v1\000'::bytea || salt || '\xff00')
			WHERE id = (SELECT entry FROM audit_leaf WHERE idx = 7)`, "an entry cannot be read: entry ID, index 7"},
		{"an entry gone", `DELETE FROM audit_entry WHERE id = (SELECT entry FROM audit_leaf WHERE idx = 599)`,
			"a place of the log belongs to an entry that is gone: entry ID, index 599"},
		{"a place gone", `DELETE FROM audit_leaf WHERE idx = 256`, "the log has no entry at a place, index 256"},
		{"the last place gone", `DELETE FROM audit_leaf WHERE idx = 599`, "a checkpoint covers more than the log has: table audit_checkpoint, row size 600"},
		{"two places exchanged", `WITH gone AS (DELETE FROM audit_leaf WHERE idx IN (10, 11) RETURNING *)
			INSERT INTO audit_leaf SELECT 21 - idx, entry, size FROM gone ORDER BY idx`,
			"a tile of the log does not fit the entries: table audit_tile, row level 0, number 0, hash 10, index 10"},
		{"a place under another checkpoint", `UPDATE audit_leaf SET size = 600 WHERE idx = 20`,
			"a place of the log names another checkpoint than the first that covers it: table audit_leaf, row 20, index 20"},
		{"an entry that was never queued", `DELETE FROM audit_pending`, "an entry has no place in the log, and does not wait for one: entry ID"},
		{"an entry queued again", `INSERT INTO audit_pending SELECT entry FROM audit_leaf WHERE idx = 5`, "an entry waits for a second place in the log: entry ID, index 5"},
		{"an entry that waits too long", `UPDATE audit_entry SET at = at - interval '1 hour' WHERE id IN (SELECT entry FROM audit_pending)`,
			"an entry has been waiting for its place in the log for more than a minute: entry ID"},
		{"what waits and is nothing", `INSERT INTO audit_pending VALUES (gen_random_uuid())`, "what waits for a place in the log is no entry: entry ID"},
		{"a byte of a full tile", `UPDATE audit_tile SET data = set_byte(data, 70, get_byte(data, 70) # 1) WHERE level = 0 AND n = 1`,
			"a tile of the log does not fit the entries: table audit_tile, row level 0, number 1, hash 2, index 258"},
		{"a byte of an upper tile", `UPDATE audit_tile SET data = set_byte(data, 40, get_byte(data, 40) # 1) WHERE level = 1`,
			"a tile of the log does not fit the entries: table audit_tile, row level 1, number 0, hash 1"},
		{"a tile gone", `DELETE FROM audit_tile WHERE level = 0 AND n = 0`, "a tile of the log is gone: table audit_tile, row level 0, number 0"},
		{"a tile cut short", `UPDATE audit_tile SET data = substr(data, 1, 64) WHERE level = 0 AND n = 2`, "a tile of the log is too short: table audit_tile, row level 0, number 2"},
		{"a tile too many", `INSERT INTO audit_tile VALUES (1, 1, sha256('x'))`, "a tile of the log is of places that it does not have: table audit_tile, row level 1, number 1"},
		{"a checkpoint that was not signed", `UPDATE audit_checkpoint SET note = set_byte(note, 25, get_byte(note, 25) # 1) WHERE size = 250`,
			"a checkpoint is not signed by this log: table audit_checkpoint, row size 250"},
		{"a checkpoint gone", `DELETE FROM audit_checkpoint WHERE size = 250`,
			"a place of the log names another checkpoint than the first that covers it: table audit_leaf, row"},
		{"the last checkpoint gone", `DELETE FROM audit_checkpoint WHERE size = 600`, "no checkpoint covers the last places of the log, index 599"},
		{"an act that is on no list", `UPDATE audit_entry SET act = 'of.tomorrow' WHERE id = (SELECT entry FROM audit_leaf WHERE idx = 7)`,
			"the log has entries of an act that is on no list: of.tomorrow"},
		{"an outcome without its row", `DELETE FROM audit_reconciled`, "no row shows what an entry says was done: table audit_reconciled: entry ID"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.logMany(250)
			r.mustSequence()
			r.logMany(size - 250)
			r.mustSequence()
			r.log() // it waits
			if strings.Contains(row.sql, "audit_reconciled") {
				if _, err := r.Reconcile(t.Context(), r.db.Owner, Join()); err != nil {
					t.Fatal(err)
				}
			}
			r.db.Rewrite(t, row.sql)
			found := r.compared()
			if row.want == "" {
				if len(found) > 0 {
					t.Errorf("in a log that nobody changed: %v", found)
				}
				return
			}
			if !slices.ContainsFunc(found, func(d Difference) bool { return strings.Contains(anonymous(d), row.want) }) {
				t.Errorf("nothing says %q:\n%v", row.want, found)
			}
		})
	}
}

func anonymous(d Difference) string {
	if d.Entry != "" {
		d.Entry = "ID"
	}
	return d.String()
}

// TestTheLogIsComparedOnceADay: the first hub of the day does it and the others see that it is
// done, also after a restart; while one does, another does not begin.
func TestTheLogIsComparedOnceADay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := secondRig(r)
	daily := func(r *rig) bool {
		t.Helper()
		report, due, err := r.ReconcileDaily(t.Context(), r.db.Owner, Join())
		if err != nil {
			t.Fatal(err)
		}
		if due != (report.Differences != nil) {
			t.Errorf("due %v, found %v", due, report.Differences)
		}
		return due
	}
	aged := func(table string) { r.db.Rewrite(t, `UPDATE `+table+` SET at = at - interval '1 day'`) }
	if daily(r) {
		t.Error("a log that has not begun is compared")
	}
	r.log()
	if daily(r) {
		t.Error("a log that begins today is compared today")
	}
	aged("audit_entry")
	if !daily(r) || daily(r) || daily(other) || daily(r.restart()) {
		t.Error("the comparison of the day is not done once")
	}
	aged("audit_reconciled")
	if !daily(other) || daily(r) {
		t.Error("the next day it is not done once")
	}
	at, found, err := r.LastReconciled(t.Context())
	if err != nil || time.Since(at) > time.Minute || found == 0 {
		t.Errorf("the last one is of %v and found %d: %v", at, found, err)
	}
	err = pgx.BeginFunc(t.Context(), r.db.Owner, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SELECT pg_advisory_xact_lock($1)`, int64(reconcileLock)); err != nil {
			return err
		}
		if _, err := r.Reconcile(t.Context(), r.db.Owner, Join()); !errors.Is(err, ErrReconciling) {
			t.Errorf("while another compares: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var logged int
	if err := r.db.Owner.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE act = $1 AND outcome = 'differs'`, proof.Reconciled).Scan(&logged); err != nil || logged != 2 {
		t.Errorf("%d comparisons are logged: %v", logged, err)
	}
}

// TestOnlyTheOwnerCompares: the serving role sees rows of one agency at a time, so it would find
// nothing of the others and call that agreement.
func TestOnlyTheOwnerCompares(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.log()
	r.mustSequence()
	if _, err := r.compare(context.Background(), r.db.Hub, Join()); err == nil {
		t.Error("the serving role compares")
	}
}
