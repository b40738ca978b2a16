package oauth

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/keys"
)

// Rewrap wraps the secrets that all hubs share anew, by the newest key of k, and returns
// how many there are. A hub that runs meanwhile opens either blob.
func (s *Store) Rewrap(ctx context.Context, k keys.Store) (int, error) {
	rows, err := s.pool.Query(ctx, `SELECT name, wrapped FROM oauth_secret ORDER BY name`)
	if err != nil {
		return 0, fmt.Errorf("reading shared secrets: %w", err)
	}
	type row struct{ Name, Wrapped string }
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil {
		return 0, fmt.Errorf("reading shared secrets: %w", err)
	}
	for _, r := range all {
		fresh, err := keys.Rewrap(ctx, k, r.Wrapped, []byte(r.Name))
		if err != nil {
			return 0, fmt.Errorf("wrapping the secret %s anew: %w", r.Name, err)
		}
		if _, err := s.pool.Exec(ctx, `UPDATE oauth_secret SET wrapped = $3 WHERE name = $1 AND wrapped = $2`, r.Name, r.Wrapped, fresh); err != nil {
			return 0, fmt.Errorf("writing a shared secret: %w", err)
		}
	}
	return len(all), nil
}
