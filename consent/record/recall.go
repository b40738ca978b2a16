package record

import (
	"slices"

	"handover/internal/codes"
	"handover/internal/ids"
	"handover/keys/jose"
)

// RecallType is the typ header of the answer to what somebody is asked because of a
// withdrawal.
const RecallType = "handover-recall+jwt"

// RecallClaims are what such an answer states: of one withdrawn record, whether what was
// received on it is deleted or kept, and if it is kept, on which basis; or, by the sender of
// a referral that was accepted, whether help goes on.
type RecallClaims struct {
	Hub       string `json:"hub"`
	Issuer    string `json:"iss"` // the partner that was asked
	ID        string `json:"jti"` // UUIDv7
	IssuedAt  int64  `json:"iat"`
	Act       string `json:"act,omitempty"`
	Consent   string `json:"consent"`
	Digest    string `json:"digest"`              // of the record withdrawn
	Referral  string `json:"referral,omitempty"`  // of which help goes on, or ends
	Answer    string `json:"answer"`              // one of RecallAnswers
	Article6  string `json:"art6,omitempty"`      // of kept: one of Articles6, and not her consent
	Provision string `json:"provision,omitempty"` // of kept under c or e
	Because   string `json:"because,omitempty"`   // of kept: one of KeepReasons
}

// The answers.
const (
	Deleted = "deleted"
	Kept    = "kept"
	GoesOn  = "goes-on"
	Ends    = "ends"
)

// RecallAnswers are what can be answered.
func RecallAnswers() codes.List {
	return codes.List{
		{Code: Deleted, Label: "deleted, wherever it was", Source: "UK GDPR Art 17(1)(b)"},
		{Code: Kept, Label: "kept, because it must be", Source: "UK GDPR Art 17(3)"},
		{Code: GoesOn, Label: "help goes on, and nothing more is shared", Source: "Handover"},
		{Code: Ends, Label: "help ends", Source: "Handover"},
	}
}

// KeepReasons are why something must be kept although she took her consent back.
func KeepReasons() codes.List {
	return codes.List{
		{Code: "legal-obligation", Label: "the law obliges us to keep it", Source: "UK GDPR Art 17(3)(b), legal obligation"},
		{Code: "public-task", Label: "a public task cannot be done without it", Source: "UK GDPR Art 17(3)(b), public task"},
		{Code: "health-record", Label: "it is part of a health or care record", Source: "UK GDPR Art 17(3)(c), Records Management Code of Practice 2021"},
		{Code: "safeguarding", Label: "she or somebody else is not safe without it", Source: "Data Protection Act 2018 Sch 1 para 18"},
		{Code: "legal-claims", Label: "for legal claims", Source: "UK GDPR Art 17(3)(e)"},
		{Code: "law-enforcement", Label: "for an investigation or a prosecution", Source: "Data Protection Act 2018 s47"},
	}
}

// Recall is an answer whose signature has been verified.
type Recall struct {
	RecallClaims
	token string
}

// Token is the signed answer as it was posted.
func (r Recall) Token() string { return r.token }

// Fingerprint is the base64url SHA-256 of the signed answer.
func (r Recall) Fingerprint() string { return ids.Digest(r.token) }

// SuitsCategory refuses a basis that is not the holder's to rely on, given its category.
func (r RecallClaims) SuitsCategory(category string) error {
	return Bases{{Controller: r.Issuer, Article6: r.Article6}}.SuitCategory(func(string) string { return category })
}

// ParseRecall takes an answer apart and checks its form.
func ParseRecall(token string) (Statement[RecallClaims], error) {
	s, err := parse[RecallClaims](token, RecallType)
	if err != nil {
		return s, err
	}
	if name := s.claims.fault(); name != "" {
		return Statement[RecallClaims]{}, bad(name)
	}
	return s, nil
}

// VerifyRecall checks an answer's signature with its issuer's key.
func VerifyRecall(s Statement[RecallClaims], key jose.PublicKey) (Recall, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Recall{}, ErrSignature
	}
	return Recall{RecallClaims: s.claims, token: s.token}, nil
}

// Sign makes an answer of the claims.
func (r RecallClaims) Sign(key jose.SigningKey) (string, error) {
	if name := r.fault(); name != "" {
		return "", bad(name)
	}
	return sign(r, RecallType, key)
}

func (r RecallClaims) fault() string {
	w := WithdrawalClaims{r.Hub, r.Issuer, r.ID, r.IssuedAt, r.Act, r.Consent, r.Digest}
	if name := w.fault(); name != "" {
		return name
	}
	help := r.Answer == GoesOn || r.Answer == Ends
	switch {
	case !RecallAnswers().Has(r.Answer):
		return "answer"
	case help != (r.Referral != ""), r.Referral != "" && !ids.IsDigest(r.Referral):
		return "referral"
	}
	if r.Answer != Kept {
		if r.Article6 != "" || r.Provision != "" || r.Because != "" {
			return "answer"
		}
		return ""
	}
	return r.keeping()
}

// keeping checks the basis of what is kept. Her consent is none: she took it back.
func (r RecallClaims) keeping() string {
	switch {
	case r.Article6 == "a" || !Articles6().Has(r.Article6):
		return "art6"
	case slices.Contains([]string{"c", "e"}, r.Article6) && r.Provision == "", r.Provision != "" && !IsProvision(r.Provision):
		return "provision"
	case !KeepReasons().Has(r.Because):
		return "because"
	}
	return ""
}
