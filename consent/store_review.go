package consent

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/consent/record"
	"handover/internal/pg"
	"handover/partners"
)

// The states of a consent record's review.
const (
	reviewAwaited = "awaited"
	reviewStands  = "stands"
	reviewFails   = "does-not-stand"
)

// doubted is a consent record as the transaction that reviews it holds it.
type doubted struct {
	token, digest, review string
	withdrawn             bool
	made                  already // the review that is stored
	now                   time.Time
}

func queueDoubted(b *pgx.Batch, partner partners.ID, id string) *doubted {
	d := &doubted{}
	b.Queue(`
		SELECT c.token, c.digest, s.review, s.withdrawn_at IS NOT NULL
		FROM consent c JOIN consent_state s ON s.id = c.id
		WHERE c.id = $1 AND c.recorder = $2 FOR UPDATE OF s`, id, partner).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&d.token, &d.digest, &d.review, &d.withdrawn}, func() error { return nil })
		return err
	})
	d.made.queue(b, `SELECT digest, log_entry FROM consent_review WHERE id = $1`, id)
	b.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&d.now) })
	return d
}

// ReviewConsent stores a manager's signed decision about a consent record that covers nothing
// until somebody has looked at how the woman was asked: approved lets it stand, refused does
// not, for good. Whoever recorded it does not decide it. The same decision again finds its
// entry. Errors: as Decide, with ErrNotThere, ErrUnknown, ErrWithdrawn and ErrNoReview.
func (s *Store) ReviewConsent(ctx context.Context, c partners.Caller, id, token string) (entry audit.EntryID, err error) {
	decision, err := record.ParseDecision(token)
	if err != nil {
		return entry, err
	}
	claims := decision.Unverified()
	m := managers{kind: "review", Said: claims.Said, kid: decision.KeyID(), token: token, fingerprint: decision.Digest()}
	if err := m.admits(c); err != nil {
		return entry, err
	}
	if !isID(id) {
		return entry, ErrNotThere
	}
	read := &pgx.Batch{}
	ring := s.Partners.QueueKeys(read, c.Partner(), []string{m.kid}, nil)
	d := queueDoubted(read, c.Partner(), id)
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if d.digest != "" && d.made.digest == m.fingerprint {
			entry = d.made.entry
			return nil, nil
		}
		if err := d.reviewable(id, claims); err != nil {
			return nil, err
		}
		if _, err := verifies(ring, decision, m.IssuedAt, record.VerifyDecision); err != nil {
			return nil, err
		}
		if err := record.Fresh(m.Hub, m.IssuedAt, s.Hub, d.now); err != nil {
			return nil, err
		}
		write := &pgx.Batch{}
		var err error
		entry, err = queueReview(write, c, m, claims.Decision, d.now)
		return write, err
	})
	return entry, err
}

// reviewable decides whether the record may be decided so, by whom the claims name.
func (d *doubted) reviewable(id string, claims record.DecisionClaims) error {
	switch {
	case d.digest == "":
		return ErrNotThere
	case claims.Of != id || claims.Digest != d.digest:
		return ErrUnknown
	case d.withdrawn:
		return ErrWithdrawn
	case d.review != reviewAwaited:
		return ErrNoReview
	}
	recorded, err := record.ParseConsent(d.token)
	if err != nil {
		return fmt.Errorf("reading a stored record: %w", err)
	}
	if recorded.Unverified().Act == claims.Act {
		return ErrSamePerson
	}
	return nil
}

// queueReview queues the decision and what it makes of the record. The record's own entry
// stays the newest that its readers are shown: a recipient is not to learn that somebody
// had a doubt.
func queueReview(b *pgx.Batch, c partners.Caller, m managers, decision string, now time.Time) (audit.EntryID, error) {
	to := reviewFails
	if decision == record.Approved {
		to = reviewStands
	}
	e := c.Entry("consent.review")
	e.Time, e.Consent, e.Digest, e.State = now, m.Of, m.fingerprint, to
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging a review: %w", err)
	}
	b.Queue(`UPDATE consent_state SET review = $2 WHERE id = $1 AND review = 'awaited'`, m.Of, to)
	b.Queue(`INSERT INTO consent_review (id, recorder, digest, token, at, log_entry) VALUES ($1, $2, $3, $4, $5, $6)`,
		m.Of, c.Partner(), m.fingerprint, m.token, now, entry)
	return entry, nil
}

// ReviewMade returns a manager's signed decision about a record of the caller's agency, with
// its entry; "" if there is none.
func (s *Store) ReviewMade(ctx context.Context, c partners.Caller, id string) (token string, entry audit.EntryID, err error) {
	if !isID(id) {
		return "", entry, ErrNotThere
	}
	read := &pgx.Batch{}
	read.Queue(`SELECT token, log_entry FROM consent_review WHERE id = $1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&token, &entry}, func() error { return nil })
		return err
	})
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) { return nil, nil })
	return token, entry, err
}
