package consent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit"
	"handover/consent/record"
	"handover/internal/pg"
	"handover/partners"
)

// Store keeps consent records.
type Store struct {
	Pool     *pgxpool.Pool
	Partners *partners.Store
	Hub      string // the issuer URL that records must name
}

// Lock queues the reading of records, with their state rows locked FOR SHARE, into
// the transaction that batch runs in. Row-level security hides a record from a
// partner that neither made it nor is named in it: to her it is not there.
func Lock(batch *pgx.Batch, ids ...string) *Grants {
	all := &Grants{byID: map[string]*Grant{}}
	batch.Queue(`
		SELECT c.id::text, c.recorder, c.subject, c.agreement, c.purpose, c.recipients, c.sections, c.withheld,
		       c.valid_from, c.expires_at, c.digest, s.withdrawn_at IS NOT NULL
		FROM consent c JOIN consent_state s ON s.id = c.id
		WHERE c.id = ANY ($1::text[]::uuid[]) FOR SHARE OF s`, ids).Query(func(rows pgx.Rows) error {
		var g Grant
		c := &g.claims
		var from, to time.Time
		_, err := pgx.ForEachRow(rows, []any{&c.ID, &c.Issuer, &c.Subject, &c.Agreement, &c.Purpose, &c.Recipients,
			&c.Sections, &c.Withheld, &from, &to, &g.digest, &g.withdrawn}, func() error {
			read := g
			read.claims.ValidFrom, read.claims.Expires, read.found = from.Unix(), to.Unix(), true
			all.byID[c.ID] = &read
			return nil
		})
		return err
	})
	return all
}

// Record stores a signed consent record, or finds it stored already. The log entry
// that it returns proves it. Errors: the refusals of record.ParseConsent and
// record.VerifyConsent, ErrIssuer, ErrKey, ErrConflict, record.ErrStale.
func (s *Store) Record(ctx context.Context, c partners.Caller, token string) (audit.EntryID, error) {
	stated, err := record.ParseConsent(token)
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
	var storedDigest string
	var entry audit.EntryID
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	ring := s.Partners.QueueKeys(read, c.Partner(), []string{stated.KeyID()}, nil)
	queueStored(read, claims.ID, &storedDigest, &entry)
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if storedDigest != "" {
			if storedDigest != stated.Digest() {
				return nil, ErrConflict
			}
			return nil, nil
		}
		write := &pgx.Batch{}
		rec, err := s.verify(stated, ring, now)
		if err != nil {
			return nil, err
		}
		entry, err = queueRecord(write, c, rec, now)
		return write, err
	})
	if pg.Violates(err, "consent_pkey") {
		return s.settled(ctx, c, claims.ID, stated.Digest())
	}
	return entry, err
}

func queueStored(b *pgx.Batch, id string, digest *string, entry *audit.EntryID) {
	b.Queue(`SELECT digest, log_entry FROM consent WHERE id = $1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{digest, entry}, func() error { return nil })
		return err
	})
}

// settled answers a record that lost a race against itself: the same bytes find the
// winner's entry. Other bytes are a conflict, also with a record that the caller may
// not see.
func (s *Store) settled(ctx context.Context, c partners.Caller, id, digest string) (audit.EntryID, error) {
	var stored string
	var entry audit.EntryID
	b := &pgx.Batch{}
	queueStored(b, id, &stored, &entry)
	err := pg.Decide(ctx, s.Pool, string(c.Partner()), b, func() (*pgx.Batch, error) {
		if stored != digest {
			return nil, ErrConflict
		}
		return nil, nil
	})
	return entry, err
}

func (s *Store) verify(stated record.Statement[record.Claims], ring *partners.Ring, now time.Time) (record.Consent, error) {
	claims := stated.Unverified()
	key, ok := ring.Signing(stated.KeyID(), time.Unix(claims.IssuedAt, 0))
	if !ok {
		return record.Consent{}, ErrKey
	}
	rec, err := record.VerifyConsent(stated, key.PublicKey)
	if err != nil {
		return record.Consent{}, err
	}
	return rec, record.Fresh(claims.Hub, claims.IssuedAt, s.Hub, now)
}

func queueRecord(b *pgx.Batch, c partners.Caller, rec record.Consent, now time.Time) (audit.EntryID, error) {
	e := c.Entry("consent.record")
	e.Time, e.Consent, e.Digest, e.State = now, rec.ID, rec.Digest(), rec.Agreement
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, err
	}
	withheld := rec.Withheld
	if withheld == nil {
		withheld = []string{}
	}
	b.Queue(`
		INSERT INTO consent (id, recorder, subject, agreement, purpose, recipients, sections, withheld,
		                     valid_from, expires_at, digest, token, recorded_at, log_entry)
		VALUES (@id, @recorder, @subject, @agreement, @purpose, @recipients, @sections, @withheld,
		        @from, @to, @digest, @token, @now, @entry)`, pgx.StrictNamedArgs{
		"id": rec.ID, "recorder": rec.Issuer, "subject": rec.Subject, "agreement": rec.Agreement,
		"purpose": rec.Purpose, "recipients": rec.Recipients, "sections": rec.Sections, "withheld": withheld,
		"from": time.Unix(rec.ValidFrom, 0), "to": time.Unix(rec.Expires, 0),
		"digest": rec.Digest(), "token": rec.Token(), "now": now, "entry": entry})
	b.Queue(`INSERT INTO consent_state (id, log_entry) VALUES ($1, $2)`, rec.ID, entry)
	return entry, nil
}

// Stored is a consent record as its readers see it.
type Stored struct {
	ID          string        `json:"id"`
	Record      string        `json:"record"` // the signed record
	Digest      string        `json:"digest"`
	State       string        `json:"state"` // agreed, refused, withdrawn, expired
	RecordedAt  time.Time     `json:"recorded_at"`
	WithdrawnAt *time.Time    `json:"withdrawn_at,omitempty"`
	Withdrawal  string        `json:"withdrawal,omitempty"` // the signed withdrawal
	Receipt     any           `json:"receipt,omitempty"`    // of the newest step
	Entry       audit.EntryID `json:"-"`
}

// isID reports whether id has the form of a record's id in its one spelling. Others
// of the parser's the database refuses as an error of ours, or takes for the same.
func isID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}

// Read returns a record that the caller made or is named in, and logs that she read
// it, or ErrNotThere.
func (s *Store) Read(ctx context.Context, c partners.Caller, id string) (Stored, error) {
	if !isID(id) {
		return Stored{}, ErrNotThere
	}
	st := Stored{ID: id}
	var now, expires time.Time
	read := &pgx.Batch{}
	read.Queue(`
		SELECT c.token, c.digest, c.agreement, c.recorded_at, s.withdrawn_at, coalesce(s.withdrawal, ''),
		       s.log_entry, c.expires_at, now()
		FROM consent c JOIN consent_state s ON s.id = c.id WHERE c.id = $1`, id).
		QueryRow(func(row pgx.Row) error {
			return row.Scan(&st.Record, &st.Digest, &st.State, &st.RecordedAt, &st.WithdrawnAt, &st.Withdrawal,
				&st.Entry, &expires, &now)
		})
	err := pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		switch {
		case st.WithdrawnAt != nil:
			st.State = "withdrawn"
		case !now.Before(expires):
			st.State = "expired"
		}
		write := &pgx.Batch{}
		e := c.Entry("consent.read")
		e.Time, e.Consent, e.Digest = now, id, st.Digest
		_, err := audit.Queue(write, e)
		return write, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Stored{}, ErrNotThere
	}
	return st, err
}

// Withdraw records a signed withdrawal by any partner that can see the record. When
// it returns, no transaction can share anything on the record any more: it waits for
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
	var digest, earlier string
	var entry audit.EntryID
	read := &pgx.Batch{}
	ring := s.Partners.QueueKeys(read, c.Partner(), []string{stated.KeyID()}, nil)
	read.Queue(`
		SELECT c.digest, coalesce(s.withdrawal_digest, ''), s.log_entry
		FROM consent c JOIN consent_state s ON s.id = c.id
		WHERE c.id = $1 FOR UPDATE OF s`, id).QueryRow(func(row pgx.Row) error {
		return row.Scan(&digest, &earlier, &entry)
	})
	// A statement of its own: the one before reads the clock first and then waits for
	// those who share, and they would stand in the log as later than the withdrawal.
	read.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if earlier == stated.Digest() {
			return nil, nil
		}
		if earlier != "" {
			return nil, ErrAlreadyWithdrawn
		}
		w, err := s.verifyWithdrawal(stated, ring, now)
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

func (s *Store) verifyWithdrawal(stated record.Statement[record.WithdrawalClaims], ring *partners.Ring, now time.Time) (record.Withdrawal, error) {
	claims := stated.Unverified()
	key, ok := ring.Signing(stated.KeyID(), time.Unix(claims.IssuedAt, 0))
	if !ok {
		return record.Withdrawal{}, ErrKey
	}
	w, err := record.VerifyWithdrawal(stated, key.PublicKey)
	if err != nil {
		return record.Withdrawal{}, err
	}
	return w, record.Fresh(claims.Hub, claims.IssuedAt, s.Hub, now)
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
