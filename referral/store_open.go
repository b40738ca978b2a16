package referral

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/consent"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral/packet"
)

// Opening asks for sections of one packet of a referral.
type Opening struct {
	Envelope string   `json:"envelope,omitempty"` // digest of the packet's envelope; "" for the request
	Sections []string `json:"sections"`
	Reason   string   `json:"reason"` // one of codes.OpenReasons
}

// Valid reports whether the opening names known sections, each once, and a coded reason.
func (o Opening) Valid() bool {
	twice := len(slices.Compact(slices.Sorted(slices.Values(o.Sections)))) != len(o.Sections)
	unknown := slices.ContainsFunc(o.Sections, func(s string) bool { return !codes.Sections().Has(s) && !codes.IsAttachment(s) })
	return len(o.Sections) > 0 && !twice && !unknown && codes.OpenReasons().Has(o.Reason)
}

// held is what the opening transaction reads of the packet.
type held struct {
	seq              int64
	digest           string
	issuer, audience string
	envelope         string
	basis            packet.Basis // sections are never stored without one
	expires, changed time.Time
	now              time.Time
	names            []string      // of the sections asked for, those that are there
	claims           packet.Claims // of its envelope, if an attachment is asked for: what class it declared, its sender signed
}

// Released are sections on their way out.
type Released struct {
	Sections map[string]string // compact JWEs by name
	Entry    audit.EntryID     // of the release
}

// Open is the only way sections leave. It gives the recipient the sealed sections,
// and the sender her own copies, as they were posted. For the recipient, firewall,
// agreement and consent are decided again, under the locks that ending or
// withdrawing them must wait for; what she agreed to yesterday releases nothing
// today. The release is written and logged before the sections are returned.
func (s *Store) Open(ctx context.Context, c partners.Caller, id string, o Opening) (map[string]string, audit.EntryID, error) {
	r, err := s.release(ctx, c, id, o, manner{section: "section.open", copy: "copy.open"})
	return r.Sections, r.Entry, err
}

// manner is how sections are released: what the log calls it for the recipient and for the
// sender's copies, and what has to be done first, if anything.
type manner struct {
	section, copy string
	first         func(Releasing) error
}

func (s *Store) release(ctx context.Context, c partners.Caller, id string, o Opening, as manner) (Released, error) {
	if !o.Valid() {
		return Released{}, ErrReasonMissing
	}
	h, err := s.find(ctx, c, id, o)
	if err != nil {
		return Released{}, err
	}
	own := h.issuer == string(c.Partner())
	if as.first != nil {
		headers, err := s.headers(ctx, c, h, own, o.Sections)
		if err == nil {
			err = as.first(Releasing{Envelope: h.envelope, Issuer: partners.ID(h.issuer), Headers: headers})
		}
		if err != nil {
			return Released{}, err
		}
	}
	read := &pgx.Batch{}
	to := partners.Asked{To: partners.ID(h.audience)}
	terms := s.partners.LockTerms(read, partners.ID(h.issuer), to)
	grants := lockBases(read, reliance{h.basis, h.audience})
	var r row
	lock := "FOR NO KEY UPDATE" // what is due of it may change
	if own {
		lock = "FOR SHARE"
	}
	queueRow(read, id, lock, &r)
	queueNames(read, h, own, o.Sections)
	out := Released{Sections: map[string]string{}}
	act := as.section
	if own {
		act = as.copy
	}
	err = pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if err := r.sideOf(c).Allows(c); err != nil {
			return nil, err
		}
		if len(h.names) != len(o.Sections) {
			return nil, ErrNoSection
		}
		if !own {
			if err := h.releasable(r, terms.For(to), grants); err != nil {
				return nil, err
			}
		}
		write := &pgx.Batch{}
		var err error
		out.Entry, err = h.queueRelease(write, c, r, o, act, own, out.Sections)
		return write, err
	})
	if err != nil {
		return Released{}, err
	}
	return out, nil
}

// find reads which packet is meant. What it reads never changes, so it needs no
// lock; what can change is read again under one.
func (s *Store) find(ctx context.Context, c partners.Caller, id string, o Opening) (*held, error) {
	if !ids.IsDigest(id) || o.Envelope != "" && !ids.IsDigest(o.Envelope) {
		return nil, ErrNotThere // some of what is no id the database would refuse as an error of ours
	}
	h := &held{}
	b := &pgx.Batch{}
	b.Queue(`
		SELECT p.seq, p.digest, p.issuer, p.audience, p.envelope, coalesce(p.consent::text, ''), coalesce(p.override_id::text, ''),
		       coalesce(c.digest, o.digest, ''), p.expires_at
		FROM referral r JOIN packet p ON p.referral = r.seq
		LEFT JOIN consent c ON c.id = p.consent LEFT JOIN consent_override o ON o.id = p.override_id
		WHERE r.id = $1 AND p.digest = coalesce(nullif($2, ''), r.id)`, id, o.Envelope).
		Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&h.seq, &h.digest, &h.issuer, &h.audience, &h.envelope, &h.basis.Consent,
				&h.basis.Override, &h.basis.Digest, &h.expires}, func() error { return nil })
			return err
		})
	err := pg.Decide(ctx, s.pool, string(c.Partner()), b, func() (*pgx.Batch, error) { return nil, nil })
	if err != nil {
		return nil, fmt.Errorf("finding a packet: %w", err)
	}
	if h.digest == "" {
		return nil, ErrNotThere
	}
	if h.basis.Consent+h.basis.Override == "" {
		return nil, ErrNoSection // a packet without content
	}
	if slices.ContainsFunc(o.Sections, codes.IsAttachment) {
		stated, err := packet.ParseEnvelope(h.envelope)
		if err != nil {
			return nil, fmt.Errorf("reading a stored envelope: %w", err)
		}
		h.claims = stated.Unverified() // verified before it was stored
	}
	return h, nil
}

func queueNames(b *pgx.Batch, h *held, own bool, asked []string) {
	b.Queue(`SELECT now(), changed_at FROM referral r JOIN packet p ON p.referral = r.seq WHERE p.seq = $1`, h.seq).
		QueryRow(func(row pgx.Row) error { return row.Scan(&h.now, &h.changed) })
	b.Queue(`SELECT name FROM `+sectionTable(own)+` WHERE packet = $1 AND name = ANY ($2)`, h.seq, asked).
		Query(func(rows pgx.Rows) (err error) {
			h.names, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
}

// sectionTable is where the caller's sections are: a recipient's sealed to her, a
// sender's own copies.
func sectionTable(own bool) string {
	if own {
		return "section_copy"
	}
	return "section"
}

// releasable decides whether the recipient may be given the sections now.
func (h *held) releasable(r row, terms *partners.Terms, grants *consent.Grants) error {
	over := State(r.state) == Cancelled || (State(r.state).Final() && h.now.After(h.changed.Add(Grace)))
	if over {
		return ErrOver
	}
	if !h.now.Before(h.expires) {
		return ErrPacketExpired
	}
	classes := h.claims.Classes(h.names...)
	if err := terms.Permit(partners.Passage{Purpose: r.purpose, Classes: classes}); err != nil {
		return err
	}
	return covers(grants, h.basis, record.Passage{
		Subject: r.subject, Purpose: r.purpose, Sender: h.issuer, Recipient: h.audience,
		Category: string(terms.RecipientCategory()), Area: r.area, Opens: h.digest == r.id, Classes: classes, Now: h.now,
	})
}

// queueRelease queues the log entry, the release rows and, last, the reading of the
// sections themselves.
func (h *held) queueRelease(b *pgx.Batch, c partners.Caller, r row, o Opening, act string, own bool, into map[string]string) (audit.EntryID, error) {
	e := c.Entry(act)
	e.Time, e.Other, e.Referral, e.Envelope = h.now, h.issuer, r.id, h.digest
	e.Consent, e.Override = h.basis.Consent, h.basis.Override
	e.Sections, e.Reason = slices.Sorted(slices.Values(o.Sections)), o.Reason
	if own {
		e.Other = h.audience
	}
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging a release: %w", err)
	}
	b.Queue(`
		INSERT INTO release (packet, name, reader, at, log_entry, actor)
		SELECT $1, unnest($2::text[]), $3, $4, $5, nullif($6, '')::uuid`, h.seq, o.Sections, c.Partner(), h.now, entry, c.User())
	if !own {
		b.Queue(`
			UPDATE delivery SET state = 'opened', opened_at = $2, delivered_at = coalesce(delivered_at, $2), log_entry = $3
			WHERE packet = $1 AND state = ANY ($4)`, h.seq, h.now, entry, before(Opened))
		if next, changes := r.opened(); changes && h.digest == r.id {
			next.queue(b, r.seq)
		}
	}
	b.Queue(`SELECT name, sealed FROM `+sectionTable(own)+` WHERE packet = $1 AND name = ANY ($2)`, h.seq, o.Sections).
		Query(func(rows pgx.Rows) error {
			var name, sealed string
			_, err := pgx.ForEachRow(rows, []any{&name, &sealed}, func() error {
				into[name] = sealed
				return nil
			})
			return err
		})
	return entry, nil
}
