package proof

import "time"

// The acts of entries about a partner's public keys. They are the partner's and name no
// person: everybody who relies on a key is shown them, with salt and proof.
const (
	KeyAdded   = "key.added"
	KeyEnded   = "key.ended"   // it is given an earlier end
	KeyRevoked = "key.revoked" // it counts no more, whenever it was used; Reason says why
)

// HubKey is the act of an entry that makes a key the hub's own, to sign its own steps with;
// Digest is its thumbprint.
const HubKey = "hub.key"

// How a key came to be a partner's.
const (
	// SelfSigned is a signing key that vouches for itself: the first, or one that follows
	// when all before it are lost. Whoever knows the partner already asks her.
	SelfSigned = "self-signed"
	// Countersigned is a key that one of the partner's signing keys vouches for.
	Countersigned = "countersigned"
	// Registered is a key to authenticate. Nobody relies on it but the hub.
	Registered = "registered"
)

// KeyChange is what an entry about a public key says of it: all that somebody who relies on
// the key needs, so that no row of a database can say otherwise. The key itself is bound by
// its thumbprint, the partner's statement by its digest, the order by the position.
type KeyChange struct {
	Position   int64     `json:"position"`             // in the history of this partner's keys: 1, 2, 3…
	Key        string    `json:"kid"`                  // RFC 7638 thumbprint
	Use        string    `json:"use"`                  // authentication, signing or encryption
	Client     string    `json:"client,omitempty"`     // whose key to authenticate it is
	Custody    string    `json:"custody,omitempty"`    // of key.added: hub if the hub holds the private part, "" if the partner does
	From       time.Time `json:"from"`                 // it counts from then on
	Until      time.Time `json:"until"`                // and before then, as of this change
	Replaces   string    `json:"replaces,omitempty"`   // kid
	Introduced string    `json:"introduced,omitempty"` // of key.added: SelfSigned, Countersigned, Registered
	By         string    `json:"by,omitempty"`         // of key.added: kid of the key that signed the statement
	Statement  string    `json:"statement,omitempty"`  // of key.added: base64url SHA-256 of it
}

// canonical returns the change as it is written: times in UTC, cut to microseconds.
func (k *KeyChange) canonical() *KeyChange {
	if k == nil {
		return nil
	}
	c := *k
	c.From, c.Until = c.From.UTC().Truncate(time.Microsecond), c.Until.UTC().Truncate(time.Microsecond)
	return &c
}
