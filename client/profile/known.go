package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"handover/client"
	"handover/internal/ids"
	"handover/internal/strict"
)

const knownFolder = "known"

// knownKeys keeps what was seen of partners' keys, a file for each partner. Nothing in it is
// secret; whoever can change it can have a swapped key taken for the partner's.
type knownKeys struct{ dir string }

func (k knownKeys) path(partner string) (string, error) {
	if !ids.IsName(partner) {
		return "", errors.New("that is no partner's id")
	}
	return filepath.Join(k.dir, knownFolder, partner+documentName), nil
}

// Known is client.KeyMemory's. A damaged file is an error: taken for none, whoever damages it
// would have each partner met for the first time again.
func (k knownKeys) Known(partner string) (client.KnownKeys, error) {
	path, err := k.path(partner)
	if err != nil {
		return client.KnownKeys{}, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return client.KnownKeys{}, nil
	}
	if err != nil {
		return client.KnownKeys{}, fmt.Errorf("reading what is known of keys: %w", err)
	}
	var known client.KnownKeys
	if err := strict.Unmarshal(data, &known); err != nil || known.V != 1 || known.Partner != partner || len(known.Entries) == 0 {
		return client.KnownKeys{}, fmt.Errorf("%s is damaged: restore it from a backup", path)
	}
	return known, nil
}

// Keep is client.KeyMemory's.
func (k knownKeys) Keep(known client.KnownKeys) error {
	path, err := k.path(known.Partner)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of known keys: %w", err)
	}
	data, err := strict.Marshal(known)
	if err != nil {
		return fmt.Errorf("writing what is known of keys: %w", err)
	}
	return write(path, append(data, '\n'))
}

// Unknown returns those of the agency's keys that count, or may come to, and that this
// profile has not made: another of the agency's systems has, or somebody who should not. What
// a person has confirmed is known. A profile that only authenticates knows of no others.
func (s Settings) Unknown(keys []client.KnownKey) (unknown []client.KnownKey) {
	own := map[string]bool{s.Keys.Authentication.Thumbprint(): true}
	if !s.Keys.Signing.IsZero() {
		own[s.Keys.Signing.Thumbprint()] = true
	}
	for _, k := range s.Keys.Encryption {
		own[k.Thumbprint()] = true
	}
	for _, r := range s.Retired {
		own[r.Key.Thumbprint()] = true
	}
	if s.Next != nil {
		own[s.Next.Key.Thumbprint()] = true
	}
	for _, k := range keys {
		others := k.Use == client.Authentication && k.Client != s.ClientID || k.Use != client.Authentication && s.Keys.Signing.IsZero()
		if !own[k.ID] && !others && k.Revoked.IsZero() && k.Confirmed.IsZero() {
			unknown = append(unknown, k)
		}
	}
	return unknown
}
