package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"handover/audit/proof"
	"handover/internal/ids"
)

// actExport is the act of the entry that tells of an export.
const actExport = "log.export"

// Exporter makes exports (docs/export.md). The log knows no domain: what the entries commit
// to comes from the rooms that keep it, each by its own rights.
type Exporter struct {
	Log     *Log
	Hub     string // issuer URL
	Rooms   []Room
	Keys    KeyRoom
	OwnKeys HubKeyRoom

	once   sync.Once
	places chan struct{} // of those that are served at once
}

// Exported says what an export holds.
type Exported struct {
	First, End int64 // the range of indexes
	Size       int64 // of the checkpoint
	Entries    int64 // of the range and before it
	Statements int64
}

// Write writes an export to what begin returns. Everything in it is of one moment: it is
// read in one transaction that sees nothing of what is written meanwhile. That somebody takes
// it is logged before begin is called, so what cannot be logged is not given. An error after
// begin leaves a file without its end line.
func (x *Exporter) Write(ctx context.Context, s Snapshots, q ExportQuery, begin func() (io.Writer, error)) (Exported, error) {
	q, err := q.checked()
	if err != nil {
		return Exported{}, err
	}
	if err := x.settle(ctx); err != nil {
		return Exported{}, err
	}
	done, err := x.try(ctx, s, q, begin)
	if errors.Is(err, errFollowed) {
		if _, err := x.Log.follow(ctx); err != nil {
			return Exported{}, err
		}
		done, err = x.try(ctx, s, q, begin)
	}
	return done, err
}

// errFollowed means that the log has gone over to another key than this hub's, which can go too.
var errFollowed = errors.New("the log is signed with another key now")

// settle waits for a moment until what was logged last has its place, and so all before it:
// an export made right after something has it. A log that gives no places any more, because
// it was tampered with, is exported as it is.
func (x *Exporter) settle(ctx context.Context) error {
	id, err := x.Log.store.newest(ctx)
	if errors.Is(err, errNone) {
		return ErrReceiptPending
	}
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, receiptTime)
	defer cancel()
	if _, err := x.Log.Wait(short, id); err != nil && !unprovable(err) {
		return err
	}
	return ctx.Err()
}

func (x *Exporter) try(ctx context.Context, s Snapshots, q ExportQuery, begin func() (io.Writer, error)) (done Exported, err error) {
	signer := x.Log.signer()
	cosigned, err := x.Log.caughtUp(ctx)
	if err != nil && !unprovable(err) {
		return Exported{}, err
	}
	err = s.read(ctx, q, func(at *snapshot) error {
		e := export{Exporter: x, at: at, q: q, signer: signer, cosigned: cosigned}
		if err := e.plan(ctx); err != nil {
			return err
		}
		if err := x.told(ctx, q); err != nil {
			return err
		}
		w, err := begin()
		if err != nil {
			return err
		}
		e.to = proof.NewExportWriter(w)
		err = e.write(ctx)
		done = e.done
		return err
	})
	return done, err
}

// told logs that an export is taken: by whom, and of what time.
func (x *Exporter) told(ctx context.Context, q ExportQuery) error {
	e := q.By
	e.Act, e.Reason = actExport, q.Scope
	e.Target = q.From.Format(time.RFC3339) + "/" + q.To.Format(time.RFC3339) // ISO 8601-1 §5.5
	if _, err := x.Log.store.refuse(ctx, e); err != nil {
		return errors.Join(ErrReceiptPending, err)
	}
	x.Log.Kick()
	return nil
}

// export is one export while it is made.
type export struct {
	*Exporter
	at     *snapshot
	q      ExportQuery
	signer Signer
	to     *proof.ExportWriter
	done   Exported

	cosigned *cosigned // the checkpoint to lead to; nil for the newest

	header  proof.ExportHeader
	grounds []int64 // indexes of entries before the range, rising
	lent    []int64 // indexes in the range of entries that are shown because their statements may be read, rising
	signers map[string]bool
	given   map[string]bool // digests of statements
}

// plan finds what the export is of, and everything that may refuse it.
func (e *export) plan(ctx context.Context) error {
	h, err := e.at.head(ctx)
	if err != nil {
		return err
	}
	if e.cosigned != nil { // it covers all that was in the log when the export was asked for
		h.size, h.note = e.cosigned.tree.N, e.cosigned.note
	}
	if len(h.successions) > 0 {
		last, err := proof.OpenSuccession([]byte(h.successions[len(h.successions)-1]))
		if err != nil || last.To.String() != e.signer.Key().String() {
			return errors.Join(errFollowed, err)
		}
	}
	if n := len(e.q.Kept); n > 0 && e.q.Kept[n-1] > h.size {
		return ErrKeptAhead.With("size", h.size)
	}
	first, end, err := e.at.spans(ctx, e.q.From, e.q.To)
	if err != nil {
		return err
	}
	under, err := e.checkpoint(ctx, h, end)
	if err != nil {
		return err
	}
	if first == end { // there is none: the log has come so far
		first, end = under.Size, under.Size
	}
	e.done.First, e.done.End, e.done.Size = first, end, under.Size
	e.header = proof.ExportHeader{V: proof.ExportVersion, Hub: e.Hub, For: e.q.Partner, Scope: e.q.Scope, Made: h.now.UTC(),
		From: e.q.From, To: e.q.To, First: first, End: end, Kept: e.q.Kept,
		LogKey: e.signer.Key().String(), Successions: h.successions, Checkpoint: string(under.Note)}
	return e.findGrounds(ctx)
}

// checkpoint is the newest checkpoint that the hub's witnesses have cosigned, if it covers
// the entries up to end and all that was kept, or else the newest.
func (e *export) checkpoint(ctx context.Context, h exportHead, end int64) (signedTree, error) {
	newest := signedTree{Size: h.size, Note: h.note}
	if e.Log.witnesses == nil {
		return newest, nil
	}
	for _, size := range e.q.Kept {
		end = max(end, size)
	}
	cosigned, err := e.Log.store.cosignedWithin(ctx, e.Log.witnesses.policy.Digest(), end, h.size)
	if errors.Is(err, errNone) {
		return newest, nil
	}
	return cosigned, err
}

// findGrounds finds the entries before the range that entries of it rest on, and those of
// others that the reader may be shown besides: who may read a signed statement may see the
// entry that stored it, which says no more. So whoever relied on another agency's record can
// show that it was in the log before.
func (e *export) findGrounds(ctx context.Context) error {
	grounds, lent := map[int64]bool{}, map[int64]bool{}
	err := e.eachChunk(ctx, func(chunk []exported) error {
		n := namedBy(chunk)
		var stored []EntryID
		for _, room := range e.Rooms {
			if err := room.Grounds(ctx, e.at.tx, n, func(id EntryID) { stored = append(stored, id) }); err != nil {
				return err
			}
		}
		own, others, err := e.at.restedOn(ctx, slices.Concat(n.Consents, n.Overrides), stored, e.done.First, e.done.End)
		for _, index := range own {
			grounds[index] = true
		}
		for _, index := range others {
			if index < e.done.First {
				grounds[index] = true
			} else {
				lent[index] = true
			}
		}
		return err
	})
	e.grounds, e.lent = slices.Sorted(maps.Keys(grounds)), slices.Sorted(maps.Keys(lent))
	return err
}

// write writes what was planned.
func (e *export) write(ctx context.Context) error {
	if err := e.to.Write(proof.ExportLine{Export: &e.header}); err != nil {
		return err
	}
	for _, section := range []func(context.Context) error{e.tiles, e.entries, e.statements, e.partners, e.hubKeys} {
		if err := section(ctx); err != nil {
			return err
		}
	}
	return e.to.End(e.signer.Name(), func(text string) ([]byte, error) {
		return note.Sign(&note.Note{Text: text}, e.signer)
	})
}

// tilesAtOnce and entriesAtOnce bound what is in memory.
const (
	tilesAtOnce   = 64
	entriesAtOnce = 1000
)

// tiles writes the tiles. One that is not there, or is too narrow, is left out: whoever made
// it so is found by who verifies the export, and not helped by there being none.
func (e *export) tiles(ctx context.Context) error {
	wanted := exportTiles(e.done.Size, e.done.First, e.done.End, e.grounds, e.q.Kept)
	for chunk := range slices.Chunk(wanted, tilesAtOnce) {
		found, err := readTiles(ctx, e.at.tx, chunk)
		if err != nil {
			return err
		}
		for i, data := range found {
			if data == nil {
				continue
			}
			t := &proof.ExportTile{Level: chunk[i].L, N: chunk[i].N, Data: data}
			if err := e.to.Write(proof.ExportLine{Tile: t}); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachChunk calls do with the entries of the range and then with the grounds.
func (e *export) eachChunk(ctx context.Context, do func([]exported) error) error {
	for first := e.done.First; first < e.done.End; first += entriesAtOnce {
		end := min(first+entriesAtOnce, e.done.End)
		chunk, err := e.at.span(ctx, first, end)
		if err != nil {
			return err
		}
		if chunk, err = e.withLent(ctx, chunk, first, end); err != nil {
			return err
		}
		if err := do(chunk); err != nil {
			return err
		}
	}
	for indexes := range slices.Chunk(e.grounds, entriesAtOnce) {
		chunk, err := e.Log.store.entriesAt(ctx, indexes)
		if err != nil {
			return err
		}
		if err := do(chunk); err != nil {
			return err
		}
	}
	return nil
}

// withLent adds to the entries from first to end those that are lent.
func (e *export) withLent(ctx context.Context, chunk []exported, first, end int64) ([]exported, error) {
	from, _ := slices.BinarySearch(e.lent, first)
	to, _ := slices.BinarySearch(e.lent, end)
	known := map[int64]bool{}
	for _, x := range chunk {
		known[x.index] = true
	}
	missing := slices.DeleteFunc(slices.Clone(e.lent[from:to]), func(index int64) bool { return known[index] })
	if len(missing) == 0 {
		return chunk, nil
	}
	more, err := e.Log.store.entriesAt(ctx, missing)
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(slices.Values(append(chunk, more...)), func(a, b exported) int { return cmp.Compare(a.index, b.index) }), nil
}

// entries writes the entries. One that is neither whole nor erased is left out, as a tile is.
func (e *export) entries(ctx context.Context) error {
	return e.eachChunk(ctx, func(chunk []exported) error {
		for _, x := range chunk {
			line := &proof.ExportEntry{Index: x.index, Body: x.body, Salt: x.salt}
			switch {
			case x.body == nil && x.salt == nil:
				line = &proof.ExportEntry{Index: x.index, Erased: true}
			case len(x.body) == 0 || len(x.salt) != 32:
				continue
			}
			e.done.Entries++
			if err := e.to.Write(proof.ExportLine{Entry: line}); err != nil {
				return err
			}
		}
		return nil
	})
}

// statements writes what the entries commit to, as far as the reader may read it, each once.
func (e *export) statements(ctx context.Context) error {
	e.signers, e.given = map[string]bool{}, map[string]bool{}
	if e.q.Scope == proof.ScopeOversight {
		return nil
	}
	give := func(s Statement) error {
		line := proof.ExportStatement{Kind: s.Kind, Digest: ids.Digest(s.Text), Text: s.Text}
		if e.given[line.Digest] {
			return nil
		}
		e.given[line.Digest], e.signers[s.Signer] = true, true
		e.done.Statements++
		return e.to.Write(proof.ExportLine{Statement: &line})
	}
	return e.eachChunk(ctx, func(chunk []exported) error {
		n := namedBy(chunk)
		for _, room := range e.Rooms {
			if err := room.Statements(ctx, e.at.tx, n, give); err != nil {
				return fmt.Errorf("exporting statements: %w", err)
			}
		}
		return nil
	})
}
