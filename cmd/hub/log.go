package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit"
	"handover/keys"
	"handover/keys/jose"
)

// logKeys are the keys of checkpoints in a key store.
type logKeys struct {
	ctx   context.Context //nolint:containedctx // of whatever signs: longer than the start's
	store keys.Store
}

// candidates are the versions of the key, newest first.
func (l logKeys) candidates() ([]ed25519.PublicKey, error) {
	versions, err := l.store.Public(l.ctx, checkpointKey)
	if err != nil {
		return nil, fmt.Errorf("reading the key of checkpoints: %w", err)
	}
	var all []ed25519.PublicKey
	for _, v := range versions {
		if public, ok := v.CryptoKey().(ed25519.PublicKey); ok {
			all = append(all, public)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the key of checkpoints is not an Ed25519 key")
	}
	return all, nil
}

// find returns the private part of a public key. Whether the store still has it, shows
// when it signs.
func (l logKeys) find(public ed25519.PublicKey) (crypto.Signer, error) {
	version, err := jose.PublicOf(jose.EdDSA, public)
	if err != nil {
		return nil, err
	}
	return keys.SignerOf(l.ctx, l.store, checkpointKey, version).Key, nil
}

// openLog opens the audit log under the hub's name, with the key whose turn it is.
func openLog(ctx context.Context, cfg Config, store keys.Store, logPool, pool *pgxpool.Pool) (*audit.Log, error) {
	// What signs outlives the start, so it is not bound to the start's context.
	held := logKeys{context.WithoutCancel(ctx), store}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("reading the issuer: %w", err)
	}
	origin := issuer.Host + "/v1/log"
	candidates, err := held.candidates()
	if err != nil {
		return nil, err
	}
	current, err := audit.CurrentKey(ctx, logPool, origin, candidates)
	if err != nil { // a command beside a hub may have been given another address than the hub's
		return nil, fmt.Errorf("opening the log %s, named after HUB_ISSUER: %w", origin, err)
	}
	key, err := held.find(current)
	if err != nil {
		return nil, err
	}
	signer, err := audit.NewSigner(origin, key)
	if err != nil {
		return nil, err
	}
	log, err := audit.Open(ctx, logPool, pool, signer, time.Now)
	if err != nil {
		return nil, err
	}
	log.Keys = held.find
	if !cfg.witnesses.IsZero() {
		if err := log.WitnessedBy(cfg.witnesses, cfg.WitnessWait); err != nil {
			return nil, fmt.Errorf("HUB_WITNESS_POLICY: %w", err)
		}
	}
	return log, nil
}

// catchUp makes the newest version of the key of checkpoints the log's, if it is not, by a
// statement that the key until now signs too, and returns its kid. Whoever made the version
// and ended before this left it behind: the key until now retires an hour after.
func catchUp(ctx context.Context, log *audit.Log, s keys.Store) (kid string, err error) {
	held := logKeys{context.WithoutCancel(ctx), s}
	candidates, err := held.candidates()
	if err != nil {
		return "", err
	}
	newest, err := jose.PublicOf(jose.EdDSA, candidates[0])
	if err != nil || log.SignsWith(candidates[0]) {
		return newest.KeyID(), err
	}
	signer, err := held.find(candidates[0])
	if err != nil {
		return "", err
	}
	_, err = log.Succeed(ctx, signer)
	return newest.KeyID(), err
}
