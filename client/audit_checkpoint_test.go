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
