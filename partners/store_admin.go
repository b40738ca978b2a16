package partners

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
)

// The administrator's transitions change her own agency and no other: each runs in a
// session of her partner, as the hub's serving role.

// administer runs one change by an administrator, with its log entry e. It holds the rows
// of her agency's active administrators, so that of two changes at once the second sees
// what the first has left; and asks there whether she still is one, and still signed in:
// a colleague, or she herself, may have ended that after she was admitted, which whoever
// has her token can draw out by sending a request slowly.
func (s *Store) administer(ctx context.Context, c Caller, e proof.Entry, change func(pgx.Tx, audit.EntryID) error) error {
	refused := ErrScope.With("scope", string(PartnerAdmin))
	if !c.Has(PartnerAdmin) || c.User() == "" {
		return refused
	}
	return pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT CASE WHEN signed_out_at <= $2 THEN id::text ELSE '' END FROM partner_user
			WHERE partner = $1 AND role = 'administrator' AND status = 'active' ORDER BY id FOR NO KEY UPDATE`, c.Partner(), c.Proved())
		if err != nil {
			return fmt.Errorf("locking administrators: %w", err)
		}
		administrators, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return fmt.Errorf("locking administrators: %w", err)
		}
		if !slices.Contains(administrators, c.User()) {
			return refused
		}
		entry, err := logNow(ctx, tx, e)
		if err != nil {
			return err
		}
		return change(tx, entry)
	})
}

// Administer runs one change by an administrator for a room that has rows of her agency's of
// its own: in a session of her partner, with the log entry e, and under the same conditions as
// the changes of this room. What change may refuse is an ordinary error: it rolls back.
func (s *Store) Administer(ctx context.Context, c Caller, e proof.Entry, change func(pgx.Tx, audit.EntryID) error) error {
	return s.administer(ctx, c, e, change)
}

// People lists everybody of the caller's agency, those who have left among them, since
// envelopes still name them.
func (s *Store) People(ctx context.Context, c Caller) ([]User, error) {
	people := []User{}
	err := pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id::text, partner, name, role, status, since FROM partner_user ORDER BY name, id`)
		if err != nil {
			return err
		}
		var u User
		_, err = pgx.ForEachRow(rows, []any{&u.ID, &u.Partner, &u.Name, &u.Role, &u.Status, &u.Since}, func() error {
			people = append(people, u)
			return nil
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing people: %w", err)
	}
	return people, nil
}

// QueueMember queues the question whether the user is somebody of the partner in whose
// session the batch runs.
func (s *Store) QueueMember(b *pgx.Batch, user string, found *bool) {
	b.Queue(`SELECT EXISTS (SELECT FROM partner_user WHERE id = $1)`, user).
		QueryRow(func(row pgx.Row) error { return row.Scan(found) })
}

// AddPerson adds somebody to the caller's agency. She takes part once she has used the
// link that is returned.
func (s *Store) AddPerson(ctx context.Context, c Caller, name string, role Role) (Invitation, error) {
	return s.AddPersonAs(ctx, c, newID(), name, role)
}

// AddPersonAs is AddPerson under an id that the administrator's page has chosen: whoever sends
// one page twice adds one person, and is told ErrAlready the second time.
func (s *Store) AddPersonAs(ctx context.Context, c Caller, id, name string, role Role) (Invitation, error) {
	if !isName(name) || !role.Valid() || !ids.IsUUID(id) {
		return Invitation{}, ErrPersonInvalid
	}
	e := c.Entry("user.add")
	e.Target, e.Reason = id, string(role)
	var link Invitation
	err := s.administer(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
			VALUES ($1, $2, $3, $4, 'invited', now(), $5)`, id, c.Partner(), name, role, entry)
		if err != nil {
			return fmt.Errorf("adding a person: %w", err)
		}
		link, err = makeLink(ctx, tx, User{ID: id, Partner: c.Partner()}, false, entry)
		return err
	})
	if pg.Violates(err, "partner_user_pkey") {
		return Invitation{}, ErrAlready
	}
	return link, err
}

// Recover makes a new link for somebody who has lost her passkey, or let her first link
// run out; an earlier one that is unused ends. Nobody recovers herself: whoever sits at
// her signed-in screen would make the minute last for ever.
func (s *Store) Recover(ctx context.Context, c Caller, user string) (Invitation, error) {
	return s.recover(ctx, c, user, func(pgx.Tx) error { return nil })
}

// RecoverAfter is Recover unless a link was made for her after the one that ends at last, which
// was the newest when the administrator's page was made (LastLink.Expires): whoever sends one
// page twice makes one link, and is told ErrAlready the second time.
func (s *Store) RecoverAfter(ctx context.Context, c Caller, user string, last time.Time) (Invitation, error) {
	return s.recover(ctx, c, user, func(tx pgx.Tx) error {
		return unchanged(ctx, tx, last, `SELECT max(expires_at) FROM user_link WHERE user_id = $1`, user)
	})
}

func (s *Store) recover(ctx context.Context, c Caller, user string, may func(pgx.Tx) error) (Invitation, error) {
	if user == c.User() {
		return Invitation{}, ErrOwnRecovery
	}
	var link Invitation
	m := personMove{act: "user.recover", from: []Standing{UserInvited, UserActive}}
	_, err := s.move(ctx, c, user, m, func(tx pgx.Tx, u User, entry audit.EntryID) error {
		err := may(tx)
		if err == nil {
			link, err = makeLink(ctx, tx, u, u.Status == UserActive, entry)
		}
		return err
	})
	return link, err
}

// SetRole gives a person another role, which counts at her next request. Nobody gives
// herself one: who manages people would make herself a reader of referrals, unseen by any
// colleague.
func (s *Store) SetRole(ctx context.Context, c Caller, user string, role Role) (User, error) {
	if !role.Valid() {
		return User{}, ErrPersonInvalid
	}
	if user == c.User() {
		return User{}, ErrOwnRole
	}
	return s.move(ctx, c, user, personMove{act: "user.role", role: role, weakens: role != Administrator,
		from: []Standing{UserInvited, UserActive, UserSuspended}})
}

// SuspendPerson stops a person at once, and ends her sessions, tokens and unused link.
func (s *Store) SuspendPerson(ctx context.Context, c Caller, user string) (User, error) {
	return s.move(ctx, c, user, personMove{act: "user.suspend", to: UserSuspended, ends: true, weakens: true,
		from: []Standing{UserActive}}, dropLinks(ctx))
}

// ResumePerson lets a suspended person take part again. She signs in anew.
func (s *Store) ResumePerson(ctx context.Context, c Caller, user string) (User, error) {
	return s.move(ctx, c, user, personMove{act: "user.resume", to: UserActive, from: []Standing{UserSuspended}})
}

// RemovePerson ends a leaver's part for good.
func (s *Store) RemovePerson(ctx context.Context, c Caller, user string) (User, error) {
	return s.move(ctx, c, user, personMove{act: "user.remove", to: UserRemoved, ends: true, weakens: true,
		from: []Standing{UserInvited, UserActive, UserSuspended}}, dropLinks(ctx))
}

// personMove is one change of a person's role or standing.
type personMove struct {
	act     string
	from    []Standing
	to      Standing // "" stays
	role    Role     // "" stays
	ends    bool     // what she proved before counts no more
	weakens bool     // she is no administrator afterwards
}

// move makes one move, then what else belongs to it. What she proved is ended as of the
// moment of the change and not as of the transaction's beginning: a proof that she gave
// while the change waited for a lock would count again once she is let in again. Errors:
// ErrUserNotThere, ErrStanding, ErrLastAdministrator.
func (s *Store) move(ctx context.Context, c Caller, user string, m personMove, then ...func(pgx.Tx, User, audit.EntryID) error) (User, error) {
	if !ids.IsUUID(user) {
		return User{}, ErrUserNotThere
	}
	e := c.Entry(m.act)
	e.Target, e.Reason = user, string(m.role)
	u := User{ID: user, Partner: c.Partner()}
	err := s.administer(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		err := tx.QueryRow(ctx, `
			UPDATE partner_user SET log_entry = @entry, status = coalesce(nullif(@to, ''), status), role = coalesce(nullif(@role, ''), role),
				signed_out_at = CASE WHEN @ends THEN clock_timestamp() ELSE signed_out_at END
			WHERE id = @id AND status = ANY (@from) AND NOT (@weakens AND role = 'administrator' AND status = 'active'
				AND NOT EXISTS (SELECT FROM partner_user o WHERE o.id <> @id AND o.role = 'administrator' AND o.status = 'active'))
			RETURNING name, role, status, since`, pgx.StrictNamedArgs{"id": user, "entry": entry, "to": m.to, "role": m.role,
			"ends": m.ends, "weakens": m.weakens, "from": m.from}).Scan(&u.Name, &u.Role, &u.Status, &u.Since)
		if errors.Is(err, pgx.ErrNoRows) {
			return m.refused(ctx, tx, user)
		}
		if err != nil {
			return fmt.Errorf("changing a person: %w", err)
		}
		for _, f := range then {
			if err := f(tx, u, entry); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// refused says why the move found nobody to change.
func (m personMove) refused(ctx context.Context, tx pgx.Tx, user string) error {
	var status Standing
	err := tx.QueryRow(ctx, `SELECT status FROM partner_user WHERE id = $1`, user).Scan(&status)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrUserNotThere
	case err != nil:
		return fmt.Errorf("reading a person's standing: %w", err)
	case !slices.Contains(m.from, status):
		return ErrStanding.With("status", string(status))
	}
	return ErrLastAdministrator
}
