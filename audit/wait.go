package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
	"handover/internal/fault"
)

// What a caller of this package can cause.
var (
	ErrReceiptPending = fault.New(fault.Unavailable, "receipt-pending", fault.Hub,
		"This is stored and logged, but its checkpoint is not signed yet. Send the very same bytes again to get the receipt.").Retryable()
	ErrErased = fault.New(fault.NotFound, "entry-erased", fault.Hub,
		"The content of this log entry was erased when its set period ended. Its leaf is still in the log.")
	ErrNoEntry = fault.New(fault.NotFound, "no-such-entry", fault.Sender,
		"The log has no such entry, tile or checkpoint that you may see. Check the id or the numbers.")
)

// Sequenced says where an entry stands: its index, and the first checkpoint that
// covers it.
type Sequenced struct {
	Entry      EntryID
	Index      int64
	Size       int64  // of the tree of Checkpoint
	Checkpoint []byte // signed note
}

// placed is a Sequenced with what this hub still has in memory of it. Both are nil
// when another hub sequenced it, or it is long ago.
type placed struct {
	Sequenced
	entry *stored
	batch *growth
}

// waiting is what all who wait for one entry share.
type waiting struct {
	done   chan struct{} // closed when place or err is set
	waiter int           // how many wait
	place  placed
	err    error
}

// freshEntries is how many sequenced entries are kept in memory for receipts. An
// entry takes about 1 KiB.
const freshEntries = 8192

// settledAge is the age from which an entry is looked up before it is waited for:
// it was very likely sequenced before this hub can have been told.
const settledAge = 2 * time.Second

// Wait wakes the sequencer, if it has to, and returns where the entry stands as soon as
// it is under a signed checkpoint.
// When ctx ends first it returns ErrReceiptPending: the entry, if its transaction
// committed, is safe and will be sequenced, so the same request may be made again.
func (l *Log) Wait(ctx context.Context, id EntryID) (Sequenced, error) {
	p, err := l.wait(ctx, id)
	return p.Sequenced, err
}

func (l *Log) wait(ctx context.Context, id EntryID) (placed, error) {
	p, w := l.join(id)
	if w == nil {
		return p, nil
	}
	defer l.leave(id, w)
	if l.now().Sub(id.at()) <= settledAge {
		l.Kick()
	} else {
		if err := l.settle(ctx, []EntryID{id}); err != nil && ctx.Err() == nil {
			return placed{}, err
		}
	}
	select {
	case <-w.done:
		return w.place, w.err
	default:
	}
	select {
	case <-w.done:
		return w.place, w.err
	case <-ctx.Done():
		return placed{}, ErrReceiptPending
	case <-l.stopped():
		return placed{}, ErrReceiptPending
	}
}

// join returns the place of a fresh entry, or a wait for it. Both are decided under
// one lock, so an entry sequenced in between is not missed.
func (l *Log) join(id EntryID) (placed, *waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p, ok := l.fresh[id]; ok {
		return p, nil
	}
	w := l.waiters[id]
	if w == nil {
		w = &waiting{done: make(chan struct{})}
		l.waiters[id] = w
	}
	w.waiter++
	return placed{}, w
}

// leave ends one wait. The last one to leave takes the entry out of the table, so a
// caller who gives up leaves nothing behind.
func (l *Log) leave(id EntryID, w *waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w.waiter--
	if w.waiter == 0 && l.waiters[id] == w {
		delete(l.waiters, id)
	}
}

// publish tells those who wait, and remembers the entries of a batch for receipts.
func (l *Log) publish(places []placed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range places {
		if p.batch != nil {
			l.remember(p)
		}
		if w := l.waiters[p.Entry]; w != nil {
			w.place = p
			close(w.done)
			delete(l.waiters, p.Entry)
		}
	}
}

// remember keeps p in place of the entry sequenced freshEntries before it.
func (l *Log) remember(p placed) {
	if len(l.ring) < freshEntries {
		l.ring = append(l.ring, p.Entry)
	} else {
		delete(l.fresh, l.ring[l.next])
		l.ring[l.next] = p.Entry
		l.next = (l.next + 1) % freshEntries
	}
	l.fresh[p.Entry] = p
}

// settle looks up entries that another hub may have sequenced, all in one query,
// and tells those who wait for them.
func (l *Log) settle(ctx context.Context, ids []EntryID) error {
	if len(ids) == 0 {
		return nil
	}
	found, err := l.store.places(ctx, ids)
	if err != nil {
		return err
	}
	places := make([]placed, len(found))
	for i, s := range found {
		places[i] = placed{Sequenced: s}
	}
	l.publish(places)
	return nil
}

// awaited lists the entries that somebody waits for.
func (l *Log) awaited() []EntryID {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]EntryID, 0, len(l.waiters))
	for id := range l.waiters {
		ids = append(ids, id)
	}
	return ids
}

// Receipt waits as Wait does and returns the receipt of the entry. For one entry it
// is the same bytes on every call and from every hub: its proof leads to the
// checkpoint that first covered the entry. With witnesses (WitnessedBy) there are two such
// receipts: the one under the first cosigned checkpoint that covers the entry, for which it
// waits a while, and until there is one, or when too few witnesses answer, the other. A receipt that would not verify is never
// returned: a stored entry, tile or checkpoint that was changed gives ErrTampered.
func (l *Log) Receipt(ctx context.Context, id EntryID) (proof.Receipt, error) {
	p, err := l.wait(ctx, id)
	if err != nil {
		return proof.Receipt{}, err
	}
	entry := p.entry
	if entry == nil || entry.body == nil {
		if entry, err = l.reopened(ctx, id); err != nil {
			return proof.Receipt{}, err
		}
	}
	if l.witnesses != nil {
		c, err := l.awaitCosigned(ctx, p.Index)
		if err != nil {
			return proof.Receipt{}, err
		}
		if c != nil {
			return l.receiptUnder(ctx, p, entry, c)
		}
	}
	if p.batch != nil {
		return receipt(entry, p.Sequenced, p.batch.tree, p.batch)
	}
	tree, err := l.openCheckpoint(ctx, p.Checkpoint, p.Size)
	if err != nil {
		return proof.Receipt{}, err
	}
	var r proof.Receipt
	err = l.authenticated(ctx, tree, func(hashes tlog.HashReader) error {
		r, err = receipt(entry, p.Sequenced, tree, hashes)
		return err
	})
	return r, err
}

// reopened reads a sequenced entry that this hub has no more in memory.
func (l *Log) reopened(ctx context.Context, id EntryID) (*stored, error) {
	entry, err := l.store.opening(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading a sequenced entry: %w", err)
	}
	if entry.body == nil {
		return nil, ErrErased
	}
	return &entry, nil
}

// openCheckpoint returns the tree of a stored checkpoint, which must be of size.
func (l *Log) openCheckpoint(ctx context.Context, signed []byte, size int64) (tlog.Tree, error) {
	tree, err := l.signer().open(signed)
	if err != nil { // another hub may have gone over to the key that follows ours
		followed, failed := l.follow(ctx)
		if failed != nil {
			return tlog.Tree{}, failed
		}
		if followed {
			tree, err = l.signer().open(signed)
		}
	}
	if err != nil || tree.N != size {
		return tlog.Tree{}, tampered("a checkpoint that this log did not sign")
	}
	return tree, nil
}

// authenticated calls do with the stored hashes of tree, each of them checked
// against its root. What is missing or changed is ErrTampered, what could not be
// read is the error of reading it.
func (l *Log) authenticated(ctx context.Context, tree tlog.Tree, do func(tlog.HashReader) error) error {
	return authenticated(tree, func(tiles []tlog.Tile) ([][]byte, error) {
		return l.store.tiles(ctx, tiles)
	}, do)
}

func authenticated(tree tlog.Tree, fetch tileFetch, do func(tlog.HashReader) error) error {
	var unread error
	watched := tileFetch(func(tiles []tlog.Tile) ([][]byte, error) {
		data, err := fetch(tiles)
		unread = err
		return data, err
	})
	err := do(tlog.TileHashReader(tree, watched))
	if err == nil || unread != nil {
		return err
	}
	return fmt.Errorf("%w: %w", ErrTampered, err)
}

// receipt makes the receipt of e and checks all of it.
func receipt(e *stored, at Sequenced, tree tlog.Tree, hashes tlog.HashReader) (proof.Receipt, error) {
	if !e.commits() {
		return proof.Receipt{}, tampered("an entry does not fit its leaf")
	}
	text, err := prove(tree, at.Checkpoint, at.Index, e.leaf, hashes)
	if err != nil {
		return proof.Receipt{}, fmt.Errorf("proving an entry: %w", err)
	}
	if e.said != nil {
		return proof.ReceiptOf(*e.said, e.body, [32]byte(e.salt), string(text)), nil
	}
	r, said, err := proof.NewReceipt(e.body, [32]byte(e.salt), text)
	if err != nil {
		return proof.Receipt{}, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	if said.ID != e.id.String() { // a true entry under another's id
		return proof.Receipt{}, tampered("an entry under another id")
	}
	return r, nil
}

// inclusion returns the tlog-proof of the leaf at index under the checkpoint of
// size.
func (l *Log) inclusion(ctx context.Context, index, size int64) ([]byte, error) {
	signed, tree, err := l.published(ctx, size)
	if err != nil {
		return nil, err
	}
	var text []byte
	err = l.authenticated(ctx, tree, func(hashes tlog.HashReader) error {
		path, err := tlog.ProveRecord(tree.N, index, hashes)
		text = proof.FormatProof(proof.Inclusion{Index: index, Hashes: path, Checkpoint: signed})
		return err
	})
	return text, err
}

// consistency returns the proof that the tree of the checkpoint of size newer begins
// with the tree of size older.
func (l *Log) consistency(ctx context.Context, older, newer int64) ([]byte, error) {
	signed, tree, err := l.published(ctx, newer)
	if err != nil {
		return nil, err
	}
	if older == 0 { // every tree begins with the empty one
		return proof.FormatConsistency(older, nil, signed), nil
	}
	var text []byte
	err = l.authenticated(ctx, tree, func(hashes tlog.HashReader) error {
		path, err := tlog.ProveTree(tree.N, older, hashes)
		text = proof.FormatConsistency(older, path, signed)
		return err
	})
	return text, err
}

// published returns the checkpoint of size, with its cosignatures if it has any, or
// ErrNoEntry if none was ever signed.
func (l *Log) published(ctx context.Context, size int64) ([]byte, tlog.Tree, error) {
	signed, err := l.store.checkpoint(ctx, size)
	if l.witnesses != nil {
		if cosigned, failed := l.store.cosignedOf(ctx, l.witnesses.digest, size); failed == nil {
			signed, err = cosigned, nil
		}
	}
	if errors.Is(err, errNone) {
		return nil, tlog.Tree{}, ErrNoEntry
	}
	if err != nil {
		return nil, tlog.Tree{}, err
	}
	tree, err := l.openCheckpoint(ctx, signed, size)
	return signed, tree, err
}
