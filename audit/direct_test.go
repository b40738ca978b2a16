package audit

import (
	"context"
	"crypto"
	"io"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
	"handover/internal/pg"
)

// directly writes n entries as a caller of Entries does.
func (r *rig) directly(n int) []EntryID {
	r.t.Helper()
	d, err := r.placeDirectly(r.t.Context(), n)
	if err != nil {
		r.t.Fatal(err)
	}
	return d.IDs()
}

// placeDirectly writes n entries, each with its number as target.
func (l *Log) placeDirectly(ctx context.Context, n int) (*Direct, error) {
	entries := make([]proof.Entry, n)
	for i := range entries {
		entries[i] = testEntry()
		entries[i].Target = strconv.Itoa(i)
	}
	var d *Direct
	err := pg.Decide(ctx, l.store.hub, "camden-outreach", &pgx.Batch{}, func() (b *pgx.Batch, err error) {
		b = &pgx.Batch{}
		d, err = l.Entries(b, entries)
		if err == nil {
			d.Place(b)
		}
		return b, err
	})
	if err == nil {
		d.Committed()
	}
	return d, err
}

// healthy lets r pass for a hub whose sequencer runs, without one that would take
// entries out of the queue.
func (r *rig) healthy() {
	r.t.Helper()
	r.mustSequence()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = true
}

func (r *rig) pending() int64 { return r.one(`SELECT count(*) FROM audit_pending`) }

// wantDirect fails unless entry i of ids is there with its place and the receipt that
// another hub would give as well.
func (r *rig) wantDirect(ids []EntryID) {
	r.t.Helper()
	for i, id := range ids {
		got := r.mustReceipt(id)
		if e, err := got.Verify(r.signer().Key()); err != nil || e.Target != strconv.Itoa(i) {
			r.t.Errorf("receipt %d is of entry %q, %v", i, e.Target, err)
		}
		if diff := cmp.Diff(r.restart().mustReceipt(id), got); diff != "" {
			r.t.Errorf("receipt %d differs (-stored +at once):\n%s", i, diff)
		}
	}
}

func TestEntriesGetTheirPlacesInTheTransactionThatWritesThem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.healthy()
	var all []EntryID
	for _, n := range []int{1, 2, 30, 219, 300} { // the last begins behind 256, a full tile
		ids := r.directly(n)
		if waiting := r.pending(); waiting != 0 {
			t.Errorf("%d of %d entries wait for the sequencer", waiting, n)
		}
		if n < 100 {
			r.wantDirect(ids)
		}
		all = append(all, ids...)
		all = append(all, r.log()) // by the sequencer, in turn
		r.mustSequence()
	}
	r.wantHistory(all)
	if _, err := r.Entries(&pgx.Batch{}, []proof.Entry{testEntry(), {Act: "refused"}}); err == nil {
		t.Error("an entry without a time was taken")
	}
}

// TestTheLogsRoleEndsWithTheTransaction: what the connection does next is done as the
// hub, which may not write places.
func TestTheLogsRoleEndsWithTheTransaction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.healthy()
	conn, err := r.db.Hub.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn.Release()
	r.directly(1)
	r.learnNothing()
	r.directly(1)
	var role, seqscan string
	for range r.db.Hub.Stat().TotalConns() {
		if err := r.db.Hub.QueryRow(t.Context(), `SELECT current_user, current_setting('enable_seqscan')`).Scan(&role, &seqscan); err != nil {
			t.Fatal(err)
		}
		if role != pg.RoleHub || seqscan != "on" {
			t.Errorf("after the transaction: %s, enable_seqscan %s", role, seqscan)
		}
	}
}

// learnNothing makes r forget the tree, as if another hub had extended it.
func (r *rig) learnNothing() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = edge{}
}

// TestWhatCannotBePlacedAtOnceWaits has the log taken, extended, or not in order: the
// entries are committed all the same, and the sequencer gives them their places.
func TestWhatCannotBePlacedAtOnceWaits(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(*rig) (undo func()){
		"another transaction has the log": func(r *rig) func() {
			c, err := r.store.session(r.t.Context())
			if err != nil {
				r.t.Fatal(err)
			}
			if _, _, err := c.begin(r.t.Context(), batchLimit); err != nil {
				r.t.Fatal(err)
			}
			return func() { c.close(context.Background()) }
		},
		"another hub has extended it": func(r *rig) func() {
			other := secondRig(r)
			other.log()
			other.mustSequence()
			return func() {}
		},
		"the sequencer does not run": func(r *rig) func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.running = false
			return func() {}
		},
		"the key is slow to answer": func(r *rig) func() {
			free := make(chan struct{})
			slow := r.signer()
			slow.key = slowKey{slow.key, free}
			r.held.Store(&slow)
			return func() { close(free) }
		},
		"this hub knows no tree yet": func(r *rig) func() {
			r.learnNothing()
			return func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.healthy()
			undo := prepare(r)
			ids := r.directly(3)
			if n := r.pending(); n != 3 {
				t.Errorf("%d entries wait, want 3", n)
			}
			undo()
			r.mustSequence()
			r.wantDirect(ids)
		})
	}
}

// slowKey signs nothing until it is free.
type slowKey struct {
	crypto.Signer
	free <-chan struct{}
}

func (k slowKey) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	<-k.free
	return k.Signer.Sign(random, digest, o)
}

// TestNothingIsPlacedBehindATreeThatWasChanged: a changed tile or a checkpoint set back
// leaves the entries in the queue, where the sequencer finds out.
func TestNothingIsPlacedBehindATreeThatWasChanged(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a tile":              `UPDATE audit_tile SET data = overlay(data placing '\x00'::bytea from 5 for 1)`,
		"a leaf gone":         `DELETE FROM audit_leaf WHERE idx = (SELECT max(idx) FROM audit_leaf)`,
		"a checkpoint gone":   `DELETE FROM audit_checkpoint WHERE size = (SELECT max(size) FROM audit_checkpoint)`,
		"a checkpoint's size": `UPDATE audit_checkpoint SET size = size + 1000 WHERE size = (SELECT max(size) FROM audit_checkpoint)`,
		"a checkpoint forged": `UPDATE audit_checkpoint SET note = 'x' WHERE size = (SELECT max(size) FROM audit_checkpoint)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.healthy()
			r.directly(5)
			r.owner(sql)
			before := r.one(`SELECT count(*) FROM audit_leaf`)
			r.directly(2)
			if n := r.one(`SELECT count(*) FROM audit_leaf`); n != before || r.pending() != 2 {
				t.Errorf("%d leaves, %d before; %d entries wait", n, before, r.pending())
			}
			wantError(t, "sequencing", r.sequenceAll(), ErrTampered)
		})
	}
}

// TestDirectAndSequencedEntriesShareOneTree writes both ways from two hubs at once.
func TestDirectAndSequencedEntriesShareOneTree(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.run()
	other := secondRig(r)
	other.run()
	const writers, rounds = 4, 15
	ids := make(chan []EntryID, 2*writers*rounds*2)
	done := make(chan struct{})
	for i := range 2 * writers {
		hub := []*rig{r, other}[i%2]
		go func() {
			defer func() { done <- struct{}{} }()
			for range rounds {
				ids <- hub.directly(1 + i)
				id := hub.log()
				hub.Kick()
				ids <- []EntryID{id}
			}
		}()
	}
	for range 2 * writers {
		<-done
	}
	close(ids)
	var all []EntryID
	for some := range ids {
		all = append(all, some...)
	}
	for _, id := range all {
		if _, err := r.Wait(bounded(t), id); err != nil {
			t.Fatal(err)
		}
	}
	r.wantHistory(all)
}
