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

// Propose stores a signed override that a person proposes, with its sealed texts, or finds it
// stored already. The log entry that it returns proves it. What it covers before somebody
// else has approved it, Warrant.Covers says: nothing, but in an emergency. Errors: the
// refusals of record.ReadOverride and record.VerifyOverride, ErrByPerson, ErrIssuer, ErrKey,
// ErrOverrideConflict, ErrLapsed, record.ErrStale, partners.ErrRecipientInactive.
func (s *Store) Propose(ctx context.Context, c partners.Caller, body []byte) (audit.EntryID, error) {
	if c.User() == "" {
		return audit.EntryID{}, ErrByPerson
	}
	stated, posted, err := record.ReadOverride(body)
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
	var before already
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	ring := s.Partners.QueueKeys(read, c.Partner(), []string{stated.KeyID()}, nil)
	categories := queueCategories(read, append(record.Bases{{Controller: claims.Recipient}}, claims.Bases...))
	before.queue(read, `SELECT digest, log_entry FROM consent_override WHERE id = $1`, claims.ID)
	var lapsed bool
	read.Queue(lapsedBefore, c.Partner(), claims.Subject, claims.Recipient).QueryRow(func(row pgx.Row) error { return row.Scan(&lapsed) })
	entry := audit.EntryID{}
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if before.digest != "" {
			entry = before.entry
			return nil, before.is(stated.Digest())
		}
		o, err := believed(ring, stated, s.Hub, claims.Hub, claims.IssuedAt, now, record.VerifyOverride)
		if err != nil {
			return nil, err
		}
		if err := o.Bases.SuitCategory(categories.of); err != nil {
			return nil, err
		}
		if categories.of(o.Recipient) == "" {
			return nil, partners.ErrRecipientInactive
		}
		if o.Emergency && lapsed {
			return nil, ErrLapsed
		}
		write := &pgx.Batch{}
		entry, err = queueOverride(write, c, o, posted, now)
		return write, err
	})
	if pg.Violates(err, "consent_override_pkey") {
		return s.settledOverride(ctx, c, claims.ID, stated.Digest())
	}
	return entry, err
}

// lapsedBefore is whether an emergency of the agency, about the same woman and to the same
// recipient, has run its day and nobody has decided it to this hour. Another one in its place
// would let one person share for ever, a day at a time.
const lapsedBefore = `SELECT EXISTS (
	SELECT FROM consent_override o JOIN consent_override_state s ON s.id = o.id
	WHERE s.recorder = $1 AND s.emergency AND s.decision = 'proposed' AND s.recorded_at <= now() - interval '24 hours'
	  AND o.subject = $2 AND o.recipient = $3)`

// already is what is stored under an id.
type already struct {
	digest string
	entry  audit.EntryID
}

func (a *already) queue(b *pgx.Batch, query, id string) {
	b.Queue(query, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&a.digest, &a.entry}, func() error { return nil })
		return err
	})
}

// is returns ErrOverrideConflict unless what is stored has the digest.
func (a *already) is(digest string) error {
	if a.digest != digest {
		return ErrOverrideConflict
	}
	return nil
}

// settledOverride answers an override that lost a race against itself, or against one that
// the caller may not see.
func (s *Store) settledOverride(ctx context.Context, c partners.Caller, id, digest string) (audit.EntryID, error) {
	var before already
	b := &pgx.Batch{}
	before.queue(b, `SELECT digest, log_entry FROM consent_override WHERE id = $1`, id)
	err := pg.Decide(ctx, s.Pool, string(c.Partner()), b, func() (*pgx.Batch, error) { return nil, before.is(digest) })
	return before.entry, err
}

func queueOverride(b *pgx.Batch, c partners.Caller, o record.Override, posted record.PostedOverride, now time.Time) (audit.EntryID, error) {
	e := c.Entry("override.propose")
	e.Time, e.Subject, e.Override, e.Digest, e.Sections, e.Reason, e.State = now, o.Subject, o.ID, o.Digest(), o.Sections, o.Reason, stateProposed
	if o.Emergency { // it may go at once, so the recipient's log has it; else nothing is hers to know yet
		e.State, e.Other = stateEmergency, o.Recipient
	}
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging an override: %w", err)
	}
	from, to := time.Unix(o.ValidFrom, 0), time.Unix(o.Expires, 0)
	b.Queue(`
		INSERT INTO consent_override (id, recorder, recipient, proposer, subject, purpose, pathway, sections, valid_from, expires_at,
		                              digest, token, log_entry)
		VALUES (@id, @recorder, @recipient, @proposer, @subject, @purpose, @pathway, @sections, @from, @to, @digest, @token, @entry)`,
		pgx.StrictNamedArgs{"id": o.ID, "recorder": o.Issuer, "recipient": o.Recipient, "proposer": o.Act, "subject": o.Subject,
			"purpose": o.Purpose, "pathway": o.Gate.Pathway, "sections": o.Sections, "from": from, "to": to,
			"digest": o.Digest(), "token": o.Token(), "entry": entry})
	b.Queue(`
		INSERT INTO consent_override_state (id, recorder, recipient, reason, agreement, emergency, recorded_at, expires_at, decision, review_at, log_entry)
		VALUES (@id, @recorder, @recipient, @reason, @agreement, @emergency, @now, @to, 'proposed', @review, @entry)`,
		pgx.StrictNamedArgs{"id": o.ID, "recorder": o.Issuer, "recipient": o.Recipient, "reason": o.Reason, "agreement": o.Agreement,
			"emergency": o.Emergency, "now": now, "to": to, "review": time.Unix(o.ReviewAt, 0), "entry": entry})
	b.Queue(`INSERT INTO consent_override_private (id, recorder, sealed) VALUES ($1, $2, $3)`, o.ID, o.Issuer, posted.Sealed)
	return entry, nil
}
