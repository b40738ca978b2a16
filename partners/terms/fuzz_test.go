package terms_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"handover/internal/fault"
	"handover/internal/strict"
	"handover/partners/terms"
)

// Whatever comes, as a token or as the claims of one, the parsers do not panic and refuse with a
// declared refusal. What they accept is of one kind, and its claims are written again as claims
// that are accepted and equal.
func FuzzParse(f *testing.F) {
	for typ, claims := range map[string]any{terms.ProposalType: proposal(), terms.AnswerType: refusal(), terms.EndType: ended()} {
		good := membersOf(f, claims)
		f.Add(string(must(json.Marshal(good))))
		f.Add(sign(f, typ, must(json.Marshal(good)), edKey()))
		for _, claim := range slices.Sorted(maps.Keys(bad())) {
			for _, value := range bad()[claim] {
				f.Add(string(must(json.Marshal(good.with(claim, value)))))
			}
		}
	}
	f.Fuzz(func(t *testing.T, input string) {
		hasOneMeaning(t, input)
		if input == "" {
			return
		}
		for _, typ := range []string{terms.ProposalType, terms.AnswerType, terms.EndType} {
			hasOneMeaning(t, sign(t, typ, []byte(input), edKey()))
		}
	})
}

// hasOneMeaning checks that the token is refused, or is accepted as one statement and written
// again as it was.
func hasOneMeaning(t *testing.T, token string) {
	t.Helper()
	p, errP := terms.ParseProposal(token)
	a, errA := terms.ParseAnswer(token)
	e, errE := terms.ParseEnd(token)
	accepted := 0
	for _, err := range []error{errP, errA, errE} {
		if err == nil {
			accepted++
		} else if _, ok := errors.AsType[*fault.Fault](err); !ok {
			t.Errorf("%v is no refusal", err)
		}
	}
	if accepted > 1 {
		t.Fatal("one token is two statements")
	}
	if errP == nil {
		again(t, p.Unverified(), must(p.Unverified().Sign(edKey().Signer())))
	}
	if errA == nil {
		again(t, a.Unverified(), must(a.Unverified().Sign(edKey().Signer())))
	}
	if errE == nil {
		again(t, e.Unverified(), must(e.Unverified().Sign(edKey().Signer())))
	}
}

func again[T any](t *testing.T, claims T, token string) {
	t.Helper()
	var written T
	if err := strict.Unmarshal(must(payloadOf(token)), &written); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(claims, written, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}
