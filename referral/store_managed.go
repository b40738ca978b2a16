package referral

import (
	"context"
	"crypto/hmac"
	"fmt"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/pg"
	"handover/partners"
)

// What referral/managed asks before it composes a packet for somebody. It queues these
// into a batch that is bound to her partner.

// Releasing is what sections that are asked for will be opened with. Nothing has been
// decided about them yet.
type Releasing struct {
	Envelope string // of their packet, as its issuer signed it
	Issuer   partners.ID
	Headers  []string // of the sealed sections: the first part of each JWE, which names its key
}

// OpenHere is Open for a person whose agency's keys the hub holds: what it returns is
// opened in the hub, for her, and the log says so. To whoever reads the log a section that
// was read here (section.read, copy.read) is another thing than a sealed one that left.
// first is done before anything is decided, and its error ends it with nothing stored: a
// section must not count as opened because the keys could not be had.
func (s *Store) OpenHere(ctx context.Context, c partners.Caller, id string, o Opening, first func(Releasing) error) (Released, error) {
	return s.release(ctx, c, id, o, manner{"section.read", "copy.read", first})
}

// headerLimit is more than the header of a section takes.
const headerLimit = 1 << 10

// headers returns the first part of each sealed section that is asked for.
func (s *Store) headers(ctx context.Context, c partners.Caller, h *held, own bool, names []string) (headers []string, err error) {
	var b pgx.Batch
	pg.Bind(&b, string(c.Partner()))
	b.Queue(`SELECT split_part(substr(sealed, 1, $3), '.', 1) FROM `+sectionTable(own)+` WHERE packet = $1 AND name = ANY ($2)`, h.seq, names, headerLimit).
		Query(func(rows pgx.Rows) (err error) {
			headers, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	if err := s.pool.SendBatch(ctx, &b).Close(); err != nil {
		return nil, fmt.Errorf("reading what sections are sealed to: %w", err)
	}
	return headers, nil
}

// Filed is what a partner has stored under an id, if anything. Until its batch has run it
// is nothing.
type Filed struct{ filed }

// QueueFiled queues the question what the issuer has stored under the id.
func QueueFiled(b *pgx.Batch, issuer partners.ID, jti string) *Filed {
	f := &Filed{}
	b.Queue(`SELECT digest, request_mac, log_entry FROM packet WHERE issuer = $1 AND jti = $2`, issuer, jti).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&f.digest, &f.mac, &f.entry}, func() error { return nil })
			return err
		})
	return f
}

// By returns the entry of what the same request has brought before. ErrConflict: something
// else is stored under the id.
func (f *Filed) By(mac []byte) (entry audit.EntryID, found bool, err error) {
	switch {
	case f.digest == "":
		return audit.EntryID{}, false, nil
	case !hmac.Equal(f.mac, mac):
		return audit.EntryID{}, false, ErrConflict
	}
	return f.entry, true, nil
}

// Parties are the two partners of a referral.
type Parties struct{ sender, recipient partners.ID }

// QueueParties queues the question whose referral it is. Row-level security hides it from
// everyone but its two parties.
func QueueParties(b *pgx.Batch, id string) *Parties {
	p := &Parties{}
	b.Queue(`SELECT sender, recipient FROM referral WHERE id = $1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&p.sender, &p.recipient}, func() error { return nil })
		return err
	})
	return p
}

// Other is the other party of the caller's referral, or ErrNotThere.
func (p *Parties) Other(c partners.Caller) (partners.ID, error) {
	switch c.Partner() {
	case p.sender:
		return p.recipient, nil
	case p.recipient:
		return p.sender, nil
	}
	return "", ErrNotThere
}
