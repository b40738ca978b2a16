// Package record is the pure part of consent: what the signed statements about consent
// say, which of them are well formed, and what a record covers. Bytes, keys and a time go
// in; a verified value or a refusal comes out.
//
// A consent record keeps four things apart that are often one tick box: what she said
// (record.go), which lawful basis and which condition each agency relies on (basis.go), and
// which statutory gate stands before the pathway (gate.go). How she was asked
// (circumstances.go) and what is sealed to its recorder (sealed.go) come beside it
// (posted.go). covers.go decides; words.go says in a caseworker's words what is wrong.
package record

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// The typ headers of the two statements.
const (
	ConsentType    = "handover-consent+jwt"
	WithdrawalType = "handover-withdrawal+jwt"
)

// Limit is the most bytes either statement takes; Skew how far clocks may differ;
// MaxLife how long a consent may stand.
const (
	Limit   = 16 << 10
	Skew    = 60 * time.Second
	MaxAge  = 24 * time.Hour
	MaxLife = 366 * 24 * time.Hour
)

// What a record can be refused for.
var (
	ErrMalformed = fault.New(fault.Unprocessable, "consent-malformed", fault.Sender,
		"The consent record or withdrawal is not a compact JWS of its type with exactly its claims. Sign it again.")
	ErrClaim = fault.New(fault.Unprocessable, "consent-claim", fault.Sender,
		"A claim of the statement is missing, has the wrong form or is not one of its codes. The member claim names it, why says what to do.")
	ErrSignature = fault.New(fault.Unprocessable, "consent-signature", fault.Sender,
		"The signature does not verify with the key it names. Sign again with your current signing key.")
	ErrStale = fault.New(fault.Unprocessable, "consent-stale", fault.Sender,
		"The record is meant for another hub, or was signed more than 24 hours ago or in the future. Check the hub and your clock, and sign again.")
)

// Claims are what a consent record states. Times are NumericDates in seconds.
type Claims struct {
	Hub          string   `json:"hub"`
	Issuer       string   `json:"iss"` // the partner that recorded it
	ID           string   `json:"jti"` // UUIDv7
	IssuedAt     int64    `json:"iat"`
	Act          string   `json:"act,omitempty"`        // the worker, by opaque id
	Subject      string   `json:"sub"`                  // her random reference
	Supersedes   string   `json:"supersedes,omitempty"` // the earlier record that this one takes the place of
	Jurisdiction string   `json:"jurisdiction"`         // GB-ENG
	Agreement    string   `json:"agreement"`            // what she said: one of Agreements
	Method       string   `json:"method,omitempty"`     // how she said it, if she was asked
	Purpose      string   `json:"purpose"`
	Recipients   []string `json:"recipients"` // partner ids, or category:NAME
	Sections     []string `json:"sections"`   // she agrees to share
	Withheld     []string `json:"withheld,omitempty"`
	Onward       string   `json:"onward"`
	Notice       Notice   `json:"notice,omitzero"` // if she was asked
	Bases        Bases    `json:"basis,omitempty"`
	Gate         Gate     `json:"gate"`

	Circumstances string            `json:"circumstances,omitempty"` // digest of how she was asked
	Sealed        map[string]string `json:"sealed,omitempty"`        // digests of what is sealed to the recorder, by part

	GivenAt   int64 `json:"given_at"`
	ValidFrom int64 `json:"valid_from"`
	Expires   int64 `json:"expires_at"`
	ReviewAt  int64 `json:"review_at,omitempty"`
}

// Notice is what she was told.
type Notice struct {
	Version  string `json:"version"`
	Digest   string `json:"digest"`   // base64url SHA-256 of the notice
	Language string `json:"language"` // BCP 47
}

// Agreements are what she said, or why she was not asked. That a record was withdrawn or
// has run out is no claim of it.
func Agreements() codes.List {
	return codes.List{
		{Code: "agreed", Label: "she agreed", Source: "UK common law of confidentiality"},
		{Code: "refused", Label: "she refused", Source: "UK common law of confidentiality"},
		{Code: "not-asked-unsafe", Label: "not asked: asking was not safe", Source: "SCIE, Safeguarding adults: sharing information"},
		{Code: "not-asked-impracticable", Label: "not asked: she could not be asked", Source: "SCIE, Safeguarding adults: sharing information"},
		{Code: BestInterests, Label: "decided for her, in her best interests", Source: "Mental Capacity Act 2005 s4"},
	}
}

// BestInterests is the agreement of a decision made for somebody who could not decide.
const BestInterests = "lacks-capacity-best-interests"

// collection is where the ways of saying it come from.
const collection = "Kantara Consent Receipt 1.1 collectionMethod"

// Methods are how she can have said it.
func Methods() codes.List {
	return codes.List{
		{Code: "verbal-in-person", Label: "in person", Source: collection}, {Code: "verbal-phone", Label: "by phone", Source: collection},
		{Code: "written", Label: "in writing", Source: collection}, {Code: "digital", Label: "on a screen", Source: collection},
		{Code: "signed-form", Label: "on a signed form", Source: collection},
	}
}

// Onwards are whether what she agreed to may travel on.
func Onwards() codes.List {
	return codes.List{
		{Code: "none", Label: "to nobody else", Source: "FHIR R5 Consent.provision"},
		{Code: "ask-each-time", Label: "ask her each time", Source: "Handover"},
		{Code: "named", Label: "to the partners she named", Source: "FHIR R5 Consent.provision"},
	}
}

// CategoryPrefix marks a recipient that is a category rather than a partner.
const CategoryPrefix = "category:"

// Consent is a consent record whose signature has been verified.
type Consent struct {
	Claims
	token  string
	digest string
}

// Token is the signed record as it was posted.
func (c Consent) Token() string { return c.token }

// Digest is the base64url SHA-256 of the signed record, by which packets bind it.
func (c Consent) Digest() string { return c.digest }

// Statement is a consent record or withdrawal taken apart but not yet believed.
type Statement[T any] struct {
	token  string
	signed jose.Signed
	claims T
}

// Unverified returns the claims without proof that their issuer made them.
func (s Statement[T]) Unverified() T { return s.claims }

// KeyID is the kid that the statement names.
func (s Statement[T]) KeyID() string { return s.signed.KeyID() }

// Digest is the base64url SHA-256 of the statement.
func (s Statement[T]) Digest() string { return ids.Digest(s.token) }

func parse[T any](token, typ string) (Statement[T], error) {
	signed, err := jose.ParseSigned(token, Limit, typ)
	if err != nil {
		return Statement[T]{}, ErrMalformed
	}
	s := Statement[T]{token: token, signed: signed}
	if err := strict.Unmarshal(signed.UnverifiedPayload(), &s.claims); err != nil {
		return Statement[T]{}, ErrMalformed
	}
	return s, nil
}

// ParseConsent takes a consent record apart and checks its form.
func ParseConsent(token string) (Statement[Claims], error) {
	s, err := parse[Claims](token, ConsentType)
	if err != nil {
		return s, err
	}
	if name := s.claims.fault(); name != "" {
		return Statement[Claims]{}, bad(name)
	}
	return s, nil
}

// VerifyConsent checks a record's signature with its issuer's key.
func VerifyConsent(s Statement[Claims], key jose.PublicKey) (Consent, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Consent{}, ErrSignature
	}
	return Consent{Claims: s.claims, token: s.token, digest: s.Digest()}, nil
}

// Sign makes a consent record of the claims.
func (c Claims) Sign(key jose.SigningKey) (string, error) {
	if name := c.fault(); name != "" {
		return "", bad(name)
	}
	return sign(c, ConsentType, key)
}

// Fresh checks a statement against the hub it reached and the time it did, so that
// neither a record for a staging hub nor an old one from a backup can be posted.
func Fresh(statementHub string, issuedAt int64, hub string, now time.Time) error {
	at := time.Unix(issuedAt, 0)
	if statementHub != hub || at.After(now.Add(Skew)) || at.Before(now.Add(-MaxAge)) {
		return ErrStale
	}
	return nil
}

// fault names the first claim that is not as it must be, or "".
func (c Claims) fault() string {
	switch {
	case c.Hub == "":
		return "hub"
	case !ids.IsName(c.Issuer):
		return "iss"
	case !ids.IsUUIDv7(c.ID):
		return "jti"
	case c.IssuedAt <= 0:
		return "iat"
	case c.Act != "" && !ids.IsUser(c.Act):
		return "act"
	case !ids.IsSubject(c.Subject):
		return "sub"
	case c.Supersedes != "" && !ids.IsUUIDv7(c.Supersedes), c.Supersedes == c.ID:
		return "supersedes"
	case c.Jurisdiction != "GB-ENG":
		return "jurisdiction"
	case !Agreements().Has(c.Agreement):
		return "agreement"
	case !codes.Purposes().Has(c.Purpose):
		return "purpose"
	case !Onwards().Has(c.Onward):
		return "onward"
	case c.GivenAt <= 0 || c.GivenAt > c.IssuedAt+int64(Skew/time.Second):
		return "given_at"
	case c.ValidFrom < c.GivenAt:
		return "valid_from"
	case c.Expires <= c.ValidFrom || c.Expires > c.GivenAt+int64(MaxLife/time.Second):
		return "expires_at"
	case c.ReviewAt != 0 && (c.ReviewAt <= c.ValidFrom || c.ReviewAt > c.Expires):
		return "review_at"
	}
	for _, check := range []func() string{c.asking, c.reach, c.law} {
		if name := check(); name != "" {
			return name
		}
	}
	return ""
}

// asking checks how she was asked, or that nothing is said of it where she was not.
func (c Claims) asking() string {
	asked := c.Agreement == "agreed" || c.Agreement == "refused"
	n := c.Notice
	told := n.Version != "" && len(n.Version) <= 40 && ids.IsDigest(n.Digest) && IsLanguage(n.Language)
	switch {
	case asked && !Methods().Has(c.Method), !asked && c.Method != "":
		return "method"
	case asked && !told, !asked && n != (Notice{}):
		return "notice"
	case c.Circumstances != "" && !ids.IsDigest(c.Circumstances), c.Circumstances == "" && (asked || c.Agreement == BestInterests):
		return "circumstances"
	}
	for part, digest := range c.Sealed {
		if !SealedParts().Has(part) || !ids.IsDigest(digest) {
			return "sealed"
		}
	}
	if c.Agreement == BestInterests && c.Sealed["capacity"] == "" {
		return "sealed.capacity"
	}
	return ""
}

// law checks axes 2 to 4 of what can be relied on. A no needs no lawful basis.
func (c Claims) law() string {
	if name := c.Gate.fault(c.Purpose, c.Agreement); name != "" {
		return name
	}
	if !c.Grants() && len(c.Bases) == 0 {
		return ""
	}
	shared := slices.DeleteFunc(slices.Clone(c.Sections), func(s string) bool { return slices.Contains(c.Withheld, s) })
	return c.Bases.fault(c.Issuer, shared)
}

// Grants reports whether what she said, or was decided for her, lets anything be shared.
func (c Claims) Grants() bool { return c.Agreement == "agreed" || c.Agreement == BestInterests }

// reach checks to whom and what: named partners or categories, never a wildcard, and
// only sections that exist. Empty means nothing, never everything.
func (c Claims) reach() string {
	if len(c.Recipients) == 0 || len(c.Recipients) > 32 || hasTwice(c.Recipients) {
		return "recipients"
	}
	for _, r := range c.Recipients {
		if !ids.IsName(strings.TrimPrefix(r, CategoryPrefix)) {
			return "recipients"
		}
	}
	if len(c.Sections) > len(codes.Sections()) || hasTwice(c.Sections) {
		return "sections"
	}
	for _, s := range c.Sections {
		if !codes.Sections().Has(s) {
			return "sections"
		}
	}
	for _, s := range c.Withheld {
		if !codes.Sections().Has(s) {
			return "withheld"
		}
	}
	if hasTwice(c.Withheld) {
		return "withheld"
	}
	return ""
}

func hasTwice(list []string) bool {
	return len(slices.Compact(slices.Sorted(slices.Values(list)))) != len(list)
}

// languagePattern is subtags of letters and digits joined by hyphens.
var languagePattern = regexp.MustCompile(`^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*$`)

// IsLanguage reports whether s has the form of a BCP 47 tag (RFC 5646 §2.1).
func IsLanguage(s string) bool {
	return len(s) >= 2 && len(s) <= 35 && languagePattern.MatchString(s)
}

func sign(claims any, typ string, key jose.SigningKey) (string, error) {
	body, err := strict.Marshal(claims)
	if err != nil {
		return "", err
	}
	return jose.Sign(typ, body, key)
}
