package audit

import (
	"context"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

// forged is a checkpoint of size leaves and a root of zeros, signed by the key of
// seed.
func forged(t *testing.T, seed byte, size int64) []byte {
	t.Helper()
	text := proof.FormatCheckpoint(testOrigin, tlog.Tree{N: size})
	signed, err := note.Sign(&note.Note{Text: text}, testSigner(t, seed))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// TestNothingIsBuiltOnATamperedTree changes what is stored, in one way at a time, and
// wants the running hub as well as a restarted one to stop and write nothing.
func TestNothingIsBuiltOnATamperedTree(t *testing.T) {
	const size = 300 // one full tile, an edge tile on each of two levels
	for _, row := range []struct {
		name string
		sql  string
		args func(*testing.T) []any
	}{
		{name: "a byte of the edge tile", sql: `UPDATE audit_tile SET data = set_byte(data, 40, get_byte(data, 40) # 1) WHERE level = 0 AND n = 1`},
		{name: "the last byte of the edge tile", sql: `UPDATE audit_tile SET data = set_byte(data, octet_length(data) - 1, get_byte(data, octet_length(data) - 1) # 128) WHERE level = 0 AND n = 1`},
		{name: "a byte of the upper edge tile", sql: `UPDATE audit_tile SET data = set_byte(data, 0, get_byte(data, 0) # 1) WHERE level = 1`},
		{name: "an edge tile cut short", sql: `UPDATE audit_tile SET data = substr(data, 1, octet_length(data) - 32) WHERE level = 0 AND n = 1`},
		{name: "an edge tile grown", sql: `UPDATE audit_tile SET data = data || substr(data, 1, 32) WHERE level = 0 AND n = 1`},
		{name: "an edge tile gone", sql: `DELETE FROM audit_tile WHERE level = 0 AND n = 1`},
		{name: "an edge tile too many", sql: `INSERT INTO audit_tile SELECT 2, 0, substr(data, 1, 32) FROM audit_tile WHERE level = 1`},
		{name: "a byte of the checkpoint's signature", sql: `UPDATE audit_checkpoint SET note = set_byte(note, octet_length(note) - 20, get_byte(note, octet_length(note) - 20) # 2) WHERE size = 300`},
		{name: "a byte of the checkpoint's text", sql: `UPDATE audit_checkpoint SET note = set_byte(note, 25, get_byte(note, 25) # 1) WHERE size = 300`},
		{
			name: "a checkpoint of another key", sql: `UPDATE audit_checkpoint SET note = $1 WHERE size = 300`,
			args: func(t *testing.T) []any { return []any{forged(t, 2, size)} },
		},
		{name: "the checkpoint under another size", sql: `UPDATE audit_checkpoint SET size = 301 WHERE size = 300`},
		{name: "an earlier checkpoint under its size", sql: `UPDATE audit_checkpoint SET note = (SELECT note FROM audit_checkpoint WHERE size = 250) WHERE size = 300`},
		{name: "the last checkpoint gone", sql: `DELETE FROM audit_checkpoint WHERE size = 300`},
		{name: "all checkpoints gone", sql: `DELETE FROM audit_checkpoint`},
		{name: "the last leaf gone", sql: `DELETE FROM audit_leaf WHERE idx = 299`},
		{name: "a leaf too many", sql: `INSERT INTO audit_leaf VALUES (300, gen_random_uuid(), 301)`},
		{name: "a waiting entry's body", sql: `UPDATE audit_entry SET body = 'x' WHERE id IN (SELECT entry FROM audit_pending)`},
		{name: "a waiting entry's leaf", sql: `UPDATE audit_entry SET leaf = set_byte(leaf, 7, get_byte(leaf, 7) # 1) WHERE id IN (SELECT entry FROM audit_pending)`},
		{name: "a waiting entry gone", sql: `DELETE FROM audit_entry WHERE id IN (SELECT entry FROM audit_pending)`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.logMany(250)
			r.logMany(50)
			waiting := r.log()
			// What the database itself would refuse even its owner, the owner removes first.
			r.owner(`ALTER TABLE audit_pending DROP CONSTRAINT audit_pending_entry`)
			var args []any
			if row.args != nil {
				args = row.args(t)
			}
			r.owner(row.sql, args...)
			before := r.state()

			hubs := []*rig{r}
			if restarted, err := Open(t.Context(), r.db.Log, r.db.Hub, testSigner(t, 1), time.Now); err == nil {
				restarted.Logger = r.Logger
				hubs = append(hubs, &rig{t: t, db: r.db, Log: restarted})
			}
			for _, hub := range hubs {
				wantError(t, "Run", hub.runToEnd(), ErrTampered)
				wantError(t, "Healthy", hub.Healthy(), ErrTampered)
				_, err := hub.Wait(bounded(t), waiting)
				wantError(t, "Wait", err, ErrReceiptPending)
			}
			if got := r.state(); got != before {
				t.Errorf("something was written: %v, before %v", got, before)
			}
		})
	}
}

// state is a digest of all that the sequencer could change.
func (r *rig) state() (digest string) {
	r.t.Helper()
	err := r.db.Owner.QueryRow(r.t.Context(), `SELECT md5(concat(
		(SELECT string_agg(p::text, ',' ORDER BY entry) FROM audit_pending p), '/',
		(SELECT string_agg(l::text, ',' ORDER BY idx) FROM audit_leaf l), '/',
		(SELECT string_agg(t::text, ',' ORDER BY level, n) FROM audit_tile t), '/',
		(SELECT string_agg(c::text, ',' ORDER BY size) FROM audit_checkpoint c)))`).Scan(&digest)
	if err != nil {
		r.t.Fatal(err)
	}
	return digest
}

// TestALogSetBackIsRefusedByWhoeverSawItsEnd restores an earlier state in which
// everything fits together.
func TestALogSetBackIsRefusedByWhoeverSawItsEnd(t *testing.T) {
	r := newRig(t)
	r.logMany(10)
	last := r.logMany(10)
	r.setBack(10)
	r.log()
	wantError(t, "Run of the hub that saw 20", r.runToEnd(), ErrTampered)

	// A hub that never saw the end cannot know, and signs a second history.
	fork := secondRig(r).restart()
	fork.logMany(20)
	wantError(t, "Run of the hub that saw 20, after the fork", r.runToEnd(), ErrTampered)

	// The receipts that partners keep show the fork.
	p, err := proof.ParseProof([]byte(r.mustReceipt(last[9]).Proof))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := fork.store.lastCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := proof.OpenCheckpoint(signed, fork.signer().Key())
	if err != nil {
		t.Fatal(err)
	}
	text, err := fork.consistency(t.Context(), 20, tree.N)
	if err != nil {
		t.Fatal(err)
	}
	_, hashes, newer, err := proof.ParseConsistency(text)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "consistency with a kept receipt",
		proof.VerifyConsistency(p.Checkpoint, newer, hashes, fork.signer().Key()), proof.ErrProof)
}

// setBack restores the state at a size below 256.
func (r *rig) setBack(size int64) {
	r.t.Helper()
	r.owner(`DELETE FROM audit_checkpoint WHERE size > $1`, size)
	r.owner(`DELETE FROM audit_leaf WHERE idx >= $1`, size)
	r.owner(`UPDATE audit_tile SET data = substr(data, 1, 32 * $1::int) WHERE level = 0`, size)
	if n := r.one(`SELECT max(size) FROM audit_checkpoint`); n != size {
		r.t.Fatalf("set back to %d, wanted %d", n, size)
	}
}

// TestNoReceiptIsMadeOfWhatWasTampered changes a sequenced entry or the tree above
// it, and asks a hub that has nothing in memory.
func TestNoReceiptIsMadeOfWhatWasTampered(t *testing.T) {
	for _, row := range []struct {
		name string
		sql  string // the entry is the one at index 3
	}{
		{"its body", `UPDATE audit_entry SET body = replace(convert_from(body, 'UTF8'), 'requested', 'accepted')::bytea WHERE id = at(3)`},
		{"its salt", `UPDATE audit_entry SET salt = set_byte(salt, 0, get_byte(salt, 0) # 1) WHERE id = at(3)`},
		{"its leaf", `UPDATE audit_entry SET leaf = set_byte(leaf, 1, get_byte(leaf, 1) # 1) WHERE id = at(3)`},
		{"its body, with a leaf that commits to it", `UPDATE audit_entry SET body = b.body,
			leaf = '\x01'::bytea || sha256('handover-audit-v1\000'::bytea || salt || b.body)
			FROM (SELECT replace(convert_from(body, 'UTF8'), 'requested', 'accepted')::bytea AS body FROM audit_entry WHERE id = at(3)) b WHERE id = at(3)`},
		{"its place, swapped with another's", `CREATE TEMP TABLE two AS SELECT * FROM audit_leaf WHERE idx IN (3, 4);
			DELETE FROM audit_leaf WHERE idx IN (3, 4);
			INSERT INTO audit_leaf SELECT t.idx, o.entry, t.size FROM two t JOIN two o ON o.idx = 7 - t.idx`},
		{"another's salt, body and leaf", `UPDATE audit_entry e SET salt = o.salt, body = o.body, leaf = o.leaf
			FROM audit_entry o WHERE e.id = at(3) AND o.id = at(4)`},
		{"another's salt, body and leaf, and its place", `UPDATE audit_entry e SET salt = o.salt, body = o.body, leaf = o.leaf
			FROM audit_entry o WHERE e.id = at(3) AND o.id = at(4);
			CREATE TEMP TABLE two AS SELECT * FROM audit_leaf WHERE idx IN (3, 4);
			DELETE FROM audit_leaf WHERE idx IN (3, 4);
			INSERT INTO audit_leaf SELECT t.idx, o.entry, t.size FROM two t JOIN two o ON o.idx = 7 - t.idx`},
		{"a hash beside it", `UPDATE audit_tile SET data = set_byte(data, 70, get_byte(data, 70) # 1) WHERE level = 0 AND n = 0`},
		{"its own hash in the tile", `UPDATE audit_tile SET data = set_byte(data, 100, get_byte(data, 100) # 1) WHERE level = 0 AND n = 0`},
		{"its tile, gone", `DELETE FROM audit_tile WHERE level = 0 AND n = 0`},
		{"its checkpoint's signature", `UPDATE audit_checkpoint SET note = set_byte(note, octet_length(note) - 20, get_byte(note, octet_length(note) - 20) # 2)
			WHERE size = (SELECT size FROM audit_leaf WHERE idx = 3)`},
		{"its checkpoint, a later one", `UPDATE audit_checkpoint SET note = (SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1)
			WHERE size = (SELECT size FROM audit_leaf WHERE idx = 3)`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.logMany(10)
			r.logMany(300)
			r.owner(`CREATE FUNCTION at(bigint) RETURNS uuid LANGUAGE sql STABLE AS 'SELECT entry FROM audit_leaf WHERE idx = $1'`)
			var id EntryID
			if err := r.db.Owner.QueryRow(t.Context(), `SELECT at(3)`).Scan(&id); err != nil {
				t.Fatal(err)
			}
			if err := r.restart().mustVerify(id); err != nil {
				t.Fatalf("before: %v", err)
			}
			r.owner(row.sql)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			got, err := r.restart().Receipt(ctx, id)
			wantError(t, "Receipt", err, ErrTampered)
			if got != (proof.Receipt{}) {
				t.Errorf("a receipt beside the error: %+v", got)
			}
		})
	}
}

func (r *rig) mustVerify(id EntryID) error {
	_, err := r.mustReceipt(id).Verify(r.signer().Key())
	return err
}
