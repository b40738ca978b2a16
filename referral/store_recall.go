package referral

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/consent"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners"
)

// recallMost is how many questions one page has.
const recallMost = 200

const recallColumns = `
	SELECT seq, id::text, consent::text, consent_digest, kind, partner, referrals, sections, since, asked_at,
	       coalesce(answer, ''), answered_at, coalesce(statement, ''), log_entry
	FROM recall `

func (q *Recall) scan(rows pgx.Rows, each func()) error {
	var since, answered *time.Time
	_, err := pgx.ForEachRow(rows, []any{&q.seq, &q.ID, &q.Consent, &q.Digest, &q.Question, &q.Partner, &q.Referrals, &q.Sections,
		&since, &q.Asked, &q.Answer, &answered, &q.Statement, &q.entry}, func() error {
		q.Since, q.Answered = orZero(since), orZero(answered)
		each()
		q.Referrals, q.Sections = nil, nil
		return nil
	})
	return err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// QueueRecall queues the reading of a question, into a batch that is bound to the partner
// that is asked or told. Until the batch has run there is none.
func QueueRecall(b *pgx.Batch, id string) *Recall {
	q := &Recall{}
	b.Queue(recallColumns+`WHERE id = $1`, id).Query(func(rows pgx.Rows) error {
		var found Recall
		return found.scan(rows, func() { *q = found })
	})
	return q
}

// AnsweredBy returns the entry of the answer, if it says what claims say, signed at whatever
// time.
func (q *Recall) AnsweredBy(claims record.RecallClaims) (entry audit.EntryID, found bool) {
	stated, err := record.ParseRecall(q.Statement)
	if err != nil {
		return audit.EntryID{}, false
	}
	before := stated.Unverified()
	before.IssuedAt = claims.IssuedAt
	return q.entry, before == claims
}

// Recalls returns one page of what the caller's agency is asked because of withdrawals,
// oldest first, and whether there is more; answered or not as yet. after is the cursor of the
// page before, 0 for the first.
func (s *Store) Recalls(ctx context.Context, c partners.Caller, answered bool, after int64) (page []Recall, more bool, err error) {
	page = []Recall{}
	var now time.Time
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(recallColumns+`WHERE partner = $1 AND (answer IS NOT NULL) = $2 AND seq > $3 ORDER BY seq LIMIT $4`,
		c.Partner(), answered, after, recallMost+1).Query(func(rows pgx.Rows) error {
		var q Recall
		return q.scan(rows, func() { page = append(page, q) })
	})
	err = pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		e := c.Entry("recall.list")
		e.Time = now
		_, err := audit.Queue(write, e)
		return write, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("listing what an agency is asked: %w", err)
	}
	if len(page) > recallMost {
		return page[:recallMost], true, nil
	}
	return page, false, nil
}

// Answer stores the caller's signed answer to a question, or finds it stored already. The
// log entry that it returns proves it. Errors: those of record.ParseRecall and
// record.VerifyRecall, ErrRecallNotThere, ErrRecallMismatch, ErrRecallAnswered,
// consent.ErrIssuer, consent.ErrKey, record.ErrStale.
func (s *Store) Answer(ctx context.Context, c partners.Caller, id, token string) (audit.EntryID, error) {
	if !ids.IsUUID(id) {
		return audit.EntryID{}, ErrRecallNotThere
	}
	stated, err := record.ParseRecall(token)
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
	var now time.Time
	var q Recall
	var entry audit.EntryID
	read := &pgx.Batch{}
	ring := s.partners.QueueKeys(read, c.Partner(), []string{stated.KeyID()}, nil)
	read.Queue(recallColumns+`WHERE id = $1 AND partner = $2 FOR UPDATE`, id, c.Partner()).Query(func(rows pgx.Rows) error {
		var found Recall
		return found.scan(rows, func() { q = found })
	})
	read.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	err = pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		switch {
		case q.ID == "":
			return nil, ErrRecallNotThere
		case q.Statement == token:
			entry = q.entry
			return nil, nil
		}
		if err := q.takes(c, claims); err != nil {
			return nil, err
		}
		answer, err := s.verifyAnswer(stated, ring, now)
		if err != nil {
			return nil, err
		}
		write := &pgx.Batch{}
		entry, err = queueAnswer(write, c, q, answer, now)
		return write, err
	})
	return entry, err
}

func (s *Store) verifyAnswer(stated record.Statement[record.RecallClaims], ring *partners.Ring, now time.Time) (record.Recall, error) {
	claims := stated.Unverified()
	key, ok := ring.Signing(stated.KeyID(), time.Unix(claims.IssuedAt, 0))
	if !ok {
		return record.Recall{}, consent.ErrKey
	}
	answer, err := record.VerifyRecall(stated, key.PublicKey)
	if err != nil {
		return record.Recall{}, err
	}
	return answer, record.Fresh(claims.Hub, claims.IssuedAt, s.hub, now)
}

func queueAnswer(b *pgx.Batch, c partners.Caller, q Recall, answer record.Recall, now time.Time) (audit.EntryID, error) {
	e := c.Entry("recall.answered")
	e.Time, e.Consent, e.Digest, e.State, e.Target = now, answer.Consent, answer.Fingerprint(), answer.Answer, q.ID
	e.Referral, e.Reason = answer.Referral, answer.Because
	entry, err := audit.Queue(b, e)
	if err != nil {
		return entry, fmt.Errorf("logging an answer: %w", err)
	}
	b.Queue(`UPDATE recall SET answer = $2, statement = $3, statement_digest = $4, answered_at = $5, log_entry = $6 WHERE id = $1`,
		q.ID, answer.Answer, answer.Token(), answer.Fingerprint(), now, entry)
	return entry, nil
}

// holding is who holds what of a record that stands, as far as the session can see. Once it
// was withdrawn, the questions say so, whatever the session can see of the packets.
const holding = `
	SELECT o.reader, array_agg(DISTINCT r.id ORDER BY r.id), array_agg(DISTINCT o.name ORDER BY o.name), min(o.at)
	FROM packet p JOIN release o ON o.packet = p.seq AND o.reader = p.audience JOIN referral r ON r.seq = p.referral
	WHERE p.consent = $1 GROUP BY o.reader ORDER BY o.reader`

// HoldersOf returns who was given what on a consent, and what they have answered, to its
// recorder and to whoever recorded the withdrawal; or consent.ErrNotThere. To others that are
// named in it, who else holds something is not theirs to know.
func (s *Store) HoldersOf(ctx context.Context, c partners.Caller, id string) (Holders, error) {
	if !ids.IsUUID(id) {
		return Holders{}, consent.ErrNotThere
	}
	h := Holders{Consent: id, Recalls: []Recall{}}
	var now time.Time
	var digest string
	var withdrawn *time.Time
	var live []Recall
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(`
		SELECT c.digest, s.withdrawn_at, coalesce(a.done_at IS NOT NULL, false)
		FROM consent c JOIN consent_state s ON s.id = c.id LEFT JOIN consent_aftermath a ON a.consent = c.id
		WHERE c.id = $1 AND $2 IN (c.recorder, s.withdrawn_by)`, id, c.Partner()).Query(scanOne(&digest, &withdrawn, &h.Complete))
	read.Queue(recallColumns+`WHERE consent = $1 ORDER BY seq`, id).Query(func(rows pgx.Rows) error {
		var q Recall
		return q.scan(rows, func() { h.Recalls = append(h.Recalls, q) })
	})
	read.Queue(holding, id).Query(func(rows pgx.Rows) error {
		q := Recall{Consent: id, Question: StillHeld}
		_, err := pgx.ForEachRow(rows, []any{&q.Partner, &q.Referrals, &q.Sections, &q.Since}, func() error {
			live = append(live, q)
			q.Referrals, q.Sections = nil, nil
			return nil
		})
		return err
	})
	err := pg.Decide(ctx, s.pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		if digest == "" {
			return nil, consent.ErrNotThere
		}
		if h.Withdrawn = orZero(withdrawn); withdrawn == nil {
			for i := range live {
				live[i].Digest = digest
			}
			h.Recalls = append(h.Recalls, live...)
		}
		write := &pgx.Batch{}
		e := c.Entry("consent.holders")
		e.Time, e.Consent, e.Digest = now, id, digest
		_, err := audit.Queue(write, e)
		return write, err
	})
	return h, err
}
