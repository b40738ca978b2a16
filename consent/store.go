package consent

import (
	"context"
	"errors"
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

// Record stores a signed consent record with what its recorder keeps beside it, or finds it
// stored already. The log entry that it returns proves it. Errors: the refusals of
// record.ReadPosted and record.VerifyConsent, ErrIssuer, ErrKey, ErrConflict,
// record.ErrStale, and for a record that supersedes another ErrNotThere, ErrWithdrawn,
// ErrSuperseded and ErrSuccessor.
func (s *Store) Record(ctx context.Context, c partners.Caller, body []byte) (audit.EntryID, error) {
	stated, posted, err := record.ReadPosted(body)
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
	earlier := queueEarlier(read, claims.Supersedes)
	// Its own statement, after the one that may wait: who waits stands in the log as later.
	read.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	ring := s.Partners.QueueKeys(read, c.Partner(), []string{stated.KeyID()}, nil)
	categories := queueCategories(read, claims.Bases)
	queueStored(read, claims.ID, &storedDigest, &entry)
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if storedDigest != "" {
			if storedDigest != stated.Digest() {
				return nil, ErrConflict
			}
			return nil, nil
		}
		write := &pgx.Batch{}
		rec, err := believed(ring, stated, s.Hub, claims.Hub, claims.IssuedAt, now, record.VerifyConsent)
		if err != nil {
			return nil, err
		}
		if err := rec.Bases.SuitCategory(categories.of); err != nil {
			return nil, err
		}
		if err := earlier.precedes(rec.Claims); err != nil {
			return nil, err
		}
		entry, err = queueRecord(write, c, rec, posted, earlier, now)
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

// categories are those of the partners that a record names as controllers.
type categories map[string]string

func (c categories) of(partner string) string { return c[partner] }

func queueCategories(b *pgx.Batch, bases record.Bases) categories {
	found := categories{}
	var named []string
	for _, basis := range bases {
		named = append(named, basis.Controller)
	}
	b.Queue(`SELECT id, category FROM partner WHERE id = ANY ($1)`, named).Query(func(rows pgx.Rows) error {
		var id, category string
		_, err := pgx.ForEachRow(rows, []any{&id, &category}, func() error {
			found[id] = category
			return nil
		})
		return err
	})
	return found
}

func queueRecord(b *pgx.Batch, c partners.Caller, rec record.Consent, posted record.Posted, before *earlier, now time.Time) (audit.EntryID, error) {
	e := c.Entry("consent.record")
	e.Time, e.Subject, e.Consent, e.Digest, e.State, e.Target = now, rec.Subject, rec.ID, rec.Digest(), rec.Agreement, rec.Supersedes
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, err
	}
	review := "not-needed"
	if posted.NeedsReview(rec.Claims) || before.doubted() && rec.Grants() {
		review = "awaited"
	}
	sealed := posted.Sealed
	if sealed == nil {
		sealed = map[string]string{}
	}
	b.Queue(`
		INSERT INTO consent (id, recorder, subject, agreement, purpose, recipients, sections, withheld, onward, authority,
		                     given_at, valid_from, expires_at, chain, place, digest, token, recorded_at, log_entry)
		VALUES (@id, @recorder, @subject, @agreement, @purpose, @recipients, @sections, @withheld, @onward, @authority,
		        @given, @from, @to, @chain, @place, @digest, @token, @now, @entry)`, pgx.StrictNamedArgs{
		"id": rec.ID, "recorder": rec.Issuer, "subject": rec.Subject, "agreement": rec.Agreement,
		"purpose": rec.Purpose, "recipients": rec.Recipients, "sections": rec.Sections, "withheld": listed(rec.Withheld),
		"onward": rec.Onward, "authority": rec.Gate.Authority, "given": time.Unix(rec.GivenAt, 0),
		"from": time.Unix(rec.ValidFrom, 0), "to": time.Unix(rec.Expires, 0), "chain": before.chainOf(rec.ID), "place": before.place + 1,
		"digest": rec.Digest(), "token": rec.Token(), "now": now, "entry": entry})
	b.Queue(`INSERT INTO consent_state (id, review, log_entry) VALUES ($1, $2, $3)`, rec.ID, review, entry)
	b.Queue(`INSERT INTO consent_private (id, recorder, circumstances, sealed) VALUES ($1, $2, $3, $4)`,
		rec.ID, rec.Issuer, posted.Circumstances, sealed)
	before.queueSucceeded(b)
	return entry, nil
}

// listed is the list, never null.
func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// Stored is a consent record as its readers see it.
type Stored struct {
	ID          string     `json:"id"`
	Record      string     `json:"record"` // the signed record
	Digest      string     `json:"digest"`
	State       string     `json:"state"` // what she said (one of record.Agreements), or withdrawn, expired, superseded
	RecordedAt  time.Time  `json:"recorded_at"`
	WithdrawnAt *time.Time `json:"withdrawn_at,omitempty"`
	Withdrawal  string     `json:"withdrawal,omitempty"` // the signed withdrawal

	// The record that took its place. Who is not named in it any more is not told.
	SupersededBy string `json:"superseded_by,omitempty"`

	// Only its recorder is shown these: that somebody had a doubt is in no recipient's copy.
	Review        string            `json:"review,omitempty"`        // not-needed, awaited, stands, does-not-stand
	Circumstances string            `json:"circumstances,omitempty"` // record.Posted
	Sealed        map[string]string `json:"sealed,omitempty"`

	Receipt any           `json:"receipt,omitempty"` // of the newest step
	Entry   audit.EntryID `json:"-"`
	Reading audit.EntryID `json:"-"` // of this reading
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
	var successors int
	read := &pgx.Batch{}
	read.Queue(`
		SELECT c.token, c.digest, c.agreement, CASE WHEN c.recorder = $2 THEN s.review ELSE '' END, c.recorded_at, s.withdrawn_at, coalesce(s.withdrawal, ''),
		       coalesce(p.circumstances, ''), p.sealed, s.successors, s.log_entry, c.expires_at, now(),
		       coalesce((SELECT n.id::text FROM consent n WHERE n.chain = c.chain AND n.place = c.place + 1), '')
		FROM consent c JOIN consent_state s ON s.id = c.id LEFT JOIN consent_private p ON p.id = c.id WHERE c.id = $1`, id, c.Partner()).
		QueryRow(func(row pgx.Row) error {
			return row.Scan(&st.Record, &st.Digest, &st.State, &st.Review, &st.RecordedAt, &st.WithdrawnAt, &st.Withdrawal,
				&st.Circumstances, &st.Sealed, &successors, &st.Entry, &expires, &now, &st.SupersededBy)
		})
	err := pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		switch {
		case st.WithdrawnAt != nil:
			st.State = "withdrawn"
		case successors > 0:
			st.State = "superseded"
		case !now.Before(expires):
			st.State = "expired"
		}
		write := &pgx.Batch{}
		e := c.Entry("consent.read")
		e.Time, e.Consent, e.Digest = now, id, st.Digest
		var err error
		st.Reading, err = audit.Queue(write, e)
		return write, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Stored{}, ErrNotThere
	}
	return st, err
}
