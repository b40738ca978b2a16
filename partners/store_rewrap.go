package partners

import (
	"context"
	"fmt"

	"handover/keys"
)

// Rewrap wraps the private keys that the hub holds for partners anew, with the newest key
// that wraps, and returns how many. It is for the operator; hubs that run meanwhile open both
// the old and the new.
func (s *Store) Rewrap(ctx context.Context, k keys.Store) (int, error) {
	total := 0
	for _, of := range []struct{ read, write string }{
		{`SELECT partner, kid, use, version, wrapped FROM managed_key ORDER BY partner, kid`,
			`UPDATE managed_key SET wrapped = $4 WHERE partner = $1 AND kid = $2 AND wrapped = $3`},
		// Of a move that has begun, the key's kid stands in its public part.
		{`SELECT partner, encryption::jsonb ->> 'kid', 'encryption', 0, wrapped FROM custody_move WHERE wrapped IS NOT NULL ORDER BY id`,
			`UPDATE custody_move SET wrapped = $4 WHERE partner = $1 AND encryption::jsonb ->> 'kid' = $2 AND wrapped = $3`},
	} {
		w := &Wrapped{}
		rows, err := s.pool.Query(ctx, of.read)
		if err == nil {
			err = w.scan(rows)
		}
		if err != nil {
			return total, fmt.Errorf("reading managed keys: %w", err)
		}
		for _, r := range w.rows {
			fresh, err := keys.Rewrap(ctx, k, r.blob, r.aad())
			if err != nil {
				return total, fmt.Errorf("wrapping the key %s of %s anew: %w", r.kid, r.partner, err)
			}
			if _, err := s.pool.Exec(ctx, of.write, r.partner, r.kid, r.blob, fresh); err != nil {
				return total, fmt.Errorf("writing a managed key: %w", err)
			}
			total++
		}
	}
	return total, nil
}
