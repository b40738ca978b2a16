package audit

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

// walk goes over the whole log in the order of its places, and builds the tree anew from the
// leaves of the entries. What it remembers is the edge of the tree and the leaves since the
// last checkpoint, so a log of any size fits.
type walk struct {
	report   *Report
	size     int64
	frontier []tlog.Hash            // the complete subtrees so far, left to right
	tiles    [maxTileLevel + 1]tile // the tile of each level that is being filled
	since    []int64                // what the leaves since the last checkpoint say of their checkpoint
	stored   func(level int, n int64) []byte
}

type tile struct {
	n    int64
	data []byte
}

// leaf is one place of the log with its entry, as stored. A missing entry has no id.
type leafRow struct {
	Index, Size                  int64
	Entry                        EntryID
	There                        bool
	At                           *time.Time
	Partner, Other, Act, Outcome *string
	Salt, Body, Leaf             []byte
	Referral, Consent, Subject   string
}

// add takes the next leaf.
func (w *walk) add(l leafRow) {
	for ; w.size < l.Index; w.size++ { // a gap: the tree cannot be built over it
		w.report.add(Difference{What: "the log has no entry at a place", Index: pointer(w.size)})
		w.push(tlog.Hash{})
	}
	at := Difference{Entry: l.Entry.String(), Index: pointer(l.Index)}
	switch {
	case !l.There:
		at.What = "a place of the log belongs to an entry that is gone"
		w.report.add(at)
	default:
		if what := l.fault(); what != "" {
			at.What = what
			w.report.add(at)
		}
	}
	w.since = append(w.since, l.Size)
	w.push(tlog.RecordHash(l.Leaf))
}

// fault says what is wrong with an entry by itself, or "".
func (l leafRow) fault() string {
	if l.Salt == nil && l.Body == nil && len(l.Leaf) == proof.LeafSize {
		if l.Subject != "" {
			return "an entry was erased and still names her"
		}
		// The design lets entries be erased; no role may do it yet, and no act says that it was
		// done. Until then whoever erases one hides what its row is held against.
		return "an entry was erased, and nothing says that it was to be"
	}
	if !(stored{leaf: l.Leaf, salt: l.Salt, body: l.Body}).commits() {
		return "an entry was changed: it does not fit its leaf"
	}
	e, err := proof.ParseEntry(l.Body)
	switch {
	case err != nil:
		return "an entry cannot be read"
	case e.ID != l.Entry.String() || l.At == nil || !e.Time.Equal(*l.At) || e.Partner != *l.Partner || e.Other != *l.Other || e.Act != *l.Act || e.Outcome != *l.Outcome,
		e.Referral != l.Referral, cmp.Or(e.Consent, e.Override) != l.Consent, e.Subject != l.Subject: // whoever looks for it would not find it
		return "the columns of an entry say something else than the entry"
	}
	return ""
}

// push puts a leaf's hash behind the tree.
func (w *walk) push(h tlog.Hash) {
	w.fill(0, h)
	for height := 0; w.size>>height&1 == 1; height++ {
		last := len(w.frontier) - 1
		h = tlog.NodeHash(w.frontier[last], h)
		w.frontier = w.frontier[:last]
		if (height+1)%tileHeight == 0 {
			w.fill((height+1)/tileHeight, h)
		}
	}
	w.frontier = append(w.frontier, h)
	w.size++
}

// fill puts a hash into the tile of a level, and holds the tile against the stored one once it
// is full.
func (w *walk) fill(level int, h tlog.Hash) {
	if level > maxTileLevel {
		return
	}
	t := &w.tiles[level]
	t.data = append(t.data, h[:]...)
	if len(t.data) == tlog.HashSize<<tileHeight {
		w.compare(level, *t)
		t.n, t.data = t.n+1, t.data[:0]
	}
}

// compare names the first place in which a stored tile is another than the entries make it.
func (w *walk) compare(level int, t tile) {
	held := w.stored(level, t.n)
	if bytes.Equal(held, t.data) {
		return
	}
	d := Difference{Table: "audit_tile", Key: fmt.Sprintf("level %d, number %d", level, t.n)}
	switch {
	case held == nil:
		d.What = "a tile of the log is gone"
	case len(held) != len(t.data) && bytes.HasPrefix(t.data, held):
		d.What = "a tile of the log is too short"
	default:
		d.What = "a tile of the log does not fit the entries"
		for i := 0; i+tlog.HashSize <= len(t.data) && i+tlog.HashSize <= len(held); i += tlog.HashSize {
			if !bytes.Equal(held[i:i+tlog.HashSize], t.data[i:i+tlog.HashSize]) {
				if level == 0 {
					d.Index = pointer(t.n<<tileHeight + int64(i/tlog.HashSize))
				}
				d.Key += fmt.Sprintf(", hash %d", i/tlog.HashSize)
				break
			}
		}
	}
	w.report.add(d)
}

// root is the root of the tree so far (RFC 6962 §2.1).
func (w *walk) root() tlog.Hash {
	if w.size == 0 {
		h, _ := tlog.TreeHash(0, nil) // of nothing it reads nothing
		return h
	}
	h := w.frontier[len(w.frontier)-1]
	for i := len(w.frontier) - 2; i >= 0; i-- {
		h = tlog.NodeHash(w.frontier[i], h)
	}
	return h
}

// checkpoint holds a stored checkpoint of the present size against the tree and the leaves that
// it was the first to cover. opened is what its signature vouches for.
func (w *walk) checkpoint(opened tlog.Tree, err error) {
	w.report.Checkpoints++
	d := Difference{Table: "audit_checkpoint", Key: fmt.Sprintf("size %d", w.size)}
	switch {
	case err != nil:
		d.What = "a checkpoint is not signed by this log"
		w.report.add(d)
	case opened.Hash != w.root():
		d.What = "a checkpoint does not fit the entries"
		w.report.add(d)
	}
	first := w.size - int64(len(w.since))
	for i, size := range w.since {
		if size != w.size {
			w.report.add(Difference{What: "a place of the log names another checkpoint than the first that covers it", Table: "audit_leaf",
				Key: fmt.Sprint(first + int64(i)), Index: pointer(first + int64(i))})
		}
	}
	w.since = w.since[:0]
}

// end holds what is left against each other: the tiles that are not full, and that nothing
// stands behind the last checkpoint.
func (w *walk) end() {
	for level, t := range w.tiles {
		if len(t.data) > 0 {
			w.compare(level, t)
		}
	}
	if len(w.since) > 0 || w.size > 0 && w.report.Checkpoints == 0 {
		w.report.add(Difference{What: "no checkpoint covers the last places of the log", Index: pointer(w.size - 1)})
	}
	w.report.Entries = w.size
}

func pointer(n int64) *int64 { return &n }
