package partners

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/keys/jose"
)

// keyHistory is the history of one partner's keys while one transaction writes to it. Every
// key is made and changed through it, so that none counts without an entry of its own in the
// log that whoever relies on the key can be shown.
type keyHistory struct {
	partner ID
	now     time.Time // when the lock was had: later changes have later times
	next    int64     // position of the next change
}

// holdKeys returns the history of the partner's keys, which the transaction then holds to
// its end: of two changes at once the second waits, and sees what the first has left.
func holdKeys(ctx context.Context, tx pgx.Tx, partner ID) (*keyHistory, error) {
	h := &keyHistory{partner: partner}
	var b pgx.Batch
	b.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('partner key history of ' || $1::text, 0))`, partner)
	b.Queue(`SELECT clock_timestamp(), coalesce(max(position), 0) + 1 FROM partner_key_change WHERE partner = $1`, partner).
		QueryRow(func(row pgx.Row) error { return row.Scan(&h.now, &h.next) })
	if err := tx.SendBatch(ctx, &b).Close(); err != nil {
		return nil, fmt.Errorf("holding the history of keys: %w", err)
	}
	return h, nil
}

// newKey is a public key that begins to count, and how it came.
type newKey struct {
	use        Use
	client     string  // "" unless it authenticates
	custody    Custody // "" is HeldByPartner
	key        jose.PublicKey
	replaces   string // kid, or ""
	introduced string // proof.SelfSigned, proof.Countersigned or proof.Registered
	by         string // kid of the signing key that signed the statement; "" of a key to authenticate
	statement  string // compact JWS; "" of a key to authenticate
}

// add queues everything of a new key: its entry in the log, its row, and its place in the
// history. That it has ever been registered, by anybody, fails by partner_key_once.
func (h *keyHistory) add(b *pgx.Batch, n newKey) error {
	jwk, err := n.key.MarshalJSON()
	if err != nil {
		return fmt.Errorf("writing a key: %w", err)
	}
	until := h.now.Add(keyLife)
	c := proof.KeyChange{Key: n.key.KeyID(), Use: string(n.use), Client: n.client, From: h.now, Until: until,
		Replaces: n.replaces, Introduced: n.introduced, By: n.by}
	if n.custody == HeldByHub {
		c.Custody = string(n.custody)
	}
	if n.statement != "" {
		c.Statement = ids.Digest(n.statement)
	}
	entry, err := h.log(b, proof.KeyAdded, "", &c)
	if err != nil {
		return err
	}
	b.Queue(`
		INSERT INTO partner_key (partner, kid, use, client, custody, jwk, thumbprint, not_before, not_after, log_entry)
		VALUES ($1, $2, $3, nullif($4, ''), $5, $6, $7, $8, $9, $10)`,
		h.partner, n.key.KeyID(), n.use, n.client, cmp.Or(n.custody, HeldByPartner), string(jwk), n.key.Thumbprint(), h.now, until, entry)
	h.place(b, c, "added", n.statement, entry)
	return nil
}

// heldKey is a key of the partner as its row says.
type heldKey struct {
	kid         string
	use         Use
	client      string
	from, until time.Time
}

// end queues an earlier end of a key that stands.
func (h *keyHistory) end(b *pgx.Batch, k heldKey, until time.Time) error {
	c := k.change()
	c.Until = until
	entry, err := h.log(b, proof.KeyEnded, "", &c)
	if err != nil {
		return err
	}
	b.Queue(`
		UPDATE partner_key SET not_after = $3, log_entry = $4
		WHERE partner = $1 AND kid = $2 AND revoked_at IS NULL AND $3 < not_after`, h.partner, k.kid, until, entry).Exec(changed)
	h.place(b, c, "ended", "", entry)
	return nil
}

// revoke queues the end of a key that has not been revoked, at once and whenever it was used.
func (h *keyHistory) revoke(b *pgx.Batch, k heldKey, why RevocationReason) error {
	c := k.change()
	entry, err := h.log(b, proof.KeyRevoked, string(why), &c)
	if err != nil {
		return err
	}
	b.Queue(`UPDATE partner_key SET revoked_at = $3, log_entry = $4 WHERE partner = $1 AND kid = $2 AND revoked_at IS NULL`,
		h.partner, k.kid, h.now, entry).Exec(changed)
	h.place(b, c, "revoked", "", entry)
	return nil
}

func (k heldKey) change() proof.KeyChange {
	return proof.KeyChange{Key: k.kid, Use: string(k.use), Client: k.client, From: k.from, Until: k.until}
}

// changed fails when the key does not stand as it was read: then the history would say what
// has not happened. Whoever holds the history is alone in changing keys.
func changed(tag pgconn.CommandTag) error {
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("changing a key: %d rows", tag.RowsAffected())
	}
	return nil
}

// log queues the entry of the next change.
func (h *keyHistory) log(b *pgx.Batch, act, reason string, c *proof.KeyChange) (audit.EntryID, error) {
	c.Position = h.next
	h.next++
	return audit.Queue(b, proof.Entry{Act: act, Time: h.now, Partner: string(h.partner), Reason: reason, Key: c})
}

// place queues the row of the change that has just been logged.
func (h *keyHistory) place(b *pgx.Batch, c proof.KeyChange, change, statement string, entry audit.EntryID) {
	b.Queue(`
		INSERT INTO partner_key_change (partner, position, kid, change, statement, log_entry)
		VALUES ($1, $2, $3, $4, nullif($5, ''), $6)`, h.partner, c.Position, c.Key, change, statement, entry)
}

// LoggedChange is one change of a partner's keys, with the entry that proves it.
type LoggedChange struct {
	Position  int64
	Statement string // the compact JWS that introduced the key, where there is one
	Entry     audit.EntryID
}

// KeyHistory is a part of a partner's history of keys, and the keys, read at one moment.
type KeyHistory struct {
	Digest  string         // of the entries up to the position asked for: see docs/keys.md
	Changes []LoggedChange // after that position, in order
	More    bool           // whether there are more changes than these
	Keys    []Key          // all, newest first
}

// changesPerPage is how many changes are given at once, each with its proof.
const changesPerPage = 50

// KeyHistory returns what has changed of a partner's keys after a position, with the keys as
// they are at the same moment, or ErrNotThere.
func (s *Store) KeyHistory(ctx context.Context, partner ID, after int64) (KeyHistory, error) {
	if !partner.Valid() {
		return KeyHistory{}, ErrNotThere
	}
	var h KeyHistory
	var b pgx.Batch
	b.Queue(`
		SELECT coalesce(string_agg(log_entry::text || E'\n', '' ORDER BY position), '')
		FROM partner_key_change WHERE partner = $1 AND position <= $2`, partner, after).
		QueryRow(func(row pgx.Row) error {
			err := row.Scan(&h.Digest)
			h.Digest = ids.Digest(h.Digest)
			return err
		})
	b.Queue(`
		SELECT position, coalesce(statement, ''), log_entry FROM partner_key_change
		WHERE partner = $1 AND position > $2 ORDER BY position LIMIT $3`, partner, after, changesPerPage+1).
		Query(func(rows pgx.Rows) (err error) {
			h.Changes, err = pgx.CollectRows(rows, pgx.RowToStructByPos[LoggedChange])
			return err
		})
	b.Queue(keysOfPartner, partner).Query(func(rows pgx.Rows) error {
		return s.scanKeys(rows, func(_ ID, k Key) { h.Keys = append(h.Keys, k) })
	})
	// One moment for all three: a rotation in between would look like a key that no entry is of.
	at := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, s.pool, at, func(tx pgx.Tx) error { return tx.SendBatch(ctx, &b).Close() })
	switch {
	case err != nil:
		return KeyHistory{}, fmt.Errorf("reading the history of keys: %w", err)
	case len(h.Keys) == 0:
		return KeyHistory{}, ErrNotThere
	}
	if h.More = len(h.Changes) > changesPerPage; h.More {
		h.Changes = h.Changes[:changesPerPage]
	}
	return h, nil
}

// KeyStep is one thing that happened to a key of an agency, as its administrator is shown it.
type KeyStep struct {
	Position int64 // in the history of the agency's keys
	At       time.Time
	Said     proof.Entry // zero if nothing can be read of it any more
	Index    int64       // of its entry in the log; -1 while it has no place
}

// KeySteps lists what has happened to a key of the caller's agency, the oldest first, or returns
// ErrKeyNotThere. Another agency's key is answered like none.
func (s *Store) KeySteps(ctx context.Context, c Caller, kid string) ([]KeyStep, error) {
	if !ids.IsDigest(kid) {
		return nil, ErrKeyNotThere
	}
	var steps []KeyStep
	err := pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT c.position, e.at, coalesce(e.body, ''), coalesce(l.idx, -1)
			FROM partner_key_change c JOIN audit_entry e ON e.id = c.log_entry LEFT JOIN audit_leaf l ON l.entry = e.id
			WHERE c.partner = $1 AND c.kid = $2 ORDER BY c.position`, c.Partner(), kid)
		if err != nil {
			return err
		}
		steps, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (KeyStep, error) {
			var step KeyStep
			var body []byte
			if err := row.Scan(&step.Position, &step.At, &body, &step.Index); err != nil {
				return step, err
			}
			step.Said, _ = proof.ParseEntry(body) // what cannot be read is told by the audit pages
			return step, nil
		})
		return err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading what happened to a key: %w", err)
	case len(steps) == 0:
		return nil, ErrKeyNotThere
	}
	return steps, nil
}
