// Package terms is the pure part of data-sharing agreements: what the signed statements about
// them say, which are well formed, and which belong together. Bytes, keys and a time go in; a
// verified value or a refusal comes out.
//
// An agreement is proposed by one agency's administrator (terms.go), answered by the other's
// over the digest of exactly that proposal (answer.go), and ended by either (answer.go too).
// standing.go says where an agreement stands, and who may do what with it; words.go what is
// wrong with a claim.
package terms

import (
	"slices"
	"time"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// The typ headers of the three statements.
const (
	ProposalType = "handover-agreement+jwt"
	AnswerType   = "handover-agreement-answer+jwt"
	EndType      = "handover-agreement-end+jwt"
)

// Limit is the most bytes a statement takes; Skew how far clocks may differ; MaxAge how long
// ago it may have been signed when it is posted; MaxLife how long an agreement may stand, and
// MaxAhead how long before its beginning it may be proposed.
const (
	Limit    = 16 << 10
	Skew     = 60 * time.Second
	MaxAge   = 24 * time.Hour
	MaxLife  = 731 * 24 * time.Hour
	MaxAhead = 366 * 24 * time.Hour
)

// What a statement can be refused for.
var (
	ErrMalformed = fault.New(fault.Unprocessable, "agreement-malformed", fault.Sender,
		"The statement about an agreement is not a compact JWS of its type with exactly its claims. Sign it again.")
	ErrClaim = fault.New(fault.Unprocessable, "agreement-claim", fault.Sender,
		"A claim of the statement is missing, has the wrong form or is not one of its codes. The member claim names it, why says what to do.")
	ErrSignature = fault.New(fault.Unprocessable, "agreement-signature", fault.Sender,
		"The signature does not verify with the key it names. Sign again with your current signing key.")
	ErrStale = fault.New(fault.Unprocessable, "agreement-stale", fault.Sender,
		"The statement is meant for another hub, or was signed more than 24 hours ago or in the future. Check the hub and your clock, and sign again.")
)

// Way is what one agency may send the other: any of the sections, for any of the purposes.
type Way struct {
	Purposes []string `json:"purposes"`
	Sections []string `json:"sections"`
}

// Empty reports whether nothing may go this way.
func (w Way) Empty() bool { return len(w.Purposes) == 0 && len(w.Sections) == 0 }

// Equal reports whether both ways say the same.
func (w Way) Equal(o Way) bool {
	return slices.Equal(w.Purposes, o.Purposes) && slices.Equal(w.Sections, o.Sections)
}

// Claims are what an agency proposes. Times are NumericDates in seconds.
type Claims struct {
	Hub        string `json:"hub"`
	Issuer     string `json:"iss"` // the agency that proposes
	ID         string `json:"jti"` // UUIDv7, of the agreement
	IssuedAt   int64  `json:"iat"`
	Act        string `json:"act"`                  // its administrator, by opaque id
	Other      string `json:"other"`                // the agency that is asked to sign
	Version    int    `json:"version"`              // 1, or one more than of the agreement whose place it takes
	Supersedes string `json:"supersedes,omitempty"` // id of the agreement whose place it takes when it is signed
	Sends      Way    `json:"sends,omitzero"`       // what Issuer may send Other; left out: nothing
	Receives   Way    `json:"receives,omitzero"`    // what Other may send Issuer
	ValidFrom  int64  `json:"valid_from"`
	ValidTo    int64  `json:"valid_to"`
	ReviewAt   int64  `json:"review_at"` // when both look at it again
}

// Proposal is a proposal whose signature has been verified.
type Proposal struct {
	Claims
	token string
}

// Token is the signed proposal as it was posted.
func (p Proposal) Token() string { return p.token }

// Digest is the base64url SHA-256 of the signed proposal, over which the other agency signs.
func (p Proposal) Digest() string { return ids.Digest(p.token) }

// Statement is a statement taken apart but not yet believed.
type Statement[T any] struct {
	token  string
	signed jose.Signed
	claims T
}

// Unverified returns the claims without proof that their issuer made them.
func (s Statement[T]) Unverified() T { return s.claims }

// KeyID is the kid that the statement names.
func (s Statement[T]) KeyID() string { return s.signed.KeyID() }

// Token is the statement as it was posted.
func (s Statement[T]) Token() string { return s.token }

// Digest is the base64url SHA-256 of the statement.
func (s Statement[T]) Digest() string { return ids.Digest(s.token) }

// ParseProposal takes a proposal apart and checks its form.
func ParseProposal(token string) (Statement[Claims], error) {
	return parse[Claims](token, ProposalType)
}

// VerifyProposal checks a proposal's signature with its issuer's key.
func VerifyProposal(s Statement[Claims], key jose.PublicKey) (Proposal, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Proposal{}, ErrSignature
	}
	return Proposal{Claims: s.claims, token: s.token}, nil
}

// Sign makes a proposal of the claims.
func (c Claims) Sign(key jose.SigningKey) (string, error) { return sign(c, ProposalType, key) }

// Fresh checks a statement against the hub it reached and the time it did, so that neither one
// for a staging hub nor an old one from a backup can be posted.
func Fresh(statementHub string, issuedAt int64, hub string, now time.Time) error {
	at := time.Unix(issuedAt, 0)
	if statementHub != hub || at.After(now.Add(Skew)) || at.Before(now.Add(-MaxAge)) {
		return ErrStale
	}
	return nil
}

type claims interface{ fault() string }

func parse[T claims](token, typ string) (Statement[T], error) {
	signed, err := jose.ParseSigned(token, Limit, typ)
	if err != nil {
		return Statement[T]{}, ErrMalformed
	}
	s := Statement[T]{token: token, signed: signed}
	if err := strict.Unmarshal(signed.UnverifiedPayload(), &s.claims); err != nil {
		return Statement[T]{}, ErrMalformed
	}
	if name := s.claims.fault(); name != "" {
		return Statement[T]{}, bad(name)
	}
	return s, nil
}

func sign(c claims, typ string, key jose.SigningKey) (string, error) {
	if name := c.fault(); name != "" {
		return "", bad(name)
	}
	body, err := strict.Marshal(c)
	if err != nil {
		return "", err
	}
	return jose.Sign(typ, body, key)
}

// fault names the first claim that is not as it must be.
func (c Claims) fault() string {
	if name := stated(c.Hub, c.Issuer, c.ID, c.IssuedAt, c.Act, c.Other); name != "" {
		return name
	}
	switch {
	case c.Version < 1 || c.Version > 9999, (c.Version == 1) != (c.Supersedes == ""):
		return "version"
	case c.Supersedes != "" && (!ids.IsUUIDv7(c.Supersedes) || c.Supersedes == c.ID):
		return "supersedes"
	case c.Sends.wrong() || c.Sends.Empty() && c.Receives.Empty():
		return "sends"
	case c.Receives.wrong():
		return "receives"
	}
	return c.times()
}

// times names the first time that is not as it must be. What takes the place of an agreement
// does so when it is signed: it cannot begin later, or nothing would be agreed in between.
func (c Claims) times() string {
	life := time.Duration(c.ValidTo-c.ValidFrom) * time.Second
	switch {
	case c.ValidFrom <= 0, c.ValidFrom > c.IssuedAt+int64(MaxAhead/time.Second), c.Supersedes != "" && c.ValidFrom > c.IssuedAt:
		return "valid_from"
	case c.ValidTo <= c.ValidFrom, c.ValidTo <= c.IssuedAt, c.ValidTo > maxTime, life > MaxLife:
		return "valid_to"
	case c.ReviewAt <= c.ValidFrom, c.ReviewAt > c.ValidTo:
		return "review_at"
	}
	return ""
}

// maxTime is the end of the year 9999: what is later is no date that anybody means, and so far
// ahead that sums with it would turn over.
const maxTime = 253402300799

// wrong reports whether the way is neither empty nor a list of known purposes and sections,
// each once.
func (w Way) wrong() bool {
	if w.Purposes == nil && w.Sections == nil {
		return false
	}
	return !fits(w.Purposes, codes.Purposes()) || !fits(w.Sections, codes.Sections())
}

func fits(given []string, known codes.List) bool {
	twice := len(slices.Compact(slices.Sorted(slices.Values(given)))) != len(given)
	return len(given) > 0 && !twice && !slices.ContainsFunc(given, func(code string) bool { return !known.Has(code) })
}

// stated checks the claims that every statement has.
func stated(hub, issuer, id string, issuedAt int64, act, other string) string {
	switch {
	case hub == "":
		return "hub"
	case !ids.IsName(issuer):
		return "iss"
	case !ids.IsUUIDv7(id):
		return "jti"
	case issuedAt <= 0 || issuedAt > maxTime:
		return "iat"
	case !ids.IsUser(act):
		return "act"
	case !ids.IsName(other) || other == issuer:
		return "other"
	}
	return ""
}
