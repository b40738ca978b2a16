package partners

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"handover/audit"
)

// newID returns an id that says nothing of the person, or the service.
func newID() string { return uuid.NewString() }

// makeLink makes a person's one unused link, in the place of an earlier one, in a
// transaction of her partner.
func makeLink(ctx context.Context, tx pgx.Tx, u User, recovers bool, entry audit.EntryID) (Invitation, error) {
	if err := dropLinks(ctx)(tx, u, entry); err != nil {
		return Invitation{}, err
	}
	i := Invitation{User: u.ID, Code: strings.ToLower(rand.Text())}
	digest := sha256.Sum256([]byte(i.Code))
	err := tx.QueryRow(ctx, `
		INSERT INTO user_link (code_digest, user_id, partner, recovers, expires_at, log_entry)
		VALUES ($1, $2, $3, $4, now() + $5, $6) RETURNING expires_at`,
		digest[:], u.ID, u.Partner, recovers, linkLife, entry).Scan(&i.Expires)
	if err != nil {
		return Invitation{}, fmt.Errorf("making a link: %w", err)
	}
	return i, nil
}

// dropLinks takes back a person's unused link: else one that somebody else has found
// would let her in once the person is let in again.
func dropLinks(ctx context.Context) func(pgx.Tx, User, audit.EntryID) error {
	return func(tx pgx.Tx, u User, _ audit.EntryID) error {
		if _, err := tx.Exec(ctx, `DELETE FROM user_link WHERE user_id = $1 AND used_at IS NULL`, u.ID); err != nil {
			return fmt.Errorf("taking back a link: %w", err)
		}
		return nil
	}
}
