package referral

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit"
	"handover/consent"
	"handover/consent/record"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral/packet"
)

// Store keeps referrals. Each method is one transition or one read, in one
// transaction that checks, changes and logs.
type Store struct {
	Pool     *pgxpool.Pool
	Partners *partners.Store
	Hub      string // the issuer URL that envelopes must name
	Waiting  *Waiting
}

// arrival is what the first round trip of a receiving transaction brings.
type arrival struct {
	now     time.Time
	stored  string        // digest of a packet stored under the same issuer and jti
	entry   audit.EntryID // its log entry
	signing []partners.Key
	sealing []partners.Key
	terms   *partners.Terms
	grant   *consent.Grant
	row     *row // the referral, for every event but a request
}

// row is a referral as a transaction holds it.
type row struct {
	seq                     int64
	id, sender, recipient   string
	subject, purpose, state string
	head                    string
	asked                   bool
}

// Receive stores a packet, whatever its event, or finds it stored already, and
// returns the log entry that proves it. re is the referral that the caller posted an
// event to, "" for a request. The packet has passed packet.Read; everything else is
// decided here, in the order of docs/packet.md, under locks taken in the order
// agreement, consent, referral, log.
func (s *Store) Receive(ctx context.Context, c partners.Caller, u packet.Unverified, re string) (audit.EntryID, error) {
	claims := u.Unverified()
	if claims.Issuer != string(c.Partner()) {
		return audit.EntryID{}, ErrIssuer
	}
	if (claims.Event == packet.Request) != (re == "") || claims.Referral != re {
		return audit.EntryID{}, ErrWrongEndpoint
	}
	a := &arrival{}
	var entry audit.EntryID
	err := pg.Decide(ctx, s.Pool, claims.Issuer, s.look(a, u), func() (*pgx.Batch, error) {
		if a.stored != "" {
			if a.stored != u.Digest() {
				return nil, ErrConflict
			}
			entry = a.entry
			return nil, nil
		}
		p, err := s.open(a, u)
		if err != nil {
			return nil, err
		}
		to, err := s.judge(c, a, p)
		if err != nil {
			return nil, err
		}
		write := &pgx.Batch{}
		entry, err = store(write, c, a, p, to)
		return write, err
	})
	if pg.Violates(err, "packet_once") || pg.Violates(err, "packet_digest_once") || pg.Violates(err, "referral_once") {
		return s.settled(ctx, u)
	}
	if err == nil && a.stored == "" {
		s.Waiting.Wake(claims.Audience)
	}
	return entry, err
}

// look queues all that the decision rests on.
func (s *Store) look(a *arrival, u packet.Unverified) *pgx.Batch {
	claims := u.Unverified()
	b := &pgx.Batch{}
	s.Partners.QueueKeys(b, partners.ID(claims.Issuer), u.KeyID(), partners.ID(claims.Audience), &a.signing, &a.sealing)
	if claims.Event == packet.Request || claims.Basis != nil {
		a.terms = s.Partners.LockTerms(b, partners.ID(claims.Issuer), partners.ID(claims.Audience), claims.Service)
	}
	if claims.Basis != nil {
		a.grant = consent.Lock(b, claims.Basis.Consent)
	}
	if claims.Event != packet.Request {
		a.row = &row{}
		queueRow(b, claims.Referral, "FOR UPDATE", a.row)
	}
	// Last, because it is decided first: whoever has waited for the lock behind the same
	// bytes must find them stored, not be told that the referral has moved.
	queueStored(b, claims.Issuer, claims.ID, &a.now, &a.stored, &a.entry)
	return b
}

// queueStored queues the question whether the issuer has stored a packet under jti,
// and of what time it is.
func queueStored(b *pgx.Batch, issuer, jti string, now *time.Time, digest *string, entry *audit.EntryID) {
	b.Queue(`
		SELECT now(), coalesce(p.digest, ''), p.log_entry
		FROM (SELECT) one LEFT JOIN packet p ON p.issuer = $1 AND p.jti = $2`, issuer, jti).
		QueryRow(func(row pgx.Row) error {
			var found *audit.EntryID
			err := row.Scan(now, digest, &found)
			if found != nil {
				*entry = *found
			}
			return err
		})
}

// queueRow queues the reading of a referral; row-level security hides it from
// everyone but its two parties, and then r.id stays empty.
func queueRow(b *pgx.Batch, id, lock string, r *row) {
	b.Queue(`
		SELECT seq, id, sender, recipient, subject, purpose, state, head, asked
		FROM referral WHERE id = $1 `+lock, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&r.seq, &r.id, &r.sender, &r.recipient, &r.subject, &r.purpose,
			&r.state, &r.head, &r.asked}, func() error { return nil })
		return err
	})
}

// open verifies the packet with the key it names, if that key counted, and holds its
// sections against the recipient's current keys.
func (s *Store) open(a *arrival, u packet.Unverified) (packet.Opened, error) {
	signed := time.Unix(u.Unverified().IssuedAt, 0)
	i := slices.IndexFunc(a.signing, func(k partners.Key) bool { return k.ValidAt(signed) })
	if i < 0 {
		return packet.Opened{}, ErrKey
	}
	p, err := u.Open(a.signing[i].PublicKey, s.Hub, a.now)
	if err != nil {
		return packet.Opened{}, err
	}
	current := slices.DeleteFunc(slices.Clone(a.sealing), func(k partners.Key) bool { return !k.ValidAt(a.now) })
	for _, kid := range p.SealedTo() {
		if slices.ContainsFunc(current, func(k partners.Key) bool { return k.KeyID() == kid }) {
			continue
		}
		if len(current) == 0 {
			return packet.Opened{}, partners.ErrRecipientInactive
		}
		return packet.Opened{}, ErrRecipientKey.With("key", current[0].KeyID())
	}
	return p, nil
}

// judge decides whether the packet may be stored, and returns the state that the
// referral is in afterwards.
func (s *Store) judge(c partners.Caller, a *arrival, p packet.Opened) (State, error) {
	subject, purpose, to := p.Subject, p.Purpose, Requested
	if a.row != nil {
		var err error
		if to, err = a.row.step(c, p); err != nil {
			return "", err
		}
		subject, purpose = a.row.subject, a.row.purpose
	}
	if p.Basis == nil {
		return to, nil // a step without content needs no basis, and a request has content
	}
	classes := p.Names()
	err := a.terms.Permit(partners.Passage{Purpose: purpose, Area: p.Area, Classes: classes})
	if err != nil {
		return "", err
	}
	return to, a.grant.Covers(p.Basis.Digest, record.Passage{
		Subject: subject, Purpose: purpose, Sender: p.Issuer, Recipient: p.Audience,
		Category: string(a.terms.RecipientCategory()), Classes: classes, Now: a.now,
	})
}

// step decides whether the packet may follow in the referral's chain.
func (r *row) step(c partners.Caller, p packet.Opened) (State, error) {
	side, other := r.sideOf(c), r.sender
	if side == SenderSide {
		other = r.recipient
	}
	if r.id == "" || p.Audience != other {
		return "", ErrNotThere
	}
	if err := side.allows(c); err != nil {
		return "", err
	}
	to, err := next(p.Event, side, State(r.state))
	if err != nil {
		return "", err
	}
	if p.Event == packet.Answer && !r.asked {
		return "", ErrState.With("state", r.state)
	}
	if p.Prev != r.head {
		return "", ErrMoved.With("head", r.head)
	}
	return to, nil
}

// sideOf is the side that the caller, who can see the referral, is on.
func (r *row) sideOf(c partners.Caller) Side {
	if string(c.Partner()) == r.sender {
		return SenderSide
	}
	return RecipientSide
}

// settled answers a packet that lost a race against itself: the same bytes find the
// winner's entry, other bytes are a conflict.
func (s *Store) settled(ctx context.Context, u packet.Unverified) (audit.EntryID, error) {
	claims := u.Unverified()
	var now time.Time
	var stored string
	var entry audit.EntryID
	b := &pgx.Batch{}
	queueStored(b, claims.Issuer, claims.ID, &now, &stored, &entry)
	err := pg.Decide(ctx, s.Pool, claims.Issuer, b, func() (*pgx.Batch, error) {
		if stored != u.Digest() {
			return nil, ErrConflict
		}
		return nil, nil
	})
	return entry, err
}

// store queues packet, new state and log entry.
func store(b *pgx.Batch, c partners.Caller, a *arrival, p packet.Opened, to State) (audit.EntryID, error) {
	e := c.Entry("referral." + string(p.Event))
	e.Time, e.Other, e.Referral, e.Event = a.now, p.Audience, p.ReferralID(), string(p.Event)
	e.Envelope, e.State, e.Sections, e.Reason = p.Digest(), string(to), p.Names(), p.Reason+p.Outcome
	var basis *string
	if p.Basis != nil {
		e.Consent, e.Digest, basis = p.Basis.Consent, p.Basis.Digest, &p.Basis.Consent
	}
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging a packet: %w", err)
	}
	names := p.Names()
	sealed, copies := make([]string, len(names)), make([]string, len(names))
	for i, name := range names {
		sealed[i], copies[i] = p.Sealed(name)
	}
	args := pgx.StrictNamedArgs{"id": p.ReferralID(), "issuer": p.Issuer, "audience": p.Audience, "jti": p.ID,
		"event": p.Event, "digest": p.Digest(), "envelope": p.Token(), "consent": basis, "state": to,
		"expires": time.Unix(p.Expires, 0), "now": a.now, "entry": entry, "names": names, "sealed": sealed, "copies": copies}
	if a.row == nil {
		args["subject"], args["purpose"], args["urgency"], args["service"] = p.Subject, p.Purpose, p.Urgency, p.Service
		args["area"], args["onward"] = p.Area, p.OnwardFrom
		b.Queue(`WITH r AS (
			INSERT INTO referral (id, sender, recipient, subject, purpose, urgency, service, area, onward_from,
			                      state, head, created_at, changed_at)
			VALUES (@id, @issuer, @audience, @subject, @purpose, @urgency, @service, @area, nullif(@onward, ''),
			        @state, @digest, @now, @now) RETURNING seq)`+insertPacket, args)
		return entry, nil
	}
	args["head"] = a.row.head
	args["asked"] = (a.row.asked || p.Event == packet.Ask) && p.Event != packet.Answer
	b.Queue(`WITH r AS (
		UPDATE referral SET state = @state, asked = @asked, head = @digest, changed_at = @now
		WHERE id = @id AND head = @head RETURNING seq)`+insertPacket, args)
	if p.Event == packet.Withdraw {
		b.Queue(`
			DELETE FROM section WHERE packet IN (SELECT seq FROM packet WHERE referral = $1)
			AND NOT EXISTS (SELECT FROM release x
			                WHERE x.packet = section.packet AND x.name = section.name AND x.reader = section.audience)`, a.row.seq)
	}
	return entry, nil
}

// insertPacket files a packet under the referral that the statement before it made
// or moved, with its sections, in one statement.
const insertPacket = `, p AS (
		INSERT INTO packet (referral, issuer, audience, jti, event, digest, envelope, consent, state, expires_at, stored_at, log_entry)
		SELECT seq, @issuer, @audience, @jti, @event, @digest, @envelope, @consent, @state, @expires, @now, @entry FROM r
		RETURNING seq, referral), d AS (
		INSERT INTO delivery (packet, referral, issuer, audience, state, log_entry)
		SELECT seq, referral, @issuer, @audience, 'stored', @entry FROM p), c AS (
		INSERT INTO section_copy (packet, name, issuer, sealed)
		SELECT p.seq, u.name, @issuer, u.sealed FROM p, unnest(@names::text[], @copies::text[]) AS u(name, sealed)
		WHERE u.sealed <> '')
	INSERT INTO section (packet, name, issuer, audience, sealed)
	SELECT p.seq, u.name, @issuer, @audience, u.sealed FROM p, unnest(@names::text[], @sealed::text[]) AS u(name, sealed)`
