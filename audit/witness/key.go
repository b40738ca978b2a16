package witness

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"handover/audit/proof"
)

// NewKey makes the key of a witness called name, such as "charity.example/witness", and
// its state at path, in which no log has been seen yet. It returns the private and the
// public part. Key and state begin together and only here: a key that could be given a
// fresh state would put its name under a second history.
func NewKey(name, path string) (skey, vkey string, err error) {
	skey, _, err = note.GenerateKey(rand.Reader, name)
	if err != nil {
		return "", "", fmt.Errorf("making a witness's key: %w", err)
	}
	if vkey, err = publicPart(skey); err != nil {
		return "", "", err
	}
	f := &stateFile{path: path, witness: vkey}
	return skey, vkey, f.create()
}

// publicPart is the verifier key that belongs to a private key in the form of the
// library of notes, PRIVATE+KEY+name+hash+base64.
func publicPart(skey string) (string, error) {
	parts := strings.SplitN(skey, "+", 5)
	if len(parts) != 5 {
		return "", errors.New("not a private key")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", errors.New("not a private key")
	}
	public, ok := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	if !ok {
		return "", errors.New("not a private key")
	}
	return proof.WitnessKey(parts[2], public)
}
