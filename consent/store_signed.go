package consent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// Signed is a consent record or an override that a key of a partner signed, or whose
// withdrawal, decision or review it did: what the partner must look at when somebody else may
// have the key. A thief who has it could share without a woman's agreement.
type Signed struct {
	ID        string    `json:"id"`
	Recorded  time.Time `json:"recorded"`
	Expires   time.Time `json:"expires"`
	Withdrawn bool      `json:"withdrawn"` // or, of an override, ended or refused
	Of        []string  `json:"signed"`    // record, withdrawal, review; override, decision, override-review
}

// Kind is consent, or override.
func (s Signed) Kind() string {
	if slices.Contains(s.Of, "decision") || slices.ContainsFunc(s.Of, func(of string) bool { return strings.HasPrefix(of, "override") }) {
		return "override"
	}
	return "consent"
}

// signedMost is how many records one page of SignedBy has.
const signedMost = 200

const signedPage = `
	SELECT x.id::text, x.recorded_at, x.expires_at, x.over, x.signed FROM (
		SELECT c.id, c.recorded_at, c.expires_at, s.withdrawn_at IS NOT NULL AS over, array_remove(ARRAY[
			CASE WHEN c.recorder = @me AND jose_kid(c.token) = @kid THEN 'record' END,
			CASE WHEN s.withdrawn_by = @me AND jose_kid(s.withdrawal) = @kid THEN 'withdrawal' END,
			CASE WHEN EXISTS (SELECT FROM consent_review r WHERE r.id = c.id AND r.recorder = @me AND jose_kid(r.token) = @kid) THEN 'review' END], NULL) AS signed
		FROM consent c JOIN consent_state s ON s.id = c.id WHERE @me IN (c.recorder, s.withdrawn_by)
		UNION ALL
		SELECT o.id, s.recorded_at, s.expires_at, s.ended_at IS NOT NULL OR s.decision = 'refused', array_remove(ARRAY[
			CASE WHEN jose_kid(o.token) = @kid THEN 'override' END,
			CASE WHEN EXISTS (SELECT FROM consent_override_step p WHERE p.override = o.id AND p.kind = 'decision' AND jose_kid(p.token) = @kid) THEN 'decision' END,
			CASE WHEN EXISTS (SELECT FROM consent_override_step p WHERE p.override = o.id AND p.kind = 'review' AND jose_kid(p.token) = @kid) THEN 'override-review' END], NULL)
		FROM consent_override o JOIN consent_override_state s ON s.id = o.id WHERE o.recorder = @me) x
	WHERE (@after = '' OR x.id < nullif(@after, '')::uuid) AND cardinality(x.signed) > 0
	ORDER BY x.id DESC LIMIT @limit`

func queueSigned(b *pgx.Batch, partner partners.ID, kid, after string, into *[]Signed) {
	args := pgx.StrictNamedArgs{"me": partner, "kid": kid, "after": after, "limit": signedMost + 1}
	b.Queue(signedPage, args).Query(func(rows pgx.Rows) (err error) {
		*into, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Signed])
		return err
	})
}

// SignedBy returns one page of what a key of the caller's agency signed about consent,
// newest first, and whether there is more; or partners.ErrKeyNotThere. after is the id of
// the last record of the page before, "" for the first.
func (s *Store) SignedBy(ctx context.Context, c partners.Caller, kid, after string) (page []Signed, more bool, err error) {
	if !ids.IsDigest(kid) {
		return nil, false, partners.ErrKeyNotThere
	}
	var now time.Time
	var known bool
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	s.Partners.QueueKnown(read, c.Partner(), kid, &known)
	queueSigned(read, c.Partner(), kid, after, &page)
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if !known {
			return nil, partners.ErrKeyNotThere
		}
		write := &pgx.Batch{}
		e := c.Entry("key.signed")
		e.Time, e.Target = now, kid
		_, err := audit.Queue(write, e)
		return write, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("listing what a key signed: %w", err)
	}
	if len(page) > signedMost {
		return page[:signedMost], true, nil
	}
	return page, false, nil
}

// AllSignedBy is SignedBy for the operator, whole. It needs the schema owner's pool; that
// it was asked, the entry of the revocation shows.
func (s *Store) AllSignedBy(ctx context.Context, partner partners.ID, kid string) (all []Signed, err error) {
	for after := ""; ; {
		var page []Signed
		read := &pgx.Batch{}
		queueSigned(read, partner, kid, after, &page)
		if err := pg.Decide(ctx, s.Pool, string(partner), read, func() (*pgx.Batch, error) { return nil, nil }); err != nil {
			return nil, fmt.Errorf("listing what a key signed: %w", err)
		}
		if len(page) <= signedMost {
			return append(all, page...), nil
		}
		all = append(all, page[:signedMost]...)
		after = page[signedMost-1].ID
	}
}
