package signin

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/keys"
	"handover/partners"
)

// Rewrap wraps the client secrets of agencies' providers anew, by the newest key of k, and
// returns how many there are. A provider that is set anew meanwhile is left as it was set.
func (s *Store) Rewrap(ctx context.Context, k keys.Store) (int, error) {
	rows, err := s.pool.Query(ctx, `SELECT partner, secret FROM oauth_provider ORDER BY partner`)
	if err != nil {
		return 0, fmt.Errorf("reading providers' secrets: %w", err)
	}
	type row struct {
		Partner partners.ID
		Secret  string
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return 0, fmt.Errorf("reading providers' secrets: %w", err)
	}
	for _, r := range all {
		fresh, err := keys.Rewrap(ctx, k, r.Secret, secretAAD(r.Partner))
		if err != nil {
			return 0, fmt.Errorf("wrapping the secret of %s anew: %w", r.Partner, err)
		}
		if _, err := s.pool.Exec(ctx, `UPDATE oauth_provider SET secret = $3 WHERE partner = $1 AND secret = $2`, r.Partner, r.Secret, fresh); err != nil {
			return 0, fmt.Errorf("writing a provider's secret: %w", err)
		}
	}
	return len(all), nil
}
