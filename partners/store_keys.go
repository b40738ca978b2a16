package partners

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/pg"
)

// RotateKey puts a new key of the caller's agency in the place of an old one, which
// counts for the statement's overlap still, and returns the new one. A key that was
// revoked or has run out is replaced as well: what was lost must be made good. Errors:
// ErrRotation, ErrKeyNotThere, ErrKeysTooMany, ErrKeyTaken.
func (s *Store) RotateKey(ctx context.Context, c Caller, hub, statement string) (HeldKey, error) {
	r, err := openRotation(statement, hub, c.Partner())
	if err != nil {
		return HeldKey{}, err
	}
	e := c.Entry("key.rotate")
	e.Target, e.Digest = r.Key.KeyID(), r.Retire
	var held HeldKey
	err = s.administer(ctx, c, e, func(tx pgx.Tx, _ audit.EntryID) error {
		history, err := holdKeys(ctx, tx, c.Partner())
		if err != nil {
			return err
		}
		signing, err := s.signingKeys(ctx, tx, c.Partner())
		if err != nil {
			return err
		}
		introduced, err := r.verify(signing, history.now)
		if err != nil {
			return err
		}
		held, err = r.replace(ctx, tx, history, HeldByPartner, introduced, statement)
		return err
	})
	if pg.Violates(err, "partner_key_once") || pg.Violates(err, "partner_key_pkey") {
		return HeldKey{}, ErrKeyTaken
	}
	return held, err
}

// signingKeys returns all signing keys of a partner.
func (s *Store) signingKeys(ctx context.Context, tx pgx.Tx, partner ID) (signing []Key, err error) {
	rows, err := tx.Query(ctx, keysOfPartner, partner)
	if err != nil {
		return nil, fmt.Errorf("reading keys: %w", err)
	}
	err = s.scanKeys(rows, func(_ ID, k Key) {
		if k.Use == Signing {
			signing = append(signing, k)
		}
	})
	return signing, err
}

// replace shortens the old key's time and adds the new one, if that does not make more
// than mostCurrent of them.
func (r rotationStatement) replace(ctx context.Context, tx pgx.Tx, history *keyHistory, custody Custody, introduced, statement string) (HeldKey, error) {
	old := heldKey{kid: r.Retire, use: r.Use, client: r.Client}
	var standing bool
	var current int
	err := tx.QueryRow(ctx, `
		SELECT not_before, not_after, revoked_at IS NULL AND $5 < not_after, (SELECT count(*) FROM partner_key o
			WHERE o.partner = k.partner AND o.use = k.use AND o.client IS NOT DISTINCT FROM k.client
			  AND o.revoked_at IS NULL AND $5 < o.not_after)
		FROM partner_key k WHERE partner = $1 AND kid = $2 AND use = $3 AND client IS NOT DISTINCT FROM nullif($4, '')`,
		r.Partner, r.Retire, r.Use, r.Client, history.now).Scan(&old.from, &old.until, &standing, &current)
	if errors.Is(err, pgx.ErrNoRows) {
		return HeldKey{}, ErrKeyNotThere
	}
	if err != nil {
		return HeldKey{}, fmt.Errorf("finding a key: %w", err)
	}
	if standing && r.Overlap == 0 {
		current-- // it ends now
	}
	if current >= mostCurrent {
		return HeldKey{}, ErrKeysTooMany
	}
	n := newKey{use: r.Use, custody: custody, client: r.Client, key: r.Key, replaces: r.Retire, introduced: introduced}
	if r.Use != Authentication {
		n.by, n.statement = r.signed.KeyID(), statement
	}
	var batch pgx.Batch
	if err := history.add(&batch, n); err != nil {
		return HeldKey{}, err
	}
	if until := history.now.Add(time.Duration(r.Overlap) * time.Second); standing && until.Before(old.until) {
		if err := history.end(&batch, old, until); err != nil {
			return HeldKey{}, err
		}
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return HeldKey{}, fmt.Errorf("rotating a key: %w", err)
	}
	return HeldKey{ID: r.Key.KeyID(), Use: r.Use, Client: r.Client, Algorithm: r.Key.Algorithm(), Custody: custody,
		NotBefore: history.now, NotAfter: history.now.Add(keyLife)}, nil
}

// RevokeKey takes a key of the caller's agency out of use at once. One that is no longer
// needed is only revoked while another of its use, or of its system, counts; one that is
// compromised or lost always is, also the last: what nobody may rely on must not stand
// because there is no other. Errors: ErrKeyNotThere, ErrRevocation, ErrKeyRevoked, ErrLastKey.
func (s *Store) RevokeKey(ctx context.Context, c Caller, kid string, why RevocationReason) error {
	if err := why.check(kid); err != nil {
		return err
	}
	e := c.Entry("key.revoke")
	e.Target, e.Reason = kid, string(why)
	return s.administer(ctx, c, e, func(tx pgx.Tx, _ audit.EntryID) error {
		return revokeKey(ctx, tx, c.Partner(), kid, why)
	})
}

// QueueKnown queues the question whether the partner has ever had a key with that kid.
func (s *Store) QueueKnown(b *pgx.Batch, partner ID, kid string, found *bool) {
	b.Queue(`SELECT EXISTS (SELECT FROM partner_key WHERE partner = $1 AND kid = $2)`, partner, kid).
		QueryRow(func(row pgx.Row) error { return row.Scan(found) })
}

// revokeKey revokes a key of the partner, with its entry and its place in the history.
func revokeKey(ctx context.Context, tx pgx.Tx, partner ID, kid string, why RevocationReason) error {
	history, err := holdKeys(ctx, tx, partner)
	if err != nil {
		return err
	}
	k := heldKey{kid: kid}
	var revoked, another bool
	err = tx.QueryRow(ctx, `
		SELECT use, coalesce(client, ''), not_before, not_after, revoked_at IS NOT NULL, EXISTS (SELECT FROM partner_key o
			WHERE o.partner = k.partner AND o.use = k.use AND o.client IS NOT DISTINCT FROM k.client AND o.kid <> k.kid
			  AND o.revoked_at IS NULL AND $3 < o.not_after)
		FROM partner_key k WHERE partner = $1 AND kid = $2`, partner, kid, history.now).
		Scan(&k.use, &k.client, &k.from, &k.until, &revoked, &another)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrKeyNotThere
	case err != nil:
		return fmt.Errorf("finding a key: %w", err)
	case revoked:
		return ErrKeyRevoked
	case why == Retired && !another:
		return ErrLastKey
	}
	var batch pgx.Batch
	if err := history.revoke(&batch, k, why); err != nil {
		return err
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("revoking a key: %w", err)
	}
	return nil
}
