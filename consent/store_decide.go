package consent

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/consent/record"
	"handover/internal/pg"
	"handover/partners"
)

// Decide stores a manager's signed decision about an override that another person of her
// agency proposed, or finds it stored already. It is final. That she has proved a moment ago
// who she is, the route sees to. Errors: ErrByPerson, ErrManager, ErrSamePerson, ErrIssuer,
// ErrKey, ErrOverrideNotThere, ErrNoOverride, ErrOverrideDecided, ErrOverrideConflict, and
// the refusals of record.ParseDecision and record.VerifyDecision.
func (s *Store) Decide(ctx context.Context, c partners.Caller, id, token string) (audit.EntryID, error) {
	stated, err := record.ParseDecision(token)
	if err != nil {
		return audit.EntryID{}, err
	}
	d := stated.Unverified()
	m := managers{kind: "decision", Said: d.Said, kid: stated.KeyID(), token: token, fingerprint: stated.Digest(),
		verify: func(ring *partners.Ring) (err error) {
			_, err = verifies(ring, stated, d.IssuedAt, record.VerifyDecision)
			return err
		}}
	return s.settle(ctx, c, id, m, func(p *proposal) error {
		switch {
		case p.proposer == d.Act: // or one person alone could share whatever she likes
			return ErrSamePerson
		case p.decided != nil, p.ended != nil && !p.overdue(p.now):
			return ErrOverrideDecided
		}
		p.decision, p.decided = d.Decision, &p.now
		return nil
	})
}

// Review stores what a manager signed who has looked at an override again: when to look
// next, or that it is over. From then on it covers nothing more. Who proposed it may end it,
// manager or not, since that narrows; that it goes on, somebody else has to say. Errors: those of Decide, and
// ErrOverrideReview.
func (s *Store) Review(ctx context.Context, c partners.Caller, id, token string) (audit.EntryID, error) {
	stated, err := record.ParseReview(token)
	if err != nil {
		return audit.EntryID{}, err
	}
	r := stated.Unverified()
	m := managers{kind: "review", Said: r.Said, ends: r.Outcome == record.Ended, kid: stated.KeyID(), token: token, fingerprint: stated.Digest(),
		verify: func(ring *partners.Ring) (err error) {
			_, err = verifies(ring, stated, r.IssuedAt, record.VerifyReview)
			return err
		}}
	return s.settle(ctx, c, id, m, func(p *proposal) error {
		next := time.Unix(r.ReviewAt, 0)
		switch {
		case p.decision == record.Refused, p.ended != nil:
			return ErrOverrideDecided
		case r.Outcome == record.Ended && c.Role() != partners.Manager && p.proposer != r.Act:
			return ErrManager
		case r.Outcome == record.Ended:
			p.ended = &p.now
			return nil
		case p.proposer == r.Act:
			return ErrSamePerson
		case !next.After(p.now), next.After(p.expires):
			return ErrOverrideReview
		}
		p.review = next
		return nil
	})
}

// managers is what a manager has signed about what is there, not yet believed.
type managers struct {
	record.Said
	kind                    string // decision or review
	kid, token, fingerprint string
	verify                  func(*partners.Ring) error
	ends                    bool // it takes something back, which its own proposer may whatever her role
}

// admits refuses whoever may not decide what somebody has put forward: a system, for which
// nobody answers; anybody but a manager; a statement of another agency, or of another person
// than who sends it.
func (m managers) admits(c partners.Caller) error {
	switch {
	case c.User() == "":
		return ErrByPerson
	case c.Role() != partners.Manager && !m.ends:
		return ErrManager
	case m.Issuer != string(c.Partner()):
		return ErrIssuer
	}
	return c.Signs(m.Act)
}

// proposal is an override as the transaction that decides about it holds it.
type proposal struct {
	standing
	digest, proposer, recipient string
	review                      time.Time
	step                        already   // what is stored under the id of the statement
	now                         time.Time // after its row was had
}

// queueProposal queues the reading of an override of the partner's own, with its state row
// locked for a change: whoever relies on it has committed by then, or finds the change.
func queueProposal(b *pgx.Batch, partner partners.ID, id, jti string) *proposal {
	p := &proposal{}
	b.Queue(`
		SELECT o.digest, o.proposer, o.recipient, s.emergency, s.decision, s.recorded_at, s.expires_at, s.decided_at, s.ended_at, s.review_at
		FROM consent_override o JOIN consent_override_state s ON s.id = o.id
		WHERE o.id = $1 AND o.recorder = $2 FOR UPDATE OF s`, id, partner).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&p.digest, &p.proposer, &p.recipient, &p.emergency, &p.decision, &p.recorded, &p.expires,
			&p.decided, &p.ended, &p.review}, func() error { return nil })
		return err
	})
	p.step.queue(b, `SELECT digest, log_entry FROM consent_override_step WHERE id = $1`, jti)
	// A statement of its own: the first reads the clock and then waits for those who share.
	b.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&p.now) })
	return p
}

// settle stores a manager's statement about an override, and what it makes of it: judge
// changes the proposal, or refuses.
func (s *Store) settle(ctx context.Context, c partners.Caller, id string, m managers, judge func(*proposal) error) (entry audit.EntryID, err error) {
	if err := m.admits(c); err != nil {
		return entry, err
	}
	if !isID(id) {
		return entry, ErrOverrideNotThere
	}
	read := &pgx.Batch{}
	ring := s.Partners.QueueKeys(read, c.Partner(), []string{m.kid}, nil)
	p := queueProposal(read, c.Partner(), id, m.ID)
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		switch {
		case p.digest == "":
			return nil, ErrOverrideNotThere
		case p.step.digest != "":
			entry = p.step.entry
			return nil, p.step.is(m.fingerprint)
		case m.Of != id || m.Digest != p.digest:
			return nil, ErrNoOverride
		}
		if err := m.verify(ring); err != nil {
			return nil, err
		}
		if err := record.Fresh(m.Hub, m.IssuedAt, s.Hub, p.now); err != nil {
			return nil, err
		}
		if err := judge(p); err != nil {
			return nil, err
		}
		write := &pgx.Batch{}
		var err error
		entry, err = p.queueStep(write, c, m)
		return write, err
	})
	if pg.Violates(err, "consent_override_step_pkey") { // under the id of another's statement
		err = ErrOverrideConflict
	}
	return entry, err
}

// queueStep queues the statement, the log entry, and where the override stands after it.
func (p *proposal) queueStep(b *pgx.Batch, c partners.Caller, m managers) (audit.EntryID, error) {
	e := c.Entry("override." + m.kind)
	e.Time, e.Override, e.Digest, e.State = p.now, m.Of, m.fingerprint, p.at(p.now)
	if p.emergency || p.decision == record.Approved { // what the recipient has heard of
		e.Other = p.recipient
	}
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging a %s: %w", m.kind, err)
	}
	b.Queue(`
		UPDATE consent_override_state SET decision = @decision, decided_at = @decided, review_at = @review, ended_at = @ended, log_entry = @entry
		WHERE id = @id`, pgx.StrictNamedArgs{"id": m.Of, "decision": p.decision, "decided": p.decided, "review": p.review,
		"ended": p.ended, "entry": entry})
	b.Queue(`
		INSERT INTO consent_override_step (id, override, recorder, kind, digest, token, at, log_entry)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, m.ID, m.Of, c.Partner(), m.kind, m.fingerprint, m.token, p.now, entry)
	return entry, nil
}
