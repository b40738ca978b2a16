package partners

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/ids"
	"handover/internal/pg"
)

// SignOut ends everything that a person has proved so far: her sessions in the hub's pages
// and what she let systems do in her name stop at the next request. She may do it for
// herself, and her agency's administrator for her. Errors: ErrUserNotThere, ErrScope.
//
// The row is locked before the time is read, so that a sign-in or a step-up under way is
// either over, and ended by this, or sees it.
func (s *Store) SignOut(ctx context.Context, c Caller, user string) error {
	if !ids.IsUUID(user) {
		return ErrUserNotThere
	}
	if user != c.user && !c.Has(PartnerAdmin) {
		return ErrScope.With("scope", string(PartnerAdmin))
	}
	err := pg.As(ctx, s.pool, string(c.partner), func(tx pgx.Tx) error {
		var there bool
		err := tx.QueryRow(ctx, `SELECT true FROM partner_user WHERE id = $1 AND status <> 'removed' FOR UPDATE`, user).Scan(&there)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrUserNotThere
		}
		if err != nil {
			return fmt.Errorf("signing somebody out: %w", err)
		}
		e := c.Entry("user.signout")
		e.Target = user
		var entry audit.EntryID
		if entry, err = logNow(ctx, tx, e); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE partner_user SET signed_out_at = clock_timestamp(), log_entry = $2 WHERE id = $1`, user, entry)
		if err != nil {
			return fmt.Errorf("signing somebody out: %w", err)
		}
		return nil
	})
	return err
}
