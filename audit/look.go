package audit

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
	"handover/internal/ids"
)

// Standing is whether the log proves an entry that somebody is shown.
type Standing string

// How an entry stands. All but the first two are alarms: nothing in the hub does that.
const (
	Proved   Standing = "proved"   // it is the one that the checkpoint's tree has at its place
	Waiting  Standing = "waiting"  // it has no place yet; after a minute it ought to have one
	Changed  Standing = "changed"  // the tree has another entry at its place
	Gone     Standing = "gone"     // what it said is not there any more
	Unproved Standing = "unproved" // no proof leads to it: checkpoint or tiles are missing, or were changed
)

// Looked is one entry as somebody is shown it: what it says, and whether the log proves it.
type Looked struct {
	Listed
	Said   proof.Entry // zero when nothing can be read of it
	Stands Standing
}

// Under is the newest signed checkpoint, against which entries were held.
type Under struct {
	Note   []byte
	Size   int64     // how many entries it covers; 0 if it does not hold
	Newest time.Time // when the last of them was made
	Holds  bool      // it is signed by the log's key, and its keys follow each other
}

// Page is a page of entries.
type Page struct {
	Entries []Looked
	Next    EntryID // the After of the page that follows; zero after the last
	Under   Under
}

// Read returns a page of entries that by may see, each held against the newest signed
// checkpoint by the same checks that whoever does not trust the hub makes offline. What fails
// them is shown all the same, and says so: an auditor who was shown nothing of it would never
// know. That she asked is logged.
func (l *Log) Read(ctx context.Context, by Reader, f Filter) (Page, error) {
	if !by.All && !(by.About && f.about()) {
		return Page{}, by.Refusal
	}
	found, next, signed, err := l.store.entries(ctx, f, by)
	if err != nil {
		return Page{}, err
	}
	l.Kick()
	entries, under, err := l.hold(ctx, signed, found)
	return Page{Entries: entries, Next: next, Under: under}, err
}

// ReadOne returns one entry that by may see, held as Read holds it, and logs that she asked for it.
// Of another's entry it says what it says of none: ErrNoEntry.
func (l *Log) ReadOne(ctx context.Context, by Reader, id EntryID) (Looked, Under, error) {
	if !by.All {
		return Looked{}, Under{}, by.Refusal
	}
	found, signed, err := l.store.one(ctx, by, id)
	if err != nil {
		return Looked{}, Under{}, err
	}
	l.Kick()
	entries, under, err := l.hold(ctx, signed, []Listed{found})
	if err != nil {
		return Looked{}, under, err
	}
	return entries[0], under, nil
}

// LookAt holds entries that a list names which by was just shown, and which was logged: those of
// named that she may see.
func (l *Log) LookAt(ctx context.Context, by Reader, named []EntryID) (map[EntryID]Looked, Under, error) {
	if !by.All {
		return nil, Under{}, by.Refusal
	}
	found, signed, err := l.store.several(ctx, by, named)
	if err != nil {
		return nil, Under{}, err
	}
	entries, under, err := l.hold(ctx, signed, found)
	all := make(map[EntryID]Looked, len(entries))
	for _, e := range entries {
		all[e.ID] = e
	}
	return all, under, err
}

// Referrals returns the ids of the referrals of a reference that entries name which by may see.
// Mostly there is one. It tells her nothing that she could not list.
func (l *Log) Referrals(ctx context.Context, by Reader, reference string) ([]string, error) {
	if !by.All {
		return nil, by.Refusal
	}
	found, err := l.store.referralsOf(ctx, by, ids.ReferencePrefixes(reference))
	return slices.DeleteFunc(found, func(id string) bool { return ids.Reference(id) != reference }), err
}

// ProofFor returns the proof of an entry that by may see, as the API gives it (C2SP tlog-proof).
func (l *Log) ProofFor(ctx context.Context, by Reader, id EntryID) ([]byte, error) {
	if !by.All {
		return nil, by.Refusal
	}
	found, _, err := l.store.several(ctx, by, []EntryID{id})
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, ErrNoEntry
	}
	return l.proofOf(ctx, id)
}

// ReceiptFor returns an entry that by may see with its salt and its proof, for whoever verifies it
// offline. It is the receipt of who made it, but not held back until it verifies: what an auditor
// takes home must be what there is.
func (l *Log) ReceiptFor(ctx context.Context, by Reader, id EntryID) (proof.Receipt, error) {
	if !by.All {
		return proof.Receipt{}, by.Refusal
	}
	found, _, err := l.store.several(ctx, by, []EntryID{id})
	switch {
	case err != nil:
		return proof.Receipt{}, err
	case len(found) == 0:
		return proof.Receipt{}, ErrNoEntry
	case found[0].Body == nil || len(found[0].Salt) != 32:
		return proof.Receipt{}, ErrErased
	}
	text, err := l.proofOf(ctx, id)
	if err != nil {
		return proof.Receipt{}, err
	}
	r, _, err := proof.NewReceipt(found[0].Body, [32]byte(found[0].Salt), text)
	return r, err
}

// Review returns what by is to look at, the oldest first, and logs that she asked.
func (l *Log) Review(ctx context.Context, by Reader, sources []Source) ([]Item, error) {
	if !by.All {
		return nil, by.Refusal
	}
	items, err := l.store.review(ctx, by, sources)
	if err == nil {
		l.Kick()
	}
	return items, err
}

// hold holds entries against a signed checkpoint.
func (l *Log) hold(ctx context.Context, signed signedTree, found []Listed) ([]Looked, Under, error) {
	tree, under, err := l.under(ctx, signed)
	if err != nil {
		return nil, under, err
	}
	var indexes []int64
	for _, f := range found {
		if f.Index >= 0 && f.Index < tree.N {
			indexes = append(indexes, f.Index)
		}
	}
	hashes, err := l.hashes(ctx, tree, indexes)
	if err != nil {
		return nil, under, err
	}
	looked := make([]Looked, len(found))
	for i, f := range found {
		looked[i] = Looked{Listed: f, Stands: f.stands(tree, hashes)}
		if said, err := proof.ParseEntry(f.Body); err == nil {
			looked[i].Said = said
		}
	}
	return looked, under, nil
}

// under opens a checkpoint as somebody does who has pinned the log's key. One that does not
// open covers nothing, so that every entry under it is unproved.
func (l *Log) under(ctx context.Context, signed signedTree) (tlog.Tree, Under, error) {
	under := Under{Note: signed.Note}
	if _, err := l.openCheckpoint(ctx, signed.Note, signed.Size); err != nil { // goes over to the key that follows ours
		if errors.Is(err, ErrTampered) {
			err = nil
		}
		return tlog.Tree{}, under, err
	}
	texts, err := l.Successions(ctx)
	if err != nil {
		return tlog.Tree{}, under, err
	}
	key, err := l.signer().current.Followed(texts)
	if err != nil {
		return tlog.Tree{}, under, nil
	}
	tree, err := proof.OpenCheckpoint(signed.Note, key)
	if err != nil || tree.N == 0 {
		return tlog.Tree{}, under, nil
	}
	under.Size, under.Holds = tree.N, true
	under.Newest, err = l.store.madeAt(ctx, tree.N-1)
	return tree, under, err
}

// hashes returns a reader of the tree's stored hashes that the entries at those indexes need,
// read at once. Each is authenticated against the tree's root where it is used.
func (l *Log) hashes(ctx context.Context, tree tlog.Tree, indexes []int64) (tlog.HashReader, error) {
	stored := map[place][]byte{}
	if tree.N > 0 {
		wanted := exportTiles(tree.N, tree.N, tree.N, indexes, nil)
		data, err := l.store.tiles(ctx, wanted)
		if err != nil {
			return nil, err
		}
		for i, t := range wanted {
			stored[place{t.L, t.N}] = data[i]
		}
	}
	return tlog.TileHashReader(tree, tileFetch(func(tiles []tlog.Tile) ([][]byte, error) {
		data := make([][]byte, len(tiles))
		for i, t := range tiles {
			if d := stored[place{t.L, t.N}]; len(d) >= t.W*tlog.HashSize {
				data[i] = d[:t.W*tlog.HashSize]
			}
		}
		return data, nil
	})), nil
}

// stands says how an entry stands under a tree whose checkpoint was opened.
func (f Listed) stands(tree tlog.Tree, hashes tlog.HashReader) Standing {
	switch {
	case f.Index < 0:
		return Waiting
	case f.Body == nil || f.Salt == nil:
		return Gone
	case f.Index >= tree.N:
		return Unproved
	}
	path, err := tlog.ProveRecord(tree.N, f.Index, hashes)
	if err != nil {
		return Unproved
	}
	said, err := proof.ParseEntry(f.Body)
	if err != nil || len(f.Salt) != 32 || said.ID != f.ID.String() { // a true entry under another's id
		return Changed
	}
	if (proof.Inclusion{Index: f.Index, Hashes: path}).Leads(proof.Leaf([32]byte(f.Salt), f.Body), tree) != nil {
		return Changed
	}
	return Proved
}

// Health is how the log stands as a whole.
type Health struct {
	Under       Under
	Edge        bool      // the tree's edge, on which the next entry is put, fits the checkpoint
	Stopped     bool      // this hub puts nothing more into the log: it does not fit, or witnesses refuse
	Reconciled  time.Time // when log and rows were last compared; zero if never
	Differences int64     // that were found then
	Witnesses   []string  // by the policy's names
	Witnessing  Witnessing
}

// Health returns how the log stands now. It says nothing of any entry.
func (l *Log) Health(ctx context.Context) (h Health, err error) {
	signed, err := l.store.newestSigned(ctx)
	if err != nil {
		return h, err
	}
	tree, under, err := l.under(ctx, signed)
	if err != nil {
		return h, err
	}
	h.Under, h.Stopped, h.Witnessing = under, errors.Is(l.Healthy(), ErrTampered) || errors.Is(l.Healthy(), ErrRefused), l.Witnessing()
	hashes, err := l.hashes(ctx, tree, nil)
	if err != nil {
		return h, err
	}
	if under.Holds {
		_, err = hashes.ReadHashes(frontierIndexes(tree.N))
		h.Edge = err == nil
	}
	if l.witnesses != nil {
		for _, w := range l.witnesses.policy.Witnesses() {
			h.Witnesses = append(h.Witnesses, w.Name)
		}
	}
	h.Reconciled, h.Differences, err = l.LastReconciled(ctx)
	return h, err
}
