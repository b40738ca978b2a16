package record_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"handover/consent/record"
	"handover/internal/fault"
)

// Whatever comes, an override, a decision and a review are read in one way or refused with a
// declared refusal, and what is read is written again as it was.
func FuzzParseOverride(f *testing.F) {
	seeds := []members{membersOf(f, overridden()), membersOf(f, decided()), membersOf(f, reviewed())}
	bad := badOverrides()
	for _, claim := range slices.Sorted(maps.Keys(bad)) {
		for _, value := range bad[claim] {
			seeds = append(seeds, seeds[0].with(claim, value))
		}
	}
	types := []string{record.OverrideType, record.DecisionType, record.ReviewType}
	for _, m := range seeds {
		payload := must(json.Marshal(m))
		f.Add(string(payload))
		for _, typ := range types {
			f.Add(sign(f, typ, payload, signingEd25519()))
		}
	}
	f.Fuzz(func(t *testing.T, input string) {
		secondHasOneMeaning(t, input)
		if input == "" {
			return
		}
		for _, typ := range types {
			secondHasOneMeaning(t, sign(t, typ, []byte(input), signingEd25519()))
		}
	})
}

func secondHasOneMeaning(t *testing.T, token string) {
	t.Helper()
	o, err := record.ParseOverride(token)
	d, errD := record.ParseDecision(token)
	r, errR := record.ParseReview(token)
	if err == nil {
		rewritten(t, token, record.OverrideType, o.Unverified(), record.ParseOverride)
		_ = o.Unverified().Covers(passage())
	}
	if errD == nil {
		rewritten(t, token, record.DecisionType, d.Unverified(), record.ParseDecision)
	}
	if errR == nil {
		rewritten(t, token, record.ReviewType, r.Unverified(), record.ParseReview)
	}
	read := 0
	for _, err := range []error{err, errD, errR} {
		if err == nil {
			read++
		} else if _, declared := errors.AsType[*fault.Fault](err); !declared {
			t.Fatalf("refused with %v, which is no refusal", err)
		}
	}
	if read > 1 {
		t.Fatal("one token is two statements")
	}
}
