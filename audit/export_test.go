package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

// noKeys is for logs whose exports have no statement, and so nobody's keys.
type noKeys struct{}

func (noKeys) WithKeys(context.Context, pgx.Tx) ([]string, error) { return nil, nil }
func (noKeys) PartnerKeys(context.Context, pgx.Tx, string) (PartnerKeys, error) {
	return PartnerKeys{}, errors.New("nobody asked")
}
func (noKeys) HubKeys(context.Context, pgx.Tx) ([]HubKey, error) { return nil, nil }

func (r *rig) exporter() *Exporter {
	return &Exporter{Log: r.Log, Hub: "https://hub.example", Keys: noKeys{}, OwnKeys: noKeys{}}
}

// everything asks for all that there is.
func everything(kept ...int64) ExportQuery {
	now := time.Now()
	return ExportQuery{From: now.Add(-time.Hour), To: now.Add(time.Hour), Kept: kept, Scope: proof.ScopeAll}
}

// exportLog writes an export as the owner and reads it again.
func (r *rig) exportLog(q ExportQuery) readExport {
	r.t.Helper()
	var file bytes.Buffer
	_, err := r.exporter().Write(r.t.Context(), Snapshots{r.db.Owner}, q, func() (io.Writer, error) { return &file, nil })
	if err != nil {
		r.t.Fatal(err)
	}
	return r.readExport(file.Bytes())
}

// readExport is an export in parts.
type readExport struct {
	proof.ExportHeader
	tree    tlog.Tree
	tiles   map[place][]byte
	entries []proof.ExportEntry
}

func (r *rig) readExport(file []byte) readExport {
	r.t.Helper()
	x := readExport{tiles: map[place][]byte{}}
	in := proof.NewExportReader(bytes.NewReader(file))
	for {
		l, err := in.Next()
		if errors.Is(err, io.EOF) {
			return x
		}
		if err != nil {
			r.t.Fatal(err)
		}
		switch {
		case l.Export != nil:
			x.ExportHeader = *l.Export
			if x.tree, err = r.signer().open([]byte(l.Export.Checkpoint)); err != nil {
				r.t.Fatal(err)
			}
		case l.Tile != nil:
			x.tiles[place{l.Tile.Level, l.Tile.N}] = l.Tile.Data
		case l.Entry != nil:
			x.entries = append(x.entries, *l.Entry)
		case l.End != nil:
			if err := l.End.Verify(x.tree.N, r.signer().Key()); err != nil {
				r.t.Error("the end line:", err)
			}
		}
	}
}

// hashes reads from the tiles of the export and from nothing else, against its checkpoint.
func (x readExport) hashes() tlog.HashReader {
	return tlog.TileHashReader(x.tree, tileFetch(func(tiles []tlog.Tile) ([][]byte, error) {
		data := make([][]byte, len(tiles))
		for i, t := range tiles {
			d := x.tiles[place{t.L, t.N}]
			if len(d) < t.W*tlog.HashSize {
				return nil, fmt.Errorf("tile %d/%d of %d hashes is missing", t.L, t.N, t.W)
			}
			data[i] = d[:t.W*tlog.HashSize]
		}
		return data, nil
	}))
}

// verify checks that each entry is the leaf of its index, and that a proof comes out of the
// tiles from each size of the range and each kept.
func (x readExport) verify(t *testing.T) {
	t.Helper()
	hashes := x.hashes()
	for _, e := range x.entries {
		got, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, e.Index)})
		if err != nil {
			t.Fatalf("entry %d: %v", e.Index, err)
		}
		if !e.Erased && got[0] != tlog.RecordHash(proof.Leaf([32]byte(e.Salt), e.Body)) {
			t.Errorf("entry %d is not its leaf", e.Index)
		}
	}
	for size := x.First; size <= x.End; size++ {
		x.continues(t, hashes, size)
	}
	for _, size := range x.Kept {
		x.continues(t, hashes, size)
	}
}

func (x readExport) continues(t *testing.T, hashes tlog.HashReader, size int64) {
	t.Helper()
	if size == 0 || size > x.tree.N {
		return
	}
	older, err := tlog.TreeHash(size, hashes)
	if err != nil {
		t.Fatalf("the tree of %d in one of %d: %v", size, x.tree.N, err)
	}
	path, err := tlog.ProveTree(x.tree.N, size, hashes)
	if err != nil {
		t.Fatalf("from %d to %d: %v", size, x.tree.N, err)
	}
	if err := tlog.CheckTree(path, x.tree.N, x.tree.Hash, size, older); err != nil {
		t.Fatalf("from %d to %d: %v", size, x.tree.N, err)
	}
}

func TestAnExportIsVerifiedFromItselfAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.logMany(700)
	x := r.exportLog(everything(1, 256, 300))
	if x.First != 0 || x.End != 700 || len(x.entries) != 700 || x.tree.N != 700 {
		t.Fatalf("entries %d to %d, %d of them, in a tree of %d", x.First, x.End, len(x.entries), x.tree.N)
	}
	x.verify(t)
	r.mustSequence() // the entry that tells of the export
	again := r.exportLog(everything())
	last, err := proof.ParseEntry(again.entries[len(again.entries)-1].Body)
	if err != nil || last.Act != actExport || last.Reason != proof.ScopeAll || again.tree.N != 701 {
		t.Errorf("the export was not logged: %+v, %v", last, err)
	}
}

// The range is that of the time asked for, and what lies outside is not in the file.
func TestAnExportIsOfItsTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	month := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for day := range 90 {
		e := testEntry()
		e.Time, e.Consent = month.AddDate(0, 0, day-30), "" // from 30 January on
		r.logEntry(e)
	}
	r.mustSequence()
	r.run()
	for _, c := range []struct {
		name       string
		from, to   time.Time
		first, end int64
	}{
		{"March", month, month.AddDate(0, 1, 0), 30, 61},
		{"one moment", month, month.Add(time.Microsecond), 30, 31},
		{"up to, and not including", month.Add(-time.Hour), month, 90, 90},
		{"before everything", month.AddDate(-1, 0, 0), month.AddDate(-1, 1, 0), 90, 90},
		{"after everything", month.AddDate(1, 0, 0), month.AddDate(1, 1, 0), 91, 91}, // after the first of these exports
	} {
		x := r.exportLog(ExportQuery{From: c.from, To: c.to, Scope: proof.ScopeAll, Kept: []int64{5, 90}})
		if c.first > 90 || c.first == 90 { // as many as the log has by now
			c.first, c.end = x.tree.N, x.tree.N
		}
		if x.First != c.first || x.End != c.end || int64(len(x.entries)) != c.end-c.first {
			t.Errorf("%s: entries %d to %d, %d of them; wanted %d to %d", c.name, x.First, x.End, len(x.entries), c.first, c.end)
		}
		x.verify(t)
	}
}

func TestWhatWasErasedIsSaidToBeErased(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.logMany(5)
	r.owner(`UPDATE audit_entry SET salt = NULL, body = NULL, subject = NULL WHERE id = $1`, ids[2])
	x := r.exportLog(everything())
	erased := 0
	for _, e := range x.entries {
		if e.Erased {
			erased++
		}
	}
	if erased != 1 || len(x.entries) != 5 {
		t.Errorf("%d of %d entries are erased", erased, len(x.entries))
	}
	x.verify(t)
}

// An entry that somebody changed behind the log's back keeps nobody from an export: the
// export is what she is found by.
func TestATamperedLogIsExportedAsItIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ids := r.logMany(600)
	r.owner(`UPDATE audit_entry SET salt = '\x00' WHERE id = $1`, ids[1])
	r.owner(`UPDATE audit_entry SET body = 'x' WHERE id = $1`, ids[2])
	r.owner(`DELETE FROM audit_tile WHERE level = 0 AND n = 1`)
	x := r.exportLog(everything())
	if len(x.entries) != 599 {
		t.Errorf("%d entries; the one with a salt of another length is left out", len(x.entries))
	}
	if _, there := x.tiles[place{0, 1}]; there || len(x.tiles) == 0 {
		t.Error("a tile that is not there is in the export")
	}
}

// While somebody takes an export, the log grows, and the export is of the moment at which it
// was begun.
func TestAnExportIsOfOneMoment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.logMany(300)
	var file bytes.Buffer
	grows := writerFunc(func(b []byte) (int, error) {
		if file.Len() == 0 { // after the first line, which says of what size the tree is
			r.logMany(300)
		}
		return file.Write(b)
	})
	_, err := r.exporter().Write(t.Context(), Snapshots{r.db.Owner}, everything(), func() (io.Writer, error) { return grows, nil })
	if err != nil {
		t.Fatal(err)
	}
	x := r.readExport(file.Bytes())
	if x.tree.N != 300 || len(x.entries) != 300 {
		t.Errorf("%d entries, of a tree of %d", len(x.entries), x.tree.N)
	}
	x.verify(t)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestAnExportThatFailsHasNoEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.logMany(50)
	r.run()
	q := everything()
	q.To = time.Now() // each try is logged, and none is in the next
	for after := range 60 {
		var file bytes.Buffer
		lines := 0
		broken := writerFunc(func(b []byte) (int, error) {
			if lines++; lines > after {
				return 0, errors.New("the line is cut")
			}
			return file.Write(b)
		})
		_, err := r.exporter().Write(t.Context(), Snapshots{r.db.Owner}, q, func() (io.Writer, error) { return broken, nil })
		in := proof.NewExportReader(&file)
		var read error
		for read == nil {
			_, read = in.Next()
		}
		if err == nil && errors.Is(read, io.EOF) && lines <= after {
			return // it got to its end
		}
		if err == nil || !errors.Is(read, proof.ErrUnfinished) {
			t.Fatalf("cut after %d lines: %v, and read: %v", after, err, read)
		}
	}
	t.Error("it never gets to its end")
}

func TestWhatCannotBeExportedIsRefusedBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	begun := func() (io.Writer, error) {
		t.Error("it was begun")
		return io.Discard, nil
	}
	try := func(name string, want error, q ExportQuery) {
		t.Helper()
		if _, err := r.exporter().Write(t.Context(), Snapshots{r.db.Owner}, q, begun); !errors.Is(err, want) && fmt.Sprint(err) != fmt.Sprint(want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	try("a log without a checkpoint", ErrReceiptPending, everything())
	r.logMany(3)
	q := everything()
	q.From, q.To = q.To, q.From
	try("to before from", ErrExportQuery, q)
	q.To = q.From
	try("no time at all", ErrExportQuery, q)
	try("a negative size", ErrExportQuery, everything(-1))
	try("too many sizes", ErrExportQuery, everything(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17))
	try("a size that the log has not reached", ErrKeptAhead.With("size", int64(3)), everything(4))
	q = everything()
	q.To = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	try("a year that no id has room for", ErrExportQuery, q)
}

// A hub that has not heard that the log goes on under another key goes over to it, and signs
// with the key that signed the checkpoint.
func TestAnExportFollowsTheLogsKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.logMany(3)
	stale := r.another(1)
	if _, err := r.Succeed(t.Context(), testKey(2)); err != nil {
		t.Fatal(err)
	}
	x := stale.exportLog(everything(2))
	if len(x.Successions) != 1 || x.LogKey != testSigner(t, 2).Key().String() {
		t.Errorf("the export is signed with %s, after %d successions", x.LogKey, len(x.Successions))
	}
	x.verify(t)
}

// Where there are witnesses, an export is under a checkpoint that they have cosigned, also
// while a newer one waits for them.
func TestAnExportIsUnderACosignedCheckpoint(t *testing.T) {
	t.Parallel()
	w := witnessedRig(t)
	w.run()
	w.cosignedReceipt(w.rig, w.log())
	x := w.exportLog(everything(1))
	if _, err := proof.OpenCheckpoint([]byte(x.Checkpoint), w.key()); err != nil {
		t.Error("just after the entry:", err)
	}
	x.verify(t)
}
