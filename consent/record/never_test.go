package record_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"handover/consent/record"
)

// never are the claims of an honest never, lifted those of its end.
func never() record.NeverClaims {
	return record.NeverClaims{Hub: hub, Issuer: "charity", ID: jti, IssuedAt: now.Unix(), Act: "user-7",
		Subjects: []string{subject}, Recipients: []string{"larkfield", "category:police"}}
}

func lifted() record.LiftClaims {
	return record.LiftClaims{Hub: hub, Issuer: "charity", ID: jti, IssuedAt: now.Unix(), Act: "user-7", Never: consent, Digest: digestOf("the never")}
}

func TestNeverOfTheWrongFormIsRefusedByName(t *testing.T) {
	neverOf := func(m members) error {
		_, err := record.ParseNever(sign(t, record.NeverType, must(json.Marshal(m)), signingEd25519()))
		return err
	}
	liftOf := func(m members) error {
		_, err := record.ParseLift(sign(t, record.LiftType, must(json.Marshal(m)), signingEd25519()))
		return err
	}
	list := func(values ...any) any { return append([]any{}, values...) }
	many := func(n int, of func(i int) any) (all []any) {
		for i := range n {
			all = append(all, of(i))
		}
		return all
	}
	reference := func(i int) any { return b64(fmt.Appendf(nil, "%016d", i)) }
	partner := func(i int) any { return fmt.Sprintf("partner-%d", i) }
	bad := map[string][]any{
		"subjects": {nil, list(), list("Jane Roe"), list(subject, subject), list(subject + "="), many(65, reference)},
		"recipients": {nil, list(), list("*"), list("category:"), list("category:*"), list("The Force"), list("larkfield", "larkfield"),
			list("https://larkfield.example"), many(33, partner)},
		"never":  {nil, "", "x", strings.ToUpper(consent)},
		"digest": {nil, "", "x", digestOf("x")[1:]},
	}
	for _, claim := range []string{"hub", "iss", "jti", "iat", "act"} {
		bad[claim] = badValues()[claim]
	}
	for _, kind := range []struct {
		good members
		of   func(members) error
	}{{membersOf(t, never()), neverOf}, {membersOf(t, lifted()), liftOf}} {
		if err := kind.of(kind.good); err != nil {
			t.Fatal(err)
		}
		for claim := range kind.good {
			if len(bad[claim]) == 0 {
				t.Errorf("no row for %s", claim)
			}
			for _, value := range bad[claim] {
				refused(t, kind.of(kind.good.with(claim, value)), record.ErrClaim, "claim", claim)
			}
		}
		if err := kind.of(kind.good.with("name", "Jane Roe")); err == nil {
			t.Error("a claim too many is accepted")
		}
	}
	full := membersOf(t, never()).with("subjects", many(64, reference)).with("recipients", many(32, partner))
	if err := neverOf(full); err != nil {
		t.Errorf("at its limit: %v", err)
	}
}

func TestNeverIsReadAsSignedAndByNobodyElsesKey(t *testing.T) {
	key := signingEd25519()
	token, lift := must(never().Sign(key.Signer())), must(lifted().Sign(key.Signer()))
	n, l := must(record.ParseNever(token)), must(record.ParseLift(lift))
	if got, err := record.VerifyNever(n, key.Public()); err != nil || got.Token() != token || got.Fingerprint() != digestOf(token) || got.Subjects[0] != subject {
		t.Errorf("never: %v", err)
	}
	if got, err := record.VerifyLift(l, key.Public()); err != nil || got.Token() != lift || got.Fingerprint() != digestOf(lift) || got.Never != consent {
		t.Errorf("lift: %v", err)
	}
	_, err := record.VerifyNever(n, signingP256().Public())
	refused(t, err, record.ErrSignature)
	_, err = record.VerifyLift(l, signingP256().Public())
	refused(t, err, record.ErrSignature)
	if _, err := record.ParseLift(token); err == nil {
		t.Error("a never is read as its end")
	}
}
