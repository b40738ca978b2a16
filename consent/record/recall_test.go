package record_test

import (
	"encoding/json"
	"errors"
	"testing"

	"handover/consent/record"
)

// deleted is the answer of a holder that has deleted what it had.
func deleted() record.RecallClaims {
	return record.RecallClaims{Hub: hub, Issuer: "borough", ID: jti, IssuedAt: now.Unix(), Act: "user-7", Consent: consent,
		Digest: digestOf("the record"), Answer: record.Deleted}
}

func TestAnAnswerToARecallIsReadBackAsItWasSigned(t *testing.T) {
	kept := func(article, provision string) record.RecallClaims {
		c := deleted()
		c.Answer, c.Article6, c.Provision, c.Because = record.Kept, article, provision, "legal-obligation"
		return c
	}
	help := func(answer string) record.RecallClaims {
		c := deleted()
		c.Answer, c.Referral = answer, digestOf("a referral")
		return c
	}
	for _, c := range []record.RecallClaims{deleted(), kept("f", ""), kept("c", "Care Act 2014 s42"), kept("le-part3", ""), help(record.GoesOn), help(record.Ends)} {
		token, err := c.Sign(signingEd25519().Signer())
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		stated, err := record.ParseRecall(token)
		if err != nil || stated.Unverified() != c {
			t.Errorf("read back as %+v, %v", stated.Unverified(), err)
		}
		answer, err := record.VerifyRecall(stated, signingEd25519().Public())
		if err != nil || answer.Token() != token || answer.Fingerprint() != digestOf(token) || answer.RecallClaims != c {
			t.Errorf("verified as %+v, %v", answer, err)
		}
		if _, err := record.VerifyRecall(stated, signingP256().Public()); !errors.Is(err, record.ErrSignature) {
			t.Errorf("by another key: %v", err)
		}
	}
}

func TestAnAnswerThatSaysTooLittleOrTooMuchIsRefused(t *testing.T) {
	type change func(*record.RecallClaims)
	kept := func(c *record.RecallClaims) {
		c.Answer, c.Article6, c.Provision, c.Because = record.Kept, "c", "Care Act 2014 s42", "legal-obligation"
	}
	for name, row := range map[string]struct {
		claim  string
		change change
	}{
		"no hub":                    {"hub", func(c *record.RecallClaims) { c.Hub = "" }},
		"a name for an issuer":      {"iss", func(c *record.RecallClaims) { c.Issuer = "The Borough" }},
		"a chosen id":               {"jti", func(c *record.RecallClaims) { c.ID = "x" }},
		"no time":                   {"iat", func(c *record.RecallClaims) { c.IssuedAt = 0 }},
		"a worker's address":        {"act", func(c *record.RecallClaims) { c.Act = "ada@borough.example" }},
		"no consent":                {"consent", func(c *record.RecallClaims) { c.Consent = "" }},
		"no digest":                 {"digest", func(c *record.RecallClaims) { c.Digest = "x" }},
		"no answer":                 {"answer", func(c *record.RecallClaims) { c.Answer = "" }},
		"perhaps":                   {"answer", func(c *record.RecallClaims) { c.Answer = "perhaps" }},
		"deleted under a basis":     {"answer", func(c *record.RecallClaims) { c.Article6 = "f" }},
		"deleted for a reason":      {"answer", func(c *record.RecallClaims) { c.Because = "safeguarding" }},
		"deleted of a referral":     {"referral", func(c *record.RecallClaims) { c.Referral = digestOf("r") }},
		"help goes on, of nothing":  {"referral", func(c *record.RecallClaims) { c.Answer = record.GoesOn }},
		"help ends, of no referral": {"referral", func(c *record.RecallClaims) { c.Answer, c.Referral = record.Ends, "R-7K3F-9Q2M" }},
		"help ends under a basis": {"answer", func(c *record.RecallClaims) {
			c.Answer, c.Referral, c.Article6 = record.Ends, digestOf("r"), "f"
		}},
		"kept, without a basis":   {"art6", func(c *record.RecallClaims) { kept(c); c.Article6 = "" }},
		"kept on her consent":     {"art6", func(c *record.RecallClaims) { kept(c); c.Article6 = "a" }},
		"kept under no law":       {"provision", func(c *record.RecallClaims) { kept(c); c.Provision = "" }},
		"kept in prose":           {"provision", func(c *record.RecallClaims) { kept(c); c.Provision = "because her landlord may ask" }},
		"kept for no reason":      {"because", func(c *record.RecallClaims) { kept(c); c.Because = "" }},
		"kept for another reason": {"because", func(c *record.RecallClaims) { kept(c); c.Because = "to be sure" }},
		"kept of a referral":      {"referral", func(c *record.RecallClaims) { kept(c); c.Referral = digestOf("r") }},
	} {
		c := deleted()
		row.change(&c)
		_, signing := c.Sign(signingEd25519().Signer())
		_, parsing := record.ParseRecall(sign(t, record.RecallType, must(json.Marshal(c)), signingEd25519()))
		refused(t, signing, record.ErrClaim, "claim", row.claim)
		refused(t, parsing, record.ErrClaim, "claim", row.claim)
		if t.Failed() {
			t.Fatal(name)
		}
	}
	if _, err := record.ParseRecall(sign(t, record.WithdrawalType, must(json.Marshal(deleted())), signingEd25519())); !errors.Is(err, record.ErrMalformed) {
		t.Errorf("of another type: %v", err)
	}
}

// TestAKeptBasisIsTheHoldersToRelyOn: a public authority has no legitimate interests, and
// nobody but the police Part 3.
func TestAKeptBasisIsTheHoldersToRelyOn(t *testing.T) {
	for category, allowed := range map[string]map[string]bool{
		"housing":      {"c": true, "e": true, "f": false, "ea": false, "le-part3": false},
		"vawg-service": {"c": true, "e": true, "f": true, "ea": true, "le-part3": false},
		"police":       {"c": true, "f": false, "le-part3": true},
	} {
		for article, may := range allowed {
			c := deleted()
			c.Answer, c.Article6 = record.Kept, article
			if err := c.SuitsCategory(category); (err == nil) != may {
				t.Errorf("%s under %s: %v", category, article, err)
			}
		}
	}
}
