package partners

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"handover/internal/fault"
	"handover/internal/strict"
	"handover/keys"
	"handover/keys/jose"
)

// Keys move in two directions, and what waits for the agency stays readable in both: its
// private encryption keys move with it. New keys come, each signed for by a signing key that
// counted before, so nobody who knows the agency is asked to trust anew; the old ones end
// at once, since they are, or will be, in other hands than the log says.
//
// To the agency: BeginTaking (a code), Take (a system of its own enrols by it), HandOver (the
// old private keys, sealed to the new one) and Confirm (the hub destroys what it had). To the
// hub: Expect (the operator agrees, and makes a signing key), BeginGiving (the hub's keys are
// shown) and Give (signed for by the agency, with its private keys sealed to the hub's new
// one).

// What a move can be refused for.
var (
	ErrManaged = fault.New(fault.Conflict, "already-managed", fault.Sender,
		"The hub holds your agency's keys already. Nothing remains to be done.")
	ErrNotExpected = fault.New(fault.Conflict, "custody-not-offered", fault.Hub,
		"The hub has made no key for your agency yet. Ask its operator to offer to hold your agency's keys.")
	ErrMove = fault.New(fault.Unprocessable, "custody-move-invalid", fault.Sender,
		"This move of keys is unknown, over or out of date, or the statements and keys are not those that it needs. Begin it again.")
	ErrKeyMissing = fault.New(fault.Unprocessable, "custody-key-missing", fault.Sender,
		"What waits for your agency may be sealed to the key that the member key names, and you have not handed it over. Hand it over, or revoke it as lost.")
)

const (
	moveLife    = 48 * time.Hour       // of a move that has begun
	handingType = "jwk+json"           // the cty of a key in a JWE (RFC 7517 §7)
	handingSize = 8 << 10              // the most bytes of one
	mayWait     = 120 * 24 * time.Hour // 90 days to be opened, and the grace after a referral's end
)

// Handing is one private key on its way: a JWE to a key of who gets it (RFC 7517 §7).
type Handing = string

// hand seals a private key to who gets it, and destroys it here.
func hand(key jose.PrivateKey, to jose.PublicKey) (Handing, error) {
	defer key.Destroy()
	jwk := key.JWK()
	defer clear(jwk)
	sealed, err := jose.Encrypt(jwk, to, handingType)
	if err != nil {
		return "", fmt.Errorf("sealing a key: %w", err)
	}
	return sealed, nil
}

// received opens a key that was handed over, or returns ErrMove.
func received(handed Handing, by jose.PrivateKey) (jose.PrivateKey, error) {
	sealed, err := jose.ParseEncrypted(handed, handingSize)
	if err != nil || sealed.ContentType() != handingType {
		return jose.PrivateKey{}, ErrMove
	}
	jwk, err := sealed.Decrypt(by)
	if err != nil {
		return jose.PrivateKey{}, ErrMove
	}
	defer clear(jwk)
	key, err := jose.ParsePrivateKey(jwk)
	if err != nil || !Encryption.fits(key.Public().Algorithm()) || key.KeyID() != key.Public().Thumbprint() {
		return jose.PrivateKey{}, ErrMove
	}
	return key, nil
}

// succeeds is a rotation statement without overlap, signed by the partner's signing key.
func succeeds(r Rotation, by jose.SigningKey) (string, error) { return state(RotationType, r, by) }

// possess is the proof that a new signing key is held.
func possess(hub string, partner ID, key jose.SigningKey) (string, error) {
	return state(PossessionType, Possession{hub, partner, key.ID}, key)
}

func state(typ string, claims any, by jose.SigningKey) (string, error) {
	text, err := strict.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("writing a statement: %w", err)
	}
	token, err := jose.Sign(typ, text, by)
	if err != nil {
		return "", fmt.Errorf("signing a statement: %w", err)
	}
	return token, nil
}

// Giving is what the hub has made for a partner that hands its keys to it: to be signed for
// by the partner's signing key.
type Giving struct {
	Move       string         `json:"move"`
	Signing    jose.PublicKey `json:"signing"`
	Possession string         `json:"possession"` // signed by it
	Encryption jose.PublicKey `json:"encryption"`
	Expires    time.Time      `json:"expires"`
}

// Given is what the partner answers.
type Given struct {
	Signing    string    `json:"signing"`    // rotation statement of the hub's signing key
	Encryption string    `json:"encryption"` // and of its encryption key
	Keys       []Handing `json:"keys"`       // the partner's private encryption keys, sealed to that one
}

// open takes the two statements apart and holds them to what the hub has made.
func (g Given) open(hub string, partner ID, signing, encryption jose.PublicKey) (s, e rotationStatement, err error) {
	if s, err = openRotation(g.Signing, hub, partner); err != nil {
		return s, e, err
	}
	if e, err = openRotation(g.Encryption, hub, partner); err != nil {
		return s, e, err
	}
	fits := s.Use == Signing && s.Key.Equal(signing) && s.Overlap == 0 && e.Use == Encryption && e.Key.Equal(encryption) && e.Overlap == 0
	if !fits {
		return s, e, ErrMove
	}
	return s, e, nil
}

// spareSigning returns the newest version of the partner's signing key in the store, unless
// it was registered before: then, or when there is none, ErrNotExpected. A serving hub makes
// no keys, so the operator has to (Expect).
func (p present) spareSigning(ctx context.Context, store keys.Store, partner ID) (jose.PublicKey, error) {
	versions, err := store.Public(ctx, SigningKeyName(partner))
	if errors.Is(err, keys.ErrUnknownKey) {
		return jose.PublicKey{}, ErrNotExpected
	}
	if err != nil {
		return jose.PublicKey{}, fmt.Errorf("reading a managed signing key: %w", err)
	}
	used := func(k Key) bool { return k.Thumbprint() == versions[0].Thumbprint() }
	if slices.ContainsFunc(p.all, used) {
		return jose.PublicKey{}, ErrNotExpected
	}
	return versions[0], nil
}
