package record_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"handover/consent/record"
	"handover/keys/jose"
)

func ofManager() record.Said {
	return record.Said{Hub: hub, Issuer: "charity", ID: jti, IssuedAt: now.Unix(), Act: "user-9", Of: consent, Digest: digestOf("what was proposed")}
}

// decided and reviewed are the claims of an honest decision and review.
func decided() record.DecisionClaims {
	return record.DecisionClaims{Said: ofManager(), Decision: "approved"}
}

func reviewed() record.ReviewClaims {
	return record.ReviewClaims{Said: ofManager(), Outcome: "continues", ReviewAt: now.Unix() + 7*day}
}

func decisionOf(t testing.TB, m members) error {
	t.Helper()
	_, err := record.ParseDecision(sign(t, record.DecisionType, must(json.Marshal(m)), signingEd25519()))
	return err
}

func reviewOf(t testing.TB, m members) error {
	t.Helper()
	_, err := record.ParseReview(sign(t, record.ReviewType, must(json.Marshal(m)), signingEd25519()))
	return err
}

func TestClaimOfADecisionOrReviewOfTheWrongFormIsRefusedByName(t *testing.T) {
	shared := badValues()
	for name, row := range map[string]struct {
		good  members
		parse func(testing.TB, members) error
		bad   map[string][]any
	}{
		"decision": {membersOf(t, decided()), decisionOf, map[string][]any{"decision": {nil, "", "yes", "Approved", "lapsed"}}},
		"review": {membersOf(t, reviewed()), reviewOf, map[string][]any{"outcome": {nil, "", "fine"},
			"review_at": {nil, 0, now.Unix(), now.Unix() - 1}}},
	} {
		for _, claim := range []string{"hub", "iss", "jti", "iat"} {
			row.bad[claim] = shared[claim]
		}
		row.bad["act"] = []any{nil, "", strings.Repeat("u", 65), "Ada Sample"}
		row.bad["of"] = []any{nil, "", "x", strings.ToUpper(jti), "0199a000-0000-4000-8000-0000000000cc"}
		row.bad["digest"] = []any{nil, "", "x", digestOf("x") + "="}
		if err := row.parse(t, row.good); err != nil {
			t.Fatalf("the %s that the rows change is refused itself: %v", name, err)
		}
		for claim := range row.good {
			if len(row.bad[claim]) == 0 {
				t.Errorf("%s: no row for %s", name, claim)
			}
		}
		for claim, values := range row.bad {
			for _, value := range values {
				t.Run(name+" "+claim, func(t *testing.T) {
					refused(t, row.parse(t, row.good.with(claim, value)), record.ErrClaim, "claim", claim)
				})
			}
		}
	}
	refused(t, reviewOf(t, membersOf(t, reviewed()).with("outcome", "ended")), record.ErrClaim, "claim", "review_at")
	if err := reviewOf(t, membersOf(t, reviewed()).with("outcome", "ended").with("review_at", nil)); err != nil {
		t.Error(err)
	}
}

func TestASignedDecisionOrReviewIsRead(t *testing.T) {
	key, stranger := signingEd25519(), testKey("stranger-ed25519", jose.EdDSA, jose.Ed25519)
	d, r := must(decided().Sign(key.Signer())), must(reviewed().Sign(key.Signer()))
	ds, rs := must(record.ParseDecision(d)), must(record.ParseReview(r))
	decision, err := record.VerifyDecision(ds, key.Public())
	if err != nil || decision.Token() != d || decision.Fingerprint() != digestOf(d) {
		t.Errorf("%v, token or fingerprint is another", err)
	}
	review, err := record.VerifyReview(rs, key.Public())
	if err != nil || review.Token() != r || review.Fingerprint() != digestOf(r) {
		t.Errorf("%v, token or fingerprint is another", err)
	}
	if diff := cmp.Diff(decided(), decision.DecisionClaims) + cmp.Diff(reviewed(), review.ReviewClaims); diff != "" {
		t.Error(diff)
	}
	_, err = record.VerifyDecision(ds, renamed(t, stranger, key.KeyID()))
	refused(t, err, record.ErrSignature)
	_, err = record.VerifyReview(rs, renamed(t, stranger, key.KeyID()))
	refused(t, err, record.ErrSignature)
	// A yes to one thing is none to another: each has a type of its own.
	for _, token := range []string{d, r, must(overridden().Sign(key.Signer()))} {
		read := 0
		for _, err := range []error{
			func() error { _, err := record.ParseDecision(token); return err }(),
			func() error { _, err := record.ParseReview(token); return err }(),
			func() error { _, err := record.ParseOverride(token); return err }(),
			func() error { _, err := record.ParseConsent(token); return err }(),
			func() error { _, err := record.ParseWithdrawal(token); return err }(),
		} {
			if err == nil {
				read++
			}
		}
		if read != 1 {
			t.Errorf("one token is %d statements", read)
		}
	}
	bad, worse := decided(), reviewed()
	bad.Act, worse.Of = "", "all of them"
	_, err = bad.Sign(key.Signer())
	refused(t, err, record.ErrClaim, "claim", "act")
	_, err = worse.Sign(key.Signer())
	refused(t, err, record.ErrClaim, "claim", "of")
}
