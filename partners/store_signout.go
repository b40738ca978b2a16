package partners

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/internal/ids"
	"handover/internal/pg"
)

// SignOut ends every session and token of a person at once: the caller's own, or, for an
// administrator, that of anybody at her agency. Errors: partners.ErrUserNotThere,
// partners.ErrScope.
func (s *Store) SignOut(ctx context.Context, c Caller, user string) error {
	if !ids.IsUUID(user) {
		return ErrUserNotThere
	}
	if user != c.User() && !c.Has(PartnerAdmin) {
		return ErrScope.With("scope", string(PartnerAdmin))
	}
	e := c.Entry("user.signout")
	e.Target = user
	return pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		entry, err := logNow(ctx, tx, e)
		if err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			UPDATE partner_user SET signed_out_at = greatest(now(), signed_out_at), log_entry = $2
			WHERE id = $1 AND status <> 'removed'`, user, entry)
		if err != nil {
			return fmt.Errorf("signing a person out: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return ErrUserNotThere
		}
		return nil
	})
}
