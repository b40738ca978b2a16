package partners

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"handover/audit"
)

// newID returns an id that says nothing of the person, or the service.
func newID() string { return uuid.NewString() }

// LastLink is the newest link of a person, as her administrator is shown it: not its code, which
// nobody has but her.
type LastLink struct {
	Expires  time.Time
	Recovers bool
	Unused   bool // and it can still be used
}

// LastLinks returns the newest link of each person of the caller's agency who has one, by her id.
func (s *Store) LastLinks(ctx context.Context, c Caller) (map[string]LastLink, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT DISTINCT ON (user_id) user_id::text, expires_at, recovers, used_at IS NULL AND now() < expires_at
		FROM user_link WHERE partner = $1 ORDER BY user_id, expires_at DESC`, c.Partner())
	if err != nil {
		return nil, fmt.Errorf("listing links: %w", err)
	}
	links := map[string]LastLink{}
	var user string
	var l LastLink
	_, err = pgx.ForEachRow(rows, []any{&user, &l.Expires, &l.Recovers, &l.Unused}, func() error {
		links[user] = l
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing links: %w", err)
	}
	return links, nil
}

// Leave is an administrator's leave for one new system, as her agency's administrators are shown
// it: not its token.
type Leave struct {
	Given   time.Time
	By      string // the administrator's id
	Expires time.Time
	Unused  bool // and it can still be used
}

// Leaves lists the leaves that the caller's agency has given for new systems, the newest first,
// at most 50.
func (s *Store) Leaves(ctx context.Context, c Caller) ([]Leave, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT invited_at, invited_by::text, expires_at, used_at IS NULL AND now() < expires_at
		FROM client_invitation WHERE partner = $1 ORDER BY invited_at DESC LIMIT 50`, c.Partner())
	if err != nil {
		return nil, fmt.Errorf("listing leaves: %w", err)
	}
	leaves, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Leave])
	if err != nil {
		return nil, fmt.Errorf("listing leaves: %w", err)
	}
	return leaves, nil
}

// unchanged returns ErrAlready unless the newest time that the query finds is the one that a page
// was made from; zero is none.
func unchanged(ctx context.Context, tx pgx.Tx, last time.Time, newest string, of any) error {
	var found *time.Time
	if err := tx.QueryRow(ctx, newest, of).Scan(&found); err != nil {
		return fmt.Errorf("looking for something newer: %w", err)
	}
	if found == nil && last.IsZero() || found != nil && found.Equal(last) {
		return nil
	}
	return ErrAlready
}

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
