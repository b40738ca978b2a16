package hubtest_test

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit"
	"handover/audit/proof"
	"handover/client"
	"handover/internal/hubtest"
	"handover/keys"
	"handover/keys/jose"
	"handover/partners"
)

// busy is a hub whose log has full tiles and one at the edge, and a pair that has shared.
func busy(t *testing.T) (*hubtest.Hub, hubtest.Pair) {
	t.Helper()
	h := hubtest.New(t)
	p := h.Pair(t, partners.Housing)
	sent := p.Sent(t, "need")
	created(t, "opening", p.To.Open(t, sent.Digest, "", "need"))
	b := &pgx.Batch{}
	for range 600 {
		if _, err := audit.Queue(b, proof.Entry{Act: "referral.list", Partner: string(p.To.ID), Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.DB.Hub.SendBatch(t.Context(), b).Close(); err != nil {
		t.Fatal(err)
	}
	p.From.Record(t, hubtest.Subject(), p.Named()) // whose receipt waits for all before it
	return h, p
}

// opening is the index of the entry that says that something was opened.
func opening(t *testing.T, h *hubtest.Hub) int64 {
	t.Helper()
	return hubtest.Value[int64](t, h, `SELECT l.idx FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry WHERE e.act = 'section.open'`)
}

// newest is the hub's newest checkpoint, as somebody keeps it.
func newest(t *testing.T, h *hubtest.Hub) []byte {
	t.Helper()
	return hubtest.Value[[]byte](t, h, `SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1`)
}

// asOperator takes the export that the hub's own code makes, whatever was done to its database.
func asOperator(t *testing.T, h *hubtest.Hub, kept ...int64) []byte {
	t.Helper()
	var file bytes.Buffer
	q := audit.ExportQuery{From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Hour), Scope: proof.ScopeAll, Kept: kept}
	if _, err := h.Exporter.Write(t.Context(), audit.Snapshots{Pool: h.DB.Owner}, q, func() (io.Writer, error) { return &file, nil }); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// TestWhatASuperuserChangesIsNamedByWhoVerifies: the hub's own code exports what it finds, with
// its real key, and helps nobody by not doing it.
func TestWhatASuperuserChangesIsNamedByWhoVerifies(t *testing.T) {
	t.Parallel()
	h, _ := busy(t)
	h.StopLog()
	at := opening(t, h)
	for _, row := range []struct {
		name, sql string
		args      []any
		want      []string
	}{
		{"nothing", `SELECT 1`, nil, nil},
		{"an entry, with a leaf that fits", `UPDATE audit_entry e SET body = n.body, leaf = '\x01'::bytea || sha256('handover-audit-v1\000'::bytea || salt || n.body)
			FROM (SELECT id, convert_to(replace(convert_from(body, 'UTF8'), '"reason":"', '"reason":"x'), 'UTF8') AS body FROM audit_entry) n
			WHERE n.id = e.id AND e.id = (SELECT entry FROM audit_leaf WHERE idx = $1)`, []any{at}, []string{"entries: entry %d: the log has another entry at this place"}},
		{"two entries exchanged", `UPDATE audit_entry e SET salt = o.salt, body = o.body, leaf = o.leaf FROM audit_leaf l, audit_leaf m, audit_entry o
			WHERE l.idx IN (400, 401) AND m.idx = 801 - l.idx AND l.entry = e.id AND m.entry = o.id`, nil,
			[]string{"entries: entry 400: the log has another entry at this place", "entries: entry 401: the log has another entry at this place"}},
		{"an entry gone", `DELETE FROM audit_entry WHERE id = (SELECT entry FROM audit_leaf WHERE idx = 300)`, nil,
			[]string{"range: entry 300: the export says that it shows every entry of the range, and it does not show this"}},
		{"a byte of a full tile", `UPDATE audit_tile SET data = set_byte(data, 1600, get_byte(data, 1600) # 1) WHERE level = 0 AND n = 1`, nil,
			[]string{"tiles: tile 0/001: it does not lead to the root that the checkpoint has", "entries: entry 306: the log has another entry at this place"}},
		{"a byte of the tile at the edge", `UPDATE audit_tile SET data = set_byte(data, 320, get_byte(data, 320) # 1) WHERE level = 0 AND n = 2`, nil,
			[]string{"tiles: the tree: the tiles at the edge of the tree (tile 1/000, tile 0/002) do not lead", "entries: entry 522: the log has another entry at this place"}},
		{"a tile gone", `DELETE FROM audit_tile WHERE level = 0 AND n = 1`, nil, []string{"entries: entry 256: no tile of the file has its place in the tree"}},
		{"a checkpoint of an earlier size", `UPDATE audit_checkpoint SET note = (SELECT note FROM audit_checkpoint ORDER BY size LIMIT 1) WHERE size = (SELECT max(size) FROM audit_checkpoint)`, nil,
			[]string{"checkpoint: checkpoint of ", "which is not in that tree"}},
		{"a consent record's statement", `UPDATE consent SET token = overlay(token placing 'AAAA' from length(token) - 20)`, nil,
			[]string{"the consent that it names is not in the file"}},
		{"a signature of an envelope", `UPDATE packet SET envelope = overlay(envelope placing 'AAAA' from length(envelope) - 20)`, nil,
			[]string{"the envelope that it names is not in the file"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			saved := []string{"audit_entry", "audit_leaf", "audit_tile", "audit_checkpoint", "consent", "packet"}
			h.DB.Rewrite(t, `CREATE SCHEMA before`)
			for _, table := range saved {
				h.DB.Rewrite(t, `CREATE TABLE before.`+table+` AS TABLE `+table)
			}
			defer func() {
				for _, table := range saved {
					h.DB.Rewrite(t, `WITH gone AS (DELETE FROM `+table+`) SELECT`)
					h.DB.Rewrite(t, `INSERT INTO `+table+` OVERRIDING SYSTEM VALUE TABLE before.`+table)
				}
				h.DB.Rewrite(t, `DROP SCHEMA before CASCADE`)
			}()
			h.DB.Rewrite(t, row.sql, row.args...)
			found, err := audited(t, h, asOperator(t, h))
			if (err == nil) != (row.want == nil) {
				t.Errorf("%v\n%s", err, failing(found))
			}
			for _, want := range row.want {
				if want = strings.ReplaceAll(want, "%d", strconv.FormatInt(at, 10)); !strings.Contains(failing(found), want) {
					t.Errorf("nothing says %q:\n%s", want, failing(found))
				}
			}
		})
	}
}

// signAgain changes one entry of the log and makes the whole tree anew, with every checkpoint
// signed by the real key: what whoever has the machine and the key can do.
func signAgain(t *testing.T, h *hubtest.Hub, index int64, change func(*proof.Entry)) {
	t.Helper()
	key, err := keys.Signer(t.Context(), h.Keys(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := audit.NewSigner(strings.TrimPrefix(hubtest.Issuer, "https://")+"/v1/log", key.Key)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		ID         audit.EntryID
		Salt, Body []byte
	}
	rows, _ := h.DB.Owner.Query(t.Context(), `SELECT e.id, e.salt, e.body FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry ORDER BY l.idx`)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		t.Fatal(err)
	}
	said, err := proof.ParseEntry(all[index].Body)
	if err != nil {
		t.Fatal(err)
	}
	change(&said)
	if all[index].Body, err = said.Bytes(); err != nil {
		t.Fatal(err)
	}
	h.DB.Rewrite(t, `UPDATE audit_entry SET body = $2, leaf = $3, partner = $4, other = $5 WHERE id = $1`, all[index].ID, all[index].Body,
		proof.Leaf([32]byte(all[index].Salt), all[index].Body), said.Partner, said.Other)
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) (found []tlog.Hash, err error) {
		for _, i := range indexes {
			found = append(found, stored[i])
		}
		return found, nil
	})
	for i, r := range all {
		hashes, err := tlog.StoredHashes(int64(i), proof.Leaf([32]byte(r.Salt), r.Body), read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	for level := range 2 {
		for n := int64(0); n<<8 < int64(len(all))>>(8*level); n++ {
			data, err := tlog.ReadTileData(tlog.Tile{H: 8, L: level, N: n, W: int(min(256, int64(len(all))>>(8*level)-n<<8))}, read)
			if err != nil {
				t.Fatal(err)
			}
			h.DB.Rewrite(t, `UPDATE audit_tile SET data = $3 WHERE level = $1 AND n = $2`, level, n, data)
		}
	}
	for _, size := range hubtest.Column[int64](t, h, `SELECT size FROM audit_checkpoint`) {
		root, err := tlog.TreeHash(size, read)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := note.Sign(&note.Note{Text: proof.FormatCheckpoint(signer.Name(), tlog.Tree{N: size, Hash: root})}, signer)
		if err != nil {
			t.Fatal(err)
		}
		h.DB.Rewrite(t, `UPDATE audit_checkpoint SET note = $2 WHERE size = $1`, size, signed)
	}
}

// TestAHistoryThatWasSignedAgainIsCaughtByAKeptCheckpoint: nothing in the hub can tell, and no
// export by itself. Whoever has kept a checkpoint can, offline and from the hub.
func TestAHistoryThatWasSignedAgainIsCaughtByAKeptCheckpoint(t *testing.T) {
	t.Parallel()
	h, p := busy(t)
	kept := newest(t, h)
	size := hubtest.Value[int64](t, h, `SELECT max(size) FROM audit_checkpoint`)
	h.StopLog()
	signAgain(t, h, opening(t, h), func(e *proof.Entry) { e.Reason = "provide-service" })
	again := h.Another(t)
	p.From.At(again).Record(t, hubtest.Subject(), p.Named()) // and the log goes on

	file := asOperator(t, again, size)
	if found, err := audited(t, again, file); err != nil {
		t.Errorf("it is not a whole rewriting: %v\n%s", err, failing(found))
	}
	found, err := audited(t, again, file, kept)
	if !errors.Is(err, client.ErrVerification) || !strings.Contains(failing(found), "kept checkpoint: checkpoint of "+strconv.FormatInt(size, 10)+" entries: THE LOG WAS REWRITTEN") {
		t.Errorf("%v\n%s", err, failing(found))
	}
	c, err := client.New(client.Options{Hub: hubtest.Issuer, Partner: string(p.From.ID), ClientID: p.From.Client, LogKey: logKey(t, again), HTTP: again.HTTP(),
		Keys: client.Keys{Authentication: p.From.Auth, Signing: p.From.Signing.Signer(), Encryption: []jose.PrivateKey{p.From.Sealing}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Checkpoint(t.Context(), client.Policy{}, kept)
	r, ok := errors.AsType[*client.Rewritten](err)
	if !ok || r.Kept.Size != size || r.Shown.Size <= size {
		t.Errorf("asked for its newest checkpoint it is believed: %v", err)
	}
	if shown, err := c.Checkpoint(t.Context(), client.Policy{}); err != nil || shown.Size <= size {
		t.Errorf("who has kept nothing: %+v, %v", shown, err)
	}
}
