package terms_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/partners/terms"
)

// bad are, for each claim, values that it must not have; nil is the claim left out.
func bad() map[string][]any {
	list := func(values ...any) any { return append([]any{}, values...) }
	way := func(purposes, sections any) any { return map[string]any{"purposes": purposes, "sections": sections} }
	notUUIDv7 := []any{nil, "", "7", strings.ToUpper(jti), "urn:uuid:" + jti, "0199a000-0000-4000-8000-0000000000cc", "'" + jti + "'"}
	ways := []any{way(list(), list()), way(list("housing"), list()), way(list(), list("need")), way(list("housing"), list("need", "need")),
		way(list("housing", "housing"), list("need")), way(list("anything"), list("need")), way(list("housing"), list("everything")),
		way(list("*"), list("need")), way(list("housing"), list("attachment-1"))}
	at := now.Unix()
	return map[string][]any{
		"hub": {nil, ""}, "iss": {nil, "", "Camden", "a b", "*", strings.Repeat("a", 41)}, "jti": notUUIDv7, "iat": {nil, 0, -1, int64(1) << 62},
		"act": {nil, "", strings.Repeat("u", 65), "Ada Sample", "ada@agency.example"}, "other": {nil, "", "category:housing", "*"},
		"version": {nil, 0, -1, 2, 10000}, "supersedes": {"x", strings.ToUpper(other), jti},
		"sends": ways, "receives": ways,
		"valid_from": {nil, 0, -1, at + 367*day}, "valid_to": {nil, 0, at, at - 1, at + 732*day, int64(1) << 62},
		"review_at": {nil, 0, at, at + 366*day},
		"of":        notUUIDv7, "digest": {nil, "", "x", ids.Digest("x")[1:]}, "answer": {nil, "", "yes", "Signed"},
		"reason": {"too-much", "because"},
	}
}

// TestAClaimOfTheWrongFormIsRefusedByName tries every claim of the three statements with values
// that it must not have, and one claim too many.
func TestAClaimOfTheWrongFormIsRefusedByName(t *testing.T) {
	for _, kind := range []struct {
		typ  string
		good members
	}{{terms.ProposalType, membersOf(t, proposal())}, {terms.AnswerType, membersOf(t, answer())}, {terms.EndType, membersOf(t, ended())}} {
		try := func(m members) error { return parse(kind.typ, sign(t, kind.typ, must(json.Marshal(m)), edKey())) }
		if err := try(kind.good); err != nil {
			t.Fatal(err)
		}
		for claim := range kind.good {
			for i, value := range bad()[claim] {
				t.Run(kind.typ+" "+claim, func(t *testing.T) {
					m := kind.good.with(claim, value)
					if claim == "supersedes" {
						m["version"] = 2
					}
					refused(t, try(m), terms.ErrClaim, claim)
					if t.Failed() {
						t.Logf("value %d: %#v", i, value)
					}
				})
			}
			if len(bad()[claim]) == 0 {
				t.Errorf("no row for %s", claim)
			}
		}
		if err := try(kind.good.with("name", "Jane Roe")); !errors.Is(err, terms.ErrMalformed) {
			t.Errorf("%s: a claim too many: %v", kind.typ, err)
		}
	}
}

// TestWhatAProposalMayBeIs tries what is at a limit, on this side of it and beyond.
func TestWhatAProposalMayBe(t *testing.T) {
	at := now.Unix()
	for name, row := range map[string]struct {
		change func(*terms.Claims)
		claim  string // "": accepted
	}{
		"two years":                  {func(c *terms.Claims) { c.ValidTo = at + 731*day }, ""},
		"two years and a second":     {func(c *terms.Claims) { c.ValidTo = at + 731*day + 1 }, "valid_to"},
		"begins in a year":           {func(c *terms.Claims) { c.ValidFrom, c.ValidTo, c.ReviewAt = at+366*day, at+400*day, at+390*day }, ""},
		"began before it was signed": {func(c *terms.Claims) { c.ValidFrom = at - 30*day }, ""},
		"is over before it is signed": {func(c *terms.Claims) {
			c.ValidFrom, c.ValidTo, c.ReviewAt = at-30*day, at-day, at-2*day
		}, "valid_to"},
		"looked at on its last day": {func(c *terms.Claims) { c.ReviewAt = c.ValidTo }, ""},
		"only sends":                {func(c *terms.Claims) { c.Receives = terms.Way{} }, ""},
		"only receives":             {func(c *terms.Claims) { c.Sends = terms.Way{} }, ""},
		"neither":                   {func(c *terms.Claims) { c.Sends, c.Receives = terms.Way{}, terms.Way{} }, "sends"},
		"everything there is": {func(c *terms.Claims) {
			c.Sends = terms.Way{Purposes: codes.Purposes().Codes(), Sections: codes.Sections().Codes()}
		}, ""},
		"a second version": {func(c *terms.Claims) { c.Version, c.Supersedes = 2, other }, ""},
		"a second version that begins later": {func(c *terms.Claims) {
			c.Version, c.Supersedes, c.ValidFrom = 2, other, at+day
		}, "valid_from"},
		"a first version of another": {func(c *terms.Claims) { c.Supersedes = other }, "version"},
		"a second version of none":   {func(c *terms.Claims) { c.Version = 2 }, "version"},
		"with itself":                {func(c *terms.Claims) { c.Other = c.Issuer }, "other"},
	} {
		c := proposal()
		row.change(&c)
		_, err := c.Sign(edKey().Signer())
		if row.claim == "" && err != nil {
			t.Errorf("%s: %v", name, err)
		} else if row.claim != "" {
			refused(t, err, terms.ErrClaim, row.claim)
		}
	}
	for name, change := range map[string]func(*terms.AnswerClaims){
		"a reason for a yes": func(a *terms.AnswerClaims) { a.Reason = "too-much" },
		"no reason for a no": func(a *terms.AnswerClaims) { a.Answer = terms.Refused },
		"a reason in words":  func(a *terms.AnswerClaims) { a.Answer, a.Reason = terms.Refused, "we know her" },
	} {
		a := answer()
		change(&a)
		_, err := a.Sign(edKey().Signer())
		t.Log(name)
		refused(t, err, terms.ErrClaim, "reason")
	}
	for _, reason := range terms.Reasons().Codes() {
		a := refusal()
		a.Reason = reason
		if _, err := a.Sign(edKey().Signer()); err != nil {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

// TestAStatementIsReadAsSignedAndByNobodyElsesKey: each is read as it was signed, with the key
// that signed it, and as its own kind alone.
func TestAStatementIsReadAsSignedAndByNobodyElsesKey(t *testing.T) {
	key := edKey()
	p, a, e := must(proposal().Sign(key.Signer())), must(answer().Sign(key.Signer())), must(ended().Sign(key.Signer()))
	sp, sa, se := must(terms.ParseProposal(p)), must(terms.ParseAnswer(a)), must(terms.ParseEnd(e))
	if got, err := terms.VerifyProposal(sp, key.Public()); err != nil || got.Token() != p || got.Digest() != ids.Digest(p) || got.Other != "larkfield-housing" {
		t.Errorf("proposal: %v", err)
	}
	if got, err := terms.VerifyAnswer(sa, key.Public()); err != nil || got.Token() != a || got.Fingerprint() != ids.Digest(a) {
		t.Errorf("answer: %v", err)
	}
	if got, err := terms.VerifyEnd(se, key.Public()); err != nil || got.Token() != e || got.Fingerprint() != ids.Digest(e) {
		t.Errorf("end: %v", err)
	}
	_, err := terms.VerifyProposal(sp, p256Key().Public())
	refused(t, err, terms.ErrSignature, "")
	_, err = terms.VerifyAnswer(sa, p256Key().Public())
	refused(t, err, terms.ErrSignature, "")
	_, err = terms.VerifyEnd(se, p256Key().Public())
	refused(t, err, terms.ErrSignature, "")
	for typ, token := range map[string]string{terms.ProposalType: a, terms.AnswerType: e, terms.EndType: p} {
		refused(t, parse(typ, token), terms.ErrMalformed, "")
	}
}

// TestAnAnswerIsToExactlyOneProposal: what was changed after she read it has another digest.
func TestAnAnswerIsToExactlyOneProposal(t *testing.T) {
	digest := ids.Digest("the proposal")
	if err := answer().To(proposal(), digest); err != nil {
		t.Error(err)
	}
	if err := ended().To(proposal(), digest); err != nil {
		t.Error(err)
	}
	byOther := ended()
	byOther.Issuer, byOther.Other = byOther.Other, byOther.Issuer
	if err := byOther.To(proposal(), digest); err != nil {
		t.Errorf("ended by who was asked: %v", err)
	}
	for name, row := range map[string]struct {
		err   error
		want  *fault.Fault
		claim string
	}{
		"other terms":               {answer().To(proposal(), ids.Digest("other terms")), terms.ErrClaim, "digest"},
		"another agreement":         {changedAnswer(func(a *terms.AnswerClaims) { a.Of = "0199a000-0000-7000-8000-0000000000ee" }), terms.ErrClaim, "of"},
		"a third agency":            {changedAnswer(func(a *terms.AnswerClaims) { a.Issuer = "rosewood" }), terms.ErrClaim, "other"},
		"to a third agency":         {changedAnswer(func(a *terms.AnswerClaims) { a.Other = "rosewood" }), terms.ErrClaim, "other"},
		"by who proposed it":        {changedAnswer(func(a *terms.AnswerClaims) { a.Issuer, a.Other = a.Other, a.Issuer }), terms.ErrClaim, "other"},
		"at another hub":            {changedAnswer(func(a *terms.AnswerClaims) { a.Hub = "https://staging.example" }), terms.ErrStale, ""},
		"an end of other terms":     {ended().To(proposal(), ids.Digest("other terms")), terms.ErrClaim, "digest"},
		"an end by a third agency":  {changedEnd(func(e *terms.EndClaims) { e.Issuer = "rosewood" }), terms.ErrClaim, "other"},
		"an end of another":         {changedEnd(func(e *terms.EndClaims) { e.Of = "0199a000-0000-7000-8000-0000000000ee" }), terms.ErrClaim, "of"},
		"an end with a third party": {changedEnd(func(e *terms.EndClaims) { e.Other = "rosewood" }), terms.ErrClaim, "other"},
	} {
		t.Log(name)
		refused(t, row.err, row.want, row.claim)
	}
}

func changedAnswer(change func(*terms.AnswerClaims)) error {
	a := answer()
	change(&a)
	return a.To(proposal(), ids.Digest("the proposal"))
}

func changedEnd(change func(*terms.EndClaims)) error {
	e := ended()
	change(&e)
	return e.To(proposal(), ids.Digest("the proposal"))
}

func TestAStatementIsPostedWithinADay(t *testing.T) {
	for name, row := range map[string]struct {
		hub   string
		at    time.Time
		fresh bool
	}{
		"now": {hub, now, true}, "a day later": {hub, now.Add(terms.MaxAge), true}, "a second more": {hub, now.Add(terms.MaxAge + time.Second), false},
		"a minute early": {hub, now.Add(-terms.Skew), true}, "earlier": {hub, now.Add(-terms.Skew - time.Second), false}, "elsewhere": {"https://staging.example", now, false},
	} {
		if err := terms.Fresh(hub, now.Unix(), row.hub, row.at); (err == nil) != row.fresh || err != nil && !errors.Is(err, terms.ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
