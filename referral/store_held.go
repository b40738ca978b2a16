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

// Held is an open referral that somebody of the caller's agency holds: what her agency
// must know to give it to another, and nothing of the woman or her need.
type Held struct {
	Reference string    `json:"reference"`
	ID        string    `json:"id"`
	State     string    `json:"state"`
	Urgency   string    `json:"urgency"`
	Role      string    `json:"role"`  // of her agency: sent, received
	Since     time.Time `json:"since"` // she holds it

	seq int64
}

// heldMost is how many referrals one page of HeldBy has.
const heldMost = 200

// heldPage begins with what she has claimed or was given, and with what she has ever signed or
// opened, which the indices by actor give, and keeps what is open and hers: as her agency says
// whose it is; where it does not, where the newest packet of her agency that names a person
// names her; and where none does, where she was the last to open a section.
const heldPage = `
	WITH touched AS (
		SELECT h.referral FROM referral_holding h WHERE h.partner = @me AND h.holder = @user::text::uuid
		UNION
		SELECT p.referral FROM packet p WHERE p.issuer = @me AND p.actor = @user
		UNION
		SELECT p.referral FROM release x JOIN packet p ON p.seq = x.packet WHERE x.reader = @me AND x.actor = @user::uuid)
	SELECT r.seq, r.id, r.state, r.urgency, CASE WHEN r.sender = @me THEN 'sent' ELSE 'received' END, last.at
	FROM touched JOIN referral r ON r.seq = touched.referral
	CROSS JOIN LATERAL (
		SELECT actor, at FROM (
			(SELECT 0 AS rank, h.holder::text AS actor, h.since AS at FROM referral_holding h WHERE h.referral = r.seq AND h.partner = @me)
			UNION ALL
			(SELECT 1, p.actor, p.stored_at FROM packet p
			 WHERE p.referral = r.seq AND p.issuer = @me AND p.actor IS NOT NULL ORDER BY p.seq DESC LIMIT 1)
			UNION ALL
			(SELECT 2, x.actor::text, x.at FROM packet p JOIN release x ON x.packet = p.seq
			 WHERE p.referral = r.seq AND x.reader = @me AND x.actor IS NOT NULL ORDER BY x.at DESC LIMIT 1)) acts
		ORDER BY rank LIMIT 1) last
	WHERE last.actor = @user AND r.state IN ('requested', 'received', 'accepted', 'in-progress') AND (@after = 0 OR r.seq < @after)
	ORDER BY r.seq DESC LIMIT @limit`

// HeldBy returns one page of the open referrals that a person of the caller's agency
// holds, newest first, and whether there are more; or partners.ErrUserNotThere. after is
// the cursor of the page before, 0 for the first.
func (s *Store) HeldBy(ctx context.Context, c partners.Caller, user string, after int64) (held []Held, more bool, err error) {
	if !ids.IsUUID(user) {
		return nil, false, partners.ErrUserNotThere
	}
	held = []Held{}
	var now time.Time
	var member bool
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	s.partners.QueueMember(read, user, &member)
	args := pgx.StrictNamedArgs{"me": c.Partner(), "user": user, "after": after, "limit": heldMost + 1}
	read.Queue(heldPage, args).Query(func(rows pgx.Rows) error {
		var h Held
		_, err := pgx.ForEachRow(rows, []any{&h.seq, &h.ID, &h.State, &h.Urgency, &h.Role, &h.Since}, func() error {
			h.Reference = ids.Reference(h.ID)
			held = append(held, h)
			return nil
		})
		return err
	})
	err = pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if !member {
			return nil, partners.ErrUserNotThere
		}
		write := &pgx.Batch{}
		e := c.Entry("referral.held")
		e.Time, e.Target = now, user
		_, err := audit.Queue(write, e)
		return write, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("listing what a person holds: %w", err)
	}
	if len(held) > heldMost {
		return held[:heldMost], true, nil
	}
	return held, false, nil
}
