package partners

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/internal/pg"
)

// ErrUserInvalid is for a person whom nobody can be told apart by, or with no such role.
var ErrUserInvalid = fault.New(fault.Unprocessable, "user-invalid", fault.Sender,
	"A person needs a name of 1 to 80 characters on one line, and one of the roles caseworker, manager, administrator or auditor.")

// Employ is the operator's act of adding a person to a partner, as its first
// administrator must be. It returns her, invited, and the code of the one-time link by
// which she sets up her passkey: it is shown once. Errors: ErrUserInvalid, ErrNotThere.
func (s *Store) Employ(ctx context.Context, partner ID, name string, role Role) (User, string, error) {
	if !role.Valid() || name == "" || CleanName(name) != name {
		return User{}, "", ErrUserInvalid
	}
	u := User{Partner: partner, Name: name, Role: role, Status: UserInvited}
	if err := s.pool.QueryRow(ctx, `SELECT gen_random_uuid()::text`).Scan(&u.ID); err != nil {
		return User{}, "", fmt.Errorf("adding a person: %w", err)
	}
	var code string
	e := proof.Entry{Act: "user.add", Other: string(partner), Target: u.ID, Reason: string(role)}
	err := s.operate(ctx, e, func(tx pgx.Tx, entry audit.EntryID) (err error) {
		err = tx.QueryRow(ctx, `
			INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
			VALUES ($1, $2, $3, $4, 'invited', now(), $5) RETURNING since`, u.ID, partner, name, role, entry).Scan(&u.Since)
		if err != nil {
			return err
		}
		code, err = linkTo(ctx, tx, u, entry)
		return err
	})
	if pg.Violates(err, "partner_user_partner_fkey") {
		return User{}, "", ErrNotThere
	}
	if err != nil {
		return User{}, "", err
	}
	return u, code, nil
}

// Reissue is the operator's act of making a fresh one-time link for a person, in place of
// one she has not used. It adds a passkey and ends none: her administrator's link is the
// one that recovers.
func (s *Store) Reissue(ctx context.Context, user string) (string, error) {
	if !ids.IsUUID(user) {
		return "", ErrUserNotThere
	}
	var code string
	err := s.operate(ctx, proof.Entry{Act: "user.link", Target: user}, func(tx pgx.Tx, entry audit.EntryID) error {
		u := User{ID: user}
		err := tx.QueryRow(ctx, `
			SELECT partner FROM partner_user WHERE id = $1 AND status IN ('invited', 'active') FOR UPDATE`, user).Scan(&u.Partner)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrUserNotThere
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM user_link WHERE user_id = $1 AND used_at IS NULL`, user); err != nil {
			return err
		}
		code, err = linkTo(ctx, tx, u, entry)
		return err
	})
	return code, err
}

// Employed lists a partner's people who may act or have been invited, for the operator.
func (s *Store) Employed(ctx context.Context, partner ID) ([]User, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT id::text, partner, name, role, status, since FROM partner_user
		WHERE partner = $1 AND status IN ('invited', 'active') ORDER BY since, id`, partner)
	if err != nil {
		return nil, fmt.Errorf("reading people: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[User])
}

// linkTo makes the code of a link that recovers nothing.
func linkTo(ctx context.Context, tx pgx.Tx, u User, entry audit.EntryID) (string, error) {
	code := strings.ToLower(rand.Text())
	digest := sha256.Sum256([]byte(code))
	_, err := tx.Exec(ctx, `
		INSERT INTO user_link (code_digest, user_id, partner, recovers, expires_at, log_entry)
		VALUES ($1, $2, $3, false, now() + $4, $5)`, digest[:], u.ID, u.Partner, linkLife, entry)
	return code, err
}
