package partners

import (
	"time"

	"handover/internal/fault"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
)

// RotationType is the typ of a rotation statement.
const RotationType = "handover-key+jwt"

// Rotation puts a new key in the place of an old one: a statement that names hub and
// partner, so that it cannot be carried elsewhere, and the old key, so that no key comes
// without another's end.
type Rotation struct {
	Hub      string         `json:"hub"`
	Partner  ID             `json:"partner"`
	Use      Use            `json:"use"`
	Client   string         `json:"client,omitempty"` // whose authentication key it is
	Key      jose.PublicKey `json:"jwk"`
	IssuedAt int64          `json:"iat"`
	Retire   string         `json:"retire"`           // kid of the key it replaces
	Overlap  int64          `json:"overlap,omitzero"` // seconds in which both count
}

// The limits of a rotation.
const (
	rotationLimit = 8 << 10
	mostOverlap   = 90 * 24 * time.Hour // as long as a packet may wait to be opened
	mostCurrent   = 4                   // keys of one use, or of one system, that count at once
)

// rotationStatement is a rotation that nobody's signature has been checked on.
type rotationStatement struct {
	Rotation
	signed jose.Signed
}

// openRotation takes a statement apart: its form, whom and what it is for; or returns
// ErrRotation.
func openRotation(statement, hub string, partner ID) (rotationStatement, error) {
	signed, err := jose.ParseSigned(statement, rotationLimit, RotationType)
	if err != nil {
		return rotationStatement{}, ErrRotation
	}
	r := rotationStatement{signed: signed}
	if err := strict.Unmarshal(signed.UnverifiedPayload(), &r.Rotation); err != nil {
		return rotationStatement{}, ErrRotation
	}
	switch {
	case r.Hub != hub || r.Partner != partner:
	case r.Overlap < 0 || r.Overlap > int64(mostOverlap/time.Second):
	case r.Use != Authentication && r.Use != Signing && r.Use != Encryption:
	case (r.Use == Authentication) != ids.IsClient(r.Client):
	case !r.Use.fits(r.Key.Algorithm()) || r.Key.KeyID() != r.Key.Thumbprint():
	case !ids.IsDigest(r.Retire) || r.Retire == r.Key.KeyID():
	default:
		return r, nil
	}
	return rotationStatement{}, ErrRotation
}

// verify checks when it was signed and by whom. A key that can sign signs for itself: nobody brings a key
// that she does not hold, such as another agency's, to have what that one signed taken for
// hers. One that can only open has one of the partner's signing keys sign for it, of
// those that count now.
func (r rotationStatement) verify(signing []Key, now time.Time) error {
	at := time.Unix(r.IssuedAt, 0)
	if at.After(now.Add(Skew)) || !at.After(now.Add(-24*time.Hour)) {
		return ErrRotation
	}
	by := r.Key
	if r.Use == Encryption {
		by = jose.PublicKey{}
		for _, k := range signing {
			if k.KeyID() == r.signed.KeyID() && k.ValidAt(now) {
				by = k.PublicKey
			}
		}
	}
	if _, err := r.signed.Verify(by); err != nil {
		return ErrRotation
	}
	return nil
}

// What an administrator can cause about systems and keys.
var (
	ErrSystemNotThere = fault.New(fault.NotFound, "client-not-found", fault.Sender,
		"Your agency has no system with this client id. Check it against the list of systems.")
	ErrKeyNotThere = fault.New(fault.NotFound, "key-not-found", fault.Sender,
		"Your agency has no such key of this use. Check the kid against the list of keys.")
	ErrRotation = fault.New(fault.Unprocessable, "rotation-invalid", fault.Sender,
		"The statement must name this hub, your agency and the key it replaces, overlap by at most 90 days, and be signed just now: by the new key, or for an encryption key by a signing key that counts.")
	ErrKeysTooMany = fault.New(fault.Conflict, "keys-too-many", fault.Sender,
		"Four keys of this use count already. Wait until one has run out, revoke one, or rotate without overlap.")
	ErrRevocation = fault.New(fault.Unprocessable, "revocation-invalid", fault.Sender,
		"A revocation needs a reason: compromised, lost or retired.")
	ErrKeyRevoked = fault.New(fault.Conflict, "key-revoked", fault.Sender,
		"This key was revoked before. Nothing remains to be done.")
	ErrLastKey = fault.New(fault.Conflict, "last-key", fault.Sender,
		"This is the last key of its use that counts, and nothing says that it is in other hands. Rotate it first, or revoke it as compromised or lost.")
)

// RevocationReason is why a key is taken out of use before its time.
type RevocationReason string

// The reasons of a revocation.
const (
	Compromised RevocationReason = "compromised" // somebody else may have it
	Lost        RevocationReason = "lost"        // nobody has it any more
	Retired     RevocationReason = "retired"     // it is not needed any more
)
