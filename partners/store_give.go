package partners

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/keys"
	"handover/keys/jose"
)

// BeginGiving is the administrator's act of beginning to hand her agency's keys to the hub:
// it makes the keys that the hub will hold. They count once the agency has signed for them.
// Errors: ErrManaged, ErrNotExpected.
func (s *Store) BeginGiving(ctx context.Context, store keys.Store, hub string, c Caller) (Giving, error) {
	if !c.Has(PartnerAdmin) || c.User() == "" {
		return Giving{}, ErrScope.With("scope", string(PartnerAdmin))
	}
	p, err := s.standing(ctx, s.pool, c.Partner())
	if err != nil {
		return Giving{}, err
	}
	if p.signing.Custody == HeldByHub {
		return Giving{}, ErrManaged
	}
	g := Giving{}
	if g.Signing, err = p.spareSigning(ctx, store, c.Partner()); err != nil {
		return Giving{}, err
	}
	if g.Possession, err = possess(hub, c.Partner(), keys.SignerOf(ctx, store, SigningKeyName(c.Partner()), g.Signing)); err != nil {
		return Giving{}, err
	}
	key, err := jose.Generate(jose.ECDHESA256KW, jose.P256)
	if err != nil {
		return Giving{}, fmt.Errorf("making a managed encryption key: %w", err)
	}
	defer key.Destroy()
	g.Encryption = key.Public()
	wrapped, err := pending(c.Partner(), key.KeyID()).wrap(ctx, store, key)
	if err != nil {
		return Giving{}, err
	}
	signing, err := g.Signing.MarshalJSON()
	if err != nil {
		return Giving{}, fmt.Errorf("writing a key: %w", err)
	}
	encryption, err := g.Encryption.MarshalJSON()
	if err != nil {
		return Giving{}, fmt.Errorf("writing a key: %w", err)
	}
	e := c.Entry("custody.begin")
	e.Reason, e.Digest, e.Target = string(HeldByHub), g.Signing.Thumbprint(), g.Encryption.Thumbprint()
	err = s.administer(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		return tx.QueryRow(ctx, `
			INSERT INTO custody_move (partner, toward, signing, encryption, wrapped, begun_by, expires_at, log_entry)
			VALUES ($1, 'hub', $2, $3, $4, $5, now() + $6, $7) RETURNING id::text, expires_at`,
			c.Partner(), string(signing), string(encryption), wrapped, c.User(), moveLife, entry).Scan(&g.Move, &g.Expires)
	})
	return g, err
}

// Expect is the operator's act of agreeing to hold a partner's keys: a signing key for it is
// made in the store, which counts for nothing until the partner has signed for it. Errors:
// ErrNotThere, ErrManaged.
func (s *Store) Expect(ctx context.Context, store keys.Store, partner ID) error {
	if !partner.Valid() {
		return ErrNotThere
	}
	p, err := s.standing(ctx, s.pool, partner)
	switch {
	case err != nil:
		return err
	case p.signing.IsZero():
		return ErrNotThere
	case p.signing.Custody == HeldByHub:
		return ErrManaged
	}
	key, err := p.spareSigning(ctx, store, partner)
	if errors.Is(err, ErrNotExpected) {
		key, err = store.Rotate(ctx, SigningKeyName(partner), jose.ES256)
	}
	if err != nil {
		return fmt.Errorf("making a managed signing key: %w", err)
	}
	e := proof.Entry{Act: "custody.offer", Other: string(partner), Reason: string(HeldByHub), Digest: key.Thumbprint()}
	return s.operate(ctx, e, func(pgx.Tx, audit.EntryID) error { return nil })
}

// pending is the place of a key that does not count yet: version 0, which no row of
// managed_key has.
func pending(partner ID, kid string) slot { return slot{partner, kid, Encryption, 0} }

// giving is a move toward the hub as its row says.
type giving struct {
	signing, encryption jose.PublicKey
	wrapped             string
	done                bool
}

// Give ends the move: the statements by which the agency signs for the hub's keys, and its
// own private encryption keys, all to which something may be sealed that waits. They are
// wrapped, the agency's keys end, and the hub acts for its people from then on. The same
// again finds it done. Errors: ErrMove, ErrRotation, ErrKeyMissing.
func (s *Store) Give(ctx context.Context, store keys.Store, hub string, c Caller, move string, given Given) error {
	if !ids.IsUUID(move) || len(given.Keys) > mostHanded {
		return ErrMove
	}
	g, err := s.giving(ctx, c, move)
	if err != nil || g.done {
		return err
	}
	signing, encryption, err := given.open(hub, c.Partner(), g.signing, g.encryption)
	if err != nil {
		return err
	}
	own, err := pending(c.Partner(), g.encryption.KeyID()).unwrap(ctx, store, g.wrapped)
	if err != nil {
		return err
	}
	defer own.Destroy()
	handed := map[string]jose.PrivateKey{own.KeyID(): own}
	defer Destroy(handed)
	for _, sealed := range given.Keys {
		key, err := received(sealed, own)
		if err != nil {
			return err
		}
		handed[key.KeyID()] = key
	}
	e := c.Entry("custody.moved")
	e.Target, e.Reason = move, string(HeldByHub)
	err = s.administer(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		return s.give(ctx, tx, store, move, [2]rotationStatement{signing, encryption}, given, handed, c.Partner(), entry)
	})
	if pg.Violates(err, "partner_key_once") || pg.Violates(err, "partner_key_pkey") {
		return ErrMove
	}
	return err
}

// mostHanded is how many keys are handed over at the most.
const mostHanded = 256

func (s *Store) giving(ctx context.Context, c Caller, move string) (g giving, err error) {
	var signing, encryption string
	err = pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			SELECT signing, encryption, coalesce(wrapped, ''), done_at IS NOT NULL FROM custody_move
			WHERE id = $1 AND toward = 'hub' AND (done_at IS NOT NULL OR now() < expires_at)`, move).
			Scan(&signing, &encryption, &g.wrapped, &g.done)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return g, ErrMove
	}
	if err == nil {
		g.signing, err = s.parsed.parse(signing)
	}
	if err == nil {
		g.encryption, err = s.parsed.parse(encryption)
	}
	if err != nil {
		return g, fmt.Errorf("reading a move of keys: %w", err)
	}
	return g, nil
}

func (s *Store) give(ctx context.Context, tx pgx.Tx, store keys.Store, move string, statements [2]rotationStatement, given Given,
	handed map[string]jose.PrivateKey, partner ID, entry audit.EntryID) error {
	history, err := holdKeys(ctx, tx, partner)
	if err != nil {
		return err
	}
	p, err := s.standing(ctx, tx, partner)
	if err != nil {
		return err
	}
	if p.signing.Custody == HeldByHub || p.signing.IsZero() {
		return ErrMove // nobody's signature would count
	}
	if err := p.missing(handed, statements[1].Key); err != nil {
		return err
	}
	var batch pgx.Batch
	for i, text := range []string{given.Signing, given.Encryption} {
		r := statements[i]
		if !slices.ContainsFunc(p.counting, func(k Key) bool { return k.Use == r.Use && k.KeyID() == r.Retire }) {
			return ErrMove
		}
		introduced, err := r.verify(signingOf(p.all), history.now)
		if err != nil {
			return err
		}
		err = history.add(&batch, newKey{use: r.Use, custody: HeldByHub, key: r.Key, replaces: r.Retire, introduced: introduced,
			by: r.signed.KeyID(), statement: text})
		if err != nil {
			return err
		}
	}
	if err := history.endAll(&batch, p.counting); err != nil {
		return err
	}
	if err := s.keep(ctx, tx, &batch, store, partner, handed, entry); err != nil {
		return err
	}
	if err := closeTakings(ctx, tx, partner, "", entry, true); err != nil {
		return err
	}
	batch.Queue(`UPDATE custody_move SET done_at = now(), wrapped = NULL, log_entry = $2 WHERE id = $1 AND done_at IS NULL`, move, entry)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("registering managed keys: %w", err)
	}
	return nil
}

func signingOf(all []Key) (signing []Key) {
	for _, k := range all {
		if k.Use == Signing {
			signing = append(signing, k)
		}
	}
	return signing
}

// missing returns ErrKeyMissing unless every key was handed over to which something may be
// sealed that can still be opened, and ErrMove if one was that is not the partner's.
func (p present) missing(handed map[string]jose.PrivateKey, next jose.PublicKey) error {
	own := map[string]bool{next.KeyID(): true}
	for _, k := range p.all {
		if k.Use != Encryption {
			continue
		}
		own[k.KeyID()] = true
		_, here := handed[k.KeyID()]
		if !here && k.Revoked.IsZero() && p.now.Before(k.NotAfter.Add(mayWait)) {
			return ErrKeyMissing.With("key", k.KeyID())
		}
	}
	for kid := range handed {
		if !own[kid] {
			return ErrMove
		}
	}
	return nil
}

// keep wraps the keys, each in a place of its own, and queues their rows. One that the hub
// has from an earlier time stays in its place.
func (s *Store) keep(ctx context.Context, tx pgx.Tx, b *pgx.Batch, store keys.Store, partner ID, handed map[string]jose.PrivateKey, entry audit.EntryID) error {
	rows, err := tx.Query(ctx, `SELECT kid, version FROM managed_key WHERE partner = $1`, partner)
	if err != nil {
		return fmt.Errorf("reading managed keys: %w", err)
	}
	held := map[string]bool{}
	var kid string
	var version, newest int
	_, err = pgx.ForEachRow(rows, []any{&kid, &version}, func() error {
		held[kid], newest = true, max(newest, version)
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading managed keys: %w", err)
	}
	for kid, key := range handed {
		if held[kid] {
			continue
		}
		newest++
		place := slot{partner, kid, Encryption, newest}
		wrapped, err := place.wrap(ctx, store, key)
		if err != nil {
			return err
		}
		place.queue(b, wrapped, entry)
	}
	return nil
}
