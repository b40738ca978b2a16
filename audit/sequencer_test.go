package audit

import (
	"context"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"handover/audit/proof"
)

var errRolledBack = errors.New("rolled back on purpose")

// plan is what one appender does, transaction by transaction: how many entries, and
// whether it commits.
type plan []struct {
	Entries int
	Commits bool
}

func anyPlans(t *rapid.T) []plan {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) plan {
		p := make(plan, rapid.IntRange(1, 6).Draw(t, "transactions"))
		for i := range p {
			p[i].Entries = rapid.IntRange(1, 3).Draw(t, "entries")
			p[i].Commits = rapid.IntRange(0, 3).Draw(t, "fate") > 0
		}
		return p
	}), 2, 12).Draw(t, "appenders")
}

// perform carries the plan out on hub r and returns the entries that were committed,
// each of them waited for.
func (p plan) perform(t rapid.TB, ctx context.Context, r *rig) (committed []EntryID) {
	for _, todo := range p {
		var ids []EntryID
		err := pgx.BeginFunc(ctx, r.db.Hub, func(tx pgx.Tx) error {
			for range todo.Entries {
				id, err := Append(ctx, tx, testEntry())
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			if !todo.Commits {
				return errRolledBack
			}
			return nil
		})
		if !todo.Commits {
			if !errors.Is(err, errRolledBack) {
				t.Errorf("rolling back: %v", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("committing: %v", err)
			return committed
		}
		committed = append(committed, ids...)
		r.Kick()
		if _, err := r.Wait(ctx, ids[len(ids)-1]); err != nil {
			t.Errorf("waiting: %v", err)
		}
	}
	return committed
}

func performAll(t rapid.TB, ctx context.Context, plans []plan, hubs ...*rig) []EntryID {
	var mu sync.Mutex
	var all []EntryID
	var group sync.WaitGroup
	for i, p := range plans {
		group.Go(func() {
			ids := p.perform(t, ctx, hubs[i%len(hubs)])
			mu.Lock()
			all = append(all, ids...)
			mu.Unlock()
		})
	}
	group.Wait()
	return all
}

func TestEveryCommittedEntryIsSequencedExactlyOnceAndNothingElse(t *testing.T) {
	r := newRig(t)
	r.run()
	var committed []EntryID
	rapid.Check(t, func(rt *rapid.T) {
		committed = append(committed, performAll(rt, bounded(t), anyPlans(rt), r)...)
	})
	r.wantHistory(committed)
}

func TestTwoHubsWriteOneHistory(t *testing.T) {
	a := newRig(t)
	b := secondRig(a)
	a.run()
	b.run()
	var committed []EntryID
	rapid.Check(t, func(rt *rapid.T) {
		committed = append(committed, performAll(rt, bounded(t), anyPlans(rt), a, b)...)
	})
	a.wantHistory(committed)
	b.wantHistory(committed)
	for _, id := range committed[:min(len(committed), 200)] {
		if diff := cmp.Diff(a.mustReceipt(id), b.mustReceipt(id)); diff != "" {
			t.Fatalf("two hubs give two receipts (-a +b):\n%s", diff)
		}
	}
}

// TestALateCommitIsNotSkipped is the case that a watermark on ids or times loses.
func TestALateCommitIsNotSkipped(t *testing.T) {
	r := newRig(t)
	late, err := r.db.Hub.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, err := Append(t.Context(), late, testEntry())
	if err != nil {
		t.Fatal(err)
	}
	second := r.log()
	r.mustSequence()
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mustSequence()
	if slices.Compare(first[:6], second[:6]) > 0 {
		t.Fatal("the late entry does not have the earlier id")
	}
	r.wantHistory([]EntryID{first, second})
}

func TestEntriesThatNobodyKickedAreFound(t *testing.T) {
	r := newRig(t)
	r.run()
	if _, err := r.Wait(bounded(t), r.log()); err != nil {
		t.Error(err)
	}
}

func TestMoreEntriesThanABatchHoldsAreSequenced(t *testing.T) {
	r := newRig(t)
	b := &pgx.Batch{}
	var ids []EntryID
	for range batchLimit + 10 {
		id, err := Queue(b, testEntry())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := r.db.Hub.SendBatch(t.Context(), b).Close(); err != nil {
		t.Fatal(err)
	}
	r.mustSequence()
	r.wantHistory(ids)
}

func TestASequencerThatDiesLosesNothing(t *testing.T) {
	r := newRig(t)
	ids := []EntryID{r.log(), r.log()}
	r.mustSequence()
	ids = append(ids, r.log(), r.log())

	c, err := r.store.session(t.Context()) // it dies after it took the entries
	if err != nil {
		t.Fatal(err)
	}
	h, taken, err := c.begin(t.Context(), batchLimit)
	if err != nil || len(taken) != 2 || h.size != 2 {
		t.Fatalf("begin: %d entries at size %d, %v", len(taken), h.size, err)
	}
	c.close(t.Context())

	c, err = r.store.session(t.Context()) // it dies while it writes: the last statement fails
	if err != nil {
		t.Fatal(err)
	}
	if _, taken, err = c.begin(t.Context(), batchLimit); err != nil || len(taken) != 2 {
		t.Fatalf("begin: %d entries, %v", len(taken), err)
	}
	again := extension{entries: taken, grown: &growth{first: 2}, to: edge{tree: tlog.Tree{N: 2}, note: []byte("a checkpoint of this size exists")}}
	if err = c.commit(t.Context(), again); err == nil {
		t.Fatal("a second checkpoint of one size was written")
	}
	c.close(t.Context())

	r.mustSequence()
	r.wantHistory(ids)
}

// TestAnythingMayBreakTheConnections cuts all connections of the log again and again
// while entries are written.
func TestAnythingMayBreakTheConnections(t *testing.T) {
	r := newRig(t)
	stop := r.run()
	ctx := bounded(t)
	var all []EntryID
	var cut int64
	for range 20 {
		id := r.log()
		r.Kick()
		all = append(all, id)
		if rand.IntN(2) == 0 {
			if _, err := r.Wait(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		cut += r.one(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()
			AND query ~ '^(BEGIN|COMMIT|ROLLBACK|LISTEN|SELECT pg_|SELECT coalesce|SELECT t.level|WITH taken|INSERT INTO audit_)'`)
	}
	if cut < 5 {
		t.Fatalf("only %d connections were cut", cut)
	}
	for _, id := range all {
		if _, err := r.Wait(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := stop(); err != nil {
		t.Errorf("Run gave up: %v", err)
	}
	secondRig(r).restart().wantHistory(all) // the pools of r hold broken connections
}

func TestRunEndsWithItsContextAndCanBeRunAgain(t *testing.T) {
	r := newRig(t)
	if err := r.Healthy(); err == nil {
		t.Error("healthy before it runs")
	}
	for range 2 {
		stop := r.run()
		if _, err := r.Wait(bounded(t), r.log()); err != nil {
			t.Fatal(err)
		}
		if err := r.Healthy(); err != nil {
			t.Errorf("unhealthy while it runs: %v", err)
		}
		if err := r.Run(t.Context()); err == nil {
			t.Error("a second Run beside the first")
		}
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := r.Healthy(); err == nil {
			t.Error("healthy after it ended")
		}
	}
}

func TestTheFirstCheckpointIsOfTheEmptyTree(t *testing.T) {
	r := newRig(t)
	r.mustSequence()
	signed, err := r.store.lastCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tree, err := proof.OpenCheckpoint(signed, r.signer().Key()); err != nil || tree.N != 0 {
		t.Errorf("first checkpoint: %v, %v", tree, err)
	}
	r.mustSequence()
	if n := r.one(`SELECT count(*) FROM audit_checkpoint`); n != 1 {
		t.Errorf("%d checkpoints after a round without entries", n)
	}
	r.wantHistory(nil)
}

func TestOtherHubsAreToldOfACheckpoint(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(bounded(t))
	heard := make(chan int64, 10)
	done := make(chan error)
	go func() { done <- r.store.listen(ctx, false, func(_ string, size int64) { heard <- size }) }()
	// Until it listens it hears nothing, so entries are made until it does.
	for told := false; !told; {
		r.log()
		r.mustSequence()
		select {
		case size := <-heard:
			told = size > 0
		default:
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("listening ended with %v", err)
	}
}

func TestALogOfAnotherKeyIsNotOpened(t *testing.T) {
	r := newRig(t)
	r.mustSequence()
	_, err := Open(t.Context(), r.db.Log, r.db.Hub, testSigner(t, 2), r.now)
	wantError(t, "another key", err, proof.ErrSignature)
	other, errName := NewSigner("other.example/v1/log", testKey(1))
	if errName != nil {
		t.Fatal(errName)
	}
	_, err = Open(t.Context(), r.db.Log, r.db.Hub, other, r.now)
	wantError(t, "another name", err, proof.ErrSignature)
}

func TestTheLogGoesOnUnderANewKey(t *testing.T) {
	old := newRig(t)
	before := old.log()
	old.mustSequence()
	first := old.mustReceipt(before)

	signer, err := NewSigner(testOrigin, testKey(2), testKey(1).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(t.Context(), old.db.Log, old.db.Hub, signer, func() time.Time { return time.Now().Add(time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, db: old.db, Log: l}
	after := r.log()
	r.mustSequence()
	if diff := cmp.Diff(first, r.mustReceipt(before)); diff != "" {
		t.Errorf("an old receipt changed with the key (-before +after):\n%s", diff)
	}
	if _, err := r.mustReceipt(before).Verify(testSigner(t, 1).Key()); err != nil {
		t.Errorf("an old receipt under the old key: %v", err)
	}
	if _, err := r.mustReceipt(after).Verify(testSigner(t, 2).Key()); err != nil {
		t.Errorf("a new receipt under the new key: %v", err)
	}
}
