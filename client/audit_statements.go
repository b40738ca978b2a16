package client

import (
	"time"

	"handover/audit/proof"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/keys/jose"
	"handover/referral/packet"
)

// auditStatement is a signed statement of an export, read and not yet believed.
type auditStatement struct {
	hub, issuer, kid, act string
	issuedAt              int64 // 0 where it says no time
	digest                string
	entry                 proof.Entry // what the log must say of it; empty members are not compared
	claims                any
	verify                func(jose.PublicKey) error
	opened                *packet.Envelope // of an envelope, once verify has found its signature good
}

// statementOf is the kind of the statement that an entry commits to, and its digest; "" for
// an entry that commits to none.
func statementOf(e proof.Entry) (kind, digest string) {
	if kind = statementKinds()[e.Act]; kind != "" {
		return kind, e.Digest
	}
	if e.Event != "" && e.Act == "referral."+e.Event {
		return proof.StatementEnvelope, e.Envelope
	}
	return "", ""
}

func statementKinds() map[string]string {
	return map[string]string{
		"consent.record":    proof.StatementConsent,
		"consent.withdraw":  proof.StatementWithdrawal,
		"consent.review":    proof.StatementDecision,
		"override.propose":  proof.StatementOverride,
		"override.decision": proof.StatementDecision,
		"override.review":   proof.StatementReview,
		"never.record":      proof.StatementNever,
		"never.lift":        proof.StatementLift,
		"recall.answered":   proof.StatementRecall,
		"police.request":    proof.StatementPoliceRequest,
		"police.decision":   proof.StatementPoliceDecision,
		"agreement.propose": proof.StatementAgreement,
		"agreement.sign":    proof.StatementAgreementAnswer,
		"agreement.refuse":  proof.StatementAgreementAnswer,
		"agreement.close":   proof.StatementAgreementEnd,
	}
}

// readStatement reads a statement of that kind. The entry that it must have is made of what
// it says, member by member: a hub that shows another statement beside a good entry differs
// in one of them, or in the digest.
func readStatement(kind, text string) (auditStatement, error) {
	switch kind {
	case proof.StatementEnvelope:
		s, err := packet.ParseEnvelope(text)
		c := s.Unverified()
		referral := c.Referral
		if c.Event == packet.Request {
			referral = s.Digest()
		}
		opened := new(packet.Envelope)
		return auditStatement{hub: c.Hub, issuer: c.Issuer, kid: s.KeyID(), act: c.Act, issuedAt: c.IssuedAt, digest: s.Digest(), claims: c,
			entry: entryOf(c, s.Digest(), referral), opened: opened,
			verify: func(k jose.PublicKey) (err error) { *opened, err = s.Verify(k); return err }}, err
	case proof.StatementConsent:
		s, err := record.ParseConsent(text)
		c := s.Unverified()
		return stated(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, record.VerifyConsent,
			proof.Entry{Consent: c.ID, State: c.Agreement, Target: c.Supersedes}), err
	case proof.StatementWithdrawal:
		s, err := record.ParseWithdrawal(text)
		c := s.Unverified()
		return stated(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, record.VerifyWithdrawal, proof.Entry{Consent: c.Consent}), err
	case proof.StatementOverride:
		s, err := record.ParseOverride(text)
		c := s.Unverified()
		return stated(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, record.VerifyOverride,
			proof.Entry{Override: c.ID, Sections: c.Sections, Reason: c.Reason}), err
	case proof.StatementDecision:
		s, err := record.ParseDecision(text)
		c := s.Unverified()
		return stated(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, record.VerifyDecision, proof.Entry{}), err
	case proof.StatementReview:
		s, err := record.ParseReview(text)
		c := s.Unverified()
		return stated(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, record.VerifyReview, proof.Entry{Override: c.Of}), err
	}
	return readOther(kind, text)
}

// readOther reads the kinds that have nothing to do with what is shared on a basis.
func readOther(kind, text string) (auditStatement, error) {
	switch kind {
	case proof.StatementNever:
		s, err := record.ParseNever(text)
		c := s.Unverified()
		return stated(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, record.VerifyNever, proof.Entry{Target: c.ID}), err
	case proof.StatementLift:
		s, err := record.ParseLift(text)
		c := s.Unverified()
		return stated(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, record.VerifyLift, proof.Entry{Target: c.Never}), err
	case proof.StatementRecall:
		s, err := record.ParseRecall(text)
		c := s.Unverified()
		return stated(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, record.VerifyRecall,
			proof.Entry{Consent: c.Consent, Referral: c.Referral, State: c.Answer}), err
	case proof.StatementPoliceRequest:
		s, err := record.ParseInquiry(text)
		c := s.Unverified()
		return stated(s, c, c.Hub, c.Issuer, c.Act, c.IssuedAt, record.VerifyInquiry,
			proof.Entry{Other: c.Audience, Target: c.ID, Reason: c.Enquiry}), err
	case proof.StatementPoliceDecision:
		s, err := record.ParseInquiryDecision(text)
		c := s.Unverified()
		return stated(s, c, c.Hub, c.Issuer, c.Act, 0, record.VerifyInquiryDecision, proof.Entry{Target: c.Of, State: c.Decision}), err
	}
	return readTerms(kind, text)
}

// stated is a statement of consent/record.
func stated[C, V any](s record.Statement[C], claims C, hub, issuer, act string, at int64,
	verify func(record.Statement[C], jose.PublicKey) (V, error), entry proof.Entry) auditStatement {
	entry.Partner, entry.Digest = issuer, s.Digest()
	return auditStatement{hub: hub, issuer: issuer, kid: s.KeyID(), act: act, issuedAt: at, digest: s.Digest(), entry: entry, claims: claims,
		verify: func(k jose.PublicKey) error { _, err := verify(s, k); return err }}
}

// differs says in what the entry is not the log's word about the statement, or "". The time
// that the statement states must be one at which the hub could take it: a hub that brings in
// an old statement, or one that is dated ahead, shows it here.
func (s auditStatement) differs(e proof.Entry, hub string) string {
	switch member := difference(e, s.entry); {
	case member != "":
		return "the entry says otherwise, by its " + member
	case s.issuer == hub && e.Partner != "":
		return "the entry says otherwise, by its partner"
	case s.hub != hub:
		return "it was signed for another hub"
	case e.User != "" && s.act != e.User:
		return "it names another person than the entry"
	case s.issuedAt != 0 && !recent(s.issuedAt, e.Time) && s.issuer != hub:
		return "it says that it was signed on " + day(time.Unix(s.issuedAt, 0)) + ", and the log has it on " + day(e.Time) +
			": a hub takes a statement within a day"
	}
	return ""
}

// digestKey is a digest as a key that takes little memory.
type digestKey [32]byte

// String is the digest as it is written.
func (k digestKey) String() string {
	text, _ := proof.Base64URL(k[:]).MarshalText() // never fails
	return string(text)
}

func keyOf(digest string) (k digestKey) {
	if b, err := rawDigest(digest); err == nil {
		copy(k[:], b)
	}
	return k
}

func rawDigest(digest string) ([]byte, error) {
	if !ids.IsDigest(digest) {
		return nil, ErrDocument
	}
	var b proof.Base64URL
	err := b.UnmarshalText([]byte(digest))
	return b, err
}
