package referral

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// Claim gives an open referral that nobody of her agency has to the person who acts. Of two
// who claim it at once the second gets ErrHolderChanged, which names the first. Errors: also
// ErrHolderRole, ErrNotThere, ErrState.
func (s *Store) Claim(ctx context.Context, c partners.Caller, id string) error {
	return s.give(ctx, c, id, "", c.User(), "referral.claim")
}

// Assign gives an open referral to a colleague of the caller, if from still has it: the
// person's id, or "" for nobody. Errors: as of Claim.
func (s *Store) Assign(ctx context.Context, c partners.Caller, id, from, to string) error {
	return s.give(ctx, c, id, from, to, "referral.assign")
}

// Release takes an open referral from whoever has it, if from still does. Nobody has it then.
// Errors: as of Claim.
func (s *Store) Release(ctx context.Context, c partners.Caller, id, from string) error {
	return s.give(ctx, c, id, from, "", "referral.release")
}

// give is a compare-and-swap: the referral is locked, so that who has it stays who has it
// until all is written. It is logged for the caller's own agency alone: the entry names no
// other, and who of an agency does what is not the other's to know.
func (s *Store) give(ctx context.Context, c partners.Caller, id, from, to, act string) error {
	switch {
	case !ids.IsDigest(id):
		return ErrNotThere
	case c.User() == "" || !mayHold(c.Role()):
		return ErrHolderRole
	case to != "" && !ids.IsUUID(to) || from != "" && !ids.IsUUID(from):
		return partners.ErrUserNotThere
	}
	var now time.Time
	var r row
	var holder string
	var role partners.Role
	var standing partners.Standing
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	queueRow(read, id, "FOR NO KEY UPDATE", &r)
	read.Queue(`SELECT h.holder::text FROM referral_holding h JOIN referral r ON r.seq = h.referral WHERE r.id = $1 AND h.partner = $2`,
		id, c.Partner()).Query(scanOne(&holder))
	// She is locked as well: whoever is suspended or leaves now is given nothing afterwards.
	read.Queue(`SELECT role, status FROM partner_user WHERE id = nullif($1, '')::uuid AND partner = $2 FOR SHARE`, to, c.Partner()).
		Query(scanOne(&role, &standing))
	return pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		switch {
		case r.id == "":
			return nil, ErrNotThere
		case State(r.state).Final():
			return nil, ErrState.With("state", r.state)
		}
		if err := r.sideOf(c).Allows(c); err != nil {
			return nil, err
		}
		switch {
		case to != "" && (!mayHold(role) || standing != partners.UserActive):
			return nil, ErrHolderRole
		case holder == to:
			return nil, nil // so it is
		case holder != from:
			return nil, ErrHolderChanged.With("holder", holder)
		}
		return r.queueGive(c, from, to, act, now)
	})
}

func (r *row) queueGive(c partners.Caller, from, to, act string, now time.Time) (*pgx.Batch, error) {
	b := &pgx.Batch{}
	e := c.Entry(act)
	e.Time, e.Referral, e.Target = now, r.id, to
	if to == "" {
		e.Target = from
	}
	entry, err := audit.Queue(b, e)
	if err != nil {
		return nil, fmt.Errorf("logging who has a referral: %w", err)
	}
	if r.sideOf(c) == RecipientSide {
		b.Queue(`UPDATE referral SET taken = $2 WHERE seq = $1`, r.seq, to != "")
	}
	if to == "" {
		b.Queue(`DELETE FROM referral_holding WHERE referral = $1 AND partner = $2 AND holder = $3`, r.seq, c.Partner(), from)
		return b, nil
	}
	b.Queue(`
		INSERT INTO referral_holding (referral, partner, side, holder, given_by, since, log_entry) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (referral, partner) DO UPDATE SET holder = $4, given_by = $5, since = $6, log_entry = $7
		WHERE referral_holding.holder = nullif($8, '')::uuid`,
		r.seq, c.Partner(), string(r.sideOf(c)), to, c.User(), now, entry, from)
	return b, nil
}

// Look notes that the person who acts looks at a referral now, and returns which of her
// colleagues do, the newest first; or ErrNotThere. It is not logged: that she read it, Read
// logs. A system that looks is nobody.
func (s *Store) Look(ctx context.Context, c partners.Caller, id string) ([]Presence, error) {
	if !ids.IsDigest(id) {
		return nil, ErrNotThere
	}
	var seq int64
	var there []Presence
	read := &pgx.Batch{}
	read.Queue(`SELECT seq FROM referral WHERE id = $1`, id).Query(scanOne(&seq))
	read.Queue(`
		SELECT p.user_id::text AS user, u.name, p.seen_at AS seen
		FROM referral r JOIN referral_presence p ON p.referral = r.seq JOIN partner_user u ON u.id = p.user_id
		WHERE r.id = $1 AND p.partner = $2 AND p.user_id::text <> $3 AND p.seen_at > now() - $4::interval ORDER BY p.seen_at DESC`,
		id, c.Partner(), c.User(), presenceLife).Query(func(rows pgx.Rows) (err error) {
		there, err = pgx.CollectRows(rows, pgx.RowToStructByName[Presence])
		return err
	})
	err := pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if seq == 0 {
			return nil, ErrNotThere
		}
		if c.User() == "" {
			return nil, nil
		}
		write := &pgx.Batch{}
		write.Queue(`
			INSERT INTO referral_presence (referral, partner, user_id, seen_at) VALUES ($1, $2, $3, now())
			ON CONFLICT (referral, user_id) DO UPDATE SET seen_at = excluded.seen_at`, seq, c.Partner(), c.User())
		return write, nil
	})
	return there, err
}

// ForgetPresence removes whoever has not looked for a while, at every agency.
func (s *Store) ForgetPresence(ctx context.Context) error {
	b := &pgx.Batch{}
	b.Queue(`SELECT presence_forget(now() - $1::interval)`, presenceLife)
	err := pg.Decide(ctx, s.pool, nobody, b, func() (*pgx.Batch, error) { return nil, nil })
	if err != nil {
		return fmt.Errorf("forgetting who looked at referrals: %w", err)
	}
	return nil
}
