package partners

import (
	"time"

	"handover/audit/proof"
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

	// Possession is what a new signing key signs, where another signs the statement.
	Possession string `json:"possession,omitempty"`
}

// PossessionType is the typ of a proof of possession.
const PossessionType = "handover-possession+jwt"

// Possession says that whoever holds the signing key Key wants it to be the partner's. Nobody
// brings a key that she does not hold, such as another agency's, to have what that one
// signed taken for hers.
type Possession struct {
	Hub     string `json:"hub"`
	Partner ID     `json:"partner"`
	Key     string `json:"kid"` // the thumbprint of the key that signs this
}

// The limits of a rotation.
const (
	rotationLimit   = 8 << 10
	possessionLimit = 2 << 10
	mostOverlap     = 90 * 24 * time.Hour // as long as a packet may wait to be opened
	mostCurrent     = 4                   // keys of one use, or of one system, that count at once
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
	case r.Possession != "" && r.Use != Signing:
	default:
		return r, nil
	}
	return rotationStatement{}, ErrRotation
}

// verify checks when it was signed and by whom, and returns how that introduces the new key.
// Whoever relies on the key later judges the same statement by the same rules, so that not
// even the hub can bring a key: one to sign or to seal to has a signing key of the partner
// sign for it, of those that count now. Only where none does any more, a signing key vouches
// for itself; those who know the partner then ask her. A key to authenticate signs for itself.
func (r rotationStatement) verify(signing []Key, now time.Time) (introduced string, err error) {
	at := time.Unix(r.IssuedAt, 0)
	if at.After(now.Add(Skew)) || !at.After(now.Add(-24*time.Hour)) {
		return "", ErrRotation
	}
	by, introduced, alone := jose.PublicKey{}, proof.Countersigned, true
	for _, k := range signing {
		if k.ValidAt(now) {
			alone = false
			if k.KeyID() == r.signed.KeyID() {
				by = k.PublicKey
			}
		}
	}
	switch {
	case r.Use == Authentication:
		by, introduced = r.Key, proof.Registered
	case r.Use == Signing && alone:
		by, introduced = r.Key, proof.SelfSigned
	case r.Use == Signing && !r.possessed():
		return "", ErrRotation
	}
	if _, err := r.signed.Verify(by); err != nil {
		return "", ErrRotation
	}
	return introduced, nil
}

// possessed reports whether the new key has signed that it is to be this partner's.
func (r rotationStatement) possessed() bool {
	return possesses(r.Possession, Possession{r.Hub, r.Partner, r.Key.KeyID()}, r.Key)
}

// possesses reports whether the key has signed what is wanted.
func possesses(token string, want Possession, by jose.PublicKey) bool {
	signed, err := jose.ParseSigned(token, possessionLimit, PossessionType)
	if err != nil {
		return false
	}
	payload, err := signed.Verify(by)
	var p Possession
	return err == nil && strict.Unmarshal(payload, &p) == nil && p == want
}

// What an administrator can cause about systems and keys.
var (
	ErrSystemNotThere = fault.New(fault.NotFound, "client-not-found", fault.Sender,
		"Your agency has no system with this client id. Check it against the list of systems.")
	ErrKeyNotThere = fault.New(fault.NotFound, "key-not-found", fault.Sender,
		"Your agency has no such key of this use. Check the kid against the list of keys.")
	ErrRotation = fault.New(fault.Unprocessable, "rotation-invalid", fault.Sender,
		"The statement must name this hub, your agency and the key it replaces, overlap by at most 90 days, and be signed just now: by a signing key that counts, with the proof that the new signing key is held; or by the new key itself, if it authenticates or no signing key counts any more.")
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

// check returns why no key can be revoked for the reason, or none with that kid.
func (why RevocationReason) check(kid string) error {
	if why != Compromised && why != Lost && why != Retired {
		return ErrRevocation
	}
	if !ids.IsDigest(kid) {
		return ErrKeyNotThere
	}
	return nil
}
