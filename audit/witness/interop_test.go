package witness_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/transparency-dev/tessera"

	"handover/audit/proof"
)

// TestOthersCountTheSameCosignatures has a program by other people read our policy and count
// what our witnesses signed.
func TestOthersCountTheSameCosignatures(t *testing.T) {
	log := newHistory(t, 1, 40, 0, "")
	var lines []string
	by := map[string]proof.Cosignature{}
	for i := range 3 {
		skey, path := newState(t)
		w := open(t, skey, path, log.key)
		line, err := w.Add(log.request(0, 40))
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("w%d", i)
		if by[name], err = w.Self().Cosigned(log.checkpoint(40), line, log.key); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("witness %s %s https://w%d.example", name, w.Self().Key, i))
	}
	policy, err := proof.ParsePolicy(strings.Join(append(lines, "group any-two 2 w0 w1 w2", "quorum any-two"), "\n"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := tessera.NewWitnessGroupFromPolicy([]byte(policy.String()))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := theirs.Endpoints()["https://w0.example/add-checkpoint"]; !ok {
		t.Errorf("they would ask %v", theirs.Endpoints())
	}
	for set := range 1 << 3 {
		some := map[string]proof.Cosignature{}
		for i := range 3 {
			if set>>i&1 == 1 {
				some[fmt.Sprintf("w%d", i)] = by[fmt.Sprintf("w%d", i)]
			}
		}
		signed := policy.Cosign(log.checkpoint(40), some)
		_, err := proof.OpenCheckpoint(signed, log.key.Witnessed(policy))
		if theirs.Satisfied(signed) != (err == nil) {
			t.Errorf("%03b: they say %v, we say %v", set, theirs.Satisfied(signed), err)
		}
	}
}
