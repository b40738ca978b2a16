package partners

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/pg"
)

// Link returns what a one-time link is good for, without using it, or ErrLink.
func (s *Store) Link(ctx context.Context, code string) (Link, error) {
	digest := sha256.Sum256([]byte(code))
	var l Link
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `
			SELECT user_id::text, partner, recovers FROM user_link
			WHERE code_digest = $1 AND used_at IS NULL AND now() < expires_at`, digest[:]).
			Scan(&l.User.ID, &l.User.Partner, &l.Recovers)
		if err != nil {
			return err
		}
		return readUser(ctx, tx, &l.User, "")
	})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !l.usable() {
		return Link{}, ErrLink
	}
	if err != nil {
		return Link{}, fmt.Errorf("reading a link: %w", err)
	}
	return l, nil
}

// RedeemLink uses a one-time link inside the caller's transaction, which must make what
// it is for (a passkey, a session) or fail with it. The person takes part from then on;
// if the link recovers, nothing that she proved before counts any more. It returns the
// log entry of it, or ErrLink. The transaction is bound to her partner afterwards. The
// person is locked before her link, as where she is suspended and her link taken back: of
// the two at once one waits for the other, and sees what it has done.
func (s *Store) RedeemLink(ctx context.Context, tx pgx.Tx, code string) (Link, audit.EntryID, error) {
	digest := sha256.Sum256([]byte(code))
	var l Link
	err := tx.QueryRow(ctx, `SELECT user_id::text, partner FROM user_link WHERE code_digest = $1`, digest[:]).Scan(&l.User.ID, &l.User.Partner)
	if err == nil {
		err = readUser(ctx, tx, &l.User, "FOR NO KEY UPDATE OF u")
	}
	if err == nil {
		err = tx.QueryRow(ctx, `
			UPDATE user_link SET used_at = now() WHERE code_digest = $1 AND used_at IS NULL AND now() < expires_at
			RETURNING recovers`, digest[:]).Scan(&l.Recovers)
	}
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !l.usable() {
		return Link{}, audit.EntryID{}, ErrLink
	}
	if err != nil {
		return Link{}, audit.EntryID{}, fmt.Errorf("redeeming a link: %w", err)
	}
	act := "user.enrol"
	if l.Recovers {
		act = "user.recovered"
	}
	entry, err := logNow(ctx, tx, proof.Entry{Act: act, Partner: string(l.User.Partner), User: l.User.ID})
	if err != nil {
		return Link{}, audit.EntryID{}, err
	}
	_, err = tx.Exec(ctx, `
		UPDATE partner_user SET status = 'active', log_entry = $2,
			signed_out_at = CASE WHEN $3 THEN clock_timestamp() ELSE signed_out_at END
		WHERE id = $1 AND status IN ('invited', 'active')`, l.User.ID, entry, l.Recovers)
	if err != nil {
		return Link{}, audit.EntryID{}, fmt.Errorf("redeeming a link: %w", err)
	}
	l.User.Status = UserActive
	return l, entry, nil
}

// usable reports whether the person may use a link: not while she is suspended, nor once
// she has left, nor while her partner does not take part.
func (l Link) usable() bool { return l.User.Status == UserInvited || l.User.Status == UserActive }

// readUser binds the transaction to the person's partner and reads her row, with a lock or
// with "". Of a partner
// that does not take part it finds nobody.
func readUser(ctx context.Context, tx pgx.Tx, u *User, lock string) error {
	var batch pgx.Batch
	pg.Bind(&batch, string(u.Partner))
	batch.Queue(`
		SELECT u.name, u.role, u.status, u.since FROM partner_user u JOIN partner p ON p.id = u.partner
		WHERE u.id = $1 AND p.status = 'active' `+lock, u.ID).
		QueryRow(func(row pgx.Row) error { return row.Scan(&u.Name, &u.Role, &u.Status, &u.Since) })
	return tx.SendBatch(ctx, &batch).Close()
}
