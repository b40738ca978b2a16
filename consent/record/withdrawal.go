package record

import (
	"handover/internal/ids"
	"handover/keys/jose"
)

// WithdrawalClaims are what a withdrawal states: that she takes back exactly one
// record. It gives no reason, because she needs none.
type WithdrawalClaims struct {
	Hub      string `json:"hub"`
	Issuer   string `json:"iss"` // the partner she told
	ID       string `json:"jti"` // UUIDv7
	IssuedAt int64  `json:"iat"`
	Act      string `json:"act,omitempty"`
	Consent  string `json:"consent"`
	Digest   string `json:"digest"` // of the record withdrawn
}

// Withdrawal is a withdrawal whose signature has been verified.
type Withdrawal struct {
	WithdrawalClaims
	token string
}

// Token is the signed withdrawal as it was posted.
func (w Withdrawal) Token() string { return w.token }

// Fingerprint is the base64url SHA-256 of the signed withdrawal.
func (w Withdrawal) Fingerprint() string { return ids.Digest(w.token) }

// ParseWithdrawal takes a withdrawal apart and checks its form.
func ParseWithdrawal(token string) (Statement[WithdrawalClaims], error) {
	s, err := parse[WithdrawalClaims](token, WithdrawalType)
	if err != nil {
		return s, err
	}
	if name := s.claims.fault(); name != "" {
		return Statement[WithdrawalClaims]{}, bad(name)
	}
	return s, nil
}

// VerifyWithdrawal checks a withdrawal's signature with its issuer's key.
func VerifyWithdrawal(s Statement[WithdrawalClaims], key jose.PublicKey) (Withdrawal, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Withdrawal{}, ErrSignature
	}
	return Withdrawal{WithdrawalClaims: s.claims, token: s.token}, nil
}

// Sign makes a withdrawal of the claims.
func (w WithdrawalClaims) Sign(key jose.SigningKey) (string, error) {
	if name := w.fault(); name != "" {
		return "", bad(name)
	}
	return sign(w, WithdrawalType, key)
}

func (w WithdrawalClaims) fault() string {
	switch {
	case w.Hub == "":
		return "hub"
	case !ids.IsName(w.Issuer):
		return "iss"
	case !ids.IsUUIDv7(w.ID):
		return "jti"
	case w.IssuedAt <= 0:
		return "iat"
	case w.Act != "" && !ids.IsUser(w.Act):
		return "act"
	case !ids.IsUUID(w.Consent):
		return "consent"
	case !ids.IsDigest(w.Digest):
		return "digest"
	}
	return ""
}
