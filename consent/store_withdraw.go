package consent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/consent/record"
	"handover/internal/pg"
	"handover/partners"
)

// Withdraw records a signed withdrawal by its recorder, by any partner that she named by its
// own name, and by any that holds a referral on it. A partner that is named as one of a kind
// and has nothing of hers to take back is refused as if the record were not there: it could
// undo what others do for her. Where a later record stands in its place that the caller is
// shown, that one is to be withdrawn, which takes back the whole chain (ErrSuperseded, with its
// id): she takes back what she said, not what she said first. When it returns, no transaction can share anything on the record any more: it waits for
// those that hold the record's state FOR SHARE, and later ones find it withdrawn.
// The same withdrawal sent again finds its own entry.
func (s *Store) Withdraw(ctx context.Context, c partners.Caller, id, token string) (audit.EntryID, error) {
	if !isID(id) {
		return audit.EntryID{}, ErrNotThere
	}
	stated, err := record.ParseWithdrawal(token)
	if err != nil {
		return audit.EntryID{}, err
	}
	claims := stated.Unverified()
	if claims.Issuer != string(c.Partner()) {
		return audit.EntryID{}, ErrIssuer
	}
	if err := c.Signs(claims.Act); err != nil {
		return audit.EntryID{}, err
	}
	var now time.Time
	var digest, earlier, newest string
	var mine bool
	var entry audit.EntryID
	read := &pgx.Batch{}
	ring := s.Partners.QueueKeys(read, c.Partner(), []string{stated.KeyID()}, nil)
	read.Queue(`
		SELECT c.digest, coalesce(s.withdrawal_digest, ''), s.log_entry, c.recorder = $2 OR $2 = ANY (c.recipients)
		       OR EXISTS (SELECT FROM consent e JOIN packet p ON p.consent = e.id WHERE e.chain = c.chain)
		FROM consent c JOIN consent_state s ON s.id = c.id
		WHERE c.id = $1 FOR UPDATE OF s`, id, c.Partner()).QueryRow(func(row pgx.Row) error {
		return row.Scan(&digest, &earlier, &entry, &mine)
	})
	// A statement of its own: the one before may have waited for a later record.
	read.Queue(`
		SELECT n.id::text FROM consent c JOIN consent n ON n.chain = c.chain AND n.place > c.place JOIN consent_state s ON s.id = n.id
		WHERE c.id = $1 AND s.withdrawn_at IS NULL ORDER BY n.place DESC LIMIT 1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&newest}, func() error { return nil })
		return err
	})
	// A statement of its own: the one before reads the clock first and then waits for
	// those who share, and they would stand in the log as later than the withdrawal.
	read.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		switch {
		case earlier == stated.Digest():
			return nil, nil
		case !mine:
			return nil, ErrNotThere
		case earlier != "":
			return nil, ErrAlreadyWithdrawn
		case newest != "":
			return nil, ErrSuperseded.With("newest", newest)
		}
		w, err := believed(ring, stated, s.Hub, claims.Hub, claims.IssuedAt, now, record.VerifyWithdrawal)
		if err != nil {
			return nil, err
		}
		if w.Consent != id || w.Digest != digest {
			return nil, ErrUnknown
		}
		write := &pgx.Batch{}
		entry, err = queueWithdrawal(write, c, w, now)
		return write, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return audit.EntryID{}, ErrNotThere
	}
	return entry, err
}

func queueWithdrawal(b *pgx.Batch, c partners.Caller, w record.Withdrawal, now time.Time) (audit.EntryID, error) {
	e := c.Entry("consent.withdraw")
	e.Time, e.Consent, e.Digest, e.State = now, w.Consent, w.Fingerprint(), "withdrawn"
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging a withdrawal: %w", err)
	}
	b.Queue(`
		UPDATE consent_state SET withdrawn_at = @now, withdrawn_by = @by, withdrawal = @token,
		       withdrawal_digest = @digest, log_entry = @entry
		WHERE id = @id AND withdrawn_at IS NULL`, pgx.StrictNamedArgs{"now": now, "by": w.Issuer,
		"token": w.Token(), "digest": w.Fingerprint(), "entry": entry, "id": w.Consent})
	return entry, nil
}
