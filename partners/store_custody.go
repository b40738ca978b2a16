package partners

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/internal/strict"
	"handover/keys"
	"handover/keys/jose"
)

// custodyColumn is who holds the key that a partner of the query signs with now.
const custodyColumn = `coalesce((SELECT k.custody FROM partner_key k WHERE k.partner = partner.id AND k.use = 'signing'
	AND k.revoked_at IS NULL AND now() >= k.not_before AND now() < k.not_after ORDER BY k.not_before DESC, k.kid LIMIT 1), 'partner')`

// Manage is the operator's act of making an invited partner take part with keys that the
// hub holds for it: one that signs and stays in the store, and one that opens, wrapped by
// the store. The signing key vouches for both, as a system's own does when it enrols. Unused
// enrolment codes of the partner end, since what enrolled by one would have keys beside
// these. Errors: ErrNotThere, ErrHasKeys.
func (s *Store) Manage(ctx context.Context, store keys.Store, hub string, id ID) error {
	if !id.Valid() {
		return ErrNotThere
	}
	m, err := s.newManaged(ctx, store, hub, id)
	if err != nil {
		return err
	}
	e := proof.Entry{Act: "partner.manage", Other: string(id), Digest: m.signing.Thumbprint(), Target: m.encryption.Thumbprint()}
	err = s.operate(ctx, e, func(tx pgx.Tx, entry audit.EntryID) error {
		var standing Status
		err := tx.QueryRow(ctx, `SELECT status FROM partner WHERE id = $1 FOR UPDATE`, id).Scan(&standing)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotThere
		}
		if err != nil {
			return fmt.Errorf("finding a partner: %w", err)
		}
		if standing != Invited {
			return ErrHasKeys
		}
		history, err := holdKeys(ctx, tx, id)
		if err != nil {
			return err
		}
		var batch pgx.Batch
		if err := m.queue(&batch, history, entry); err != nil {
			return err
		}
		batch.Queue(`UPDATE partner SET status = 'active', log_entry = $2 WHERE id = $1`, id, entry)
		batch.Queue(`UPDATE invitation SET used_at = now() WHERE partner = $1 AND used_at IS NULL`, id)
		if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
			return fmt.Errorf("registering managed keys: %w", err)
		}
		return nil
	})
	if pg.Violates(err, "partner_key_once") || pg.Violates(err, "partner_key_pkey") {
		return ErrHasKeys
	}
	return err
}

// managed are the two keys that the hub holds for a partner, new, with the statement by
// which the first vouches for both.
type managed struct {
	signing    jose.PublicKey
	encryption jose.PublicKey
	statement  string
	place      slot
	wrapped    string
}

// newManaged makes the two keys of a partner that has none. The signing key of an earlier
// try that came to nothing is taken again.
func (s *Store) newManaged(ctx context.Context, store keys.Store, hub string, id ID) (managed, error) {
	name := SigningKeyName(id)
	if err := keys.Ensure(ctx, store, name, jose.ES256); err != nil {
		return managed{}, fmt.Errorf("making a managed signing key: %w", err)
	}
	versions, err := store.Public(ctx, name)
	if err != nil {
		return managed{}, fmt.Errorf("reading a managed signing key: %w", err)
	}
	key, err := jose.Generate(jose.ECDHESA256KW, jose.P256)
	if err != nil {
		return managed{}, fmt.Errorf("making a managed encryption key: %w", err)
	}
	defer key.Destroy()
	m := managed{signing: versions[0], encryption: key.Public(), place: slot{id, key.KeyID(), Encryption, 1}}
	if m.wrapped, err = m.place.wrap(ctx, store, key); err != nil {
		return managed{}, err
	}
	var now time.Time
	if err := s.pool.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return managed{}, fmt.Errorf("reading the time: %w", err)
	}
	m.statement, err = m.vouch(hub, now, keys.SignerOf(ctx, store, name, m.signing))
	return m, err
}

// vouch is the statement of enrolment of the two keys. It answers no code: nobody outside
// could have brought it.
func (m managed) vouch(hub string, now time.Time, signer jose.SigningKey) (string, error) {
	e := Enrolment{Hub: hub, CodeDigest: ids.Digest("managed " + string(m.place.partner)), IssuedAt: now.Unix()}
	e.Keys.Signing, e.Keys.Encryption = m.signing, m.encryption
	claims, err := strict.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("writing an enrolment: %w", err)
	}
	statement, err := jose.Sign(EnrolmentType, claims, signer)
	if err != nil {
		return "", fmt.Errorf("signing an enrolment: %w", err)
	}
	return statement, nil
}

// queue queues everything of both keys.
func (m managed) queue(b *pgx.Batch, history *keyHistory, entry audit.EntryID) error {
	by := m.signing.KeyID()
	for _, n := range []newKey{
		{use: Signing, custody: HeldByHub, key: m.signing, introduced: proof.SelfSigned, by: by, statement: m.statement},
		{use: Encryption, custody: HeldByHub, key: m.encryption, introduced: proof.Countersigned, by: by, statement: m.statement},
	} {
		if err := history.add(b, n); err != nil {
			return err
		}
	}
	m.place.queue(b, m.wrapped, entry)
	return nil
}

// queue queues the row of a wrapped key.
func (p slot) queue(b *pgx.Batch, wrapped string, entry audit.EntryID) {
	b.Queue(`INSERT INTO managed_key (partner, kid, use, version, wrapped, log_entry) VALUES ($1, $2, $3, $4, $5, $6)`,
		p.partner, p.kid, p.use, p.version, wrapped, entry)
}

// Held says, in the transaction it was queued in, whether the hub may act for a person
// now, and with which keys. Until its batch has run it says no.
type Held struct {
	person  bool
	managed bool // the newest key that the agency signs with, whether it counts or not, is the hub's
	signing Key  // the newest that counts
	sealing Key
}

// QueueHeld queues the reading of the keys with which the hub acts for the caller, into a
// batch that is bound to her partner. Whether she still may act is asked again: between
// her admission and this, whoever has her token can let hours pass by sending slowly.
func (s *Store) QueueHeld(b *pgx.Batch, c Caller) *Held {
	h := &Held{}
	b.Queue(`
		SELECT EXISTS (SELECT FROM partner_user u JOIN partner p ON p.id = u.partner
			WHERE u.id = $1 AND u.partner = $2 AND u.status = 'active' AND u.role = $3 AND u.signed_out_at <= $4 AND p.status = 'active')`,
		c.User(), c.Partner(), c.Role(), c.Proved()).QueryRow(func(row pgx.Row) error { return row.Scan(&h.person) })
	b.Queue(`
		SELECT coalesce((SELECT custody = 'hub' FROM partner_key WHERE partner = $1 AND use = 'signing'
			ORDER BY not_before DESC, kid LIMIT 1), false)`, c.Partner()).QueryRow(func(row pgx.Row) error { return row.Scan(&h.managed) })
	b.Queue(`
		SELECT DISTINCT ON (use) partner, kid, use, custody, jwk, not_before, not_after, revoked_at FROM partner_key
		WHERE partner = $1 AND use IN ('signing', 'encryption') AND revoked_at IS NULL AND now() >= not_before AND now() < not_after
		ORDER BY use, not_before DESC, kid`, c.Partner()).Query(func(rows pgx.Rows) error {
		return s.scanKeys(rows, func(_ ID, k Key) {
			if k.Use == Signing {
				h.signing = k
			} else {
				h.sealing = k
			}
		})
	})
	return h
}

// Keys returns the public parts of the keys that the hub signs and opens with for the
// caller: ErrUnauthenticated if she may not act any more, ErrNotManaged if her agency
// holds its own.
func (h *Held) Keys() (signing, sealing jose.PublicKey, err error) {
	switch {
	case !h.person:
		return jose.PublicKey{}, jose.PublicKey{}, ErrUnauthenticated
	case h.signing.Custody != HeldByHub || h.sealing.Custody != HeldByHub:
		return jose.PublicKey{}, jose.PublicKey{}, ErrNotManaged
	}
	return h.signing.PublicKey, h.sealing.PublicKey, nil
}

// Opens returns nil if the hub may open for the caller what waits for her agency, and else
// what Keys returns. It asks for no key that counts: what was sealed to one that was revoked
// or has ended since is opened nowhere else.
func (h *Held) Opens() error {
	switch {
	case !h.person:
		return ErrUnauthenticated
	case !h.managed:
		return ErrNotManaged
	}
	return nil
}

// Wrapped are private keys of a partner as the database holds them. Until its batch has
// run there are none.
type Wrapped struct{ rows []wrapped }

type wrapped struct {
	slot
	blob string
}

// QueueWrapped queues the reading of the wrapped keys with those kids, into a batch that is
// bound to the caller's partner.
func (s *Store) QueueWrapped(b *pgx.Batch, c Caller, kids []string) *Wrapped {
	w := &Wrapped{}
	b.Queue(selectWrapped+` AND kid = ANY ($2)`, c.Partner(), kids).Query(w.scan)
	return w
}

// queueAllWrapped queues the reading of all wrapped keys of a partner.
func queueAllWrapped(b *pgx.Batch, partner ID) *Wrapped {
	w := &Wrapped{}
	b.Queue(selectWrapped, partner).Query(w.scan)
	return w
}

const selectWrapped = `SELECT partner, kid, use, version, wrapped FROM managed_key WHERE partner = $1`

func (w *Wrapped) scan(rows pgx.Rows) error {
	var r wrapped
	_, err := pgx.ForEachRow(rows, []any{&r.partner, &r.kid, &r.use, &r.version, &r.blob}, func() error {
		w.rows = append(w.rows, r)
		return nil
	})
	return err
}

// kids names the keys.
func (w *Wrapped) kids() []string {
	kids := make([]string, 0, len(w.rows))
	for _, r := range w.rows {
		kids = append(kids, r.kid)
	}
	return kids
}

// Unwrap opens the keys, by kid. The caller destroys them when the one act is over: no key
// is kept for the next.
func (w *Wrapped) Unwrap(ctx context.Context, store keys.Store) (map[string]jose.PrivateKey, error) {
	opened := make(map[string]jose.PrivateKey, len(w.rows))
	for _, r := range w.rows {
		key, err := r.unwrap(ctx, store, r.blob)
		if err != nil {
			Destroy(opened)
			return nil, err
		}
		opened[r.kid] = key
	}
	return opened, nil
}

// Destroy destroys opened keys.
func Destroy(opened map[string]jose.PrivateKey) {
	for _, k := range opened {
		k.Destroy()
	}
}
