package client_test

import (
	"crypto/ed25519"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"handover/audit/proof"
	"handover/client"
)

func TestACheckpointContinuesThoseThatWereKept(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	first, err := p.from.Checkpoint(t.Context(), client.Policy{})
	must(err)
	again, err := p.from.Checkpoint(t.Context(), client.Policy{}, []byte(first.Note))
	if err != nil || !slices.Equal(again.Continues, []int64{first.Size}) {
		t.Errorf("of the same size: %+v, %v", again, err)
	}
	p.step(t, p.to, client.Step{Event: "receive"})
	second, err := p.from.Checkpoint(t.Context(), client.Policy{}, p.hub.log.checkpoint(0), p.hub.log.checkpoint(3), []byte(first.Note))
	if err != nil || second.Size != first.Size+1 || !slices.Equal(second.Continues, []int64{0, 3, first.Size}) {
		t.Errorf("of a larger size: %+v, %v", second, err)
	}
}

// TestAHubThatShowsTheCheckpointBefore is not accused: what its witnesses have cosigned may be
// a little behind what was kept.
func TestAHubThatShowsTheCheckpointBefore(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	kept, err := p.from.Checkpoint(t.Context(), client.Policy{})
	must(err)
	p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v1/log/checkpoint" {
			_, _ = w.Write(p.hub.log.checkpoint(kept.Size - 2))
		}
		return r.URL.Path == "/v1/log/checkpoint"
	}
	if shown, err := p.from.Checkpoint(t.Context(), client.Policy{}, []byte(kept.Note)); err != nil || shown.Size != kept.Size-2 {
		t.Errorf("%+v, %v", shown, err)
	}
}

// TestAHubThatCannotShowThatItsLogGoesOnIsRefused: what was kept stays, and both checkpoints
// come back, to be shown to others.
func TestAHubThatCannotShowThatItsLogGoesOnIsRefused(t *testing.T) {
	t.Parallel()
	rewrite := func(p *pair) {
		f := p.hub.forge(t)
		f.says(2, func(e *proof.Entry) { e.Partner = "eastside-aid" })
		twin := f.tree()
		p.hub.log.hashes = twin.hashes
	}
	for name, row := range map[string]struct {
		lie     func(p *pair)
		want    string
		certain bool
	}{
		"a history signed again, of the same length": {rewrite, "two logs of the same length", true},
		"a history signed again, and longer": {func(p *pair) {
			rewrite(p)
			p.hub.log.add(proof.Entry{Act: "referral.list"})
		}, "the proof that it gives does not hold", false},
		"a log set back": {func(p *pair) { p.hub.log.size-- }, "a log that is shorter than it was", false},
		"no proof": {func(p *pair) {
			p.hub.log.add(proof.Entry{Act: "referral.list"})
			p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/v1/log/proof" {
					refuse(w, 500, "internal")
				}
				return r.URL.Path == "/v1/log/proof"
			}
		}, "it answers 500 internal", false},
		"a proof of something else": {func(p *pair) {
			p.hub.log.add(proof.Entry{Act: "referral.list"})
			p.hub.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == "/v1/log/proof" {
					q := r.URL.Query()
					q.Set("old", "2")
					r.URL.RawQuery = q.Encode()
				}
				return false
			}
		}, "no proof of it", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			kept, err := p.from.Checkpoint(t.Context(), client.Policy{})
			must(err)
			row.lie(p)
			_, err = p.from.Checkpoint(t.Context(), client.Policy{}, []byte(kept.Note))
			r, ok := errors.AsType[*client.Rewritten](err)
			if !ok || !errors.Is(err, client.ErrRewritten) || r.Certain != row.certain || !strings.Contains(r.What, row.want) {
				t.Fatalf("%v, want %s", err, row.want)
			}
			for _, c := range []client.Checkpoint{r.Kept, r.Shown} {
				if _, err := client.OpenCheckpoint([]byte(c.Note), p.hub.log.key); err != nil {
					t.Errorf("what is left is no evidence: %v", err)
				}
			}
		})
	}
}

func TestACheckpointOfAStrangersKeyIsNotTaken(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	thief := newLog(t, "hub.example/v1/log")
	p.hub.log.signer = thief.signer
	if _, err := p.from.Checkpoint(t.Context(), client.Policy{}); !errors.Is(err, client.ErrProof) {
		t.Errorf("it is believed: %v", err)
	}
	own := newPair(t)
	witness, err := proof.WitnessKey("aunt.example", make(ed25519.PublicKey, ed25519.PublicKeySize))
	must(err)
	policy, err := client.ParsePolicy("log " + own.hub.log.key.String() + "\nwitness aunt " + witness + "\nquorum aunt\n")
	must(err)
	if _, err := own.from.Checkpoint(t.Context(), policy); !errors.Is(err, client.ErrProof) || !errors.Is(err, proof.ErrUnwitnessed) {
		t.Errorf("without its witness it is believed: %v", err)
	}
}

// TestAReceiptIsHeldAgainstWhatWasKept: a second log of the same size is found without the hub,
// and one of another size by asking it.
func TestAReceiptIsHeldAgainstWhatWasKept(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	parsed, err := proof.ParseProof([]byte(p.wasReceipt.Proof))
	must(err)
	size := parsed.Index + 1
	f := p.hub.forge(t)
	f.says(2, func(e *proof.Entry) { e.Partner = "eastside-aid" })
	rewritten, receipt := f.tree(), []byte(raw(p.wasReceipt))
	for name, row := range map[string]struct {
		kept  []byte
		holds bool
		want  string
	}{
		"the same checkpoint":      {p.hub.log.checkpoint(size), true, "the same as another that is known"},
		"a larger tree":            {p.hub.log.checkpoint(p.hub.log.size - 1), true, "handover audit checkpoint --receipt"},
		"another log of that size": {rewritten.checkpoint(size), false, "THE LOG WAS REWRITTEN"},
		"a checkpoint of nobody":   {newLog(t, "hub.example/v1/log").checkpointOf(p), true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := client.Verify(receipt, client.Trust{LogKey: p.hub.log.key, Kept: [][]byte{row.kept}})
			said := string(raw(found))
			if (err == nil) != row.holds || !strings.Contains(said, row.want) {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
	bundle, err := p.from.Bundle(t.Context(), p.referral)
	must(err)
	data, err := bundle.Bytes()
	must(err)
	notes := client.ReceiptCheckpoints(data)
	if len(notes) < 4 {
		t.Errorf("a bundle has %d checkpoints", len(notes))
	}
	if _, err := p.from.Checkpoint(t.Context(), client.Policy{}, notes...); err != nil {
		t.Error(err)
	}
	if _, err := client.Verify(data, client.Trust{Kept: [][]byte{rewritten.checkpoint(size)}}); !errors.Is(err, client.ErrVerification) {
		t.Errorf("a bundle of another log than was kept: %v", err)
	}
	p.hub.log.hashes = rewritten.hashes
	p.hub.log.add(proof.Entry{Act: "referral.list"})
	if _, err := p.from.Checkpoint(t.Context(), client.Policy{}, notes...); !errors.Is(err, client.ErrRewritten) {
		t.Errorf("a log that does not continue a receipt: %v", err)
	}
}

// checkpointOf signs the tree of a pair's log with this log's key.
func (l *fakeLog) checkpointOf(p *pair) []byte {
	twin := *p.hub.log
	twin.signer = l.signer
	return twin.checkpoint(twin.size)
}
