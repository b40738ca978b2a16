package hubtest_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
	"k8s.io/klog/v2"

	"handover/internal/hubtest"
	"handover/partners"
)

// leavesForThreeLevels makes 256 full tiles on the lowest level, one full and one partial tile
// above, and a partial one above that.
const leavesForThreeLevels = 256*256 + 700

// TestAnIndependentCheckerPassesTheTilesAndNamesWhatWasChanged has Tessera's fsck, which shares
// no code with the log, read it as an auditor does: over the hub's routes, with her token.
func TestAnIndependentCheckerPassesTheTilesAndNamesWhatWasChanged(t *testing.T) {
	t.Parallel()
	quieten()
	h := hubtest.New(t)
	h.Agency(t, "sample-oversight", partners.Oversight)
	auditor := h.Person(t, "sample-oversight", partners.Auditor)
	// Written by the database itself, in the form that the log demands of entries.
	h.Exec(t, `
		WITH e AS (
			SELECT id, salt, convert_to(format('{"v":1,"id":"%s","act":"referral.list"}', id), 'UTF8') AS body
			FROM (SELECT gen_random_uuid() AS id, sha256(n::text::bytea) AS salt FROM generate_series(1, $1) n) made),
		written AS (
			INSERT INTO audit_entry (id, at, partner, other, act, outcome, salt, body, leaf)
			SELECT id, now(), '', '', 'referral.list', '', salt, body, '\x01'::bytea || sha256('handover-audit-v1\000'::bytea || salt || body) FROM e
			RETURNING id)
		INSERT INTO audit_pending (entry) SELECT id FROM written`, leavesForThreeLevels)
	h.Log.Kick()
	awaitPlaces(t, h)

	for _, row := range []struct{ name, change, want string }{
		{name: "as it is"},
		{"one entry changed", `UPDATE audit_entry SET leaf = set_byte(leaf, 9, get_byte(leaf, 9) # 1) WHERE id = (SELECT entry FROM audit_leaf WHERE idx = 300)`, "tile/0/001"},
		{"one byte of a full tile changed", `UPDATE audit_tile SET data = set_byte(data, 70, get_byte(data, 70) # 1) WHERE level = 0 AND n = 5`, "tile/0/005"},
	} {
		if row.change != "" {
			h.DB.Rewrite(t, row.change)
		}
		err := checked(t, h, auditor)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: the checker says %.200v, want the place %s", row.name, err, row.want)
		}
		if row.change != "" { // the same again takes it back
			h.DB.Rewrite(t, row.change)
		}
	}
}

// quieten has the checker's own logger say nothing.
func quieten() {
	klog.LogToStderr(false)
	klog.SetOutput(bytes.NewBuffer(nil))
}

func awaitPlaces(t *testing.T, h *hubtest.Hub) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); hubtest.Value[int64](t, h, `SELECT count(*) FROM audit_pending`) > 0; {
		if time.Now().After(deadline) {
			t.Fatal("the log does not get on")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// checked runs the checker over the whole log.
func checked(t *testing.T, h *hubtest.Hub, by *hubtest.Person) error {
	t.Helper()
	key, _, _ := strings.Cut(string(by.Get(t, "/v1/log/key").Body), "\n")
	verifier, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	// One of its workers ends with each difference, and without any left it would wait for ever.
	return fsck.New(verifier.Name(), verifier, reader{t, by}, leafHashes, fsck.Opts{N: 8}).Check(t.Context())
}

// leafHashes are the RFC 6962 leaf hashes of an entry bundle.
func leafHashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(b.Entries))
	for i, leaf := range b.Entries {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(leaf)
	}
	return hashes, nil
}

// reader fetches the log over the hub's routes.
type reader struct {
	t  *testing.T
	by *hubtest.Person
}

func (r reader) ReadCheckpoint(context.Context) ([]byte, error) { return r.read("checkpoint") }

func (r reader) ReadTile(_ context.Context, level, n uint64, partial uint8) ([]byte, error) {
	return r.read(layout.TilePath(level, n, partial))
}

func (r reader) ReadEntryBundle(_ context.Context, n uint64, partial uint8) ([]byte, error) {
	return r.read(layout.EntriesPath(n, partial))
}

func (r reader) read(path string) ([]byte, error) {
	a := r.by.Get(r.t, "/v1/log/"+path)
	switch a.Status {
	case http.StatusOK:
		return a.Body, nil
	case http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", path, os.ErrNotExist)
	}
	return nil, fmt.Errorf("%s: %d", path, a.Status)
}
