package audit

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"handover/audit/proof"
)

// Signer signs checkpoints under the log's name and knows the keys that signed
// earlier ones. It is a note.Signer.
type Signer struct {
	key     crypto.Signer
	hash    uint32
	keys    []proof.LogKey // the current key first, then retired ones
	current proof.LogKey
}

// NewSigner returns a signer for the log called origin, such as
// "hub.example/v1/log". The key must be Ed25519 and may live elsewhere, as in Vault.
// Retired keys sign nothing, but a stored checkpoint of theirs is still ours.
func NewSigner(origin string, key crypto.Signer, retired ...ed25519.PublicKey) (Signer, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return Signer{}, errors.New("the checkpoint key is not an Ed25519 key")
	}
	s := Signer{key: key}
	for _, k := range append([]ed25519.PublicKey{public}, retired...) {
		logKey, err := logKeyOf(origin, k)
		if err != nil {
			return Signer{}, fmt.Errorf("naming checkpoint key: %w", err)
		}
		s.keys = append(s.keys, logKey)
	}
	s.current = s.keys[0]
	v, err := note.NewVerifier(s.current.String())
	if err != nil {
		return Signer{}, fmt.Errorf("naming checkpoint key: %w", err)
	}
	s.hash = v.KeyHash()
	return s, nil
}

// Name returns the log's origin.
func (s Signer) Name() string { return s.current.Origin() }

// KeyHash returns the hash that marks the current key's signatures.
func (s Signer) KeyHash() uint32 { return s.hash }

// Sign returns the Ed25519 signature of msg (RFC 8032, the plain variant).
func (s Signer) Sign(msg []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, msg, crypto.Hash(0))
}

// knows reports whether k is one of the log's keys.
func (s Signer) knows(k proof.LogKey) bool {
	return slices.ContainsFunc(s.keys, func(own proof.LogKey) bool { return own.String() == k.String() })
}

// Key returns the public key that verifies new checkpoints.
func (s Signer) Key() proof.LogKey { return s.current }

// sign returns the signed checkpoint of tree. It opens it again before anybody
// sees it: a checkpoint that does not verify would make every receipt under it
// worthless, and the tree could not go back.
func (s Signer) sign(tree tlog.Tree) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: proof.FormatCheckpoint(s.Name(), tree)}, s)
	if err != nil {
		return nil, fmt.Errorf("signing checkpoint: %w", err)
	}
	if _, err := proof.OpenCheckpoint(signed, s.current); err != nil {
		return nil, fmt.Errorf("checking new checkpoint: %w", err)
	}
	return signed, nil
}

// open returns the tree of a checkpoint that this log signed, with its current key
// or a retired one.
func (s Signer) open(signed []byte) (tlog.Tree, error) {
	var first error
	for _, k := range s.keys {
		tree, err := proof.OpenCheckpoint(signed, k)
		if err == nil {
			return tree, nil
		}
		if first == nil {
			first = err
		}
	}
	return tlog.Tree{}, first
}
