package record

import (
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/keys/jose"
)

// The typ headers of what a second person states.
const (
	DecisionType = "handover-decision+jwt"
	ReviewType   = "handover-review+jwt"
)

// Said is what everything has in which a person says something about what is there already.
// It names the exact text, by its digest, so that her yes cannot be laid under another.
type Said struct {
	Hub      string `json:"hub"`
	Issuer   string `json:"iss"` // the partner of both people
	ID       string `json:"jti"` // UUIDv7
	IssuedAt int64  `json:"iat"`
	Act      string `json:"act"`    // who says it, by opaque id
	Of       string `json:"of"`     // id of what it is about
	Digest   string `json:"digest"` // of what it is about
}

// DecisionClaims are what a manager states about what somebody else has put before her: an
// override, or a consent record that is in doubt.
type DecisionClaims struct {
	Said
	Decision string `json:"decision"` // one of Decisions
}

// Decisions are what can be decided.
func Decisions() codes.List {
	return codes.List{
		{Code: Approved, Label: "approved", Source: twoPeople},
		{Code: Refused, Label: "refused", Source: twoPeople},
	}
}

// The codes of Decisions.
const (
	Approved = "approved"
	Refused  = "refused"
)

// twoPeople is where it comes from that nobody decides alone.
const twoPeople = "OWASP ASVS 5.0 2.3.5"

// Decision is a decision whose signature has been verified.
type Decision struct {
	DecisionClaims
	token string
}

// Token is the signed decision as it was posted.
func (d Decision) Token() string { return d.token }

// Fingerprint is the base64url SHA-256 of the signed decision.
func (d Decision) Fingerprint() string { return ids.Digest(d.token) }

// ParseDecision takes a decision apart and checks its form.
func ParseDecision(token string) (Statement[DecisionClaims], error) {
	s, err := parse[DecisionClaims](token, DecisionType)
	if err != nil {
		return s, err
	}
	if name := s.claims.fault(); name != "" {
		return Statement[DecisionClaims]{}, bad(name)
	}
	return s, nil
}

// VerifyDecision checks a decision's signature with its issuer's key.
func VerifyDecision(s Statement[DecisionClaims], key jose.PublicKey) (Decision, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Decision{}, ErrSignature
	}
	return Decision{DecisionClaims: s.claims, token: s.token}, nil
}

// Sign makes a decision of the claims.
func (d DecisionClaims) Sign(key jose.SigningKey) (string, error) {
	if name := d.fault(); name != "" {
		return "", bad(name)
	}
	return sign(d, DecisionType, key)
}

func (d DecisionClaims) fault() string {
	if name := d.Said.fault(); name != "" {
		return name
	}
	if !Decisions().Has(d.Decision) {
		return "decision"
	}
	return ""
}

func (s Said) fault() string {
	switch {
	case s.Hub == "":
		return "hub"
	case !ids.IsName(s.Issuer):
		return "iss"
	case !ids.IsUUIDv7(s.ID):
		return "jti"
	case s.IssuedAt <= 0:
		return "iat"
	case !ids.IsUser(s.Act):
		return "act"
	case !ids.IsUUIDv7(s.Of):
		return "of"
	case !ids.IsDigest(s.Digest):
		return "digest"
	}
	return ""
}

// ReviewClaims are what a manager states who has looked at an override again: that it goes on
// and when to look next, or that it is over.
type ReviewClaims struct {
	Said
	Outcome  string `json:"outcome"`             // one of Reviews
	ReviewAt int64  `json:"review_at,omitempty"` // when to look again, if it continues
}

// Reviews are what can come of looking at an override again.
func Reviews() codes.List {
	return codes.List{
		{Code: Continues, Label: "still needed: look again on the date given", Source: "SCIE, Safeguarding adults: sharing information"},
		{Code: Ended, Label: "over: nothing more is shared on it", Source: "SCIE, Safeguarding adults: sharing information"},
	}
}

// The codes of Reviews.
const (
	Continues = "continues"
	Ended     = "ended"
)

// Review is a review whose signature has been verified.
type Review struct {
	ReviewClaims
	token string
}

// Token is the signed review as it was posted.
func (r Review) Token() string { return r.token }

// Fingerprint is the base64url SHA-256 of the signed review.
func (r Review) Fingerprint() string { return ids.Digest(r.token) }

// ParseReview takes a review apart and checks its form.
func ParseReview(token string) (Statement[ReviewClaims], error) {
	s, err := parse[ReviewClaims](token, ReviewType)
	if err != nil {
		return s, err
	}
	if name := s.claims.fault(); name != "" {
		return Statement[ReviewClaims]{}, bad(name)
	}
	return s, nil
}

// VerifyReview checks a review's signature with its issuer's key.
func VerifyReview(s Statement[ReviewClaims], key jose.PublicKey) (Review, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Review{}, ErrSignature
	}
	return Review{ReviewClaims: s.claims, token: s.token}, nil
}

// Sign makes a review of the claims.
func (r ReviewClaims) Sign(key jose.SigningKey) (string, error) {
	if name := r.fault(); name != "" {
		return "", bad(name)
	}
	return sign(r, ReviewType, key)
}

func (r ReviewClaims) fault() string {
	if name := r.Said.fault(); name != "" {
		return name
	}
	switch {
	case !Reviews().Has(r.Outcome):
		return "outcome"
	case r.Outcome == Continues && r.ReviewAt <= r.IssuedAt, r.Outcome == Ended && r.ReviewAt != 0:
		return "review_at"
	}
	return ""
}
