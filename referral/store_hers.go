package referral

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral/packet"
)

// Hers is what she may be told of her own referral: between whom it is, what it rests on, and
// which agency has opened what. It names no worker.
type Hers struct {
	ID        string
	Sender    string
	Recipient string
	State     State
	Sections  []string // that were sent, each once
	Consents  []string // ids of the records that it rests on, the oldest packet's first
	Overrides []string // and of overrides
	Readings  []Reading
}

// Reading is that an agency has opened something that was sent to it.
type Reading struct {
	Partner  string
	Sections []string
	First    time.Time
	Last     time.Time
}

// Hers returns it to one of the referral's two parties, for the page that she may see, and logs
// that it was shown; or ErrNotThere. What the sender reads of her own copies is no opening: it
// had that before.
func (s *Store) Hers(ctx context.Context, c partners.Caller, id string) (Hers, error) {
	if !ids.IsDigest(id) {
		return Hers{}, ErrNotThere
	}
	var h Hers
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(`SELECT id, sender, recipient, state FROM referral WHERE id = $1`, id).Query(scanOne(&h.ID, &h.Sender, &h.Recipient, &h.State))
	read.Queue(`SELECT p.envelope FROM referral r JOIN packet p ON p.referral = r.seq WHERE r.id = $1 AND p.issuer <> $2 ORDER BY p.seq`, id, s.hub).
		Query(func(rows pgx.Rows) error {
			var envelope string
			_, err := pgx.ForEachRow(rows, []any{&envelope}, func() error { return h.take(envelope) })
			return err
		})
	read.Queue(`
		SELECT o.reader, array_agg(DISTINCT o.name ORDER BY o.name), min(o.at), max(o.at)
		FROM referral r JOIN packet p ON p.referral = r.seq JOIN release o ON o.packet = p.seq AND o.reader = p.audience
		WHERE r.id = $1 GROUP BY o.reader ORDER BY min(o.at)`, id).Query(func(rows pgx.Rows) (err error) {
		h.Readings, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Reading])
		return err
	})
	err := pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if h.ID == "" {
			return nil, ErrNotThere
		}
		write := &pgx.Batch{}
		e := c.Entry("referral.hers")
		e.Time, e.Referral, e.Other = now, id, h.other(c)
		_, err := audit.Queue(write, e)
		return write, err
	})
	if err != nil {
		return Hers{}, fmt.Errorf("reading what she may be told: %w", err)
	}
	return h, nil
}

// take adds what a stored packet was sent with, and on what it rests.
func (h *Hers) take(envelope string) error {
	stated, err := packet.ParseEnvelope(envelope)
	if err != nil {
		return fmt.Errorf("reading a stored envelope: %w", err)
	}
	claims := stated.Unverified()
	for name := range claims.Sections {
		h.Sections = addOnce(h.Sections, name)
	}
	slices.Sort(h.Sections)
	switch b := claims.Basis; {
	case b == nil:
	case b.Override != "":
		h.Overrides = addOnce(h.Overrides, b.Override)
	default:
		h.Consents = addOnce(h.Consents, b.Consent)
	}
	return nil
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

func (h Hers) other(c partners.Caller) string {
	if h.Sender == string(c.Partner()) {
		return h.Recipient
	}
	return h.Sender
}
