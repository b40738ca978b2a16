package client

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"handover/audit/proof"
)

// KnownKeys is what is kept of a partner's keys: every change that was seen, by the id of its
// log entry, and the keys that they leave. The hub may add to it and change nothing of it.
type KnownKeys struct {
	V       int        `json:"v"` // 1
	Partner string     `json:"partner"`
	Entries []string   `json:"entries"`        // one for each change, in order
	Keys    []KnownKey `json:"keys"`           // in the order in which they came
	Last    time.Time  `json:"last,omitzero"`  // of the last change's entry: none that follows is earlier
	Ends    []SeenEnd  `json:"ends,omitempty"` // that hold whatever the history says now
}

// KnownKey is one key, as the log proves it.
type KnownKey struct {
	ID         string    `json:"kid"` // RFC 7638 thumbprint, which people compare
	Use        string    `json:"use"` // Authentication, Signing or Encryption
	Client     string    `json:"client,omitempty"`
	From       time.Time `json:"from"`
	Until      time.Time `json:"until"`
	Revoked    time.Time `json:"revoked,omitzero"`
	Reason     string    `json:"reason,omitempty"`   // of its revocation
	Custody    string    `json:"custody,omitempty"`  // HeldByHub, or "" if the partner holds it
	Introduced string    `json:"introduced"`         // self-signed, countersigned or registered
	By         string    `json:"by,omitempty"`       // kid of the signing key that signed for it
	Replaces   string    `json:"replaces,omitempty"` // kid

	// Unconfirmed means that no key which was known here signed for it, nor for what it rests
	// on, and that no person has confirmed it: nothing is sealed to it, nothing verified by it.
	Unconfirmed bool      `json:"unconfirmed,omitzero"`
	Confirmed   time.Time `json:"confirmed,omitzero"` // when a person did
}

// SeenEnd is the end of a key that was seen in a history which another has replaced. It is
// for good: a hub that shows another history does not bring back a key that somebody stole.
type SeenEnd struct {
	ID      string    `json:"kid"`
	Until   time.Time `json:"until"`
	Revoked time.Time `json:"revoked,omitzero"`
	Reason  string    `json:"reason,omitempty"`
}

// ValidAt reports whether a signature made at t by this key counts now.
func (k KnownKey) ValidAt(t time.Time) bool {
	return Key{NotBefore: k.From, NotAfter: k.Until, Revoked: k.Revoked}.ValidAt(t)
}

// KeyMemory keeps what a client has seen of partners' keys. It may be used by several
// goroutines.
type KeyMemory interface {
	// Known returns what is kept of a partner; the zero KnownKeys when that is nothing.
	Known(partner string) (KnownKeys, error)
	// Keep keeps it, durably where that is possible, in the place of what was kept.
	Keep(known KnownKeys) error
}

// memory is a KeyMemory that ends with the process.
type memory struct {
	mu   sync.Mutex
	kept map[string]KnownKeys
}

func (m *memory) Known(partner string) (KnownKeys, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[partner].clone(), nil
}

func (m *memory) Keep(known KnownKeys) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept[known.Partner] = known.clone()
	return nil
}

func (k KnownKeys) clone() KnownKeys {
	k.Entries, k.Keys, k.Ends = slices.Clone(k.Entries), slices.Clone(k.Keys), slices.Clone(k.Ends)
	return k
}

// find returns the key, or nil.
func (k *KnownKeys) find(kid string) *KnownKey {
	i := slices.IndexFunc(k.Keys, func(known KnownKey) bool { return known.ID == kid })
	if i < 0 {
		return nil
	}
	return &k.Keys[i]
}

// standing returns the keys with the ends that were seen of them, where those are nearer than
// what the history says.
func (k KnownKeys) standing() []KnownKey {
	keys := slices.Clone(k.Keys)
	for _, e := range k.Ends {
		for i := range keys {
			if keys[i].ID == e.ID {
				keys[i].shorten(e)
			}
		}
	}
	return keys
}

// shorten gives the key an end that was seen of it, if it is nearer.
func (k *KnownKey) shorten(e SeenEnd) {
	if e.Until.Before(k.Until) {
		k.Until = e.Until
	}
	if k.Revoked.IsZero() {
		k.Revoked, k.Reason = e.Revoked, e.Reason
	}
}

// endAs notes the ends of the keys that were kept, for a history that says otherwise of them.
func (k *KnownKeys) endAs(kept KnownKeys) {
	k.Ends = nil
	for _, was := range slices.Concat(kept.standing(), kept.gone()) {
		is := k.find(was.ID)
		if is == nil || was.Until.Before(is.Until) || !was.Revoked.IsZero() && is.Revoked.IsZero() {
			k.Ends = append(k.Ends, SeenEnd{ID: was.ID, Until: was.Until, Revoked: was.Revoked, Reason: was.Reason})
		}
	}
}

// gone returns what is left of keys that the history has not: their ends.
func (k KnownKeys) gone() (gone []KnownKey) {
	for _, e := range k.Ends {
		if k.find(e.ID) == nil {
			gone = append(gone, KnownKey{ID: e.ID, Until: e.Until, Revoked: e.Revoked, Reason: e.Reason})
		}
	}
	return gone
}

// root returns the unconfirmed key on which one rests: itself, or the one that signed for it.
func (k *KnownKeys) root(kid string) string {
	for known := k.find(kid); known.Introduced == proof.Countersigned; known = k.find(kid) {
		if by := k.find(known.By); by == nil || !by.Unconfirmed {
			break
		}
		kid = known.By
	}
	return kid
}

// confirm notes that a person has confirmed the key, and so whatever it signed for.
func (k *KnownKeys) confirm(kid string, at time.Time) {
	k.find(kid).Confirmed = at
	confirmed := map[string]bool{kid: true}
	for i := range k.Keys { // a key stands behind the one that signed for it
		if known := &k.Keys[i]; confirmed[known.ID] || known.Introduced == proof.Countersigned && confirmed[known.By] {
			known.Unconfirmed, confirmed[known.ID] = false, true
		}
	}
}

// ErrKeySwapped means that the keys which the hub shows for a partner are not those that its
// log proves, or not those that were known here. Find the *SwappedKey in the error's chain.
var ErrKeySwapped = errors.New("the keys that the hub shows are not those that are known")

// SwappedKey says which key is refused and why. Nothing was sent.
type SwappedKey struct {
	Partner string
	Key     string // its thumbprint; "" when it is not about one key
	What    string // what does not fit
	// Acceptable means that it can be settled by a person who asks the partner
	// (AcceptKey). What the log does not prove, nobody can settle but the hub's operator.
	Acceptable bool
}

// Error says what happened, for the person who was about to use the key.
func (s *SwappedKey) Error() string {
	return fmt.Sprintf("the hub may have swapped a key of %s: %s. Nothing was sent, and nothing that the key signed is taken for theirs", s.Partner, s.What)
}

// Unwrap returns ErrKeySwapped.
func (s *SwappedKey) Unwrap() error { return ErrKeySwapped }

// refuse returns the SwappedKey of a key that waits for a person to confirm it, or nil.
func (k *KnownKeys) refuse(kid string) error {
	known := k.find(kid)
	if known == nil || !known.Unconfirmed {
		return nil
	}
	root := k.find(k.root(kid))
	what := fmt.Sprintf("the %s key %s was introduced without the signature of a key of theirs that counted", root.Use, root.ID)
	if root.Introduced == proof.SelfSigned {
		what = fmt.Sprintf("the signing key %s vouches for itself alone: no key of theirs that was known here signed for it", root.ID)
	}
	if root.ID != kid {
		what += fmt.Sprintf(", and the %s key %s rests on it", known.Use, kid)
	}
	return &SwappedKey{Partner: k.Partner, Key: root.ID, What: what, Acceptable: true}
}
