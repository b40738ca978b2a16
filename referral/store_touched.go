package referral

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// Touched is a packet that a key of a partner signed, or of which something is sealed to
// it: what the partner must look at when somebody else may have the key. It says nothing
// of the woman or her need.
type Touched struct {
	Reference string    `json:"reference"`
	ID        string    `json:"id"` // of the referral
	Event     string    `json:"event"`
	Envelope  string    `json:"envelope"`
	Other     string    `json:"other"` // the partner on the other side
	State     string    `json:"state"` // of the referral now
	Transport string    `json:"transport"`
	Stored    time.Time `json:"stored"`
	Signed    bool      `json:"signed"` // the key signed the envelope
	Sealed    []string  `json:"sealed"` // sections, own copies among them, that the key opens and the hub still holds

	seq int64
}

// touchedMost is how many packets one page of TouchedBy has.
const touchedMost = 200

// touchedPage reads every packet of the partner: an index by key would cost each packet
// that comes in, and this is asked on the worst day only.
const touchedPage = `
	SELECT p.seq, r.id, p.event, p.digest, CASE WHEN p.issuer = @me THEN p.audience ELSE p.issuer END,
	       r.state, d.state, p.stored_at, of.signed, held.names
	FROM packet p JOIN referral r ON r.seq = p.referral JOIN delivery d ON d.packet = p.seq
	CROSS JOIN LATERAL (SELECT p.issuer = @me AND jose_kid(p.envelope) IS NOT DISTINCT FROM @kid AS signed) of
	CROSS JOIN LATERAL (
		SELECT coalesce(array_agg(DISTINCT name ORDER BY name), '{}') AS names FROM (
			SELECT name, sealed FROM section WHERE packet = p.seq AND audience = @me
			UNION ALL
			SELECT name, sealed FROM section_copy WHERE packet = p.seq AND issuer = @me) x
		WHERE jose_kid(x.sealed) = @kid) held
	WHERE @me IN (p.issuer, p.audience) AND (@after = 0 OR p.seq < @after) AND (of.signed OR cardinality(held.names) > 0)
	ORDER BY p.seq DESC LIMIT @limit`

func queueTouched(b *pgx.Batch, partner partners.ID, kid string, after int64, into *[]Touched) {
	args := pgx.StrictNamedArgs{"me": partner, "kid": kid, "after": after, "limit": touchedMost + 1}
	b.Queue(touchedPage, args).Query(func(rows pgx.Rows) error {
		var t Touched
		_, err := pgx.ForEachRow(rows, []any{&t.seq, &t.ID, &t.Event, &t.Envelope, &t.Other, &t.State, &t.Transport,
			&t.Stored, &t.Signed, &t.Sealed}, func() error {
			t.Reference = ids.Reference(t.ID)
			*into = append(*into, t)
			t.Sealed = nil
			return nil
		})
		return err
	})
}

// TouchedBy returns one page of the packets that a key of the caller's agency signed or
// opens, newest first, and whether there are more; or partners.ErrKeyNotThere. after is
// the cursor of the page before, 0 for the first.
func (s *Store) TouchedBy(ctx context.Context, c partners.Caller, kid string, after int64) (page []Touched, more bool, err error) {
	if !ids.IsDigest(kid) {
		return nil, false, partners.ErrKeyNotThere
	}
	page = []Touched{}
	var now time.Time
	var known bool
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	s.partners.QueueKnown(read, c.Partner(), kid, &known)
	queueTouched(read, c.Partner(), kid, after, &page)
	err = pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if !known {
			return nil, partners.ErrKeyNotThere
		}
		write := &pgx.Batch{}
		e := c.Entry("key.touched")
		e.Time, e.Target = now, kid
		_, err := audit.Queue(write, e)
		return write, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("listing what a key touched: %w", err)
	}
	if len(page) > touchedMost {
		return page[:touchedMost], true, nil
	}
	return page, false, nil
}

// AllTouchedBy is TouchedBy for the operator: every packet that a key of a partner signed
// or opens, newest first. It needs the schema owner's pool; that it was asked, the entry of
// the revocation shows.
func (s *Store) AllTouchedBy(ctx context.Context, partner partners.ID, kid string) ([]Touched, error) {
	all := []Touched{}
	for after := int64(0); ; {
		page := []Touched{}
		read := &pgx.Batch{}
		queueTouched(read, partner, kid, after, &page)
		if err := pg.Decide(ctx, s.pool, string(partner), read, func() (*pgx.Batch, error) { return nil, nil }); err != nil {
			return nil, fmt.Errorf("listing what a key touched: %w", err)
		}
		if len(page) <= touchedMost {
			return append(all, page...), nil
		}
		all = append(all, page[:touchedMost]...)
		after = page[touchedMost-1].seq
	}
}
