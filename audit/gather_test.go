package audit

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handover/audit/proof"
)

// TestAReceiptLeadsToACosignedCheckpoint: each is the same bytes from every hub, whoever
// has the entry in memory and whoever gathers, and after a restart.
func TestAReceiptLeadsToACosignedCheckpoint(t *testing.T) {
	t.Parallel()
	w := witnessedRig(t)
	second := w.witnessedBy(secondRig(w.rig))
	w.run()
	second.run()
	receipts := map[EntryID]proof.Receipt{}
	var mu sync.Mutex
	var writers sync.WaitGroup
	for i := range 8 {
		hub := []*rig{w.rig, second}[i%2]
		writers.Go(func() {
			for range 5 {
				id := hub.log()
				hub.Kick()
				got, err := hub.Receipt(bounded(t), id)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := got.Verify(w.key()); err != nil {
					t.Errorf("the first time: %v", err)
				}
				mu.Lock()
				receipts[id] = got
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	third := w.witnessedBy(secondRig(w.rig))
	third.run()
	for id, first := range receipts {
		for _, hub := range []*rig{w.rig, second, third} {
			if got := hub.mustReceipt(id); got != first {
				t.Fatalf("another receipt:\n%s\nat first\n%s", got.Proof, first.Proof)
			}
		}
	}
	if n := w.one(`SELECT count(*) FROM audit_cosigned`); n == 0 || n > int64(len(receipts)) {
		t.Errorf("%d cosigned checkpoints for %d receipts", n, len(receipts))
	}
	if s := w.Witnessing(); s.Cosigned == 0 || s.Short || len(s.Refused) > 0 {
		t.Errorf("%+v", s)
	}
	w.wantHistory(keysOf(receipts))
}

func keysOf(m map[EntryID]proof.Receipt) []EntryID {
	var ids []EntryID
	for id := range m {
		ids = append(ids, id)
	}
	return ids
}

// TestWitnessesThatAreDownStopNothing: with too few, receipts are the log's own, at once
// after the first; when enough are back, the same entries' receipts are cosigned.
func TestWitnessesThatAreDownStopNothing(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		mode    int32
		doors   []int
		quorate bool
	}{
		{"one does not answer", silent, []int{2}, true},
		{"one is out of order", shut, []int{0}, true},
		{"two are out of order", shut, []int{0, 1}, false},
		{"all redirect", elsewhere, []int{0, 1, 2}, false},
		{"all talk nonsense", garbled, []int{0, 1, 2}, false},
		{"all talk without end", endless, []int{0, 1, 2}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := witnessedRig(t)
			w.set(row.mode, row.doors...)
			w.run()
			ids := []EntryID{w.log(), w.log()}
			if row.quorate {
				for _, id := range ids {
					w.cosignedReceipt(w.rig, id)
				}
				return
			}
			first := w.plainReceipt(w.rig, ids[0])
			for range 3 {
				if again := w.plainReceipt(w.rig, ids[0]); again != first {
					t.Error("two plain receipts differ")
				}
			}
			w.plainReceipt(w.rig, ids[1])
			if err := w.Healthy(); err != nil {
				t.Errorf("an outage of witnesses is an outage of the hub: %v", err)
			}
			if s := w.Witnessing(); !s.Short || len(s.Refused) > 0 {
				t.Errorf("%+v", s)
			}
			w.set(open, 0, 1, 2)
			cosigned := w.cosignedReceipt(w.rig, ids[0])
			if again := w.mustReceipt(ids[0]); again != cosigned {
				t.Error("two cosigned receipts differ")
			}
			if s := w.Witnessing(); s.Short || s.Cosigned < 2 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestAnOutageOfWitnessesIsInTheLog once at its beginning and once at its end.
func TestAnOutageOfWitnessesIsInTheLog(t *testing.T) {
	t.Parallel()
	w := witnessedRig(t)
	w.set(shut, 0, 1)
	var lead atomic.Int64 // of the hub's clock
	w.now = func() time.Time { return time.Now().Add(time.Duration(lead.Load())) }
	w.run()
	id := w.log()
	w.plainReceipt(w.rig, id)
	lead.Store(int64(shortAfter))
	w.until("an entry of the outage", func() bool { return w.acts("witness.short") == 1 })
	w.set(open, 0, 1)
	w.until("an entry of its end", func() bool { return w.acts("witness.again") == 1 })
	w.cosignedReceipt(w.rig, w.log())
	if n := w.acts("witness.short") + w.acts("witness.again"); n != 2 {
		t.Errorf("%d entries of one outage", n)
	}
}

func (r *rig) acts(act string) int64 {
	return r.one(`SELECT count(*) FROM audit_entry WHERE act = $1`, act)
}

func (r *rig) until(what string, done func() bool) {
	r.t.Helper()
	for ctx := bounded(r.t); !done(); pause(ctx, 10*time.Millisecond) {
		if ctx.Err() != nil {
			r.t.Fatalf("no %s", what)
		}
	}
}

// TestOneHubGathersAtATime, and another goes on when it ends.
func TestOneHubGathersAtATime(t *testing.T) {
	t.Parallel()
	w := witnessedRig(t)
	stop := w.run()
	w.cosignedReceipt(w.rig, w.log())
	second := w.witnessedBy(secondRig(w.rig))
	second.run()
	w.cosignedReceipt(second, second.log())
	c, err := second.store.gatherer(t.Context())
	if err != nil || c != nil {
		t.Fatalf("two hold the lock: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w.cosignedReceipt(second, second.log())
}

// TestTheOrderOfCosignedCheckpointsIsKeptByTheDatabase: a gatherer that lost the lock
// without knowing could otherwise add one that changes which is the first for an entry.
func TestTheOrderOfCosignedCheckpointsIsKeptByTheDatabase(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.logMany(5)
	r.logMany(5)
	digest := proof.Policy{}.Digest()
	c, err := r.store.gatherer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close(context.Background())
	store := func(size int64) error { return c.storeCosigned(t.Context(), digest, signedTree{size, []byte("note")}) }
	if err := store(10); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{5, 10, 7} {
		if err := store(size); err == nil {
			t.Errorf("%d was added after 10", size)
		}
	}
	for _, sql := range []string{`UPDATE audit_cosigned SET size = 5`, `DELETE FROM audit_cosigned`, `TRUNCATE audit_cosigned`} {
		if _, err := r.db.Owner.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s was allowed", sql)
		}
		if _, err := r.db.Log.Exec(t.Context(), sql); err == nil {
			t.Errorf("%s was allowed to the log's role", sql)
		}
	}
}

// TestACosignedCheckpointIsBelievedOnlyWithItsQuorum: whoever can write to the database
// and has the log's key still makes no cosigned receipt.
func TestACosignedCheckpointIsBelievedOnlyWithItsQuorum(t *testing.T) {
	t.Parallel()
	w := witnessedRig(t)
	w.set(shut, 0, 1, 2)
	ids := w.logMany(5)
	w.owner(`INSERT INTO audit_cosigned SELECT $1, size, note FROM audit_checkpoint WHERE size = 5`, w.policy.Digest())
	if _, err := w.restarted().Receipt(bounded(t), ids[0]); !errors.Is(err, ErrTampered) {
		t.Errorf("an old entry: %v", err)
	}
	if err := w.hear(t.Context()); err != nil { // it comes before this hub's time, so nothing is read
		t.Error(err)
	}
	w.owner(`INSERT INTO audit_cosigned SELECT $1, size, note FROM audit_checkpoint WHERE size = (SELECT max(size) FROM audit_checkpoint)`, otherDigest)
	w.logMany(2)
	w.owner(`INSERT INTO audit_cosigned SELECT $1, size, note FROM audit_checkpoint WHERE size = 7`, w.policy.Digest())
	if err := w.hear(t.Context()); !errors.Is(err, ErrTampered) {
		t.Errorf("a new one: %v", err)
	}
}

const otherDigest = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// restarted is a hub without memory that heard of what is stored.
func (w *witnessed) restarted() *rig {
	w.t.Helper()
	r := w.witnessedBy(secondRig(w.rig))
	r.run()
	if err := r.hear(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func TestAPolicyThatCannotBeMetIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	d := newDoor(t, "w", r.signer().current)
	for name, lines := range map[string][]string{
		"no witness":        {"quorum none"},
		"a witness unasked": {"witness w " + d.Self().Key, "quorum w"},
		"another log's":     {"log " + testSigner(t, 2).current.String(), "witness w " + d.Self().Key + " " + d.server.URL, "quorum w"},
		"too few are asked": {"witness w " + d.Self().Key + " " + d.server.URL, "witness v " + newDoor(t, "v", r.signer().current).Self().Key, "group g all v w", "quorum g"},
	} {
		p, err := proof.ParsePolicy(strings.Join(lines, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.WitnessedBy(p, time.Second); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for url, want := range map[string]bool{
		"https://w.example": true, "http://127.0.0.1:8086/x/": true, "ftp://w.example": false, "w.example": false, "": false,
		"https://me:secret@w.example": false, "https://w.example?token=secret": false, "https://w.example#x": false,
	} {
		if err := CheckWitnessURL(url); (err == nil) != want || err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

// TestAWitnessIsFollowedOnlyByItsName: whoever gets in between, at a witness's URL, with
// another witness's answers, gets nothing counted.
func TestAnAnswerCountsFromItsWitnessOnly(t *testing.T) {
	t.Parallel()
	w := witnessedRig(t)
	w.set(shut, 0, 2)
	stranger := newDoor(t, "stranger", w.signer().current)
	lines := strings.Replace(w.policy.String(), w.doors[0].server.URL, stranger.server.URL, 1)
	lines = strings.Replace(lines, w.doors[2].server.URL, w.doors[1].server.URL, 1) // the second again
	var err error
	if w.policy, err = proof.ParsePolicy(lines); err != nil {
		t.Fatal(err)
	}
	w.witnessedBy(w.rig)
	var said strings.Builder
	w.Logger = slog.New(slog.NewTextHandler(&lockedWriter{b: &said}, nil))
	stop := w.run()
	w.plainReceipt(w.rig, w.log())
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if stranger.asked.Load() == 0 || w.doors[1].asked.Load() < 2 {
		t.Error("they were not asked")
	}
	if strings.Contains(said.String(), "127.0.0.1") {
		t.Errorf("the hub's own log has a witness's address:\n%s", said.String())
	}
}

// TestNobodyMakesAWitnessAccuseTheLog: whoever has been shown a checkpoint may bring it to a witness
// while the hub still has an older one at hand.
func TestNobodyMakesAWitnessAccuseTheLog(t *testing.T) {
	t.Parallel()
	w := witnessedRig(t)
	w.logMany(3)
	w.mustSequence()
	older, err := w.store.lastCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key := w.signer().current
	tree, err := proof.OpenCheckpoint(older, key)
	if err != nil {
		t.Fatal(err)
	}
	w.logMany(2)
	w.mustSequence()
	g := &gatherer{log: w.Log, asker: newWitnessAsker()}
	defer g.asker.close()
	for size, want := range map[int64]bool{5: false, 6: true} {
		by := &asked{Witness: w.policy.Witnesses()[0], size: size}
		_, err := g.ask(t.Context(), by, older, tree, key)
		if _, accuses := errors.AsType[refusal](err); err == nil || accuses != want {
			t.Errorf("the witness has cosigned %d of 5 entries, and 3 are at hand: %v", size, err)
		}
		if by.size != 0 {
			t.Errorf("it is not asked anew, and has said %d", by.size)
		}
	}
}

type lockedWriter struct {
	mu sync.Mutex
	b  *strings.Builder
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}
