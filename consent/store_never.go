package consent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/consent/record"
	"handover/internal/pg"
	"handover/partners"
)

// neverLock is the one advisory lock of a subject: whoever shares something about her takes
// it shared, whoever records that something is never to be shared takes it alone.
const neverLock = `SELECT pg_advisory_xact_lock%s(k) FROM (SELECT DISTINCT hashtextextended(subject, 0) AS k FROM (%s) x ORDER BY k) y`

// relied are the subjects of what is relied on, by id.
const relied = `SELECT id, subject FROM consent WHERE id = ANY ($1::text[]::uuid[])
	UNION ALL SELECT id, subject FROM consent_override WHERE id = ANY ($1::text[]::uuid[])`

// LockNevers queues the question whether she has said of one of the recipients that nothing
// is ever to be shared with it, into the transaction that batch runs in.
//
// The lock is a statement of its own, before the one that reads: a statement sees what was
// committed when it began, so one that waited and read in one would read the time before. Once
// a never is stored, nobody shares past it any more: it has waited for those who were about to.
func (g *Grants) LockNevers(batch *pgx.Batch, on ...Reliance) {
	bases, recipients := make([]string, len(on)), make([]string, len(on))
	for i, r := range on {
		bases[i], recipients[i] = r.Basis, r.Recipient
	}
	g.nevers = map[Reliance]bool{}
	batch.Queue(fmt.Sprintf(neverLock, `_shared`, relied), bases)
	batch.Queue(`
		SELECT u.basis, u.recipient, never_shared(s.subject, u.recipient)
		FROM unnest($1::text[], $2::text[]) AS u(basis, recipient) JOIN (`+relied+`) s ON s.id = u.basis::uuid`, bases, recipients).
		Query(func(rows pgx.Rows) error {
			var r Reliance
			var stops bool
			_, err := pgx.ForEachRow(rows, []any{&r.Basis, &r.Recipient, &stops}, func() error {
				g.nevers[r] = stops
				return nil
			})
			return err
		})
}

// Never records with whom nothing about her may ever be shared, or finds it recorded already.
// When it returns, nothing is shared past it any more: it waits for whoever is about to.
// Errors: the refusals of record.ParseNever and record.VerifyNever, ErrIssuer, ErrKey,
// ErrNeverConflict, ErrNeverNobody, record.ErrStale.
func (s *Store) Never(ctx context.Context, c partners.Caller, token string) (audit.EntryID, error) {
	stated, err := record.ParseNever(token)
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
	var stored string
	var entry audit.EntryID
	read := &pgx.Batch{}
	read.Queue(fmt.Sprintf(neverLock, ``, `SELECT unnest($1::text[]) AS subject`), claims.Subjects)
	read.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	ring := s.Partners.QueueKeys(read, c.Partner(), []string{stated.KeyID()}, nil)
	known := queueRecipients(read, claims.Recipients)
	queueNever(read, claims.ID, &stored, &entry)
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if stored == stated.Digest() {
			return nil, nil
		}
		if stored != "" {
			return nil, ErrNeverConflict
		}
		n, err := believed(ring, stated, s.Hub, claims.Hub, claims.IssuedAt, now, record.VerifyNever)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(n.Recipients, known.lacks) {
			return nil, ErrNeverNobody
		}
		write := &pgx.Batch{}
		entry, err = queueInsertNever(write, c, n, now)
		return write, err
	})
	if pg.Violates(err, "consent_never_pkey") {
		return audit.EntryID{}, ErrNeverConflict // another partner's, whom the caller cannot see
	}
	return entry, err
}

// queueRecipients queues the reading of the partners among those that a never names.
func queueRecipients(b *pgx.Batch, recipients []string) categories {
	named := make(record.Bases, len(recipients))
	for i, r := range recipients {
		named[i].Controller = r
	}
	return queueCategories(b, named)
}

// lacks reports whether a recipient is neither a partner nor a category. A consent that names
// nobody gives nothing to anybody; a never that does would stop nobody, and somebody would
// rely on it.
func (c categories) lacks(recipient string) bool {
	if name, ok := strings.CutPrefix(recipient, record.CategoryPrefix); ok {
		return !partners.Category(name).Valid()
	}
	return c.of(recipient) == ""
}

func queueNever(b *pgx.Batch, id string, digest *string, entry *audit.EntryID) {
	b.Queue(`SELECT digest, log_entry FROM consent_never WHERE id = $1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{digest, entry}, func() error { return nil })
		return err
	})
}

func queueInsertNever(b *pgx.Batch, c partners.Caller, n record.Never, now time.Time) (audit.EntryID, error) {
	e := c.Entry("never.record") // without her references: oversight reads entries, and a never joins several of them
	e.Time, e.Target, e.Digest = now, n.ID, n.Fingerprint()
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging a never: %w", err)
	}
	b.Queue(`INSERT INTO consent_never (id, recorder, digest, token, recorded_at, log_entry) VALUES ($1, $2, $3, $4, $5, $6)`,
		n.ID, n.Issuer, n.Fingerprint(), n.Token(), now, entry)
	b.Queue(`INSERT INTO consent_never_line (never, recorder, subject, recipient)
		SELECT $1, $2, s, r FROM unnest($3::text[]) s, unnest($4::text[]) r`, n.ID, n.Issuer, n.Subjects, n.Recipients)
	b.Queue(`INSERT INTO consent_never_state (id, recorder, log_entry) VALUES ($1, $2, $3)`, n.ID, n.Issuer, entry)
	return entry, nil
}

// Lift records that she has changed her mind about a never that the caller's partner recorded.
// The same lift again finds its own entry.
func (s *Store) Lift(ctx context.Context, c partners.Caller, id, token string) (audit.EntryID, error) {
	if !isID(id) {
		return audit.EntryID{}, ErrNeverNotThere
	}
	stated, err := record.ParseLift(token)
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
		SELECT n.digest, coalesce(s.lift_digest, ''), s.log_entry FROM consent_never n JOIN consent_never_state s ON s.id = n.id
		WHERE n.id = $1 FOR UPDATE OF s`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&digest, &earlier, &entry}, func() error { return nil })
		return err
	})
	read.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		switch {
		case digest == "":
			return nil, ErrNeverNotThere
		case earlier == stated.Digest():
			return nil, nil
		case earlier != "":
			return nil, ErrNeverLifted
		}
		l, err := believed(ring, stated, s.Hub, claims.Hub, claims.IssuedAt, now, record.VerifyLift)
		if err != nil {
			return nil, err
		}
		if l.Never != id || l.Digest != digest {
			return nil, ErrNeverNotThere
		}
		write := &pgx.Batch{}
		entry, err = queueLift(write, c, l, now)
		return write, err
	})
	return entry, err
}

func queueLift(b *pgx.Batch, c partners.Caller, l record.Lift, now time.Time) (audit.EntryID, error) {
	e := c.Entry("never.lift")
	e.Time, e.Target, e.Digest = now, l.Never, l.Fingerprint()
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging the end of a never: %w", err)
	}
	b.Queue(`UPDATE consent_never_state SET lifted_at = $2, lift = $3, lift_digest = $4, log_entry = $5 WHERE id = $1 AND lifted_at IS NULL`,
		l.Never, now, l.Token(), l.Fingerprint(), entry)
	return entry, nil
}

// StoredNever is a never as its recorder reads it.
type StoredNever struct {
	ID         string     `json:"id"`
	Statement  string     `json:"statement"` // the signed never
	Digest     string     `json:"digest"`
	RecordedAt time.Time  `json:"recorded_at"`
	LiftedAt   *time.Time `json:"lifted_at,omitempty"`
	Lift       string     `json:"lift,omitempty"` // the signed end
	Consents   []string   `json:"-"`              // ids of its recorder's records about her, the newest first
}

// neversMost is how many one page of Nevers has.
const neversMost = 100

// Nevers returns one page of what the caller's partner recorded, newest first, and whether
// there is more, and logs that it was read. after is the id of the last of the page before, ""
// for the first.
func (s *Store) Nevers(ctx context.Context, c partners.Caller, after string) (page []StoredNever, more bool, err error) {
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(`
		SELECT n.id::text, n.token, n.digest, n.recorded_at, s.lifted_at, coalesce(s.lift, ''),
		       ARRAY(SELECT c.id::text FROM consent c WHERE c.recorder = n.recorder
		             AND c.subject IN (SELECT l.subject FROM consent_never_line l WHERE l.never = n.id) ORDER BY c.id DESC LIMIT 10)
		FROM consent_never n JOIN consent_never_state s ON s.id = n.id
		WHERE ($1 = '' OR n.id < nullif($1, '')::uuid) ORDER BY n.id DESC LIMIT $2`, after, neversMost+1).Query(func(rows pgx.Rows) (err error) {
		page, err = pgx.CollectRows(rows, pgx.RowToStructByPos[StoredNever])
		return err
	})
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		e := c.Entry("never.list")
		e.Time = now
		_, err := audit.Queue(write, e)
		return write, err
	})
	if more = len(page) > neversMost; more {
		page = slices.Clip(page[:neversMost])
	}
	return page, more, err
}
