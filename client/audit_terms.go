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

// agreedFacts is what was done with an agreement.
type agreedFacts struct {
	proposed *auditStatement // nil: the file does not show it
	answer   string          // the act by which it was answered
	over     bool
}

// agreement checks that what is said about an agreement is said of exactly what was proposed, after
// it, and once: a hub could else show a signature under terms that nobody has read.
func (a *auditor) agreement(place string, e proof.Entry, s *auditStatement) {
	of, there := a.agreed[e.Target]
	if e.Act == "agreement.propose" {
		if there {
			a.bad(checkedAgreements, place, "the log has an agreement with the id %s already", e.Target)
			return
		}
		a.agreed[e.Target] = &agreedFacts{proposed: s}
		return
	}
	if !there {
		if a.header.First == 0 {
			a.bad(checkedAgreements, place, "it is about an agreement that no entry before it has")
		}
		return
	}
	a.weigh(checkedAgreements, place, of.then(e, s))
}

// then says why the act cannot follow, or "", and follows it.
func (f *agreedFacts) then(e proof.Entry, s *auditStatement) string {
	switch e.Act {
	case "agreement.sign", "agreement.refuse":
		if f.answer != "" || f.over {
			return "it answers what was answered, or taken back, before"
		}
		f.answer = e.Act
	case "agreement.supersede":
		if f.answer != "agreement.sign" || f.over {
			return "it replaces what was not in force"
		}
		f.over = true
		return ""
	default:
		if f.over || f.answer == "agreement.refuse" {
			return "it ends what was over before"
		}
		f.over = true
	}
	if f.proposed == nil || s == nil {
		return ""
	}
	proposed, read := f.proposed.claims.(terms.Claims)
	about, states := s.claims.(interface {
		To(terms.Claims, string) error
	})
	if !read || !states || about.To(proposed, f.proposed.digest) != nil {
		return "it is not about exactly what was proposed"
	}
	if said, is := s.claims.(terms.AnswerClaims); is && (said.Answer == terms.Signed) != (e.Act == "agreement.sign") {
		return "it says otherwise than its entry whether it was signed"
	}
	return ""
}

// statedTerms is a statement of partners/terms.
func statedTerms[C, V any](s terms.Statement[C], claims C, hub, issuer, act string, at int64,
	verify func(terms.Statement[C], jose.PublicKey) (V, error), entry proof.Entry) auditStatement {
	entry.Partner, entry.Digest = issuer, s.Digest()
	return auditStatement{hub: hub, issuer: issuer, kid: s.KeyID(), act: act, issuedAt: at, digest: s.Digest(), entry: entry, claims: claims,
		verify: func(k jose.PublicKey) error { _, err := verify(s, k); return err }}
}
