package police

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"handover/audit"
	"handover/consent"
	"handover/consent/record"
	"handover/internal/pg"
	"handover/keys/jose"
	"handover/partners"
)

// Store keeps police requests.
type Store struct {
	Pool     *pgxpool.Pool
	Partners *partners.Store
	Hub      string // the issuer URL that statements must name
}

// isID reports whether id has the form of an id in its one spelling.
func isID(id string) bool {
	parsed, err := uuid.Parse(id)
	return err == nil && parsed.String() == id
}

// Ask stores a signed request that an officer makes of one holder, with its sealed text, or
// finds it stored already. The log entry that it returns proves it. Errors: ErrByPerson,
// ErrNotPolice, ErrSenior, ErrUnreadable, ErrConflict, consent.ErrIssuer, consent.ErrKey,
// partners.ErrRecipientInactive, and the refusals of record.ReadInquiry, VerifyInquiry and
// Fresh.
func (s *Store) Ask(ctx context.Context, c partners.Caller, body []byte) (audit.EntryID, error) {
	if c.User() == "" {
		return audit.EntryID{}, ErrByPerson
	}
	if c.Category() != partners.Police {
		return audit.EntryID{}, ErrNotPolice
	}
	stated, posted, sealed, err := record.ReadInquiry(body)
	if err != nil {
		return audit.EntryID{}, err
	}
	claims := stated.Unverified()
	if claims.Issuer != string(c.Partner()) {
		return audit.EntryID{}, consent.ErrIssuer
	}
	if err := c.Signs(claims.Act); err != nil {
		return audit.EntryID{}, err
	}
	a := &asking{stated: stated, posted: posted, sealed: sealed}
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), a.read(s, c), func() (*pgx.Batch, error) {
		if a.stored != "" {
			return nil, a.settled()
		}
		q, err := a.verify(s.Hub)
		if err != nil {
			return nil, err
		}
		write := &pgx.Batch{}
		a.entry, err = queueRequest(write, c, q, posted, a.now)
		return write, err
	})
	if pg.Violates(err, "police_request_pkey") { // it lost a race against itself, or is under an id of others
		err = pg.Decide(ctx, s.Pool, string(c.Partner()), a.read(s, c), func() (*pgx.Batch, error) { return nil, a.settled() })
	}
	return a.entry, err
}

// asking is a request as the transaction holds it that stores it.
type asking struct {
	stated record.Statement[record.InquiryClaims]
	posted record.PostedInquiry
	sealed jose.Encrypted
	ring   *partners.Ring
	now    time.Time
	active bool // the holder takes part
	held   bool // the hub holds its keys
	senior bool // the second officer is somebody
	stored string
	entry  audit.EntryID
}

func (a *asking) read(s *Store, c partners.Caller) *pgx.Batch {
	claims, b := a.stated.Unverified(), &pgx.Batch{}
	b.Queue(`
		SELECT now(), EXISTS (SELECT FROM partner WHERE id = $1 AND status = 'active'),
		       EXISTS (SELECT FROM partner_user WHERE id::text = $2 AND partner = $3 AND status = 'active'),
		       EXISTS (SELECT FROM partner_key WHERE partner = $1 AND use = 'encryption' AND custody = 'hub'
		               AND revoked_at IS NULL AND now() < not_after)`,
		claims.Audience, claims.Senior.Act, c.Partner()).QueryRow(func(row pgx.Row) error { return row.Scan(&a.now, &a.active, &a.senior, &a.held) })
	a.ring = s.Partners.QueueKeys(b, c.Partner(), []string{a.stated.KeyID()}, []partners.ID{partners.ID(claims.Audience)})
	b.Queue(`SELECT digest, log_entry FROM police_request WHERE id = $1`, claims.ID).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&a.stored, &a.entry}, func() error { return nil })
		return err
	})
	return b
}

// settled returns ErrConflict unless exactly this request is stored already.
func (a *asking) settled() error {
	if a.stored != a.stated.Digest() {
		return ErrConflict
	}
	return nil
}

func (a *asking) verify(hub string) (record.Inquiry, error) {
	claims := a.stated.Unverified()
	key, ok := a.ring.Signing(a.stated.KeyID(), time.Unix(claims.IssuedAt, 0))
	if !ok {
		return record.Inquiry{}, consent.ErrKey
	}
	q, err := record.VerifyInquiry(a.stated, key.PublicKey)
	if err != nil {
		return record.Inquiry{}, err
	}
	if err := record.Fresh(claims.Hub, claims.IssuedAt, hub, a.now); err != nil {
		return record.Inquiry{}, err
	}
	if !a.active {
		return record.Inquiry{}, partners.ErrRecipientInactive
	}
	if a.held {
		return record.Inquiry{}, ErrUnreadable
	}
	if claims.Senior.Act != "" && !a.senior {
		return record.Inquiry{}, ErrSenior
	}
	// What the holder could not open would be read by nobody, and still be a request.
	return q, record.FitsReader(a.sealed, a.ring.Sealing(partners.ID(claims.Audience), a.now))
}

func queueRequest(b *pgx.Batch, c partners.Caller, q record.Inquiry, posted record.PostedInquiry, now time.Time) (audit.EntryID, error) {
	e := c.Entry("police.request")
	e.Time, e.Other, e.Target, e.Digest, e.Sections, e.Reason, e.State = now, q.Audience, q.ID, q.Digest(), slices.Sorted(slices.Values(q.Sections)), q.Enquiry, stateAsked
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging a police request: %w", err)
	}
	b.Queue(`
		INSERT INTO police_request (id, issuer, holder, counselling, senior, respond_by, recorded_at, digest, token, log_entry)
		VALUES (@id, @issuer, @holder, @counselling, nullif(@senior, ''), @by, @now, @digest, @token, @entry)`,
		pgx.StrictNamedArgs{"id": q.ID, "issuer": q.Issuer, "holder": q.Audience, "counselling": q.Senior.Act != "", "senior": q.Senior.Act,
			"by": time.Unix(q.RespondBy, 0), "now": now, "digest": q.Digest(), "token": q.Token(), "entry": entry})
	b.Queue(`INSERT INTO police_text (request, issuer, holder, sealed) VALUES ($1, $2, $3, $4)`, q.ID, q.Issuer, q.Audience, posted.Sealed)
	return entry, nil
}

// Open returns the sealed text of a request to its holder, and logs that she opened it, or
// ErrNotThere.
func (s *Store) Open(ctx context.Context, c partners.Caller, id string) (sealed string, entry audit.EntryID, err error) {
	if !isID(id) {
		return "", entry, ErrNotThere
	}
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT sealed, now() FROM police_text WHERE request = $1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&sealed, &now}, func() error { return nil })
		return err
	})
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if sealed == "" {
			return nil, ErrNotThere
		}
		write := &pgx.Batch{}
		e := c.Entry("police.open") // it does not name the police: when it was opened is not theirs to know
		e.Time, e.Target = now, id
		if entry, err = audit.Queue(write, e); err != nil {
			return nil, fmt.Errorf("logging an opening: %w", err)
		}
		write.Queue(`INSERT INTO police_opening (log_entry, request, holder, at) VALUES ($1, $2, $3, $4)`, entry, id, c.Partner(), now)
		return write, nil
	})
	if err != nil {
		return "", entry, err
	}
	return sealed, entry, nil
}

// Decide stores a manager's signed decision about a request of which her agency is the
// holder, or finds it stored already. It is final. That she has proved a moment ago who she
// is, the route sees to. Errors: ErrByPerson, consent.ErrManager, consent.ErrIssuer,
// consent.ErrKey, ErrNotThere, ErrDecided, ErrUnread, and the refusals of
// record.ReadInquiryDecision, VerifyInquiryDecision and Answers.
func (s *Store) Decide(ctx context.Context, c partners.Caller, id string, body []byte) (audit.EntryID, error) {
	stated, posted, err := record.ReadInquiryDecision(body)
	switch {
	case err != nil:
		return audit.EntryID{}, err
	case c.User() == "":
		return audit.EntryID{}, ErrByPerson
	case c.Role() != partners.Manager:
		return audit.EntryID{}, consent.ErrManager
	}
	d := stated.Unverified()
	if d.Issuer != string(c.Partner()) {
		return audit.EntryID{}, consent.ErrIssuer
	}
	if err := c.Signs(d.Act); err != nil {
		return audit.EntryID{}, err
	}
	if !isID(id) {
		return audit.EntryID{}, ErrNotThere
	}
	p := &pending{id: id, stated: stated, sealed: posted.Sealed}
	judge := func() (*pgx.Batch, error) { return p.judge(c) }
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), p.read(s, c), judge)
	if pg.Violates(err, "police_decision_pkey") { // another manager decided meanwhile: it is found now
		err = pg.Decide(ctx, s.Pool, string(c.Partner()), p.read(s, c), judge)
	}
	return p.entry, err
}

// pending is a request as the transaction holds it that stores its decision.
type pending struct {
	id            string
	stated        record.Statement[record.InquiryDecisionClaims]
	sealed        string
	ring          *partners.Ring
	now           time.Time
	token, digest string // of the request
	opened        bool
	decided       string // digest of what was decided before
	entry         audit.EntryID
}

func (p *pending) read(s *Store, c partners.Caller) *pgx.Batch {
	b := &pgx.Batch{}
	b.Queue(`
		SELECT q.token, q.digest, now(), EXISTS (SELECT FROM police_opening o WHERE o.request = q.id)
		FROM police_request q WHERE q.id = $1 AND q.holder = $2`, p.id, c.Partner()).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&p.token, &p.digest, &p.now, &p.opened}, func() error { return nil })
		return err
	})
	b.Queue(`SELECT digest, log_entry FROM police_decision WHERE request = $1 AND holder = $2`, p.id, c.Partner()).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&p.decided, &p.entry}, func() error { return nil })
		return err
	})
	p.ring = s.Partners.QueueKeys(b, c.Partner(), []string{p.stated.KeyID()}, nil)
	return b
}

// judge refuses the decision, or queues what stores it. A decision has no time of its own, so
// the key that signed it must count now.
func (p *pending) judge(c partners.Caller) (*pgx.Batch, error) {
	d := p.stated.Unverified()
	switch {
	case p.digest == "":
		return nil, ErrNotThere
	case p.decided == p.stated.Digest():
		return nil, nil
	case p.decided != "":
		return nil, ErrDecided
	}
	asked, err := record.ParseInquiry(p.token)
	if err != nil {
		return nil, fmt.Errorf("reading a stored police request: %w", err)
	}
	if err := d.Answers(asked.Unverified(), p.digest); err != nil {
		return nil, err
	}
	if d.Decision == record.Approved && !p.opened {
		return nil, ErrUnread
	}
	key, ok := p.ring.Signing(p.stated.KeyID(), p.now)
	if !ok {
		return nil, consent.ErrKey
	}
	decision, err := record.VerifyInquiryDecision(p.stated, key.PublicKey)
	if err != nil {
		return nil, err
	}
	write := &pgx.Batch{}
	p.entry, err = p.queue(write, c, decision, asked.Unverified())
	return write, err
}

func (p *pending) queue(b *pgx.Batch, c partners.Caller, d record.InquiryDecision, q record.InquiryClaims) (audit.EntryID, error) {
	e := c.Entry("police.decision")
	e.Time, e.Target, e.Digest, e.State = p.now, p.id, d.Fingerprint(), d.Decision
	if d.Decision == record.Approved { // of a no the police learn when it is shown, and not by the log
		e.Other, e.Sections = q.Issuer, slices.Sorted(slices.Values(d.Sections))
	}
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging a decision about a police request: %w", err)
	}
	by := time.Unix(q.RespondBy, 0)
	b.Queue(`
		INSERT INTO police_decision (request, issuer, holder, respond_by, decision, digest, token, shown_at, log_entry)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, p.id, q.Issuer, q.Audience, by, d.Decision, d.Fingerprint(), d.Token(),
		shownAt(d.Decision, p.now, by), entry)
	b.Queue(`INSERT INTO police_reason (request, holder, sealed, decided_at, log_entry) VALUES ($1, $2, $3, $4, $5)`,
		p.id, q.Audience, p.sealed, p.now, entry)
	return entry, nil
}
