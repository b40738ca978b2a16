package record

import (
	"slices"
	"strings"
	"time"

	"handover/internal/codes"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// OverrideType is the typ header of an override, OverrideMedia the media type as which it is
// posted.
const (
	OverrideType  = "handover-override+jwt"
	OverrideMedia = "application/vnd.handover.override+json"
)

// OverrideLife is the longest an override may stand; EmergencyLife how long one of an
// emergency covers anything before a second person has approved it.
const (
	OverrideLife  = 28 * 24 * time.Hour
	EmergencyLife = 24 * time.Hour
)

// What an override can be refused for.
var (
	ErrOverrideClaim = fault.New(fault.Unprocessable, "override-claim", fault.Sender,
		"A claim of the override is missing, has the wrong form or does not go with the others. The member claim names it, the member why says what to do.")
	ErrGate = fault.New(fault.Forbidden, "gate-not-passable", fault.Sender,
		"A homelessness referral (duty to refer) and a referral of an adult to the NRM need her own agreement by law: nobody can override it. Ask her; where she says no to the NRM, a public authority's duty to notify is another way.")
	ErrOverrideNotCovered = fault.New(fault.Forbidden, "override-not-covered", fault.Sender,
		"The override does not cover this: it is for one subject, one purpose, one recipient and the sections it names, and for the agency that made it alone. Leave out the rest, or propose another override.")
	ErrOverrideExpired = fault.New(fault.Forbidden, "override-expired", fault.Sender,
		"The override has run out, or is not in force yet. If it is still needed, propose a new one.")
)

// OverrideClaims are what an override states: that something about her is shared without her
// agreement, with exactly one partner, and why. Times are NumericDates in seconds.
type OverrideClaims struct {
	Hub       string            `json:"hub"`
	Issuer    string            `json:"iss"` // the partner that shares
	ID        string            `json:"jti"` // UUIDv7
	IssuedAt  int64             `json:"iat"`
	Act       string            `json:"act"` // who proposes it, by opaque id
	Subject   string            `json:"sub"`
	Purpose   string            `json:"purpose"`
	Recipient string            `json:"recipient"` // one partner id
	Sections  []string          `json:"sections"`
	Agreement string            `json:"agreement"` // what she said; never agreed
	Reason    string            `json:"reason"`    // one of Reasons
	AtRisk    []string          `json:"at_risk"`   // of AtRisks
	Told      string            `json:"told"`      // yes or no
	NotTold   string            `json:"not_told_reason,omitempty"`
	Bases     Bases             `json:"basis"`
	Gate      Gate              `json:"gate"`
	Emergency bool              `json:"emergency,omitzero"` // it cannot wait for the second person
	ValidFrom int64             `json:"valid_from"`
	Expires   int64             `json:"expires_at"`
	ReviewAt  int64             `json:"review_at"`
	Sealed    map[string]string `json:"sealed"` // digests of the texts, by part
}

// Override is an override whose signature has been verified.
type Override struct {
	OverrideClaims
	token string
}

// Token is the signed override as it was posted.
func (o Override) Token() string { return o.token }

// Digest is the base64url SHA-256 of the signed override, by which packets and decisions
// bind it.
func (o Override) Digest() string { return ids.Digest(o.token) }

// PostedOverride is an override with its texts, which only its recorder can read.
type PostedOverride struct {
	Override string            `json:"override"` // the signed statement
	Sealed   map[string]string `json:"sealed"`   // JWEs to the recorder's own key, by part
}

// ReadOverride takes apart what was posted, and checks that the texts are those that the
// statement binds. What is in them, only the recorder can say.
func ReadOverride(body []byte) (Statement[OverrideClaims], PostedOverride, error) {
	var p PostedOverride
	if err := strict.Unmarshal(body, &p); err != nil {
		return Statement[OverrideClaims]{}, PostedOverride{}, ErrMalformed
	}
	s, err := ParseOverride(p.Override)
	if err != nil {
		return s, PostedOverride{}, err
	}
	if fitSealed(s.claims.Sealed, p.Sealed) != nil {
		return Statement[OverrideClaims]{}, PostedOverride{}, badOverride("sealed")
	}
	return s, p, nil
}

// ParseOverride takes an override apart and checks its form.
func ParseOverride(token string) (Statement[OverrideClaims], error) {
	s, err := parse[OverrideClaims](token, OverrideType)
	if err != nil {
		return s, err
	}
	if err := s.claims.check(); err != nil {
		return Statement[OverrideClaims]{}, err
	}
	return s, nil
}

// VerifyOverride checks an override's signature with its issuer's key.
func VerifyOverride(s Statement[OverrideClaims], key jose.PublicKey) (Override, error) {
	if _, err := s.signed.Verify(key); err != nil {
		return Override{}, ErrSignature
	}
	return Override{OverrideClaims: s.claims, token: s.token}, nil
}

// Sign makes an override of the claims.
func (o OverrideClaims) Sign(key jose.SigningKey) (string, error) {
	if err := o.check(); err != nil {
		return "", err
	}
	return sign(o, OverrideType, key)
}

// Covers decides whether the override is about this and in force: her, this purpose, exactly
// this recipient, every section, now. Whether it was approved, the caller holds under a lock.
func (o OverrideClaims) Covers(p Passage) error {
	if o.Subject != p.Subject || o.Purpose != p.Purpose || o.Issuer != p.Sender || o.Recipient != p.Recipient {
		// Nobody but who made it relies on it: or a recipient could send her story on.
		return ErrOverrideNotCovered
	}
	for _, class := range p.Classes {
		if !slices.Contains(o.Sections, class) {
			return ErrOverrideNotCovered.With("section", class)
		}
	}
	if p.Now.Unix() < o.ValidFrom || p.Now.Unix() >= o.Expires {
		return ErrOverrideExpired
	}
	return nil
}

// check refuses an override that is not as it must be. The gates that need her agreement come
// first, since no change to the rest would let it through.
func (o OverrideClaims) check() error {
	if err := Passable(o.Purpose, o.Gate.Pathway); err != nil {
		return err
	}
	for _, find := range []func() string{o.form, o.reach, o.grounds, o.time} {
		if name := find(); name != "" {
			return badOverride(name)
		}
	}
	return nil
}

// Passable returns ErrGate for a purpose or pathway that needs her own agreement.
func Passable(purpose, pathway string) error {
	if NeedsAgreement(pathway) || slices.Contains(purposesThatNeedAgreement(), purpose) {
		return ErrGate
	}
	return nil
}

// purposesThatNeedAgreement are those whose every pathway needs it.
func purposesThatNeedAgreement() []string { return []string{"duty-to-refer", "nrm"} }

func (o OverrideClaims) form() string {
	switch {
	case o.Hub == "":
		return "hub"
	case !ids.IsName(o.Issuer):
		return "iss"
	case !ids.IsUUIDv7(o.ID):
		return "jti"
	case o.IssuedAt <= 0:
		return "iat"
	case !ids.IsUser(o.Act):
		return "act"
	case !ids.IsSubject(o.Subject):
		return "sub"
	case o.Agreement == "agreed", !Agreements().Has(o.Agreement):
		return "agreement"
	}
	if len(o.Sealed) != len(OverrideParts()) {
		return "sealed"
	}
	for _, part := range OverrideParts() {
		if !ids.IsDigest(o.Sealed[part.Code]) {
			return "sealed"
		}
	}
	return ""
}

// reach checks to whom and what: one partner, one purpose, sections that exist.
func (o OverrideClaims) reach() string {
	switch {
	case !codes.Purposes().Has(o.Purpose):
		return "purpose"
	case !ids.IsName(o.Recipient) || o.Recipient == o.Issuer:
		return "recipient"
	case len(o.Sections) == 0 || hasTwice(o.Sections), !all(o.Sections, codes.Sections()):
		return "sections"
	}
	return ""
}

// grounds checks why, and on which basis. Consent in the sense of data-protection law is none
// here: to name it and share against her word would deceive her twice.
func (o OverrideClaims) grounds() string {
	switch {
	case !Reasons().Has(o.Reason), o.Reason == CannotConsent && o.Agreement == "refused":
		return "reason"
	case len(o.AtRisk) == 0 || hasTwice(o.AtRisk), !all(o.AtRisk, AtRisks()), o.Reason == ChildAtRisk && !slices.Contains(o.AtRisk, Child),
		o.Reason == OthersAtRisk && slices.Equal(o.AtRisk, []string{Herself}):
		return "at_risk"
	case o.Told != "yes" && o.Told != "no":
		return "told"
	case (o.Told == "no") != (o.NotTold != ""), o.NotTold != "" && !NotToldReasons().Has(o.NotTold):
		return "not_told_reason"
	}
	if name := o.Gate.fault(o.Purpose, o.Agreement); name != "" {
		return name
	}
	if name := o.Bases.fault(o.Issuer, o.Sections); name != "" {
		return name
	}
	for _, b := range o.Bases {
		switch {
		case b.Article6 == "a":
			return "basis.art6"
		case b.Article9 == "a":
			return "basis.art9"
		case b.Schedule1 == "29": // consent, for data about offences
			return "basis.schedule1"
		}
	}
	return ""
}

// time checks when: at once if it is an emergency, for 28 days at most, and looked at again
// before it ends.
func (o OverrideClaims) time() string {
	skew, life := int64(Skew/time.Second), int64(OverrideLife/time.Second)
	switch {
	case o.ValidFrom < o.IssuedAt-skew || o.ValidFrom > o.IssuedAt+life, o.Emergency && o.ValidFrom > o.IssuedAt+skew:
		return "valid_from"
	case o.Expires <= o.ValidFrom || o.Expires > o.ValidFrom+life:
		return "expires_at"
	case o.ReviewAt <= o.ValidFrom || o.ReviewAt > o.Expires:
		return "review_at"
	}
	return ""
}

// all reports whether every code is in the list.
func all(given []string, list codes.List) bool {
	return !slices.ContainsFunc(given, func(code string) bool { return !list.Has(code) })
}

// badOverride returns the refusal of a claim of an override, with its name and, in a
// caseworker's words, what is wrong and what to do. It never repeats what the claim said.
func badOverride(claim string) error {
	return ErrOverrideClaim.With("claim", claim).With("why", WhyOverride(claim))
}

// WhyOverride says what a claim of an override must be, in a caseworker's words; "" for what
// is no claim.
func WhyOverride(claim string) string {
	whys := map[string]string{
		"act":             "Somebody proposes it, and says so: her opaque id, never a name or e-mail address.",
		"agreement":       "Say what she said: " + strings.Join(unagreed(), ", ") + ". If she agreed, record her agreement instead.",
		"purpose":         "Name one purpose from the list.",
		"recipient":       "Name exactly one agency by its id: no category, no list, not your own.",
		"sections":        "Name the sections from the list that have to be shared, each once, at least one. Nothing else goes.",
		"reason":          "Choose the reason from the list: " + Reasons().String() + ". Who refused could be asked, so cannot-consent does not go with refused.",
		"at_risk":         "Say who is at risk: " + AtRisks().String() + ". child-at-risk needs a child, others-at-risk somebody besides herself.",
		"told":            "Say whether she has been told: yes or no. She is told unless that is dangerous.",
		"not_told_reason": "If she has not been told, choose why: " + NotToldReasons().String() + ". If she has, leave it out.",
		"basis.art6":      "Choose a lawful basis (Article 6) that is yours. Consent (a) is none where she did not agree.",
		"basis.art9":      "Health, access needs, risk and history need a condition of Article 9. Her explicit consent (a) is none where she did not agree.",
		"valid_from":      "It begins when it is signed, or within 28 days; in an emergency at once.",
		"expires_at":      "It must end within 28 days of its beginning.",
		"review_at":       "Name the day to look at it again: after it begins, and not after it ends.",
		"sealed":          "Three texts are needed, each sealed to your own agency: necessity, minimum and at-risk, unchanged since it was signed.",
	}
	if why, ok := whys[claim]; ok {
		return why
	}
	return Why(claim)
}

// unagreed are what she can have said, or not have been asked, where an override may be
// proposed.
func unagreed() []string {
	return slices.DeleteFunc(Agreements().Codes(), func(code string) bool { return code == "agreed" })
}
