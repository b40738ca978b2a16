package audit

import (
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"handover/audit/proof"
)

// ring finds the keys that a store would have.
func ring(seeds ...byte) func(ed25519.PublicKey) (crypto.Signer, error) {
	return func(public ed25519.PublicKey) (crypto.Signer, error) {
		for _, seed := range seeds {
			if k := testKey(seed); public.Equal(k.Public()) {
				return k, nil
			}
		}
		return nil, errors.New("no such key")
	}
}

// another is a second hub on the rig's database, to which every entry is an old one.
func (r *rig) another(seed byte) *rig {
	r.t.Helper()
	l, err := Open(r.t.Context(), r.db.Log, r.db.Hub, testSigner(r.t, seed), func() time.Time { return time.Now().Add(time.Hour) })
	if err != nil {
		r.t.Fatal(err)
	}
	l.Keys = ring(1, 2, 3)
	return &rig{t: r.t, db: r.db, Log: l}
}

// TestOneKeyFollowsAnother: a hub that knows nothing of it follows, whoever pinned either key
// verifies everything, and of who pinned one key alone each checkpoint is one key's.
func TestOneKeyFollowsAnother(t *testing.T) {
	r := newRig(t)
	r.Log.Keys = ring(1, 2, 3)
	other := r.another(1)
	before := r.log()
	r.mustSequence()
	first := r.mustReceipt(before)
	other.mustSequence()

	waiting := r.log() // it waits in the queue when the key changes
	var texts []string
	for _, seed := range []byte{2, 3} {
		text, err := r.Succeed(t.Context(), testKey(seed))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, text)
	}
	if got, err := other.Successions(t.Context()); err != nil || !slices.Equal(got, texts) {
		t.Fatalf("stored %q, %v", got, err)
	}
	after := other.log()
	other.mustSequence()
	if got, want := other.signer().Key().String(), testSigner(t, 3).Key().String(); got != want {
		t.Errorf("the other hub signs with %s, want %s", got, want)
	}
	third := r.log()
	r.mustSequence()

	reader := r.another(3) // a hub that was started after it all
	for seed := byte(1); seed <= 3; seed++ {
		alone := testSigner(t, seed).Key()
		line, err := alone.Followed(texts)
		if err != nil {
			t.Fatalf("key %d: %v", seed, err)
		}
		verifies := 0
		for _, id := range []EntryID{before, waiting, after, third} {
			if _, err := reader.mustReceipt(id).Verify(line); err != nil {
				t.Errorf("pinned key %d: %v", seed, err)
			}
			if _, err := reader.mustReceipt(id).Verify(alone); err == nil {
				verifies++
			}
		}
		if verifies != map[byte]int{1: 1, 2: 1, 3: 2}[seed] {
			t.Errorf("key %d alone verifies %d receipts", seed, verifies)
		}
	}
	if diff := cmp.Diff(first, reader.mustReceipt(before)); diff != "" {
		t.Errorf("an old receipt changed with the key (-before +after):\n%s", diff)
	}
	if n := r.one(`SELECT count(*) FROM audit_succession s JOIN audit_leaf l ON l.entry = s.log_entry JOIN audit_checkpoint c ON c.size = l.size`); n != 2 {
		t.Errorf("%d successions are in the log, want 2", n)
	}
}

// A hub that cannot find the new key gives no receipt under the old one, loses nothing, and
// goes on when it can.
func TestWhoCannotFindTheNewKeySignsWithNoOther(t *testing.T) {
	r := newRig(t)
	r.Log.Keys = ring(1, 2)
	r.mustSequence()
	other := r.another(1)
	other.Log.Keys = nil
	other.mustSequence()
	if _, err := r.Succeed(t.Context(), testKey(2)); err != nil {
		t.Fatal(err)
	}
	id := other.log()
	if err := other.sequenceAll(); err == nil || errors.Is(err, ErrTampered) {
		t.Fatalf("sequencing without the key: %v", err)
	}
	if got := other.pending(); got != 1 {
		t.Errorf("%d entries wait, want 1", got)
	}
	other.Log.Keys = ring(2)
	other.mustSequence()
	line, err := testSigner(t, 1).Key().Followed(mustSuccessions(t, r.Log))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.mustReceipt(id).Verify(line); err != nil {
		t.Error(err)
	}
}

func mustSuccessions(t *testing.T, l *Log) []string {
	t.Helper()
	texts, err := l.Successions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// Whoever writes a statement into the database without the log's key is found out.
func TestSuccessionThatThisLogDidNotSignIsTampering(t *testing.T) {
	r := newRig(t)
	r.Log.Keys = ring(1, 2, 9)
	id := r.log()
	r.mustSequence()
	forged, err := succession(1, testSigner(t, 8), testSigner(t, 9))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.db.Owner.Exec(t.Context(), `INSERT INTO audit_succession VALUES (1, $1, $2)`, forged, id); err != nil {
		t.Fatal(err)
	}
	_, err = r.Succeed(t.Context(), testKey(2))
	wantError(t, "a forged succession", err, ErrTampered)
}

func TestTheCurrentKeyIsFoundAmongThoseOfTheStore(t *testing.T) {
	r := newRig(t)
	public := func(seeds ...byte) (keys []ed25519.PublicKey) {
		for _, s := range seeds {
			keys = append(keys, testKey(s).Public().(ed25519.PublicKey))
		}
		return keys
	}
	want := func(what string, seed byte, candidates []ed25519.PublicKey) {
		t.Helper()
		got, err := CurrentKey(t.Context(), r.db.Log, testOrigin, candidates)
		if err != nil || !got.Equal(public(seed)[0]) {
			t.Errorf("%s: another key, %v", what, err)
		}
	}
	want("a new log", 2, public(2, 1))
	r.log()
	r.mustSequence()
	want("a version that nobody follows yet", 1, public(2, 1))
	if _, err := r.Succeed(t.Context(), testKey(2)); err != nil {
		t.Fatal(err)
	}
	want("after the succession", 2, public(3, 2, 1))
	if _, err := CurrentKey(t.Context(), r.db.Log, testOrigin, public(3, 1)); err == nil {
		t.Error("a store without the log's key was taken for its own")
	}
}

func TestSuccessionsAreServed(t *testing.T) {
	r := newRig(t)
	r.Log.Keys = ring(1, 2)
	r.log()
	r.mustSequence()
	text, err := r.Succeed(t.Context(), testKey(2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := proof.OpenSuccession([]byte(text)); err != nil {
		t.Fatal(err)
	}
	get := r.serve()
	code, _, body := get("/v1/log/successions", "")
	var answer struct {
		Successions []string `json:"successions"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || code != http.StatusOK || !slices.Equal(answer.Successions, []string{text}) {
		t.Errorf("%d %s, %v", code, body, err)
	}
}

// A key's base64 has a plus sign in it more often than not.
func TestEveryKeyIsReadOutOfItsText(t *testing.T) {
	for seed := range 200 {
		public, ok := testKey(byte(seed)).Public().(ed25519.PublicKey)
		if !ok {
			t.Fatal("no Ed25519 key")
		}
		k, err := logKeyOf(testOrigin, public)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := publicOf(k); err != nil || !got.Equal(public) {
			t.Errorf("%s: %v", k, err)
		}
	}
}
