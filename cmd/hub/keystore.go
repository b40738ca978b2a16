package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"handover/keys"
	"handover/keys/jose"
	"handover/keys/vault"
	"handover/notify"
	"handover/referral"
)

// The names under which the key store holds the hub's own keys.
const (
	accessTokenKey = "access-token"
	checkpointKey  = "checkpoint"
	hubStepsKey    = referral.HubStepsKey
	webhookKey     = notify.WebhookKey
)

// ownKeys are the keys that a hub cannot be without, in the order they are made.
func ownKeys() []ownKey {
	return []ownKey{{accessTokenKey, jose.ES256, "access tokens"}, {checkpointKey, jose.EdDSA, "checkpoints"},
		{hubStepsKey, jose.EdDSA, "the hub's own steps"}, {webhookKey, jose.EdDSA, "webhooks"}}
}

type ownKey struct {
	name string
	alg  jose.Algorithm
	of   string
}

// stores are the places where the hub's keys are, as configured.
type stores struct {
	keys.Store // what the hub uses
	local      *keys.Local
	vault      *vault.Store // nil without VAULT_ADDR
}

// openStores opens the local store, Vault, or both while keys move from one to the other.
func openStores(cfg Config) (stores, error) {
	var s stores
	var err error
	if cfg.VaultAddress != "" {
		if s.vault, err = vault.Open(vault.Config{Address: cfg.VaultAddress, Mount: cfg.VaultMount, AppRole: cfg.VaultAppRole,
			CAFile: cfg.VaultCAFile, RoleIDFile: cfg.VaultRoleIDFile, SecretIDFile: cfg.VaultSecretIDFile}); err != nil {
			return stores{}, err
		}
	}
	if cfg.KeyStore == inVault {
		_, err := os.Stat(filepath.Join(keyFolder(cfg), "store.json"))
		if errors.Is(err, fs.ErrNotExist) { // nothing is made where nothing is to be
			s.Store = s.vault
			return s, nil
		}
	}
	if s.local, err = openLocal(cfg); err != nil {
		return stores{}, err
	}
	switch {
	case s.vault == nil:
		s.Store = s.local
	case cfg.KeyStore == inVault:
		s.Store = keys.Mixed{Store: s.vault, Former: s.local}
	default:
		s.Store = keys.Mixed{Store: s.local, Former: s.vault}
	}
	return s, nil
}

func keyFolder(cfg Config) string { return filepath.Join(cfg.Dir, "keys") }

func openLocal(cfg Config) (*keys.Local, error) {
	root := keys.RootFile(cfg.KeyFile)
	if words := cfg.Passphrase(); words != "" {
		root = keys.Passphrase(words)
	}
	store, err := keys.OpenLocal(keyFolder(cfg), root)
	if err != nil {
		return nil, fmt.Errorf("opening the key store: %w", err)
	}
	return store, nil
}

// openKeys opens the hub's key store. In a local one it makes the keys that are missing;
// in Vault a hub may make none, so there they have to be.
func openKeys(ctx context.Context, cfg Config) (keys.Store, error) {
	s, err := openStores(cfg)
	if err != nil {
		return nil, err
	}
	for _, k := range ownKeys() {
		_, err := s.Public(ctx, k.name)
		if errors.Is(err, keys.ErrUnknownKey) && cfg.KeyStore == inLocal {
			err = keys.Ensure(ctx, s.local, k.name, k.alg)
		}
		if errors.Is(err, keys.ErrUnknownKey) {
			return nil, fmt.Errorf("there is no key of %s in Vault: run hub keys init with the operator's AppRole", k.of)
		}
		if err != nil {
			return nil, fmt.Errorf("opening the key of %s: %w", k.of, err)
		}
	}
	return s.Store, nil
}
