package partners

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/pg"
	"handover/keys"
	"handover/keys/jose"
)

// BeginTaking is the administrator's act of taking her agency's keys out of the hub's hands:
// a code by which a system of the agency enrols with keys of its own, once, within two days.
// The code names the agency, which a proof of possession must name too. Error: ErrNotManaged.
func (s *Store) BeginTaking(ctx context.Context, c Caller) (code string, expires time.Time, err error) {
	e := c.Entry("custody.begin")
	e.Reason = string(HeldByPartner)
	err = s.administer(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) (err error) {
		code, expires, err = s.beginTaking(ctx, tx, c.Partner(), c.User(), entry)
		return err
	})
	return code, expires, err
}

// OfferTaking is the operator's act of making that code, for an agency that has nowhere to
// ask for it. The entry names the agency, which sees it.
func (s *Store) OfferTaking(ctx context.Context, partner ID) (code string, expires time.Time, err error) {
	if !partner.Valid() {
		return "", time.Time{}, ErrNotThere
	}
	e := proof.Entry{Act: "custody.begin", Other: string(partner), Reason: string(HeldByPartner)}
	err = s.operate(ctx, e, func(tx pgx.Tx, entry audit.EntryID) (err error) {
		code, expires, err = s.beginTaking(ctx, tx, partner, "", entry)
		return err
	})
	return code, expires, err
}

func (s *Store) beginTaking(ctx context.Context, tx pgx.Tx, partner ID, by string, entry audit.EntryID) (code string, expires time.Time, err error) {
	now, err := s.standing(ctx, tx, partner)
	if err != nil {
		return "", time.Time{}, err
	}
	if now.signing.Custody != HeldByHub {
		return "", time.Time{}, ErrNotManaged
	}
	if err := closeTakings(ctx, tx, partner, "", entry, false); err != nil {
		return "", time.Time{}, err
	}
	code = string(partner) + "." + strings.ToLower(rand.Text())
	digest := sha256.Sum256([]byte(code))
	err = tx.QueryRow(ctx, `
		INSERT INTO custody_move (partner, toward, code_digest, begun_by, expires_at, log_entry)
		VALUES ($1, 'partner', $2, nullif($3, '')::uuid, now() + $4, $5) RETURNING expires_at`,
		partner, digest[:], by, moveLife, entry).Scan(&expires)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("beginning a move of keys: %w", err)
	}
	return code, expires, nil
}

// closeTakings ends the takings of a partner but the one that is kept: those that have only
// begun, and with taken also those whose system has not confirmed. A code that was
// replaced, or whose system was overtaken by another, does nothing any more.
func closeTakings(ctx context.Context, tx pgx.Tx, partner ID, kept string, entry audit.EntryID, taken bool) error {
	_, err := tx.Exec(ctx, `
		UPDATE custody_move SET done_at = now(), log_entry = $3
		WHERE partner = $1 AND toward = 'partner' AND done_at IS NULL AND id IS DISTINCT FROM nullif($2, '')::uuid AND ($4 OR taken_at IS NULL)`,
		partner, kept, entry, taken)
	if err != nil {
		return fmt.Errorf("ending a move of keys: %w", err)
	}
	return nil
}

// present are the keys of a partner that count now.
type present struct {
	now      time.Time
	all      []Key // also those that have ended
	counting []Key // to sign and to seal to
	signing  Key   // the newest of each
	sealing  Key
}

// standing reads the keys of a partner.
func (s *Store) standing(ctx context.Context, q interface {
	Query(context.Context, string, ...any) (pgx.Rows, error)
	QueryRow(context.Context, string, ...any) pgx.Row
}, partner ID) (p present, err error) {
	if err := q.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&p.now); err != nil {
		return present{}, fmt.Errorf("reading the time: %w", err)
	}
	rows, err := q.Query(ctx, keysOfPartner, partner)
	if err != nil {
		return present{}, fmt.Errorf("reading keys: %w", err)
	}
	err = s.scanKeys(rows, func(_ ID, k Key) {
		p.all = append(p.all, k)
		if k.Use == Authentication || !k.ValidAt(p.now) {
			return
		}
		p.counting = append(p.counting, k)
		if newest := map[Use]*Key{Signing: &p.signing, Encryption: &p.sealing}[k.Use]; newest.IsZero() {
			*newest = k // they come newest first
		}
	})
	return p, err
}

// Take enrols a system of the agency by a code of BeginTaking, with three keys of its own:
// the hub-held signing key signs for them and ends with the hub-held encryption key. The
// system that lost the answer asks again with the same code and keys. Errors: ErrInvitation,
// ErrEnrolment, ErrKeyTaken.
func (s *Store) Take(ctx context.Context, store keys.Store, hub, code, statement, possession string) (Client, error) {
	name, _, _ := strings.Cut(code, ".")
	partner := ID(name)
	if !partner.Valid() {
		return Client{}, ErrInvitation
	}
	digest := sha256.Sum256([]byte(code))
	p, err := s.standing(ctx, s.pool, partner)
	if err != nil {
		return Client{}, err
	}
	e, err := OpenEnrolment(statement, hub, base64.RawURLEncoding.EncodeToString(digest[:]), p.now)
	if err != nil {
		return Client{}, err
	}
	if !possesses(possession, Possession{hub, partner, e.Keys.Signing.KeyID()}, e.Keys.Signing) {
		return Client{}, ErrEnrolment
	}
	client := Client{Partner: partner, ID: string(partner) + "." + strings.ToLower(rand.Text()[:5]), Scopes: PeopleScopes(), Active: true}
	err = pg.As(ctx, s.pool, string(partner), func(tx pgx.Tx) error {
		var taken *string
		var move string
		err := tx.QueryRow(ctx, `
			SELECT m.id::text, m.client FROM custody_move m JOIN partner p ON p.id = m.partner
			WHERE m.code_digest = $1 AND m.toward = 'partner' AND now() < m.expires_at AND p.status = 'active'
			  AND (m.taken_at IS NOT NULL OR m.done_at IS NULL AND (m.begun_by IS NULL OR EXISTS (SELECT FROM partner_user u
				WHERE u.id = m.begun_by AND u.status = 'active' AND u.role = 'administrator' AND u.signed_out_at <= m.expires_at - $2::interval)))
			FOR UPDATE OF m`, digest[:], moveLife).Scan(&move, &taken)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrInvitation
		}
		if err != nil {
			return fmt.Errorf("finding a move of keys: %w", err)
		}
		if taken != nil {
			client.ID = *taken
			return takenBy(ctx, tx, client, e)
		}
		return s.take(ctx, tx, store, hub, move, client, e, possession)
	})
	if pg.Violates(err, "partner_key_once") || pg.Violates(err, "partner_key_pkey") {
		return Client{}, ErrKeyTaken
	}
	if err != nil {
		return Client{}, err
	}
	return client, nil
}

// takenBy returns nil if the client that has used the code did so with these keys.
func takenBy(ctx context.Context, tx pgx.Tx, c Client, e Enrolment) error {
	var same bool
	err := tx.QueryRow(ctx, `
		SELECT count(*) = 3 FROM partner_key k WHERE k.partner = $1 AND k.thumbprint = ANY ($2) AND (k.client IS NULL OR k.client = $3)`,
		c.Partner, []string{e.Keys.Authentication.Thumbprint(), e.Keys.Signing.Thumbprint(), e.Keys.Encryption.Thumbprint()}, c.ID).Scan(&same)
	if err != nil {
		return fmt.Errorf("looking for an enrolment: %w", err)
	}
	if !same {
		return ErrInvitation
	}
	return nil
}

// take registers the system and its keys in the place of the hub-held ones. The hub-held
// signing key is asked for its signature while the history is held: whoever else would
// change keys waits, and no statement is made for keys that have changed meanwhile.
func (s *Store) take(ctx context.Context, tx pgx.Tx, store keys.Store, hub, move string, c Client, e Enrolment, possession string) error {
	history, err := holdKeys(ctx, tx, c.Partner)
	if err != nil {
		return err
	}
	p, err := s.standing(ctx, tx, c.Partner)
	if err != nil {
		return err
	}
	if p.signing.Custody != HeldByHub || p.sealing.IsZero() {
		return ErrInvitation
	}
	entry, err := logNow(ctx, tx, proof.Entry{Act: "custody.take", Partner: string(c.Partner), Client: c.ID,
		Digest: e.Keys.Signing.Thumbprint(), Target: move})
	if err != nil {
		return err
	}
	if err := closeTakings(ctx, tx, c.Partner, move, entry, true); err != nil {
		return err
	}
	by := keys.SignerOf(ctx, store, SigningKeyName(c.Partner), p.signing.PublicKey)
	var batch pgx.Batch
	queueFirstSystem(&batch, c, history.now, entry)
	for _, n := range []struct {
		use    Use
		key    jose.PublicKey
		retire string
	}{{Signing, e.Keys.Signing, p.signing.KeyID()}, {Encryption, e.Keys.Encryption, p.sealing.KeyID()}} {
		r := Rotation{Hub: hub, Partner: c.Partner, Use: n.use, Key: n.key, IssuedAt: history.now.Unix(), Retire: n.retire}
		if n.use == Signing {
			r.Possession = possession
		}
		statement, err := succeeds(r, by)
		if err != nil {
			return err
		}
		err = history.add(&batch, newKey{use: n.use, key: n.key, replaces: n.retire, introduced: proof.Countersigned, by: by.ID, statement: statement})
		if err != nil {
			return err
		}
	}
	if err := history.add(&batch, newKey{use: Authentication, key: e.Keys.Authentication, client: c.ID, introduced: proof.Registered}); err != nil {
		return err
	}
	if err := history.endAll(&batch, p.counting); err != nil {
		return err
	}
	batch.Queue(`UPDATE custody_move SET taken_at = now(), client = $2, log_entry = $3 WHERE id = $1`, move, c.ID, entry)
	if err := tx.SendBatch(ctx, &batch).Close(); err != nil {
		return fmt.Errorf("registering keys: %w", err)
	}
	return nil
}

// endAll queues the end, now, of keys that count.
func (h *keyHistory) endAll(b *pgx.Batch, counting []Key) error {
	for _, k := range counting {
		if err := h.end(b, heldKey{kid: k.KeyID(), use: k.Use, from: k.NotBefore, until: k.NotAfter}, h.now); err != nil {
			return err
		}
	}
	return nil
}

// Handover is the private keys of an agency on their way to its own system.
type Handover struct {
	wrapped *Wrapped
	to      jose.PublicKey
	Entry   audit.EntryID // of the handing over: nothing leaves before it stands
}

// HandOver gives the system that has taken over its agency's private encryption keys, for
// what waits and for what it may want to read again, until Confirm. Error: ErrMove.
func (s *Store) HandOver(ctx context.Context, c Caller) (*Handover, error) {
	h := &Handover{}
	err := pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		move, p, err := s.taking(ctx, tx, c)
		if err != nil {
			return err
		}
		h.to = p.sealing.PublicKey
		var b pgx.Batch
		h.wrapped = queueAllWrapped(&b, c.Partner())
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return fmt.Errorf("reading managed keys: %w", err)
		}
		e := c.Entry("custody.handover")
		e.Target, e.Digest = move, h.to.Thumbprint()
		if h.Entry, err = logNow(ctx, tx, e); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE custody_move SET handed = $2, log_entry = $3 WHERE id = $1`, move, h.wrapped.kids(), h.Entry)
		if err != nil {
			return fmt.Errorf("noting what is handed over: %w", err)
		}
		return nil
	})
	return h, err
}

// Seal unwraps the keys and seals each to the system's own encryption key.
func (h *Handover) Seal(ctx context.Context, store keys.Store) ([]Handing, error) {
	opened, err := h.wrapped.Unwrap(ctx, store)
	if err != nil {
		return nil, err
	}
	defer Destroy(opened)
	handed := []Handing{}
	for _, k := range opened {
		sealed, err := hand(k, h.to)
		if err != nil {
			return nil, err
		}
		handed = append(handed, sealed)
	}
	return handed, nil
}

// taking finds the move whose system the caller is, while its agency holds its own keys.
func (s *Store) taking(ctx context.Context, tx pgx.Tx, c Caller) (move string, p present, err error) {
	if c.User() != "" || c.Client() == "" {
		return "", p, ErrMove
	}
	err = tx.QueryRow(ctx, `
		SELECT id::text FROM custody_move WHERE partner = $1 AND client = $2 AND toward = 'partner' AND done_at IS NULL FOR UPDATE`,
		c.Partner(), c.Client()).Scan(&move)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", p, ErrMove
	}
	if err != nil {
		return "", p, fmt.Errorf("finding a move of keys: %w", err)
	}
	if p, err = s.standing(ctx, tx, c.Partner()); err == nil && (p.signing.Custody == HeldByHub || p.sealing.Custody == HeldByHub || p.sealing.IsZero()) {
		err = ErrMove
	}
	return move, p, err
}

// Confirm is the system's word that it keeps the keys it was handed: the hub destroys what it
// has of them, and of no others. Said again it is as it was. Error: ErrMove, also for a system
// that was handed nothing.
func (s *Store) Confirm(ctx context.Context, c Caller) error {
	return pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		if _, err := holdKeys(ctx, tx, c.Partner()); err != nil {
			return err
		}
		var done bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM custody_move WHERE partner = $1 AND client = $2 AND done_at IS NOT NULL)`,
			c.Partner(), c.Client()).Scan(&done)
		if err != nil {
			return fmt.Errorf("finding a move of keys: %w", err)
		}
		if done && c.User() == "" {
			return nil
		}
		move, _, err := s.taking(ctx, tx, c)
		if err != nil {
			return err
		}
		var handed []string
		if err := tx.QueryRow(ctx, `SELECT handed FROM custody_move WHERE id = $1`, move).Scan(&handed); err != nil {
			return fmt.Errorf("reading what was handed over: %w", err)
		}
		if handed == nil {
			return ErrMove
		}
		e := c.Entry("custody.moved")
		e.Target, e.Reason = move, string(HeldByPartner)
		entry, err := logNow(ctx, tx, e)
		if err != nil {
			return err
		}
		var b pgx.Batch
		b.Queue(`DELETE FROM managed_key WHERE partner = $1 AND kid = ANY ($2)`, c.Partner(), handed)
		b.Queue(`UPDATE custody_move SET done_at = now(), log_entry = $2 WHERE id = $1`, move, entry)
		if err := tx.SendBatch(ctx, &b).Close(); err != nil {
			return fmt.Errorf("destroying managed keys: %w", err)
		}
		return nil
	})
}
