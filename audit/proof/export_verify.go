package proof

import (
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// What of an export is checked against the log.
const (
	CheckCheckpoint = "checkpoint" // its signature, and that it covers the range
	CheckTiles      = "tiles"      // that they lead to the checkpoint's root
	CheckEntries    = "entries"    // that each is the one that the tree has at its index
	CheckWhole      = "range"      // that none is left out
)

// What can be found of a checkpoint that was kept.
var (
	// ErrFork means that two signed checkpoints do not agree: the log was rewritten after the
	// first was signed. Both together are proof of it against whoever has the log's key.
	ErrFork = errors.New("the log was rewritten: it does not begin with what the kept checkpoint covers")
	// ErrOlder means that the log is shorter than it was when the checkpoint was kept.
	ErrOlder = errors.New("the log that is shown is shorter than the kept checkpoint")
	// ErrNotShown means that the tiles which the proof needs are not there.
	ErrNotShown = errors.New("the tiles that would show it are not in the file")
)

// ExportMisfit is one thing in an export that the log does not bear out.
type ExportMisfit struct {
	Check string // one of the Check constants
	Place string // entry index, tile, or line
	What  string
}

// ExportCounts say how the entries of an export's range are accounted for: Shown, Erased,
// Others and Missing are all of it.
type ExportCounts struct {
	Shown, Erased int64
	Others        int64 // not shown, because the export is one agency's and they are not hers
	Missing       int64 // not shown, in an export that says it shows all
	Grounds       int64 // shown from before the range
	Unproved      int64 // shown, and not what the checkpoint's tree has at their index, or not shown to be
	Tiles         int
}

// ExportLog holds an export against the log's checkpoint: tiles first (Tile), then, after
// Settle, the entries in the order of the file (Entry), then Finish. Each misfit is reported
// as it is found, and does not stop the rest. Memory is taken by the tiles alone.
type ExportLog struct {
	Counts ExportCounts

	header ExportHeader
	key    LogKey
	tree   *exportTree
	next   int64 // the index of the range that comes next
	report func(ExportMisfit)
}

// OpenExportLog opens the log that an export is of. key is the log's as it is trusted, with
// its successions (Followed). Without a checkpoint that it has signed nothing of the export
// can be judged: that is the error. Whether witnesses have signed it too, OpenCheckpoint says.
func OpenExportLog(h ExportHeader, key LogKey, report func(ExportMisfit)) (*ExportLog, error) {
	tree, err := OpenCheckpoint([]byte(h.Checkpoint), key)
	if err != nil {
		return nil, err
	}
	l := &ExportLog{header: h, key: key, tree: newExportTree(tree), next: h.First, report: report}
	if h.End > tree.N {
		l.misfit(CheckCheckpoint, fmt.Sprintf("checkpoint of %d entries", tree.N), "the export says that it reaches to entry %d, which is not in that tree", h.End-1)
	}
	return l, nil
}

// Size is how many entries the log has under the export's checkpoint.
func (l *ExportLog) Size() int64 { return l.tree.tree.N }

// Root is the root of the export's checkpoint, as the checkpoint spells it.
func (l *ExportLog) Root() string { return l.tree.tree.Hash.String() }

func (l *ExportLog) misfit(check, place, what string, args ...any) {
	l.report(ExportMisfit{Check: check, Place: place, What: fmt.Sprintf(what, args...)})
}

// Tile takes a tile of the file. Nothing in it is believed before Settle.
func (l *ExportLog) Tile(t ExportTile) {
	at := tileAt{t.Level, t.N}
	l.Counts.Tiles++
	if bad := l.tree.add(at, t.Data); bad != "" {
		l.misfit(CheckTiles, at.String(), "%s", bad)
	}
}

// Settle authenticates the tiles against the checkpoint's root. Call it once, after the last.
func (l *ExportLog) Settle() {
	l.tree.settle(func(place, what string) { l.misfit(CheckTiles, place, "%s", what) })
}

// Entry takes an entry of the file and returns what it says. ok is false for one that was
// erased or is no entry. An entry that the tree does not have at its index is reported, and
// still returned: what it says can be judged, and is proved by nothing.
func (l *ExportLog) Entry(e ExportEntry) (said Entry, ok bool) {
	place := fmt.Sprintf("entry %d", e.Index)
	if e.Index < l.header.First {
		l.Counts.Grounds++
	} else {
		l.missing(e.Index)
		l.next = e.Index + 1
	}
	leaf, sound := l.tree.leaf(e.Index)
	if e.Erased {
		l.Counts.Erased++
		if leaf == (tlog.Hash{}) || !sound {
			l.misfit(CheckEntries, place, "it is said to be erased, and no tile shows that there was one")
		}
		return Entry{}, false
	}
	if e.Index >= l.header.First {
		l.Counts.Shown++
	}
	said, err := ParseEntry(e.Body)
	switch {
	case err != nil || len(e.Salt) != len([32]byte{}):
		l.Counts.Unproved++
		l.misfit(CheckEntries, place, "it is no entry in the one form that the log writes")
		return Entry{}, false
	case leaf == (tlog.Hash{}):
		l.Counts.Unproved++
		l.misfit(CheckEntries, place, "no tile of the file has its place in the tree")
	case leaf != tlog.RecordHash(Leaf([32]byte(e.Salt), e.Body)):
		l.Counts.Unproved++
		l.misfit(CheckEntries, place, "the log has another entry at this place: what it says was changed, or its salt, or its place")
	case !sound:
		l.Counts.Unproved++ // why, its tile says
	}
	return said, true
}

// missing notes the entries of the range from the next up to before.
func (l *ExportLog) missing(before int64) {
	n := before - l.next
	switch {
	case n <= 0:
	case l.header.Scope == ScopeAgency:
		l.Counts.Others += n
	default:
		l.Counts.Missing += n
		l.misfit(CheckWhole, span(l.next, before), "the export says that it shows every entry of the range, and it does not show this: it was left out")
	}
}

// Finish ends the entries.
func (l *ExportLog) Finish() { l.missing(l.header.End) }

// HasLeaf reports whether the tree has this entry at this index, and whether the tiles of the
// file show it at all.
func (l *ExportLog) HasLeaf(index int64, salt [32]byte, body []byte) (has, shown bool) {
	leaf, sound := l.tree.leaf(index)
	return leaf == tlog.RecordHash(Leaf(salt, body)), sound
}

// HasProved is HasLeaf of the entry that a receipt proves. A hub that keeps two logs could
// prove a key in the one that it shows nobody else.
func (l *ExportLog) HasProved(r Receipt) (has, shown bool) {
	p, err := ParseProof([]byte(r.Proof))
	if err != nil {
		return false, false
	}
	body, errBody := decodeOnce(base64.RawURLEncoding, []byte(r.Entry))
	salt, errSalt := decodeOnce(base64.RawURLEncoding, []byte(r.Salt))
	if errBody != nil || errSalt != nil || len(salt) != len([32]byte{}) {
		return false, false
	}
	return l.HasLeaf(p.Index, [32]byte(salt), body)
}

// Continues checks that the log begins with all that a checkpoint covers which somebody kept
// from before, and returns its size. It takes a checkpoint of this log alone, by the log's
// signature; ErrFork, ErrOlder and ErrNotShown say what is wrong otherwise.
func (l *ExportLog) Continues(kept []byte) (size int64, err error) {
	old, err := OpenCheckpoint(kept, l.key)
	if err != nil {
		return 0, err
	}
	if old.N > l.Size() {
		return old.N, ErrOlder
	}
	root, err := l.tree.rootAt(old.N)
	switch {
	case err != nil:
		return old.N, ErrNotShown
	case root != old.Hash:
		return old.N, ErrFork
	}
	return old.N, nil
}

// span names entries from first up to before.
func span(first, before int64) string {
	if before-first == 1 {
		return fmt.Sprintf("entry %d", first)
	}
	return fmt.Sprintf("entries %d to %d", first, before-1)
}
