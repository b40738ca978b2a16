package record_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"handover/consent/record"
	"handover/internal/fault"
	"handover/internal/strict"
)

// Whatever comes, as a token or as the claims of one, ParseConsent and
// ParseWithdrawal do not panic and refuse with a declared refusal. What they accept
// has one spelling as a token, and its claims are written again as claims that are
// accepted and equal.
func FuzzParseConsent(f *testing.F) {
	seeds := []members{membersOf(f, agreed()), membersOf(f, withdrawn())}
	bad := badValues()
	for _, claim := range slices.Sorted(maps.Keys(bad)) {
		for _, value := range bad[claim] {
			seeds = append(seeds, seeds[0].with(claim, value))
		}
	}
	for _, m := range seeds {
		payload := must(json.Marshal(m))
		f.Add(string(payload))
		f.Add(sign(f, record.ConsentType, payload, signingEd25519()))
		f.Add(sign(f, record.WithdrawalType, payload, signingEd25519()))
	}
	f.Fuzz(func(t *testing.T, input string) {
		hasOneMeaning(t, input)
		if input == "" {
			return
		}
		hasOneMeaning(t, sign(t, record.ConsentType, []byte(input), signingEd25519()))
		hasOneMeaning(t, sign(t, record.WithdrawalType, []byte(input), signingEd25519()))
	})
}

// hasOneMeaning checks that the token is refused, or is accepted as one statement
// and written again as it was.
func hasOneMeaning(t *testing.T, token string) {
	t.Helper()
	c, err := record.ParseConsent(token)
	w, errW := record.ParseWithdrawal(token)
	switch {
	case err == nil && errW == nil:
		t.Fatal("one token is a consent and a withdrawal")
	case err == nil:
		rewritten(t, token, record.ConsentType, c.Unverified(), record.ParseConsent)
		_ = c.Unverified().Covers(passage())
	case errW == nil:
		rewritten(t, token, record.WithdrawalType, w.Unverified(), record.ParseWithdrawal)
	}
	for _, err := range []error{err, errW} {
		if _, declared := errors.AsType[*fault.Fault](err); err != nil && !declared {
			t.Fatalf("refused with %v, which is no refusal", err)
		}
	}
}

func rewritten[T any](t *testing.T, token, typ string, claims T, parse func(string) (record.Statement[T], error)) {
	t.Helper()
	parts := strings.Split(token, ".")
	for i, part := range parts {
		parts[i] = b64(must(base64.RawURLEncoding.DecodeString(part)))
	}
	if again := strings.Join(parts, "."); again != token {
		t.Fatalf("%q has a second spelling, %q", token, again)
	}
	payload := must(strict.Marshal(claims))
	written := sign(t, typ, payload, signingEd25519())
	if len(written) > record.Limit {
		return // under a kid that is longer than the token's own
	}
	again, err := parse(written)
	if err != nil {
		t.Fatalf("%s is written and not read: %v", payload, err)
	}
	if diff := cmp.Diff(claims, again.Unverified(), cmpopts.EquateEmpty()); diff != "" {
		t.Fatal(diff)
	}
}
