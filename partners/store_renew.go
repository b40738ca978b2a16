package partners

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/keys"
	"handover/keys/jose"
)

// How long the replaced keys of a managed partner count still: one that signs, for acts that
// had begun; one to which is sealed, for senders who looked a moment ago. Both are less than
// the store keeps a replaced version (keys.Overlap).
const (
	renewSigning    = 5 * time.Minute
	renewEncryption = 30 * time.Minute
)

// Renew is the operator's act of putting new keys in the place of those that the hub holds
// for a partner, as a partner does with its own (RotateKey): the signing key signs for both,
// so nobody who knows the partner is asked to trust anew. Where none counts any more, because
// it was revoked or has ended, the new one vouches for itself, and whoever knows the partner
// asks her. The old encryption key stays, for what waits. A try that came to nothing is made good by the next, as long as the store
// still signs with the old version: within the hour. Errors: ErrNotThere, ErrNotManaged,
// ErrKeysTooMany.
func (s *Store) Renew(ctx context.Context, store keys.Store, hub string, id ID) error {
	if !id.Valid() {
		return ErrNotThere
	}
	p, err := s.standing(ctx, s.pool, id)
	switch {
	case err != nil:
		return err
	case len(p.all) == 0:
		return ErrNotThere
	}
	old := p.newest()
	if old[0].Custody != HeldByHub || old[1].Custody != HeldByHub {
		return ErrNotManaged
	}
	signing, err := p.spareSigning(ctx, store, id)
	if errors.Is(err, ErrNotExpected) {
		signing, err = store.Rotate(ctx, SigningKeyName(id), jose.ES256)
	}
	if err != nil {
		return fmt.Errorf("making a managed signing key: %w", err)
	}
	encryption, err := jose.Generate(jose.ECDHESA256KW, jose.P256)
	if err != nil {
		return fmt.Errorf("making a managed encryption key: %w", err)
	}
	defer encryption.Destroy()
	statements, err := p.renewals(ctx, store, hub, id, signing, encryption.Public(), old)
	if err != nil {
		return err
	}
	e := proof.Entry{Act: "partner.renew", Other: string(id), Digest: signing.Thumbprint(), Target: encryption.Public().Thumbprint()}
	return s.operate(ctx, e, func(tx pgx.Tx, entry audit.EntryID) error {
		return s.renew(ctx, tx, store, hub, id, statements, encryption, entry)
	})
}

// newest are the newest keys to sign and to seal to, whether they count or not.
func (p present) newest() (old [2]Key) {
	for _, k := range p.all { // newest first
		for i, use := range []Use{Signing, Encryption} {
			if k.Use == use && old[i].IsZero() {
				old[i] = k
			}
		}
	}
	return old
}

// renewals are the statements of both rotations, signed by the key that signs now, or by the
// new one where none does.
func (p present) renewals(ctx context.Context, store keys.Store, hub string, id ID, signing, encryption jose.PublicKey, old [2]Key) (statements [2]string, err error) {
	name := SigningKeyName(id)
	by := keys.SignerOf(ctx, store, name, signing)
	possession := ""
	if !p.signing.IsZero() {
		if possession, err = possess(hub, id, by); err != nil {
			return statements, err
		}
		by = keys.SignerOf(ctx, store, name, p.signing.PublicKey)
	}
	for i, r := range []Rotation{
		{Use: Signing, Key: signing, Retire: old[0].KeyID(), Overlap: int64(renewSigning.Seconds()), Possession: possession},
		{Use: Encryption, Key: encryption, Retire: old[1].KeyID(), Overlap: int64(renewEncryption.Seconds())},
	} {
		r.Hub, r.Partner, r.IssuedAt = hub, id, p.now.Unix()
		if statements[i], err = succeeds(r, by); err != nil {
			return statements, err
		}
	}
	return statements, nil
}

func (s *Store) renew(ctx context.Context, tx pgx.Tx, store keys.Store, hub string, id ID, statements [2]string,
	encryption jose.PrivateKey, entry audit.EntryID) error {
	history, err := holdKeys(ctx, tx, id)
	if err != nil {
		return err
	}
	for _, text := range statements {
		p, err := s.standing(ctx, tx, id) // the second may be signed by the key that the first brought
		if err != nil {
			return err
		}
		r, err := openRotation(text, hub, id)
		if err != nil {
			return err
		}
		introduced, err := r.verify(signingOf(p.all), history.now)
		if err != nil {
			return err
		}
		if _, err := r.replace(ctx, tx, history, HeldByHub, introduced, text); err != nil {
			return err
		}
	}
	var batch pgx.Batch
	if err := s.keep(ctx, tx, &batch, store, id, map[string]jose.PrivateKey{encryption.KeyID(): encryption}, entry); err != nil {
		return err
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("registering managed keys: %w", err)
	}
	return nil
}
