package partners

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/pg"
)

// Profile is what a person is shown of herself.
type Profile struct {
	User
	Agency string // her partner's name
}

// Profile returns the person who acts, as her own pages show her.
func (s *Store) Profile(ctx context.Context, c Caller) (Profile, error) {
	p := Profile{User: User{ID: c.user, Partner: c.partner}}
	err := pg.As(ctx, s.pool, string(c.partner), func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `
			SELECT u.name, u.role, u.status, u.since, p.name FROM partner_user u JOIN partner p ON p.id = u.partner
			WHERE u.id = $1`, c.user).Scan(&p.Name, &p.Role, &p.Status, &p.Since, &p.Agency)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Profile{}, ErrUserNotThere
	}
	if err != nil {
		return Profile{}, fmt.Errorf("reading a person: %w", err)
	}
	return p, nil
}

// LockStanding returns since when a person's proofs count, in a transaction that is bound
// to her partner, and keeps it so until the transaction ends: whoever signs her out, or
// suspends her, waits for it or is seen by it. ErrUserNotThere: she may not act.
func LockStanding(ctx context.Context, tx pgx.Tx, user string) (since time.Time, err error) {
	var out *time.Time
	err = tx.QueryRow(ctx, `
		SELECT nullif(u.signed_out_at, '-infinity') FROM partner_user u JOIN partner p ON p.id = u.partner
		WHERE u.id = $1 AND u.status = 'active' AND p.status = 'active' FOR SHARE OF u`, user).Scan(&out)
	if errors.Is(err, pgx.ErrNoRows) {
		return time.Time{}, ErrUserNotThere
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("locking a person's standing: %w", err)
	}
	if out != nil {
		since = *out
	}
	return since, nil
}

// LinkIssuer returns who made a one-time link, by id: "" is the hub's operator. The
// transaction is bound to the link's partner.
func LinkIssuer(ctx context.Context, tx pgx.Tx, codeDigest []byte) (string, error) {
	var body []byte
	err := tx.QueryRow(ctx, `
		SELECT e.body FROM user_link l JOIN audit_entry e ON e.id = l.log_entry WHERE l.code_digest = $1`, codeDigest).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && body == nil {
		return "", nil // an entry of the operator's, or one erased since
	}
	if err != nil {
		return "", fmt.Errorf("reading who made a link: %w", err)
	}
	e, err := proof.ParseEntry(body)
	if err != nil {
		return "", fmt.Errorf("reading who made a link: %w", err)
	}
	return e.User, nil
}

// Arrive makes a person who comes for the first time through her agency's own provider,
// in a transaction that is bound to that agency.
func Arrive(ctx context.Context, tx pgx.Tx, partner ID, name string, role Role) (User, audit.EntryID, error) {
	u := User{Partner: partner, Name: CleanName(name), Role: role, Status: UserActive}
	if err := tx.QueryRow(ctx, `SELECT gen_random_uuid()::text, now()`).Scan(&u.ID, &u.Since); err != nil {
		return User{}, audit.EntryID{}, fmt.Errorf("making a person: %w", err)
	}
	entry, err := logNow(ctx, tx, proof.Entry{Act: "user.arrive", Partner: string(partner), User: u.ID, Reason: string(role)})
	if err != nil {
		return User{}, audit.EntryID{}, err
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO partner_user (id, partner, name, role, status, since, log_entry)
		VALUES ($1, $2, $3, $4, 'active', $5, $6)`, u.ID, partner, u.Name, role, u.Since, entry)
	if err != nil {
		return User{}, audit.EntryID{}, fmt.Errorf("making a person: %w", err)
	}
	return u, entry, nil
}

// Assign gives a person the role that her agency's provider says she has now, in a
// transaction that is bound to that agency. It logs a change; ErrUserNotThere: she may
// not act.
func Assign(ctx context.Context, tx pgx.Tx, partner ID, user string, role Role) error {
	var had Role
	err := tx.QueryRow(ctx, `SELECT role FROM partner_user WHERE id = $1 AND status = 'active' FOR UPDATE`, user).Scan(&had)
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrUserNotThere
	}
	if err != nil || had == role {
		return err
	}
	entry, err := logNow(ctx, tx, proof.Entry{Act: "user.role", Partner: string(partner), User: user, Target: user, Reason: string(role)})
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE partner_user SET role = $2, log_entry = $3 WHERE id = $1`, user, role, entry); err != nil {
		return fmt.Errorf("changing a role: %w", err)
	}
	return nil
}

// maxName is the length of a person's name in characters.
const maxName = 80

// CleanName is a name as colleagues may be shown it: one line, no control or direction
// characters (which could make one name look like another's), at most 80 characters.
// What is left of nothing is "A colleague".
func CleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if utf8.RuneCountInString(name) > maxName {
		name = strings.TrimSpace(string([]rune(name)[:maxName]))
	}
	if name == "" {
		return "A colleague"
	}
	return name
}
