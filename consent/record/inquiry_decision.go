package record

import (
	"slices"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// InquiryDecisionType is the typ header of a decision about a police request,
// InquiryDecisionMedia the media type as which it is posted.
const (
	InquiryDecisionType  = "handover-police-decision+jwt"
	InquiryDecisionMedia = "application/vnd.handover.police-decision+json"
)

// What a decision can be refused for, given the request that it is about.
var (
	ErrNotAsked = fault.New(fault.Unprocessable, "police-request-not-asked", fault.Sender,
		"The decision approves something that the request does not ask for. Approve only what was asked, or less.")
	ErrCounselling = fault.New(fault.Forbidden, "counselling-not-approvable", fault.Sender,
		"Counselling records are presumed not given. They can be approved only where the request asks for them and a second, senior officer has approved that it does.")
)

// InquiryDecisionClaims are what the holder states about a police request, and all that the
// police are ever told of it.
//
// It has no time of its own, and its id none in it, unlike every other statement: that a no
// was said after ten minutes, or after a week, tells whether she is known. What makes it
// fresh is the one request that it names, about which there is one decision. A no names no
// reason, and is the same for somebody who is not known here, and for one who objects: the
// reason is in a text sealed to the holder itself, of which this carries the digest.
type InquiryDecisionClaims struct {
	Hub         string   `json:"hub"`
	Issuer      string   `json:"iss"` // the holder
	ID          string   `json:"jti"` // 128 random bits
	Act         string   `json:"act"` // the manager, by opaque id
	Of          string   `json:"of"`  // jti of the request
	Digest      string   `json:"digest"`
	Decision    string   `json:"decision"`              // one of Decisions
	Sections    []string `json:"sections,omitempty"`    // of a yes: exactly what is approved
	Counselling string   `json:"counselling,omitempty"` // of a yes: yes or no
	Told        string   `json:"told,omitempty"`        // of a yes: whether she has been told
	NotTold     string   `json:"not_told_reason,omitempty"`
	Sealed      string   `json:"sealed"` // digest of the reason
}

// InquiryDecision is a decision whose signature has been verified.
type InquiryDecision struct {
	InquiryDecisionClaims
	token string
}

// Token is the signed decision as it was posted.
func (d InquiryDecision) Token() string { return d.token }

// Fingerprint is the base64url SHA-256 of the signed decision.
func (d InquiryDecision) Fingerprint() string { return ids.Digest(d.token) }

// PostedInquiryDecision is a decision with the reason that only the holder can read.
type PostedInquiryDecision struct {
	Decision string `json:"decision"` // the signed statement
	Sealed   string `json:"sealed"`   // a JWE to the holder's own key
}

// ReadInquiryDecision takes apart what was posted, and checks that the reason is the one that
// the statement binds. What it says, only the holder can read.
func ReadInquiryDecision(body []byte) (Statement[InquiryDecisionClaims], PostedInquiryDecision, error) {
	var p PostedInquiryDecision
	if err := strict.Unmarshal(body, &p); err != nil {
		return Statement[InquiryDecisionClaims]{}, p, ErrMalformed
	}
	s, err := ParseInquiryDecision(p.Decision)
	if err != nil {
		return s, p, err
	}
	if _, err := jose.ParseEncrypted(p.Sealed, sealedLimit); err != nil || ids.Digest(p.Sealed) != s.claims.Sealed {
		return Statement[InquiryDecisionClaims]{}, p, badInquiry("sealed")
	}
	return s, p, nil
}

// ParseInquiryDecision takes a decision apart and checks its form.
func ParseInquiryDecision(token string) (Statement[InquiryDecisionClaims], error) {
	s, err := parse[InquiryDecisionClaims](token, InquiryDecisionType)
	if err != nil {
		return s, err
	}
	if name := s.claims.fault(); name != "" {
		return Statement[InquiryDecisionClaims]{}, badInquiry(name)
	}
	return s, nil
}

// VerifyInquiryDecision checks a decision's signature with its issuer's key.
func VerifyInquiryDecision(s Statement[InquiryDecisionClaims], key jose.PublicKey) (InquiryDecision, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return InquiryDecision{}, ErrSignature
	}
	return InquiryDecision{InquiryDecisionClaims: s.claims, token: s.token}, nil
}

// Sign makes a decision of the claims.
func (d InquiryDecisionClaims) Sign(key jose.SigningKey) (string, error) {
	if name := d.fault(); name != "" {
		return "", badInquiry(name)
	}
	return sign(d, InquiryDecisionType, key)
}

func (d InquiryDecisionClaims) fault() string {
	switch {
	case d.Hub == "":
		return "hub"
	case !ids.IsName(d.Issuer):
		return "iss"
	case !ids.IsSubject(d.ID): // no UUID: some carry the time
		return "jti"
	case !ids.IsUser(d.Act):
		return "act"
	case !ids.IsUUIDv7(d.Of):
		return "of"
	case !ids.IsDigest(d.Digest):
		return "digest"
	case !Decisions().Has(d.Decision):
		return "decision"
	case !ids.IsDigest(d.Sealed):
		return "sealed"
	}
	if d.Decision == Refused {
		return d.silent()
	}
	return d.granting()
}

// silent names the first claim of a no that says more than no.
func (d InquiryDecisionClaims) silent() string {
	switch {
	case len(d.Sections) > 0:
		return "sections"
	case d.Counselling != "":
		return "counselling"
	case d.Told != "":
		return "told"
	case d.NotTold != "":
		return "not_told_reason"
	}
	return ""
}

func (d InquiryDecisionClaims) granting() string {
	switch {
	case hasTwice(d.Sections), !all(d.Sections, codes.Sections()), len(d.Sections) == 0 && d.Counselling != yes:
		return "sections"
	case !isYesNo(d.Counselling):
		return "counselling"
	}
	return tellingFault(d.Told, d.NotTold)
}

// tellingFault checks that it is said whether she was told and, if not, why.
func tellingFault(told, reason string) string {
	switch {
	case !isYesNo(told):
		return "told"
	case (told == no) != (reason != ""), reason != "" && !NotToldReasons().Has(reason):
		return "not_told_reason"
	}
	return ""
}

// Answers refuses a decision that is not about exactly this request, or approves what it does
// not ask for. Counselling records go with the second officer's approval alone, however the
// request came to be stored.
func (d InquiryDecisionClaims) Answers(q InquiryClaims, digest string) error {
	more := func(section string) bool { return !slices.Contains(q.Sections, section) }
	switch {
	case d.Hub != q.Hub:
		return ErrStale
	case d.Of != q.ID, d.Digest != digest:
		return badInquiry("digest")
	case d.Counselling == yes && (q.Counselling != yes || q.Senior == Senior{} || q.Senior.Act == q.Act):
		return ErrCounselling
	case slices.ContainsFunc(d.Sections, more):
		return ErrNotAsked
	}
	return nil
}
