package referral

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/pg"
	"handover/referral/packet"
)

// What the hub does of itself is done in sessions that are bound to no partner, by the
// functions of 00019_aftermath.sql: each has one effect, and only where a consent was
// withdrawn. The attack that it stops: a statement that goes astray while a partner is
// served, or a bug that binds the wrong one, cannot cancel a referral or destroy a section
// that its own policies keep from it.

// aftermathMoved names the refusal of those functions when what they were to act on is not
// so any more.
const aftermathMoved = "aftermath_moved"

// nobody is the partner that such a session is bound to.
const nobody = ""

// unset is where the list of due consents begins.
const unset = "00000000-0000-0000-0000-000000000000"

// aftermathDue returns the next consent after `after` whose aftermath is due, or "".
func (s *Store) aftermathDue(ctx context.Context, after string) (due string, err error) {
	if after == "" {
		after = unset
	}
	read := &pgx.Batch{}
	read.Queue(`SELECT consent::text FROM aftermath_due($1)`, after).Query(scanOne(&due))
	err = pg.Decide(ctx, s.pool, nobody, read, func() (*pgx.Batch, error) { return nil, nil })
	if err != nil {
		return "", fmt.Errorf("looking for withdrawals: %w", err)
	}
	return due, nil
}

// heldConsent is a withdrawn consent that a transaction holds while it does some of what
// follows.
type heldConsent struct {
	digest, recorder, withdrawnBy string
	now                           time.Time
}

// queueHold queues the taking of a consent. Nothing is held of one that another hub is at,
// or that is done: then all that is read after it counts for nothing.
func queueHold(b *pgx.Batch, consent string, into *heldConsent) {
	b.Queue(`SELECT digest, recorder, withdrawn_by FROM aftermath_hold($1)`, consent).
		Query(scanOne(&into.digest, &into.recorder, &into.withdrawnBy))
	b.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&into.now) })
}

// destroyFor destroys what rests on the consent and was not released to whom it was
// sent, each packet with a log entry, and asks everybody to whom something was. Nothing is
// released between the two: whoever releases finds the consent withdrawn.
func (s *Store) destroyFor(ctx context.Context, consent string) error {
	var held heldConsent
	var entries []proof.Entry
	var questions []asking
	read := &pgx.Batch{}
	queueHold(read, consent, &held)
	read.Queue(`SELECT referral, digest, audience, names FROM aftermath_unopened($1)`, consent).Query(func(rows pgx.Rows) error {
		e := proof.Entry{Act: "section.destroy", Consent: consent, Reason: consentWithdrawn}
		_, err := pgx.ForEachRow(rows, []any{&e.Referral, &e.Envelope, &e.Other, &e.Sections}, func() error {
			entries = append(entries, e)
			e.Sections = nil
			return nil
		})
		return err
	})
	read.Queue(`SELECT partner, sections FROM aftermath_holders($1)`, consent).Query(func(rows pgx.Rows) error {
		q := asking{kind: StillHeld}
		_, err := pgx.ForEachRow(rows, []any{&q.partner, &q.sections}, func() error {
			questions = append(questions, q)
			q.sections = nil
			return nil
		})
		return err
	})
	return pg.Decide(ctx, s.pool, nobody, read, func() (*pgx.Batch, error) {
		if held.digest == "" || len(entries)+len(questions) == 0 {
			return nil, nil
		}
		write := &pgx.Batch{}
		for _, e := range entries {
			e.Time = held.now
			if _, err := audit.Queue(write, e); err != nil {
				return nil, err
			}
		}
		write.Queue(`SELECT aftermath_destroy($1)`, consent)
		return write, queueQuestions(write, consent, held, questions)
	})
}

// queueQuestions asks, each with a log entry.
func queueQuestions(b *pgx.Batch, consent string, held heldConsent, questions []asking) error {
	for _, q := range questions {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("choosing an id: %w", err)
		}
		entry, err := audit.Queue(b, proof.Entry{Act: "recall.asked", Time: held.now, Other: q.partner, Consent: consent, Digest: held.digest,
			Referral: q.referral, Sections: q.sections, Reason: string(q.kind), Target: id.String()})
		if err != nil {
			return err
		}
		if q.kind == StillHeld {
			b.Queue(`SELECT aftermath_ask_holder($1, $2, $3, $4, $5)`, id.String(), consent, q.partner, held.now, entry)
		} else {
			b.Queue(`SELECT aftermath_ask_sender($1, $2, $3, $4, $5)`, id.String(), consent, q.referral, held.now, entry)
		}
	}
	return nil
}

// queueOpen queues the reading of the open referrals whose request rests on the consent.
func queueOpen(b *pgx.Batch, consent string, into *[]row) {
	b.Queue(`SELECT id, sender, recipient, state, head FROM aftermath_referrals($1)`, consent).Query(func(rows pgx.Rows) error {
		var r row
		_, err := pgx.ForEachRow(rows, []any{&r.id, &r.sender, &r.recipient, &r.state, &r.head}, func() error {
			*into = append(*into, r)
			return nil
		})
		return err
	})
}

// unaccepted returns the referrals that rest on the consent and that nobody has accepted.
func (s *Store) unaccepted(ctx context.Context, consent string) (waiting []row, now time.Time, err error) {
	var held heldConsent
	var open []row
	read := &pgx.Batch{}
	queueHold(read, consent, &held)
	queueOpen(read, consent, &open)
	err = pg.Decide(ctx, s.pool, nobody, read, func() (*pgx.Batch, error) { return nil, nil })
	if err != nil || held.digest == "" {
		return nil, held.now, err
	}
	for _, r := range open {
		if _, err := next(packet.Withdraw, HubSide, State(r.state)); err == nil {
			waiting = append(waiting, r)
		}
	}
	return waiting, held.now, nil
}

// cancelFor files the hub's step, if its referral is where it was when it was signed.
func (s *Store) cancelFor(ctx context.Context, consent string, r row, step hubStep) error {
	var held heldConsent
	read := &pgx.Batch{}
	queueHold(read, consent, &held)
	return pg.Decide(ctx, s.pool, nobody, read, func() (*pgx.Batch, error) {
		if held.digest == "" {
			return nil, nil
		}
		c := step.Unverified()
		write := &pgx.Batch{}
		entry, err := audit.Queue(write, step.entry(consent, held.now))
		if err != nil {
			return nil, err
		}
		write.Queue(`SELECT aftermath_cancel($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, consent, r.id, r.head, s.hub, c.ID, step.Digest(),
			step.envelope, time.Unix(c.Expires, 0), held.now, entry)
		return write, nil
	})
}

// endAftermath asks the sender of each referral that was accepted whether help goes on, and
// notes that all is done. The database refuses that, as aftermathMoved, while anything is
// left.
func (s *Store) endAftermath(ctx context.Context, consent string) error {
	var held heldConsent
	var open []row
	read := &pgx.Batch{}
	queueHold(read, consent, &held)
	queueOpen(read, consent, &open)
	return pg.Decide(ctx, s.pool, nobody, read, func() (*pgx.Batch, error) {
		if held.digest == "" {
			return nil, nil
		}
		var questions []asking
		for _, r := range open {
			if s := State(r.state); s == Accepted || s == InProgress {
				questions = append(questions, asking{kind: DoesHelpGoOn, partner: r.sender, referral: r.id})
			}
		}
		write := &pgx.Batch{}
		if err := queueQuestions(write, consent, held, questions); err != nil {
			return nil, err
		}
		entry, err := audit.Queue(write, proof.Entry{Act: "consent.followed", Time: held.now, Other: held.recorder, Consent: consent, Digest: held.digest})
		if err != nil {
			return nil, err
		}
		write.Queue(`SELECT aftermath_end($1, $2, $3)`, consent, held.now, entry)
		return write, nil
	})
}
