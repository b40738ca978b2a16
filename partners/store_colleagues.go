package partners

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/internal/pg"
)

// Colleagues returns the names of those of the people who are, or were, of the caller's own
// agency, by id. Whoever is of another agency, or nobody's, is left out: what an envelope says
// of a person of another agency is an opaque id, and stays one.
func (s *Store) Colleagues(ctx context.Context, c Caller, people []string) (map[string]string, error) {
	names := map[string]string{}
	if len(people) == 0 {
		return names, nil
	}
	err := pg.As(ctx, s.pool, string(c.partner), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id::text, name FROM partner_user WHERE partner = $1 AND id::text = ANY ($2)`, c.partner, people)
		if err != nil {
			return err
		}
		var id, name string
		_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
			names[id] = name
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the names of colleagues: %w", err)
	}
	return names, nil
}
