package audit

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"handover/audit/proof"
	"handover/audit/witness"
	"handover/internal/httpd"
)

// witnessed is a log with witnesses, each a real one behind a real connection.
type witnessed struct {
	*rig
	policy proof.Policy
	doors  []*door
}

// door stands before a witness: it can be shut.
type door struct {
	*witness.Witness
	name   string
	mode   atomic.Int32
	asked  atomic.Int64
	server *httptest.Server
}

// What a door does with who asks.
const (
	open      = int32(iota)
	shut      // answers 503
	silent    // answers nothing until the asker has gone
	elsewhere // redirects to the same witness
	garbled
	endless
)

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request, next http.Handler) {
	d.asked.Add(1)
	if strings.HasPrefix(r.URL.Path, "/elsewhere/") {
		next.ServeHTTP(w, r)
		return
	}
	switch d.mode.Load() {
	case open:
		next.ServeHTTP(w, r)
	case shut:
		w.WriteHeader(http.StatusServiceUnavailable)
	case silent:
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the asker has gone
		<-r.Context().Done()
	case elsewhere:
		http.Redirect(w, r, "/elsewhere/add-checkpoint", http.StatusTemporaryRedirect)
	case garbled:
		_, _ = io.WriteString(w, "— w0 gone fishing\n")
	case endless:
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("— nobody AAAA\n", 1000)); err != nil {
				return
			}
		}
	}
}

// newDoor is a witness with a fresh key and state.
func newDoor(t testing.TB, name string, log proof.LogKey) *door {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state")
	skey, _, err := witness.NewKey(name+".example/witness", path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.Open(skey, path, []proof.LogKey{log})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{Witness: w, name: name}
	router := httpd.Router()
	w.Mount(router)
	w.Mount(router.PathPrefix("/elsewhere").Subrouter())
	d.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.ServeHTTP(w, r, router) }))
	t.Cleanup(d.server.Close)
	return d
}

// witnessedRig is a hub that is not running, whose policy asks for two of three.
func witnessedRig(t testing.TB) *witnessed {
	t.Helper()
	w := &witnessed{rig: newRig(t)}
	lines := []string{"log " + w.signer().current.String()}
	for i := range 3 {
		d := newDoor(t, fmt.Sprintf("w%d", i), w.signer().current)
		w.doors = append(w.doors, d)
		lines = append(lines, fmt.Sprintf("witness %s %s %s", d.name, d.Self().Key, d.server.URL))
	}
	var err error
	if w.policy, err = proof.ParsePolicy(strings.Join(append(lines, "group g 2 w0 w1 w2", "quorum g"), "\n")); err != nil {
		t.Fatal(err)
	}
	w.witnessedBy(w.rig)
	return w
}

// witnessedBy gives another hub on the log the same policy.
func (w *witnessed) witnessedBy(r *rig) *rig {
	w.t.Helper()
	if err := r.WitnessedBy(w.policy, 5*time.Second); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *witnessed) key() proof.LogKey { return w.signer().current.Witnessed(w.policy) }

func (w *witnessed) set(mode int32, doors ...int) {
	for _, d := range doors {
		w.doors[d].mode.Store(mode)
	}
}

// cosignedReceipt asks until the receipt is cosigned: after an outage the first to ask do
// not wait.
func (w *witnessed) cosignedReceipt(r *rig, id EntryID) proof.Receipt {
	w.t.Helper()
	for ctx := bounded(w.t); ; {
		got, err := r.Receipt(ctx, id)
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = got.Verify(w.key())
		if err == nil {
			return got
		}
		if !errors.Is(err, proof.ErrUnwitnessed) {
			w.t.Fatal(err)
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// plainReceipt asks for a receipt that only the log has signed.
func (w *witnessed) plainReceipt(r *rig, id EntryID) proof.Receipt {
	w.t.Helper()
	got := r.mustReceipt(id)
	if _, err := got.Verify(w.key()); !errors.Is(err, proof.ErrUnwitnessed) {
		w.t.Fatalf("with a policy: %v", err)
	}
	if _, err := got.Verify(w.signer().current); err != nil {
		w.t.Fatalf("without a policy: %v", err)
	}
	return got
}
