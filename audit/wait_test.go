package audit

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"handover/audit/proof"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/internal/strict"
)

// ended returns a context whose deadline has passed.
func ended(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	t.Cleanup(cancel)
	return ctx
}

func (r *rig) wantNobodyWaits() {
	r.t.Helper()
	if ids := r.awaited(); len(ids) != 0 {
		r.t.Errorf("%d entries are still waited for", len(ids))
	}
}

func TestWhoeverStopsWaitingLeavesNothingBehind(t *testing.T) {
	r := newRig(t)
	id := r.log()
	for range 3 {
		_, err := r.Receipt(ended(t), id)
		wantError(t, "Receipt past the deadline", err, ErrReceiptPending)
	}
	r.wantNobodyWaits()

	one, leave := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() { // she stays when the other leaves
		if _, err := r.Wait(bounded(t), id); err != nil {
			t.Errorf("the one who stays: %v", err)
		}
	})
	group.Go(func() {
		_, err := r.Wait(one, id)
		wantError(t, "the one who leaves", err, ErrReceiptPending)
	})
	for r.countWaiters(id) != 2 {
		runtime.Gosched()
	}
	leave()
	for r.countWaiters(id) != 1 {
		runtime.Gosched()
	}
	r.mustSequence()
	group.Wait()
	r.wantNobodyWaits()
}

func (r *rig) countWaiters(id EntryID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w := r.waiters[id]; w != nil {
		return w.waiter
	}
	return 0
}

func TestAPendingReceiptMayBeAskedForAgain(t *testing.T) {
	f, ok := errors.AsType[*fault.Fault](error(ErrReceiptPending))
	if !ok || !f.Retry || f.Kind != fault.Unavailable || f.Party != fault.Hub || f.Code != "receipt-pending" {
		t.Errorf("ErrReceiptPending = %+v", f)
	}
}

func TestAnEntryThatWasRolledBackIsNeverReceipted(t *testing.T) {
	r := newRig(t)
	var id EntryID
	err := pgx.BeginFunc(t.Context(), r.db.Hub, func(tx pgx.Tx) (err error) {
		if id, err = Append(t.Context(), tx, testEntry()); err != nil {
			return err
		}
		return errRolledBack
	})
	if !errors.Is(err, errRolledBack) {
		t.Fatal(err)
	}
	r.log()
	r.mustSequence()
	for _, hub := range []*rig{r, r.restart()} {
		_, err := hub.Receipt(ended(t), id)
		wantError(t, "Receipt", err, ErrReceiptPending)
	}
}

func TestWaitersAreToldWhenTheSequencerEnds(t *testing.T) {
	r := newRig(t)
	stop := r.run()
	if _, err := r.Wait(bounded(t), r.log()); err != nil {
		t.Fatal(err)
	}
	absent := newEntryID(time.Now(), [10]byte{1})
	done := make(chan error)
	go func() {
		_, err := r.Wait(context.Background(), absent)
		done <- err
	}()
	for r.countWaiters(absent) == 0 {
		runtime.Gosched()
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	wantError(t, "Wait", <-done, ErrReceiptPending)
	r.wantNobodyWaits()
}

func TestAReceiptIsTheSameBytesForEver(t *testing.T) {
	r := newRig(t)
	ids := r.logMany(20)
	first := map[EntryID]string{}
	for _, id := range ids {
		p, err := r.wait(bounded(t), id)
		if err != nil || p.batch == nil {
			t.Fatalf("a fresh entry is not in memory: %v", err)
		}
		first[id] = marshal(t, r.mustReceipt(id))
	}
	same := func(when string, hub *rig) {
		t.Helper()
		for _, id := range ids {
			if diff := cmp.Diff(first[id], marshal(t, hub.mustReceipt(id))); diff != "" {
				t.Fatalf("%s (-first +now):\n%s", when, diff)
			}
		}
	}
	same("again", r)
	same("after a restart", r.restart())
	r.logMany(500)
	same("when the tree has grown", r)
	same("when the tree has grown, after a restart", r.restart())
	same("from another hub", secondRig(r).restart())
	r.mu.Lock()
	clear(r.fresh)
	r.mu.Unlock()
	r.now = func() time.Time { return time.Now().Add(time.Hour) }
	same("when it is no longer in memory", r)
}

func marshal(t *testing.T, r proof.Receipt) string {
	t.Helper()
	b, err := strict.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestMemoryKeepsTheNewestEntriesOnly(t *testing.T) {
	l := newLog(nil, Signer{}, time.Now)
	id := func(i int) EntryID { return newEntryID(time.UnixMilli(int64(i)), [10]byte{}) }
	for i := range freshEntries + 100 {
		l.publish([]placed{{Sequenced: Sequenced{Entry: id(i)}, batch: &growth{}}})
	}
	if len(l.fresh) != freshEntries {
		t.Errorf("%d entries in memory, want %d", len(l.fresh), freshEntries)
	}
	for i := range freshEntries + 100 {
		if _, kept := l.fresh[id(i)]; kept != (i >= 100) {
			t.Fatalf("entry %d kept: %v", i, kept)
		}
	}
}

func TestAReceiptSaysWhatTheEntrySays(t *testing.T) {
	r := newRig(t)
	e := testEntry()
	id := r.logEntry(e)
	r.mustSequence()
	got := r.mustReceipt(id)
	want := proof.Receipt{
		Referral: e.Referral, Reference: ids.Reference(e.Referral), Event: e.Event, Envelope: e.Envelope,
		State: e.State, Consent: e.Consent, Time: e.Time.UTC().Truncate(time.Microsecond),
		Entry: got.Entry, Salt: got.Salt, Proof: got.Proof,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	entry, err := got.Verify(r.signer().Key())
	if err != nil {
		t.Fatal(err)
	}
	e.V, e.ID, e.Time = proof.Version, id.String(), want.Time
	if diff := cmp.Diff(e, entry); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = got.Verify(testSigner(t, 2).Key())
	wantError(t, "another log's key", err, proof.ErrSignature)
}

// TestAChangedReceiptIsRefused edits receipts that the hub made.
func TestAChangedReceiptIsRefused(t *testing.T) {
	r := newRig(t)
	honest := r.mustReceipt(r.logMany(40)[17])
	text := marshal(t, honest)
	entry, err := honest.Verify(r.signer().Key())
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		changed := []byte(text)
		changed[rapid.IntRange(0, len(text)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		var got proof.Receipt
		if strict.Unmarshal(changed, &got) != nil {
			return
		}
		e, err := got.Verify(r.signer().Key())
		if err == nil && !cmp.Equal(e, entry) {
			t.Fatalf("a changed receipt verifies as another entry:\n%s", changed)
		}
	})
}

func TestAnErasedEntryHasNoReceiptButKeepsItsPlace(t *testing.T) {
	r := newRig(t)
	ids := r.logMany(5)
	kept := r.mustReceipt(ids[2])
	// The role that retention will get may make this one change; the owner stands in.
	if _, err := r.db.Owner.Exec(t.Context(), `UPDATE audit_entry SET salt = NULL, body = NULL WHERE id = $1`, ids[2]); err != nil {
		t.Fatal(err)
	}
	_, err := r.restart().Receipt(bounded(t), ids[2])
	wantError(t, "Receipt", err, ErrErased)
	r.logMany(5)
	at, err := r.restart().Wait(bounded(t), ids[2])
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.inclusion(t.Context(), at.Index, at.Size)
	if err != nil || string(text) != kept.Proof {
		t.Errorf("the proof of an erased entry changed: %v", err)
	}
	if _, err := kept.Verify(r.signer().Key()); err != nil {
		t.Errorf("the receipt that a partner kept: %v", err)
	}
}

func TestAnEntryIDHasOneForm(t *testing.T) {
	now := time.UnixMilli(1792574400123)
	id := newEntryID(now, [10]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	if got, want := id.String(), "01a15dc2-a67b-7fff-bfff-ffffffffffff"; got != want {
		t.Errorf("id = %s, want %s", got, want)
	}
	if !id.at().Equal(now) {
		t.Errorf("time of the id = %v, want %v", id.at(), now)
	}
	again, err := ParseEntryID(id.String())
	if err != nil || again != id {
		t.Errorf("ParseEntryID(String()) = %v, %v", again, err)
	}
	good := id.String()
	for _, bad := range []string{
		"", good[1:], good + "0", strings.ToUpper(good), strings.ReplaceAll(good, "-", ""),
		"{" + good + "}", strings.Replace(good, "0", "g", 1), strings.Replace(good, "-", "_", 1),
	} {
		if _, err := ParseEntryID(bad); err == nil {
			t.Errorf("ParseEntryID(%q) takes it", bad)
		}
	}
}

func TestAnEntryNeedsActAndTime(t *testing.T) {
	for _, e := range []proof.Entry{{Act: "refused"}, {Time: time.Now()}} {
		if _, err := Queue(&pgx.Batch{}, e); err == nil {
			t.Errorf("%+v was taken", e)
		}
		if _, err := Append(t.Context(), nil, e); err == nil {
			t.Errorf("%+v was taken", e)
		}
	}
}

func TestNoTwoEntriesShareIDOrSalt(t *testing.T) {
	e := testEntry()
	ids, salts := map[EntryID]bool{}, map[[32]byte]bool{}
	for range 1000 {
		s, err := seal(e)
		if err != nil {
			t.Fatal(err)
		}
		ids[s.id], salts[s.salt] = true, true
	}
	if len(ids) != 1000 || len(salts) != 1000 {
		t.Errorf("%d ids and %d salts of 1000 entries", len(ids), len(salts))
	}
}
