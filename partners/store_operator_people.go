package partners

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
)

// Employ is the operator's act of adding a person to a partner, as its first
// administrator must be. It returns her, invited, and the code of the one-time link by
// which she sets up her passkey: it is shown once. Errors: ErrPersonInvalid, ErrNotThere.
func (s *Store) Employ(ctx context.Context, partner ID, name string, role Role) (User, string, error) {
	if !role.Valid() || !isName(name) {
		return User{}, "", ErrPersonInvalid
	}
	u := User{ID: newID(), Partner: partner, Name: name, Role: role, Status: UserInvited}
	var code string
	e := proof.Entry{Act: "user.add", Other: string(partner), Target: u.ID, Reason: string(role)}
	err := s.operate(ctx, e, func(tx pgx.Tx, entry audit.EntryID) (err error) {
		err = tx.QueryRow(ctx, `
			INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
			VALUES ($1, $2, $3, $4, 'invited', now(), $5) RETURNING since`, u.ID, partner, name, role, entry).Scan(&u.Since)
		if err != nil {
			return err
		}
		link, err := makeLink(ctx, tx, u, false, entry)
		code = link.Code
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
// one she has not used. For somebody who has joined it recovers, like her administrator's:
// a link that only added a passkey would let the operator in beside her, and nobody would
// know. The entry names her agency, which sees it.
func (s *Store) Reissue(ctx context.Context, user string) (string, error) {
	if !ids.IsUUID(user) {
		return "", ErrUserNotThere
	}
	var code string
	u := User{ID: user}
	err := s.pool.QueryRow(ctx, `SELECT partner FROM partner_user WHERE id = $1`, user).Scan(&u.Partner)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrUserNotThere
	}
	if err != nil {
		return "", fmt.Errorf("finding a person: %w", err)
	}
	e := proof.Entry{Act: "user.link", Other: string(u.Partner), Target: user}
	err = s.operate(ctx, e, func(tx pgx.Tx, entry audit.EntryID) error {
		err := tx.QueryRow(ctx, `
			SELECT status FROM partner_user WHERE id = $1 AND status IN ('invited', 'active') FOR UPDATE`, user).Scan(&u.Status)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrUserNotThere
		}
		if err != nil {
			return err
		}
		link, err := makeLink(ctx, tx, u, u.Status == UserActive, entry)
		code = link.Code
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
