package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	merkle "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
	"handover/internal/pg"
	"handover/internal/pgtest"
)

const testOrigin = "hub.example/v1/log"

func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func testSigner(t testing.TB, seed byte) Signer {
	t.Helper()
	s, err := NewSigner(testOrigin, testKey(seed))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rig is one hub on a database of the test.
type rig struct {
	t  testing.TB
	db *pgtest.DB
	*Log
}

// newRig returns a hub that is not running.
func newRig(t testing.TB) *rig {
	t.Helper()
	return openRig(t, pgtest.New(t))
}

// openRig returns a hub without memory on db: what a restart leaves.
func openRig(t testing.TB, db *pgtest.DB) *rig {
	t.Helper()
	return openRigAt(t, db, time.Now)
}

// restart returns a hub without memory on the database of r, to which every entry is
// of long ago, so it looks in the database at once.
func (r *rig) restart() *rig {
	r.t.Helper()
	return openRigAt(r.t, r.db, func() time.Time { return time.Now().Add(time.Hour) })
}

func openRigAt(t testing.TB, db *pgtest.DB, now func() time.Time) *rig {
	t.Helper()
	l, err := Open(t.Context(), db.Log, db.Hub, testSigner(t, 1), now)
	if err != nil {
		t.Fatal(err)
	}
	l.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	return &rig{t: t, db: db, Log: l}
}

// secondRig returns another hub on the database of r, with pools of its own.
func secondRig(r *rig) *rig {
	r.t.Helper()
	db := &pgtest.DB{URL: r.db.URL, Owner: r.db.Owner}
	var err error
	if db.Hub, err = pg.Open(r.t.Context(), r.db.URL, pg.RoleHub, 8); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(db.Hub.Close)
	if db.Log, err = pg.Open(r.t.Context(), r.db.URL, pg.RoleLog, 5); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(db.Log.Close)
	return openRig(r.t, db)
}

// run runs the sequencer until stop is called or the test ends. stop returns what
// Run returned.
func (r *rig) run() (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	for len(done) == 0 && !r.isRunning() { // until then, whoever waits is told that nobody sequences
		time.Sleep(time.Millisecond)
	}
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	r.t.Cleanup(func() { _ = stop() })
	return stop
}

func (r *rig) isRunning() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// runToEnd runs the sequencer until it gives up by itself.
func (r *rig) runToEnd() error {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return r.Run(ctx)
}

// sequenceAll sequences what waits, without Run.
func (r *rig) sequenceAll() error {
	r.t.Helper()
	c, err := r.store.session(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	defer c.close(context.Background())
	return r.sequence(r.t.Context(), c)
}

func (r *rig) mustSequence() {
	r.t.Helper()
	if err := r.sequenceAll(); err != nil {
		r.t.Fatal(err)
	}
}

func testEntry() proof.Entry {
	return proof.Entry{
		Time: time.Now(), Act: "referral.request",
		Partner: "camden-outreach", Client: "camden-outreach.k3f9q", Other: "solace-example",
		Referral: "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ", Event: "request",
		Envelope: "LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ", State: "requested",
		Consent: "01980000-0000-7000-8000-000000000000", Sections: []string{"need", "safe-contact"},
	}
}

// log appends one entry in a transaction of its own.
func (r *rig) log() EntryID {
	r.t.Helper()
	return r.logEntry(testEntry())
}

func (r *rig) logEntry(e proof.Entry) EntryID {
	r.t.Helper()
	var id EntryID
	err := pgx.BeginFunc(r.t.Context(), r.db.Hub, func(tx pgx.Tx) (err error) {
		id, err = Append(r.t.Context(), tx, e)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// logMany appends n entries and sequences them in batches of a random size.
func (r *rig) logMany(n int) []EntryID {
	r.t.Helper()
	ids := make([]EntryID, 0, n)
	for len(ids) < n {
		b := &pgx.Batch{}
		for range min(n-len(ids), 1+rand.IntN(150)) {
			id, err := Queue(b, testEntry())
			if err != nil {
				r.t.Fatal(err)
			}
			ids = append(ids, id)
		}
		if err := r.db.Hub.SendBatch(r.t.Context(), b).Close(); err != nil {
			r.t.Fatal(err)
		}
		r.mustSequence()
	}
	return ids
}

// bounded returns a context that ends a test that hangs.
func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (r *rig) mustReceipt(id EntryID) proof.Receipt {
	r.t.Helper()
	got, err := r.Receipt(bounded(r.t), id)
	if err != nil {
		r.t.Fatalf("receipt: %v", err)
	}
	return got
}

// owner runs SQL as the owner of the schema, who can do anything but needs no
// trigger's leave: the hand of whoever runs the database.
func (r *rig) owner(sql string, args ...any) {
	r.t.Helper()
	if err := r.tryOwner(sql, args...); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

func (r *rig) tryOwner(sql string, args ...any) error {
	tables := []string{"audit_entry", "audit_pending", "audit_leaf", "audit_tile", "audit_checkpoint"}
	return pgx.BeginFunc(r.t.Context(), r.db.Owner, func(tx pgx.Tx) error {
		for _, table := range tables {
			if _, err := tx.Exec(r.t.Context(), "ALTER TABLE "+table+" DISABLE TRIGGER USER"); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(r.t.Context(), sql, args...); err != nil {
			return err
		}
		for _, table := range tables {
			if _, err := tx.Exec(r.t.Context(), "ALTER TABLE "+table+" ENABLE TRIGGER USER"); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *rig) one(sql string, args ...any) int64 {
	r.t.Helper()
	var n int64
	if err := r.db.Owner.QueryRow(r.t.Context(), sql, args...).Scan(&n); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// wantHistory checks all that the log promises of what is stored, with code that the
// log does not use: committed entries are sequenced exactly once and without a gap,
// tiles and roots are those of a second Merkle library, every checkpoint is signed
// and consistent with the one before, every receipt verifies.
func (r *rig) wantHistory(committed []EntryID) {
	r.t.Helper()
	ctx := bounded(r.t)
	rows, _ := r.db.Owner.Query(ctx, `SELECT l.idx, l.entry, l.size, e.leaf FROM audit_leaf l
		JOIN audit_entry e ON e.id = l.entry ORDER BY l.idx`)
	type leaf struct {
		Idx   int64
		Entry EntryID
		Size  int64
		Leaf  []byte
	}
	leaves, err := pgx.CollectRows(rows, pgx.RowToStructByPos[leaf])
	if err != nil {
		r.t.Fatal(err)
	}
	want, got := map[EntryID]bool{}, map[EntryID]bool{}
	for _, id := range committed {
		want[id] = true
	}
	tree := newReference()
	roots := [][]byte{tree.root()}
	for i, l := range leaves {
		if l.Idx != int64(i) {
			r.t.Fatalf("index %d follows %d", l.Idx, i-1)
		}
		got[l.Entry] = true
		tree.add(l.Leaf)
		roots = append(roots, tree.root())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Fatalf("entries committed and sequenced differ (-committed +sequenced):\n%s", diff)
	}
	if n := r.one(`SELECT count(*) FROM audit_pending`); n != 0 {
		r.t.Errorf("%d entries still wait", n)
	}
	r.wantCheckpoints(roots)
	for i, id := range committed {
		if i%(1+len(committed)/100) == 0 {
			r.wantReceipt(id, roots)
		}
	}
}

// wantCheckpoints checks each checkpoint and that each continues the one before.
func (r *rig) wantCheckpoints(roots [][]byte) {
	r.t.Helper()
	ctx := bounded(r.t)
	rows, _ := r.db.Owner.Query(ctx, `SELECT note FROM audit_checkpoint ORDER BY size`)
	notes, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		r.t.Fatal(err)
	}
	var before []byte
	var older tlog.Tree
	key := r.pinned()
	for _, n := range notes {
		tree, err := proof.OpenCheckpoint(n, key)
		if err != nil || !bytes.Equal(tree.Hash[:], roots[tree.N]) {
			r.t.Fatalf("checkpoint of %d leaves: %v", tree.N, err)
		}
		if before != nil {
			text, err := r.consistency(ctx, older.N, tree.N)
			if err != nil {
				r.t.Fatal(err)
			}
			old, hashes, newer, err := proof.ParseConsistency(text)
			if err != nil || old != older.N {
				r.t.Fatalf("consistency proof of %d: %d, %v", older.N, old, err)
			}
			if err := proof.VerifyConsistency(before, newer, hashes, key); err != nil {
				r.t.Fatalf("from %d to %d: %v", older.N, tree.N, err)
			}
			if older.N > 0 {
				if err := merkle.VerifyConsistency(rfc6962.DefaultHasher, uint64(older.N), uint64(tree.N),
					hashBytes(hashes), roots[older.N], roots[tree.N]); err != nil {
					r.t.Fatalf("second verifier, from %d to %d: %v", older.N, tree.N, err)
				}
			}
		}
		before, older = n, tree
	}
	if older.N != int64(len(roots)-1) {
		r.t.Fatalf("the last checkpoint covers %d of %d leaves", older.N, len(roots)-1)
	}
}

// pinned is the log's first key, as somebody has it who has followed the log from the start.
func (r *rig) pinned() proof.LogKey {
	r.t.Helper()
	texts, err := r.Successions(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if len(texts) == 0 {
		return r.signer().Key()
	}
	key, err := testSigner(r.t, 1).Key().Followed(texts)
	if err != nil {
		r.t.Fatal(err)
	}
	return key
}

// wantReceipt checks one receipt by both libraries.
func (r *rig) wantReceipt(id EntryID, roots [][]byte) {
	r.t.Helper()
	got := r.mustReceipt(id)
	e, err := got.Verify(r.pinned())
	if err != nil || e.ID != id.String() {
		r.t.Fatalf("receipt of %s: entry %s, %v", id, e.ID, err)
	}
	p, err := proof.ParseProof([]byte(got.Proof))
	if err != nil {
		r.t.Fatal(err)
	}
	tree, err := proof.OpenCheckpoint(p.Checkpoint, r.pinned())
	if err != nil {
		r.t.Fatal(err)
	}
	opening, err := r.store.opening(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	err = merkle.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.Index), uint64(tree.N),
		rfc6962.DefaultHasher.HashLeaf(opening.leaf), hashBytes(p.Hashes), roots[tree.N])
	if err != nil {
		r.t.Fatalf("second verifier: %v", err)
	}
}

func hashBytes(hashes []tlog.Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}

func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}
