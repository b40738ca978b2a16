package client

import (
	"handover/audit/proof"
	"handover/keys/jose"
	"handover/partners/terms"
)

// readTerms reads the kinds of statements that two agencies make about an agreement.
func readTerms(kind, text string) (auditStatement, error) {
	switch kind {
	case proof.StatementAgreement:
		s, err := terms.ParseProposal(text)
		c := s.Unverified()
		return statedTerms(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, terms.VerifyProposal, proof.Entry{Target: c.ID, Other: c.Other}), err
	case proof.StatementAgreementAnswer:
		s, err := terms.ParseAnswer(text)
		c := s.Unverified()
		return statedTerms(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, terms.VerifyAnswer, proof.Entry{Target: c.Of, Other: c.Other, Reason: c.Reason}), err
	case proof.StatementAgreementEnd:
		s, err := terms.ParseEnd(text)
		c := s.Unverified()
		return statedTerms(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, terms.VerifyEnd, proof.Entry{Target: c.Of, Other: c.Other}), err
	}
	return auditStatement{}, ErrDocument
}

// statedTerms is a statement of partners/terms.
func statedTerms[C, V any](s terms.Statement[C], claims C, hub, issuer, act string, at int64,
	verify func(terms.Statement[C], jose.PublicKey) (V, error), entry proof.Entry) auditStatement {
	entry.Partner, entry.Digest = issuer, s.Digest()
	return auditStatement{hub: hub, issuer: issuer, kid: s.KeyID(), act: act, issuedAt: at, digest: s.Digest(), entry: entry, claims: claims,
		verify: func(k jose.PublicKey) error { _, err := verify(s, k); return err }}
}
