package referral

import (
	"context"
	"crypto/hmac"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit"
	"handover/consent"
	"handover/consent/record"
	"handover/internal/gather"
	"handover/internal/pg"
	"handover/partners"
	"handover/referral/clock"
	"handover/referral/packet"
)

// Store keeps referrals. Each method is one transition or one read, in one
// transaction that checks, changes and logs.
type Store struct {
	pool     *pgxpool.Pool
	partners *partners.Store
	log      *audit.Log
	hub      string
	waiting  *waiting
	intake   *gather.Lines[*arrival]
	shown    sync.Map // kids of the hub's own keys that are known to be in the log
}

// NewStore returns the referrals over pool, which needs the hub's role and no more.
// hub is the issuer URL that envelopes must name.
func NewStore(pool *pgxpool.Pool, registry *partners.Store, log *audit.Log, hub string) *Store {
	s := &Store{pool: pool, partners: registry, log: log, hub: hub, waiting: newWaiting()}
	s.intake = newIntake(s)
	return s
}

// arrival is one packet on its way in, and what became of it.
type arrival struct {
	caller partners.Caller
	u      packet.Unverified
	mac    []byte // of the request, if the hub has sealed and signed it; nil otherwise

	opened packet.Opened // once its signature has been verified
	to     State         // of the referral after it
	stored bool          // its very bytes were here already
	entry  audit.EntryID
	err    error // why it was not stored
	panic  any   // what deciding it ended with, for its own caller to meet
}

// catch keeps a panic to the packet that caused it: it is no reason to refuse those that
// came with it.
func (a *arrival) catch() {
	if p := recover(); p != nil {
		a.panic, a.err = p, errors.New("deciding a packet panicked")
	}
}

// Receive stores a packet, whatever its event, or finds it stored already, and
// returns the log entry that proves it. re is the referral that the caller posted an
// event to, "" for a request. The packet has passed packet.Read; everything else is
// decided here, in the order of docs/packet.md, under locks taken in the order
// agreement, consent, referral, log. Requests of one partner that arrive together
// share a transaction (intake.go).
func (s *Store) Receive(ctx context.Context, c partners.Caller, u packet.Unverified, re string) (audit.EntryID, error) {
	return s.File(ctx, c, u, re, nil)
}

// File is Receive for a packet that the hub has sealed and signed itself for the caller,
// asked with a request whose keyed digest is mac. A packet with this id that the same
// request has brought before counts as the same, since no two seals are the same bytes.
func (s *Store) File(ctx context.Context, c partners.Caller, u packet.Unverified, re string, mac []byte) (audit.EntryID, error) {
	claims := u.Unverified()
	if claims.Issuer != string(c.Partner()) {
		return audit.EntryID{}, ErrIssuer
	}
	if err := c.Signs(claims.Act); err != nil {
		return audit.EntryID{}, err
	}
	if (claims.Event == packet.Request) != (re == "") || claims.Referral != re {
		return audit.EntryID{}, ErrWrongEndpoint
	}
	// The arithmetic of the signature is done here, beside what other groups do in the
	// database. What it is worth is decided in the transaction, by the key that counts then.
	u.Try(s.partners.Guess(c.Partner(), u.KeyID()))
	a := &arrival{caller: c, u: u, mac: mac}
	if claims.Event != packet.Request {
		s.receive(ctx, []*arrival{a})
	} else if err := s.intake.Join(ctx, a); err != nil {
		return audit.EntryID{}, err
	}
	if a.panic != nil {
		panic(a.panic)
	}
	if a.err == nil && !a.stored {
		s.waiting.wake(claims.Audience)
	}
	return a.entry, a.err
}

// receive decides a group of packets of one issuer in one transaction, and leaves in
// each what became of it: a refused one does not fail its neighbours. A group of more
// than one holds requests only, since two steps of one referral would decide on the
// same head.
//
// The transaction looks, decides and writes; the log entries of what it writes get
// their places in it as well, if the log is free, so that packet and proof are one
// commit.
func (s *Store) receive(ctx context.Context, group []*arrival) {
	l := s.look(group)
	var entries *audit.Direct
	err := pg.Decide(ctx, s.pool, l.issuer, l.batch, func() (write *pgx.Batch, err error) {
		accepted := s.decide(l, group)
		if len(accepted) == 0 {
			return nil, nil
		}
		write = &pgx.Batch{}
		entries, err = s.file(write, l, accepted)
		return write, err
	})
	if err == nil {
		if entries != nil {
			entries.Committed()
		}
		return
	}
	if _, ours := errors.AsType[*pgconn.PgError](err); ours && len(group) > 1 {
		for _, a := range group { // one of them is at fault: each for itself
			*a = arrival{caller: a.caller, u: a.u, mac: a.mac}
			s.receive(ctx, []*arrival{a})
		}
		return
	}
	for _, a := range group {
		a.entry, a.err = audit.EntryID{}, err
		if pg.Violates(err, "packet_once") || pg.Violates(err, "referral_once") {
			a.stored = true
			a.entry, a.err = s.settled(ctx, a)
		}
	}
}

// look is what the first round trip brings: all that the decision rests on.
type look struct {
	issuer string
	batch  *pgx.Batch
	now    time.Time
	before map[string]filed // what the issuer has stored under the jtis
	keys   *partners.Ring
	terms  *partners.TermSet
	grants *consent.Grants
	parts  uploads          // what is here of the attachments that the group names
	better *partners.Better // the service that a redirect names
	onward onwards          // the referrals that requests of the group continue
	row    *row             // the referral, for every event but a request
}

// filed is a packet that is stored already.
type filed struct {
	digest string
	mac    []byte
	entry  audit.EntryID
}

// is reports whether what is stored is what the arrival brings: the same bytes, or what
// the hub made of the same request before.
func (f filed) is(a *arrival) bool {
	return f.digest == a.u.Digest() || a.mac != nil && hmac.Equal(f.mac, a.mac)
}

// row is a referral as a transaction holds it.
type row struct {
	seq                     int64
	id, sender, recipient   string
	subject, purpose, state string
	area, head              string
	asked                   bool
	urgency                 string
	dueFrom                 time.Time
	dueFor                  clock.Due // "" while nothing is
}

func (s *Store) look(group []*arrival) *look {
	first := group[0].claims()
	l := &look{issuer: first.Issuer, batch: &pgx.Batch{}}
	var kids, jtis []string
	var bases []reliance
	var addressed []partners.ID
	var asked []partners.Asked
	for _, a := range group {
		c := a.claims()
		kids, jtis, addressed = append(kids, a.u.KeyID()), append(jtis, c.ID), append(addressed, partners.ID(c.Audience))
		asked = append(asked, askedFor(c))
		if c.Basis != nil {
			bases = append(bases, reliance{*c.Basis, c.Audience})
		}
	}
	l.keys = s.partners.QueueKeys(l.batch, partners.ID(l.issuer), kids, addressed)
	if len(bases) > 0 {
		l.terms = s.partners.LockTerms(l.batch, partners.ID(l.issuer), asked...)
		l.onward = queueOnward(l.batch, group)
		l.grants = lockBases(l.batch, bases...)
	}
	if first.Event != packet.Request {
		l.row = &row{}
		queueRow(l.batch, first.Referral, "FOR UPDATE", l.row)
		if first.Event == packet.Redirect {
			l.better = s.partners.QueueBetter(l.batch, first.Service)
		}
	}
	l.parts = queueUploads(l.batch, l.issuer, group)
	// Last, because it is decided first: whoever has waited for the lock behind the same
	// bytes must find them stored, not be told that the referral has moved.
	l.before = queueStored(l.batch, l.issuer, jtis, &l.now)
	return l
}

func (a *arrival) claims() packet.Claims { return a.u.Unverified() }

// queueStored queues the question what the issuer has stored under the jtis, and what
// time it is. Each jti is looked up by the whole unique key: asked for as a set, the
// plan read all that the issuer ever stored. (text[]::uuid[], here and elsewhere: the
// driver encodes an array of strings as text[] ten times as fast as it does as uuid[].)
func queueStored(b *pgx.Batch, issuer string, jtis []string, now *time.Time) map[string]filed {
	found := map[string]filed{}
	b.Queue(`
		SELECT now(), asked.jti::text, coalesce(p.digest, ''), p.request_mac, p.log_entry
		FROM unnest($2::text[]::uuid[]) AS asked(jti) LEFT JOIN LATERAL (
			SELECT digest, request_mac, log_entry FROM packet WHERE issuer = $1 AND jti = asked.jti OFFSET 0) p ON true`, issuer, jtis).
		Query(func(rows pgx.Rows) error {
			var jti string
			var f filed
			var entry *audit.EntryID
			_, err := pgx.ForEachRow(rows, []any{now, &jti, &f.digest, &f.mac, &entry}, func() error {
				if entry != nil {
					found[jti] = filed{f.digest, f.mac, *entry}
				}
				f.mac = nil
				return nil
			})
			return err
		})
	return found
}

// queueRow queues the reading of a referral; row-level security hides it from
// everyone but its two parties, and then r.id stays empty.
func queueRow(b *pgx.Batch, id, lock string, r *row) {
	b.Queue(`
		SELECT seq, id, sender, recipient, subject, purpose, state, area, head, asked, urgency, due_from, coalesce(due_for, '')
		FROM referral WHERE id = $1 `+lock, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&r.seq, &r.id, &r.sender, &r.recipient, &r.subject, &r.purpose,
			&r.state, &r.area, &r.head, &r.asked, &r.urgency, &r.dueFrom, &r.dueFor}, func() error { return nil })
		return err
	})
}

// decide judges every packet of the group and returns those to be stored.
func (s *Store) decide(l *look, group []*arrival) []*arrival {
	var accepted []*arrival
	for _, a := range group {
		if before, ok := l.before[a.claims().ID]; ok {
			if a.stored, a.entry = true, before.entry; !before.is(a) {
				a.stored, a.entry, a.err = false, audit.EntryID{}, ErrConflict
			}
			continue
		}
		if s.decideOne(l, a); a.err == nil {
			accepted = append(accepted, a)
		}
	}
	return accepted
}

// decideOne decides whether one packet may be stored, and leaves the answer in it.
func (s *Store) decideOne(l *look, a *arrival) {
	defer a.catch()
	if a.opened, a.err = s.open(l, a.u); a.err == nil {
		a.to, a.err = judge(l, a.caller, a.opened)
	}
}

// open verifies the packet with the key it names, if that key counted, and holds its
// sections against the recipient's current keys.
func (s *Store) open(l *look, u packet.Unverified) (packet.Opened, error) {
	claims := u.Unverified()
	key, ok := l.keys.Signing(u.KeyID(), time.Unix(claims.IssuedAt, 0))
	if !ok {
		return packet.Opened{}, ErrKey
	}
	p, err := u.Open(key.PublicKey, s.hub, l.now)
	if err != nil {
		return packet.Opened{}, err
	}
	current := l.keys.Sealing(partners.ID(p.Audience), l.now)
	switch {
	case p.FitsOne(current):
		return p, nil
	case len(current) == 0:
		return packet.Opened{}, partners.ErrRecipientInactive
	}
	return packet.Opened{}, ErrRecipientKey.With("key", current[0].KeyID()).With("jwk", current[0])
}

// askedFor is the recipient of a packet and, of a request, the service that it asks for. What
// a redirect names is another's.
func askedFor(c packet.Claims) partners.Asked {
	to := partners.Asked{To: partners.ID(c.Audience)}
	if c.Event == packet.Request {
		to.Service = c.Service
	}
	return to
}

// judge decides whether the packet may be stored, and returns the state that the
// referral is in afterwards.
func judge(l *look, c partners.Caller, p packet.Opened) (State, error) {
	subject, purpose, area, to := p.Subject, p.Purpose, p.Area, Requested
	if l.row != nil {
		var err error
		if to, err = l.row.step(c, p); err != nil {
			return "", err
		}
		subject, purpose, area = l.row.subject, l.row.purpose, l.row.area
	}
	if p.Event == packet.Redirect {
		if err := l.better.Takes(purpose, l.row.area, partners.ID(l.row.sender), partners.ID(l.row.recipient)); err != nil {
			return "", err
		}
	}
	if p.Basis == nil {
		return to, nil // a step without content needs no basis, and a request has content
	}
	classes, terms := p.Classes(p.Names()...), l.terms.For(askedFor(p.Claims))
	err := terms.Permit(partners.Passage{Purpose: purpose, Area: p.Area, Classes: classes})
	if err != nil {
		return "", err
	}
	err = covers(l.grants, *p.Basis, record.Passage{
		Subject: subject, Purpose: purpose, Sender: p.Issuer, Recipient: p.Audience,
		Category: string(terms.RecipientCategory()), Area: area, Opens: p.Event == packet.Request, Classes: classes, Now: l.now,
	})
	if err != nil {
		return "", err
	}
	if err := l.onward.allow(p, l.grants.Of(p.Basis.Consent)); err != nil {
		return "", err
	}
	return to, l.parts.hold(p)
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
	if err := side.Allows(c); err != nil {
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

// settled answers a packet that lost a race against itself: the same bytes find the
// winner's entry, other bytes are a conflict.
func (s *Store) settled(ctx context.Context, a *arrival) (audit.EntryID, error) {
	claims := a.claims()
	var now time.Time
	b := &pgx.Batch{}
	stored := queueStored(b, claims.Issuer, []string{claims.ID}, &now)
	err := pg.Decide(ctx, s.pool, claims.Issuer, b, func() (*pgx.Batch, error) {
		if !stored[claims.ID].is(a) {
			return nil, ErrConflict
		}
		return nil, nil
	})
	return stored[claims.ID].entry, err
}
