package referral

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// SentAs returns the id of the referral that the caller's agency opened with the packet of that
// id, or ErrNotThere: who has tapped twice is shown what the first tap has sent.
func (s *Store) SentAs(ctx context.Context, c partners.Caller, packet string) (id string, err error) {
	if !ids.IsUUIDv7(packet) {
		return "", ErrNotThere
	}
	err = pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			SELECT r.id FROM packet p JOIN referral r ON r.seq = p.referral
			WHERE p.issuer = $1 AND p.jti = $2 AND p.event = 'request'`, c.Partner(), packet).Scan(&id)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrNotThere
	}
	if err != nil {
		return "", fmt.Errorf("looking for what was sent: %w", err)
	}
	return id, nil
}
