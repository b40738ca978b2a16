package referral

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/internal/pg"
	"handover/partners"
)

// OpenWith returns how many referrals between the caller's agency and the other one are not at
// their end: what waits on what the two have agreed.
func (s *Store) OpenWith(ctx context.Context, c partners.Caller, other partners.ID) (n int, err error) {
	err = pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM referral WHERE (sender, recipient) IN (($1, $2), ($2, $1)) AND state IN ('requested', 'received', 'accepted', 'in-progress')`,
			c.Partner(), other).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("counting open referrals: %w", err)
	}
	return n, nil
}
