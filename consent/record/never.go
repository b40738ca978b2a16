package record

import (
	"strings"

	"handover/internal/ids"
	"handover/keys/jose"
)

// The typ headers of what she never wants shared with somebody, and of its end.
const (
	NeverType = "handover-never+jwt"
	LiftType  = "handover-never-lift+jwt"
)

// The most subjects and recipients that one never names.
const (
	NeverSubjects   = 64
	NeverRecipients = 32
)

// NeverClaims state with whom nothing about her may ever be shared: a hard stop, checked
// before everything else, that no consent and no override passes. Her recorder names her by
// every reference that she has, since she has another for each recipient.
type NeverClaims struct {
	Hub        string   `json:"hub"`
	Issuer     string   `json:"iss"` // the partner she told
	ID         string   `json:"jti"` // UUIDv7
	IssuedAt   int64    `json:"iat"`
	Act        string   `json:"act,omitempty"`
	Subjects   []string `json:"subjects"`   // her random references
	Recipients []string `json:"recipients"` // partner ids, or category:NAME
}

// LiftClaims state that she has changed her mind about exactly one never.
type LiftClaims struct {
	Hub      string `json:"hub"`
	Issuer   string `json:"iss"` // the partner that recorded it
	ID       string `json:"jti"` // UUIDv7
	IssuedAt int64  `json:"iat"`
	Act      string `json:"act,omitempty"`
	Never    string `json:"never"`
	Digest   string `json:"digest"` // of the never lifted
}

// Never is a never whose signature has been verified, Lift the end of one.
type (
	Never struct {
		NeverClaims
		token string
	}
	Lift struct {
		LiftClaims
		token string
	}
)

// Token is the signed statement as it was posted.
func (n Never) Token() string { return n.token }

// Fingerprint is the base64url SHA-256 of the signed statement.
func (n Never) Fingerprint() string { return ids.Digest(n.token) }

// Token is the signed statement as it was posted.
func (l Lift) Token() string { return l.token }

// Fingerprint is the base64url SHA-256 of the signed statement.
func (l Lift) Fingerprint() string { return ids.Digest(l.token) }

// ParseNever takes a never apart and checks its form.
func ParseNever(token string) (Statement[NeverClaims], error) {
	s, err := parse[NeverClaims](token, NeverType)
	if err != nil {
		return s, err
	}
	if name := s.claims.fault(); name != "" {
		return Statement[NeverClaims]{}, bad(name)
	}
	return s, nil
}

// ParseLift takes the end of a never apart and checks its form.
func ParseLift(token string) (Statement[LiftClaims], error) {
	s, err := parse[LiftClaims](token, LiftType)
	if err != nil {
		return s, err
	}
	if name := s.claims.fault(); name != "" {
		return Statement[LiftClaims]{}, bad(name)
	}
	return s, nil
}

// VerifyNever checks a never's signature with its issuer's key.
func VerifyNever(s Statement[NeverClaims], key jose.PublicKey) (Never, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Never{}, ErrSignature
	}
	return Never{NeverClaims: s.claims, token: s.token}, nil
}

// VerifyLift checks the signature of a never's end with its issuer's key.
func VerifyLift(s Statement[LiftClaims], key jose.PublicKey) (Lift, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Lift{}, ErrSignature
	}
	return Lift{LiftClaims: s.claims, token: s.token}, nil
}

// Sign makes a never of the claims.
func (n NeverClaims) Sign(key jose.SigningKey) (string, error) {
	if name := n.fault(); name != "" {
		return "", bad(name)
	}
	return sign(n, NeverType, key)
}

// Sign makes the end of a never of the claims.
func (l LiftClaims) Sign(key jose.SigningKey) (string, error) {
	if name := l.fault(); name != "" {
		return "", bad(name)
	}
	return sign(l, LiftType, key)
}

func (n NeverClaims) fault() string {
	if name := stated(n.Hub, n.Issuer, n.ID, n.IssuedAt, n.Act); name != "" {
		return name
	}
	if len(n.Subjects) == 0 || len(n.Subjects) > NeverSubjects || hasTwice(n.Subjects) {
		return "subjects"
	}
	for _, s := range n.Subjects {
		if !ids.IsSubject(s) {
			return "subjects"
		}
	}
	if len(n.Recipients) == 0 || len(n.Recipients) > NeverRecipients || hasTwice(n.Recipients) {
		return "recipients"
	}
	for _, r := range n.Recipients {
		if !ids.IsName(strings.TrimPrefix(r, CategoryPrefix)) {
			return "recipients"
		}
	}
	return ""
}

func (l LiftClaims) fault() string {
	if name := stated(l.Hub, l.Issuer, l.ID, l.IssuedAt, l.Act); name != "" {
		return name
	}
	switch {
	case !ids.IsUUIDv7(l.Never):
		return "never"
	case !ids.IsDigest(l.Digest):
		return "digest"
	}
	return ""
}

// stated checks the claims that every statement has.
func stated(hub, issuer, id string, issuedAt int64, act string) string {
	switch {
	case hub == "":
		return "hub"
	case !ids.IsName(issuer):
		return "iss"
	case !ids.IsUUIDv7(id):
		return "jti"
	case issuedAt <= 0:
		return "iat"
	case act != "" && !ids.IsUser(act):
		return "act"
	}
	return ""
}
