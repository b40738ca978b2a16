package partners

import (
	"time"

	"handover/internal/strict"
	"handover/keys/jose"
)

// EnrolmentType is the typ of an enrolment statement.
const EnrolmentType = "handover-enrolment+jwt"

// Enrolment is what a partner's new system says of itself: its three public keys,
// signed by the new signing key. The signature shows that the sender holds that
// key; hub and code_digest bind it to one invitation of one hub, so that it cannot
// be carried elsewhere.
type Enrolment struct {
	Hub        string `json:"hub"`
	CodeDigest string `json:"code_digest"` // base64url SHA-256 of the enrolment code
	IssuedAt   int64  `json:"iat"`
	Keys       struct {
		Authentication jose.PublicKey `json:"authentication,omitzero"` // of no system, where the hub holds the keys
		Signing        jose.PublicKey `json:"signing"`
		Encryption     jose.PublicKey `json:"encryption"`
	} `json:"keys"`
}

// enrolmentLimit is the most bytes an enrolment statement takes.
const enrolmentLimit = 8 << 10

// OpenEnrolment verifies an enrolment statement against the key it brings, the hub
// it is meant for and the time, or returns ErrEnrolment.
func OpenEnrolment(statement, hub, codeDigest string, now time.Time) (Enrolment, error) {
	signed, err := jose.ParseSigned(statement, enrolmentLimit, EnrolmentType)
	if err != nil {
		return Enrolment{}, ErrEnrolment
	}
	var e Enrolment
	if err := strict.Unmarshal(signed.UnverifiedPayload(), &e); err != nil {
		return Enrolment{}, ErrEnrolment
	}
	if _, err := signed.Verify(e.Keys.Signing); err != nil || signed.KeyID() != e.Keys.Signing.KeyID() {
		return Enrolment{}, ErrEnrolment
	}
	at := time.Unix(e.IssuedAt, 0)
	fresh := !at.After(now.Add(Skew)) && at.After(now.Add(-24*time.Hour))
	if e.Hub != hub || e.CodeDigest != codeDigest || !fresh || !e.distinct() {
		return Enrolment{}, ErrEnrolment
	}
	return e, nil
}

// distinct reports whether the three keys differ, fit their uses and are named by
// their thumbprints, so that no kid can be chosen to shadow another partner's.
func (e Enrolment) distinct() bool {
	seen := map[string]bool{}
	for use, k := range e.byUse() {
		if !use.fits(k.Algorithm()) || k.KeyID() != k.Thumbprint() || seen[k.Thumbprint()] {
			return false
		}
		seen[k.Thumbprint()] = true
	}
	return true
}

func (e Enrolment) byUse() map[Use]jose.PublicKey {
	return map[Use]jose.PublicKey{
		Authentication: e.Keys.Authentication, Signing: e.Keys.Signing, Encryption: e.Keys.Encryption,
	}
}
