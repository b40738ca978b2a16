package consent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/pg"
	"handover/partners"
)

// StoredOverride is an override as its readers see it.
type StoredOverride struct {
	ID         string            `json:"id"`
	Override   string            `json:"override"` // the signed statement
	Digest     string            `json:"digest"`
	State      string            `json:"state"` // proposed, emergency, approved, refused, lapsed, ended, expired
	RecordedAt time.Time         `json:"recorded_at"`
	DecidedAt  *time.Time        `json:"decided_at,omitempty"`
	EndedAt    *time.Time        `json:"ended_at,omitempty"`
	ReviewAt   time.Time         `json:"review_at"`
	Steps      []string          `json:"steps"`            // the signed decision and reviews, the oldest first
	Sealed     map[string]string `json:"sealed,omitempty"` // the texts, for the agency that wrote them
	Receipt    any               `json:"receipt,omitempty"`
	Entry      audit.EntryID     `json:"-"` // of its newest step
	Reading    audit.EntryID     `json:"-"` // of this reading
}

// ReadOverride returns an override that the caller's agency made, or is the recipient of, and
// logs that she read it, or ErrOverrideNotThere. The sealed texts are in it for the agency
// that made it alone: row-level security shows them to nobody else.
func (s *Store) ReadOverride(ctx context.Context, c partners.Caller, id string) (StoredOverride, error) {
	if !isID(id) {
		return StoredOverride{}, ErrOverrideNotThere
	}
	st := StoredOverride{ID: id, Steps: []string{}}
	var stands standing
	var now time.Time
	read := &pgx.Batch{}
	// That a recipient sees it only when something may go on it, row-level security says by the
	// state that she sees; to oversight, which sees every state, it is said here.
	read.Queue(`
		SELECT o.token, o.digest, s.emergency, s.decision, s.recorded_at, s.expires_at, s.decided_at, s.ended_at, s.review_at, s.log_entry,
		       p.sealed, now()
		FROM consent_override o JOIN consent_override_state s ON s.id = o.id LEFT JOIN consent_override_private p ON p.id = o.id
		WHERE o.id = $1 AND (o.recorder = $2 OR s.emergency OR s.decision = 'approved')`, id, c.Partner()).QueryRow(func(row pgx.Row) error {
		return row.Scan(&st.Override, &st.Digest, &stands.emergency, &stands.decision, &stands.recorded, &stands.expires, &stands.decided,
			&stands.ended, &st.ReviewAt, &st.Entry, &st.Sealed, &now)
	})
	read.Queue(`SELECT token FROM consent_override_step WHERE override = $1 ORDER BY at`, id).Query(func(rows pgx.Rows) error {
		steps, err := pgx.CollectRows(rows, pgx.RowTo[string])
		st.Steps = append(st.Steps, steps...)
		return err
	})
	err := pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		st.State, st.RecordedAt, st.DecidedAt, st.EndedAt = stands.at(now), stands.recorded, stands.decided, stands.ended
		write := &pgx.Batch{}
		e := c.Entry("override.read")
		e.Time, e.Override, e.Digest = now, id, st.Digest
		var err error
		st.Reading, err = audit.Queue(write, e)
		return write, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return StoredOverride{}, ErrOverrideNotThere
	}
	return st, err
}

// OverrideLine is what auditors see of an override: who, to whom, for which reason, and where
// it stands. Nothing in it says whom it is about.
type OverrideLine struct {
	ID         string     `json:"id"`
	Partner    string     `json:"partner"`
	Recipient  string     `json:"recipient"`
	Reason     string     `json:"reason"`
	Agreement  string     `json:"agreement"`
	Emergency  bool       `json:"emergency"`
	State      string     `json:"state"`
	RecordedAt time.Time  `json:"recorded_at"`
	ExpiresAt  time.Time  `json:"expires_at"`
	DecidedAt  *time.Time `json:"decided_at,omitempty"`
	ReviewAt   time.Time  `json:"review_at"`

	Entry audit.EntryID `json:"-"` // of its newest step
}

// OverrideCount is how many overrides a partner has made, and how many of them are late.
type OverrideCount struct {
	Partner      string `json:"partner"`
	Overrides    int    `json:"overrides"`
	Emergencies  int    `json:"emergencies"`
	Refused      int    `json:"refused"`
	LateApproval int    `json:"late_approval"`
	LateReview   int    `json:"late_review"`
}

// overrideMost is how many overrides one page has.
const overrideMost = 200

// The two ways to be late, in the words of the database: an emergency that nobody approved
// within 24 hours, and one whose day to be looked at again has passed.
const (
	lateApproval = `(s.emergency AND s.decision <> 'refused' AND coalesce(s.decided_at, now()) >= s.recorded_at + interval '24 hours')`
	lateReview   = `(s.decision <> 'refused' AND s.ended_at IS NULL AND s.review_at < now())`
	// emergencyEnds is when an emergency covers nothing more unless it was approved.
	emergencyEnds = `(s.recorded_at + interval '24 hours')`
	ofAuditor     = `(s.recorder = @me OR @all)`
)

// Overrides returns one page of overrides for an auditor, the newest id first, whether there
// is more, and the counts by partner: those of the caller's agency, and of all agencies if it
// is an oversight partner. late is approval, review or "" for all; after the last id of the
// page before.
func (s *Store) Overrides(ctx context.Context, c partners.Caller, late, after string) (page []OverrideLine, counts []OverrideCount, more bool, err error) {
	condition, known := map[string]string{"": "true", "approval": lateApproval, "review": lateReview}[late]
	if !known || after != "" && !isID(after) {
		return nil, nil, false, ErrOverrideQuery
	}
	var now time.Time
	read := &pgx.Batch{}
	me := pgx.NamedArgs{"me": c.Partner(), "all": c.Category() == partners.Oversight, "after": after, "limit": overrideMost + 1}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(overrideLines+`
		WHERE `+ofAuditor+` AND `+condition+` AND (@after = '' OR s.id < nullif(@after, '')::uuid)
		ORDER BY s.id DESC LIMIT @limit`, me).Query(func(rows pgx.Rows) error { return scanLines(rows, &now, &page) })
	read.Queue(`
		SELECT s.recorder, count(*), count(*) FILTER (WHERE s.emergency), count(*) FILTER (WHERE s.decision = 'refused'),
		       count(*) FILTER (WHERE `+lateApproval+`), count(*) FILTER (WHERE `+lateReview+`)
		FROM consent_override_state s WHERE `+ofAuditor+` GROUP BY s.recorder ORDER BY s.recorder`, me).Query(func(rows pgx.Rows) (err error) {
		counts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[OverrideCount])
		return err
	})
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		e := c.Entry("override.list")
		e.Time, e.Reason = now, late
		_, err := audit.Queue(write, e)
		return write, err
	})
	if err != nil {
		return nil, nil, false, fmt.Errorf("listing overrides: %w", err)
	}
	if len(page) > overrideMost {
		return page[:overrideMost], counts, true, nil
	}
	return page, counts, false, nil
}

// overrideLines is read by scanLines.
const overrideLines = `
	SELECT s.id::text, s.recorder, s.recipient, s.reason, s.agreement, s.emergency, s.decision, s.recorded_at, s.expires_at, s.decided_at,
	       s.ended_at, s.review_at, s.log_entry
	FROM consent_override_state s`

func scanLines(rows pgx.Rows, now *time.Time, into *[]OverrideLine) error {
	*into = []OverrideLine{}
	var l OverrideLine
	var st standing
	_, err := pgx.ForEachRow(rows, []any{&l.ID, &l.Partner, &l.Recipient, &l.Reason, &l.Agreement, &st.emergency, &st.decision, &st.recorded,
		&st.expires, &st.decided, &st.ended, &l.ReviewAt, &l.Entry}, func() error {
		line := l
		line.Emergency, line.State, line.RecordedAt, line.ExpiresAt, line.DecidedAt = st.emergency, st.at(*now), st.recorded, st.expires, st.decided
		*into = append(*into, line)
		st.decided, st.ended = nil, nil
		return nil
	})
	return err
}
