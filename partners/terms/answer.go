package terms

import (
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/keys/jose"
)

// The answers to a proposal.
const (
	Signed  = "signed"
	Refused = "refused"
)

// Answers are what the agency that was asked may say.
func Answers() codes.List {
	return codes.List{
		{Code: Signed, Label: "signed", Source: "Handover"},
		{Code: Refused, Label: "refused", Source: "Handover"},
	}
}

// Reasons are why a proposal is refused: enough for who proposed it to know what to do next,
// and no text that somebody could write a woman's name into.
func Reasons() codes.List {
	return codes.List{
		{Code: "too-much", Label: "it covers more than we need, or may give", Source: "UK GDPR Art 5(1)(c)"},
		{Code: "too-little", Label: "it leaves out something that we need", Source: "Handover"},
		{Code: "too-long", Label: "it stands too long", Source: "UK GDPR Art 5(1)(e)"},
		{Code: "not-now", Label: "we are not ready to sign yet", Source: "Handover"},
		{Code: "talk-first", Label: "we want to talk about it first", Source: "Handover"},
	}
}

// AnswerClaims state what the agency that was asked says to exactly one proposal.
type AnswerClaims struct {
	Hub      string `json:"hub"`
	Issuer   string `json:"iss"` // the agency that was asked
	ID       string `json:"jti"` // UUIDv7
	IssuedAt int64  `json:"iat"`
	Act      string `json:"act"`   // its administrator, by opaque id
	Other    string `json:"other"` // the agency that proposed
	Of       string `json:"of"`    // jti of the proposal
	Digest   string `json:"digest"`
	Answer   string `json:"answer"`           // one of Answers
	Reason   string `json:"reason,omitempty"` // of a refusal: one of Reasons
}

// EndClaims state that an agency ends an agreement, or takes back what it proposed.
type EndClaims struct {
	Hub      string `json:"hub"`
	Issuer   string `json:"iss"` // either agency
	ID       string `json:"jti"` // UUIDv7
	IssuedAt int64  `json:"iat"`
	Act      string `json:"act"`
	Other    string `json:"other"` // the other one
	Of       string `json:"of"`    // jti of the proposal
	Digest   string `json:"digest"`
}

// Answer is an answer whose signature has been verified, End such an end.
type (
	Answer struct {
		AnswerClaims
		token string
	}
	End struct {
		EndClaims
		token string
	}
)

// Token is the signed statement as it was posted.
func (a Answer) Token() string { return a.token }

// Fingerprint is the base64url SHA-256 of the signed statement.
func (a Answer) Fingerprint() string { return ids.Digest(a.token) }

// Token is the signed statement as it was posted.
func (e End) Token() string { return e.token }

// Fingerprint is the base64url SHA-256 of the signed statement.
func (e End) Fingerprint() string { return ids.Digest(e.token) }

// ParseAnswer takes an answer apart and checks its form.
func ParseAnswer(token string) (Statement[AnswerClaims], error) {
	return parse[AnswerClaims](token, AnswerType)
}

// ParseEnd takes an end apart and checks its form.
func ParseEnd(token string) (Statement[EndClaims], error) { return parse[EndClaims](token, EndType) }

// VerifyAnswer checks an answer's signature with its issuer's key.
func VerifyAnswer(s Statement[AnswerClaims], key jose.PublicKey) (Answer, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Answer{}, ErrSignature
	}
	return Answer{AnswerClaims: s.claims, token: s.token}, nil
}

// VerifyEnd checks an end's signature with its issuer's key.
func VerifyEnd(s Statement[EndClaims], key jose.PublicKey) (End, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return End{}, ErrSignature
	}
	return End{EndClaims: s.claims, token: s.token}, nil
}

// Sign makes an answer of the claims.
func (a AnswerClaims) Sign(key jose.SigningKey) (string, error) { return sign(a, AnswerType, key) }

// Sign makes an end of the claims.
func (e EndClaims) Sign(key jose.SigningKey) (string, error) { return sign(e, EndType, key) }

func (a AnswerClaims) fault() string {
	if name := about(a.Hub, a.Issuer, a.ID, a.IssuedAt, a.Act, a.Other, a.Of, a.Digest); name != "" {
		return name
	}
	switch {
	case !Answers().Has(a.Answer):
		return "answer"
	case (a.Answer == Refused) != (a.Reason != ""), a.Reason != "" && !Reasons().Has(a.Reason):
		return "reason"
	}
	return ""
}

func (e EndClaims) fault() string {
	return about(e.Hub, e.Issuer, e.ID, e.IssuedAt, e.Act, e.Other, e.Of, e.Digest)
}

// about checks the claims of a statement about a proposal.
func about(hub, issuer, id string, issuedAt int64, act, other, of, digest string) string {
	if name := stated(hub, issuer, id, issuedAt, act, other); name != "" {
		return name
	}
	switch {
	case !ids.IsUUIDv7(of) || of == id:
		return "of"
	case !ids.IsDigest(digest):
		return "digest"
	}
	return ""
}

// To refuses an answer that is not the asked agency's to exactly that proposal: terms that were
// changed after she read them have another digest.
func (a AnswerClaims) To(p Claims, digest string) error {
	return matches(a.Hub, a.Of, a.Digest, p, digest, a.Issuer == p.Other && a.Other == p.Issuer)
}

// To refuses an end that is not of exactly that proposal, by one of the two agencies.
func (e EndClaims) To(p Claims, digest string) error {
	between := e.Issuer == p.Other && e.Other == p.Issuer || e.Issuer == p.Issuer && e.Other == p.Other
	return matches(e.Hub, e.Of, e.Digest, p, digest, between)
}

func matches(hub, of, named string, p Claims, digest string, between bool) error {
	switch {
	case hub != p.Hub:
		return ErrStale
	case of != p.ID:
		return bad("of")
	case named != digest:
		return bad("digest")
	case !between:
		return bad("other")
	}
	return nil
}
