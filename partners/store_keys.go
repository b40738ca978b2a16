package partners

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/keys/jose"
)

// newKey is a public key that begins to count.
type newKey struct {
	partner ID
	use     Use
	client  string // "" unless it authenticates
	key     jose.PublicKey
	from    time.Time
	entry   audit.EntryID
}

// queueKey queues the row of a new key. That it has ever been registered, by anybody,
// fails by partner_key_once.
func queueKey(b *pgx.Batch, n newKey) error {
	jwk, err := n.key.MarshalJSON()
	if err != nil {
		return fmt.Errorf("writing a key: %w", err)
	}
	b.Queue(`
		INSERT INTO partner_key (partner, kid, use, client, jwk, thumbprint, not_before, not_after, log_entry)
		VALUES ($1, $2, $3, nullif($4, ''), $5, $6, $7, $8, $9)`,
		n.partner, n.key.KeyID(), n.use, n.client, string(jwk), n.key.Thumbprint(), n.from, n.from.Add(keyLife), n.entry)
	return nil
}

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
	err = s.administer(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		var now time.Time
		read := &pgx.Batch{}
		read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
		ring := s.QueueKeys(read, c.Partner(), []string{r.signed.KeyID()}, nil)
		if err := tx.SendBatch(ctx, read).Close(); err != nil {
			return fmt.Errorf("reading keys: %w", err)
		}
		if err := r.verify(ring.signing, now); err != nil {
			return err
		}
		var err error
		held, err = r.replace(ctx, tx, now, entry)
		return err
	})
	if pg.Violates(err, "partner_key_once") || pg.Violates(err, "partner_key_pkey") {
		return HeldKey{}, ErrKeyTaken
	}
	return held, err
}

// replace shortens the old key's time and inserts the new one, if that does not make more
// than mostCurrent of them. Whoever changes keys holds the administrators' rows.
func (r rotationStatement) replace(ctx context.Context, tx pgx.Tx, now time.Time, entry audit.EntryID) (HeldKey, error) {
	var standing bool
	var current int
	err := tx.QueryRow(ctx, `
		SELECT revoked_at IS NULL AND now() < not_after, (SELECT count(*) FROM partner_key o
			WHERE o.partner = k.partner AND o.use = k.use AND o.client IS NOT DISTINCT FROM k.client
			  AND o.revoked_at IS NULL AND now() < o.not_after)
		FROM partner_key k WHERE partner = $1 AND kid = $2 AND use = $3 AND client IS NOT DISTINCT FROM nullif($4, '')`,
		r.Partner, r.Retire, r.Use, r.Client).Scan(&standing, &current)
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
	var batch pgx.Batch
	batch.Queue(`
		UPDATE partner_key SET not_after = least(not_after, now() + $3), log_entry = $4
		WHERE partner = $1 AND kid = $2 AND revoked_at IS NULL AND now() < not_after`,
		r.Partner, r.Retire, time.Duration(r.Overlap)*time.Second, entry)
	n := newKey{partner: r.Partner, use: r.Use, client: r.Client, key: r.Key, from: now, entry: entry}
	if err := queueKey(&batch, n); err != nil {
		return HeldKey{}, err
	}
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return HeldKey{}, fmt.Errorf("rotating a key: %w", err)
	}
	return HeldKey{ID: r.Key.KeyID(), Use: r.Use, Client: r.Client, Algorithm: r.Key.Algorithm(),
		NotBefore: now, NotAfter: now.Add(keyLife)}, nil
}

// RevokeKey takes a key of the caller's agency out of use at once. One that is no longer
// needed is only revoked while another of its use, or of its system, counts; one that is
// compromised or lost always is, also the last: what nobody may rely on must not stand
// because there is no other. Errors: ErrKeyNotThere, ErrRevocation, ErrKeyRevoked, ErrLastKey.
func (s *Store) RevokeKey(ctx context.Context, c Caller, kid string, why RevocationReason) error {
	if why != Compromised && why != Lost && why != Retired {
		return ErrRevocation
	}
	if !ids.IsDigest(kid) {
		return ErrKeyNotThere
	}
	e := c.Entry("key.revoke")
	e.Target, e.Reason = kid, string(why)
	return s.administer(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		tag, err := tx.Exec(ctx, `
			UPDATE partner_key k SET revoked_at = now(), log_entry = $3
			WHERE partner = $1 AND kid = $2 AND revoked_at IS NULL AND ($4 <> 'retired' OR EXISTS (SELECT FROM partner_key o
				WHERE o.partner = k.partner AND o.use = k.use AND o.client IS NOT DISTINCT FROM k.client AND o.kid <> k.kid
				  AND o.revoked_at IS NULL AND now() < o.not_after))`, c.Partner(), kid, entry, why)
		if err != nil {
			return fmt.Errorf("revoking a key: %w", err)
		}
		if tag.RowsAffected() == 1 {
			return nil
		}
		return unrevoked(ctx, tx, c.Partner(), kid)
	})
}

// unrevoked says why a revocation found no key.
func unrevoked(ctx context.Context, tx pgx.Tx, partner ID, kid string) error {
	var revoked bool
	err := tx.QueryRow(ctx, `SELECT revoked_at IS NOT NULL FROM partner_key WHERE partner = $1 AND kid = $2`, partner, kid).Scan(&revoked)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrKeyNotThere
	case err != nil:
		return fmt.Errorf("finding a key: %w", err)
	case revoked:
		return ErrKeyRevoked
	}
	return ErrLastKey
}
