package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
	"handover/audit/witness"
	"handover/internal/httpd"
)

// rewriteHistory changes the entry at index as the database's superuser who holds the log's
// real key: its body and leaf, every hash above it, and every checkpoint, signed again. Afterwards
// everything that is stored fits together, but for what witnesses have cosigned.
func (r *rig) rewriteHistory(index int64) {
	r.t.Helper()
	ctx := bounded(r.t)
	changed := r.entryAt(index)
	was := changed.body
	changed.body = bytes.Replace(was, []byte(`"requested"`), []byte(`"withdrawn"`), 1)
	if bytes.Equal(was, changed.body) {
		r.t.Fatal("nothing to change in the entry")
	}
	leaf := proof.Leaf([32]byte(changed.salt), changed.body)
	r.db.Rewrite(r.t, `UPDATE audit_entry SET body = $2, leaf = $3 WHERE id = $1`, changed.id, changed.body, leaf)

	rows, _ := r.db.Owner.Query(ctx, `SELECT e.leaf FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry ORDER BY l.idx`)
	leaves, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		r.t.Fatal(err)
	}
	rows, _ = r.db.Owner.Query(ctx, `SELECT size FROM audit_checkpoint ORDER BY size`)
	sizes, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		r.t.Fatal(err)
	}
	var at edge
	for _, size := range sizes {
		_, next, tiles, err := at.extend(leaves[at.tree.N:size])
		if err != nil {
			r.t.Fatal(err)
		}
		note, err := r.signer().sign(next.tree)
		if err != nil {
			r.t.Fatal(err)
		}
		for place, data := range tiles {
			r.db.Rewrite(r.t, `UPDATE audit_tile SET data = $3 WHERE level = $1 AND n = $2 AND octet_length(data) >= octet_length($3::bytea)`,
				place.level, place.n, r.wide(place, data))
		}
		r.db.Rewrite(r.t, `UPDATE audit_checkpoint SET note = $2 WHERE size = $1`, size, note)
		at = next
	}
}

// wide is the data of a tile as it begins, and then as it is stored: it is filled up later.
func (r *rig) wide(at place, data []byte) []byte {
	r.t.Helper()
	var stored []byte
	if err := r.db.Owner.QueryRow(r.t.Context(), `SELECT data FROM audit_tile WHERE level = $1 AND n = $2`, at.level, at.n).Scan(&stored); err != nil {
		r.t.Fatal(err)
	}
	return append(bytes.Clone(data), stored[len(data):]...)
}

func (r *rig) entryAt(index int64) stored {
	r.t.Helper()
	rows, _ := r.db.Owner.Query(r.t.Context(), `SELECT e.id, e.leaf, e.salt, e.body FROM audit_leaf l
		JOIN audit_entry e ON e.id = l.entry WHERE l.idx = $1`, index)
	e, err := pgx.CollectExactlyOneRow(rows, scanStored)
	if err != nil {
		r.t.Fatal(err)
	}
	return e
}

// witnessOf tells this test's program to be a witness of the log whose key it holds.
const witnessOf = "HANDOVER_TEST_WITNESS_OF"

// beWitness serves a witness until the process is killed.
func beWitness(log, skey, path string) error {
	key, err := proof.ParseLogKey(log)
	if err != nil {
		return err
	}
	w, err := witness.Open(skey, path, []proof.LogKey{key})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	router := httpd.Router()
	w.Mount(router)
	fmt.Println("http://" + l.Addr().String())
	return http.Serve(l, router)
}

// witnessProcess is a witness in a process of its own, until the test ends. It returns
// its line for a policy.
func witnessProcess(t *testing.T, log proof.LogKey) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state")
	skey, vkey, err := witness.NewKey("charity.example/witness", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	serving := exec.CommandContext(ctx, os.Args[0], skey, path)
	serving.Env = append(os.Environ(), witnessOf+"="+log.String())
	out, err := serving.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	serving.Stderr = os.Stderr
	if err := serving.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		_ = serving.Wait()
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the witness did not start: %v", err)
	}
	return "witness charity " + vkey + " " + strings.TrimSpace(url)
}

// TestAWitnessRefusesAHistoryThatWasRewritten: the database's superuser, who holds the log's
// real key, changes one entry and signs all of history again. Nothing in the database shows
// it, and a hub that starts on it goes on; but the witness gives no cosignature, and the
// hub says so to whoever runs it.
func TestAWitnessRefusesAHistoryThatWasRewritten(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	policy, err := proof.ParsePolicy(witnessProcess(t, r.signer().current) + "\nquorum charity\n")
	if err != nil {
		t.Fatal(err)
	}
	w := &witnessed{rig: r, policy: policy}
	w.witnessedBy(r)
	w.logMany(300)
	stop := w.run()
	kept := w.cosignedReceipt(r, w.log())
	if err := stop(); err != nil {
		t.Fatal(err)
	}

	r.rewriteHistory(17)
	r.forgetCosigned()

	fork := openRig(t, r.db) // a hub that was not there before
	w.witnessedBy(fork)
	var said strings.Builder
	fork.Logger = slog.New(slog.NewTextHandler(&lockedWriter{b: &said}, nil))
	fork.run()
	ids := []EntryID{fork.log(), fork.log()}
	for _, id := range ids {
		w.plainReceipt(fork, id) // it verifies with the log's key: without witnesses nobody would know
	}
	fork.until("alarm", func() bool { return errors.Is(fork.Healthy(), ErrRefused) })
	if s := fork.Witnessing(); !s.Short || len(s.Refused) != 1 || s.Refused[0] != "charity" {
		t.Errorf("metrics: %+v", s)
	}
	fork.until("entry of the refusal", func() bool { return fork.acts(proof.WitnessRefused) == 1 })
	if !strings.Contains(said.String(), "level=ERROR") || !strings.Contains(said.String(), "witness=charity") {
		t.Errorf("it was not told:\n%s", said.String())
	}
	if n := fork.one(`SELECT count(*) FROM audit_cosigned WHERE size > (SELECT max(size) - 2 FROM audit_checkpoint)`); n != 0 {
		t.Errorf("%d cosigned checkpoints of the rewritten history", n)
	}
	// What a partner has kept from before excludes the new history.
	p, err := proof.ParseProof([]byte(kept.Proof))
	if err != nil {
		t.Fatal(err)
	}
	old, err := proof.OpenCheckpoint(p.Checkpoint, w.key())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := fork.store.lastCheckpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := proof.OpenCheckpoint(signed, r.signer().current)
	if err != nil {
		t.Fatal(err)
	}
	text, err := fork.consistency(bounded(t), old.N, tree.N)
	if err != nil {
		t.Fatal(err)
	}
	_, hashes, newer, err := proof.ParseConsistency(text)
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, "consistency with a kept receipt", proof.VerifyConsistency(p.Checkpoint, newer, hashes, r.signer().current), proof.ErrProof)
}

// forgetCosigned takes away what the hub itself has of its witnesses' words.
func (r *rig) forgetCosigned() {
	r.t.Helper()
	r.db.Rewrite(r.t, `DELETE FROM audit_cosigned`)
}

// TestAHubHoldsItsLogAgainstWhatWasCosigned: whoever rewrites or sets back a log and leaves
// the cosigned checkpoints where they are is found out by the hub alone.
func TestAHubHoldsItsLogAgainstWhatWasCosigned(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*witnessed){
		"rewritten":            func(w *witnessed) { w.rewriteHistory(7) },
		"set back":             func(w *witnessed) { w.setBack(10) },
		"set back and as long": func(w *witnessed) { w.setBack(10); openRig(w.t, w.db).logMany(20) },
		"set back and longer":  func(w *witnessed) { w.setBack(10); openRig(w.t, w.db).logMany(25) },
		"the cosigned one itself": func(w *witnessed) {
			w.db.Rewrite(w.t, `UPDATE audit_cosigned SET note = (SELECT note FROM audit_checkpoint WHERE size = audit_cosigned.size)`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := witnessedRig(t)
			w.logMany(10)
			stop := w.run()
			w.cosignedReceipt(w.rig, w.logManyWaiting(20))
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			change(w)
			asked := w.doors[0].asked.Load()
			after := w.witnessedBy(openRig(t, w.db))
			after.run()
			after.until("alarm", func() bool { return errors.Is(after.Healthy(), ErrTampered) })
			if w.doors[0].asked.Load() != asked {
				t.Error("a witness was asked about it")
			}
		})
	}
}

// TestALogThatWasSetBackIsRefusedByItsWitness: everything fits, but entries that were
// confirmed are gone.
func TestALogThatWasSetBackIsRefusedByItsWitness(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		grown int // entries that the log has again since, of those before
	}{
		{"shorter", 3}, {"as long", 20}, {"longer", 40},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := witnessedRig(t)
			w.logMany(10)
			stop := w.run()
			w.cosignedReceipt(w.rig, w.logManyWaiting(20))
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			w.setBack(10)
			w.forgetCosigned()
			fork := w.witnessedBy(openRig(t, w.db))
			fork.logMany(row.grown)
			fork.run()
			w.plainReceipt(fork, fork.log())
			fork.until("alarm", func() bool { return errors.Is(fork.Healthy(), ErrRefused) })
		})
	}
}

// logManyWaiting queues n entries for one checkpoint, and returns the last one.
func (r *rig) logManyWaiting(n int) (last EntryID) {
	for range n {
		last = r.log()
	}
	return last
}
