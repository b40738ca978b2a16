package partners

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/partners/terms"
)

// heldAgreement is a stored agreement as the transaction holds it that does something with it:
// under the lock of its two agencies.
type heldAgreement struct {
	id       string
	proposal terms.Statement[terms.Claims]
	steps    map[string]heldStep // by kind: answer, end
	stopped  bool
	now      time.Time
	standing inForce // between the two
	active   bool    // whether who proposed it takes part
	mine     *Ring
	proposer *Ring
}

type heldStep struct {
	step, digest string
	entry        audit.EntryID
}

// inForce is the signed agreement between two agencies that counts, or is to count; its id is
// "" where there is none.
type inForce struct {
	id      string
	version int
}

// holdAgreement locks an agreement of the caller's agency and reads what is to be known of it,
// or returns ErrAgreementNotThere.
func (s *Store) holdAgreement(ctx context.Context, tx pgx.Tx, c Caller, id, kid string) (*heldAgreement, error) {
	if !isAgreement(id) {
		return nil, ErrAgreementNotThere
	}
	h := &heldAgreement{id: id, steps: map[string]heldStep{}}
	var token string
	b := &pgx.Batch{}
	b.Queue(fmt.Sprintf(pairLock, `SELECT proposer, other FROM signed_agreement WHERE id = $1`), id)
	b.Queue(`SELECT token, now(), EXISTS (SELECT FROM partner p WHERE p.id = proposer AND p.status = 'active'),
		EXISTS (SELECT FROM agreement g WHERE g.terms = a.id) AND NOT EXISTS (SELECT FROM agreement g WHERE g.terms = a.id AND g.ended_at IS NULL)
		FROM signed_agreement a WHERE id = $1`, id).Query(one(&token, &h.now, &h.active, &h.stopped))
	b.Queue(`SELECT kind, step, coalesce(digest, ''), log_entry FROM signed_agreement_step WHERE agreement = $1`, id).Query(func(rows pgx.Rows) error {
		var kind string
		var st heldStep
		_, err := pgx.ForEachRow(rows, []any{&kind, &st.step, &st.digest, &st.entry}, func() error {
			h.steps[kind] = st
			return nil
		})
		return err
	})
	if err := store(ctx, tx, b, "holding an agreement"); err != nil {
		return nil, err
	}
	if token == "" {
		return nil, ErrAgreementNotThere
	}
	var err error
	if h.proposal, err = terms.ParseProposal(token); err != nil {
		return nil, fmt.Errorf("reading a stored proposal: %w", err)
	}
	claims := h.proposal.Unverified()
	b = &pgx.Batch{}
	queueInForce(b, claims.Issuer, claims.Other, &h.standing)
	h.mine = s.QueueKeys(b, c.Partner(), []string{kid}, nil)
	h.proposer = s.QueueKeys(b, ID(claims.Issuer), []string{h.proposal.KeyID()}, nil)
	return h, store(ctx, tx, b, "holding an agreement")
}

// queueInForce reads the signed agreement between the two that counts, or is to count: there
// is never more than one.
func queueInForce(b *pgx.Batch, a, other string, into *inForce) {
	b.Queue(`
		SELECT a.id::text, a.version FROM signed_agreement a JOIN signed_agreement_step s ON s.agreement = a.id AND s.step = 'signed'
		WHERE (a.proposer, a.other) IN (($1, $2), ($2, $1)) AND now() < a.valid_to
		AND NOT EXISTS (SELECT FROM signed_agreement_step e WHERE e.agreement = a.id AND e.kind = 'end')
		AND EXISTS (SELECT FROM agreement g WHERE g.terms = a.id AND g.ended_at IS NULL)`, a, other).Query(one(&into.id, &into.version))
}

// one scans the only row that there is, if there is one.
func one(into ...any) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, into, func() error { return nil })
		return err
	}
}

// store sends a batch within tx.
func store(ctx context.Context, tx pgx.Tx, b *pgx.Batch, doing string) error {
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// state is where the agreement stands now.
func (h *heldAgreement) state() terms.State {
	claims := h.proposal.Unverified()
	end := h.steps["end"].step
	return terms.Standing{Answer: h.steps["answer"].step, Over: end == stepEnded, Superseded: end == stepSuperseded, Stopped: h.stopped,
		From: time.Unix(claims.ValidFrom, 0), To: time.Unix(claims.ValidTo, 0)}.State(h.now)
}

// answers refuses an answer that may not be given now. What was proposed with a key that has
// been revoked since can be refused, and not signed: a thief may have proposed it.
func (h *heldAgreement) answers(hub string, stated terms.Statement[terms.AnswerClaims]) error {
	claims, proposed := stated.Unverified(), h.proposal.Unverified()
	if claims.Issuer == proposed.Issuer {
		return ErrAgreementOwn
	}
	if state := h.state(); !state.Answerable(false) {
		return ErrAgreementState.With("state", string(state))
	}
	key, err := counts(h.mine, stated, claims.IssuedAt, ErrAgreementKey)
	if err != nil {
		return err
	}
	if _, err := terms.VerifyAnswer(stated, key.PublicKey); err != nil {
		return err
	}
	if err := terms.Fresh(claims.Hub, claims.IssuedAt, hub, h.now); err != nil {
		return err
	}
	if err := claims.To(proposed, h.proposal.Digest()); err != nil || claims.Answer == terms.Refused {
		return err
	}
	if _, err := counts(h.proposer, h.proposal, proposed.IssuedAt, ErrAgreementProposal); err != nil {
		return err
	}
	switch {
	case !h.active:
		return ErrRecipientInactive
	case h.standing.id != "" && h.standing.id != proposed.Supersedes:
		return ErrAgreementCurrent
	}
	return nil
}

// ends refuses an end that may not be stated now.
func (h *heldAgreement) ends(hub string, stated terms.Statement[terms.EndClaims]) error {
	claims, proposed := stated.Unverified(), h.proposal.Unverified()
	if state := h.state(); !state.Endable(claims.Issuer == proposed.Issuer) {
		return ErrAgreementState.With("state", string(state))
	}
	key, err := counts(h.mine, stated, claims.IssuedAt, ErrAgreementKey)
	if err != nil {
		return err
	}
	if _, err := terms.VerifyEnd(stated, key.PublicKey); err != nil {
		return err
	}
	if err := terms.Fresh(claims.Hub, claims.IssuedAt, hub, h.now); err != nil {
		return err
	}
	return claims.To(proposed, h.proposal.Digest())
}

// The steps that end an agreement.
const (
	stepEnded      = "ended"
	stepSuperseded = "superseded"
)

func (h *heldAgreement) queueStep(b *pgx.Batch, kind, step string, c Caller, entry audit.EntryID, digest, token string) {
	claims := h.proposal.Unverified()
	b.Queue(`
		INSERT INTO signed_agreement_step (agreement, proposer, other, kind, step, partner, at, digest, token, log_entry)
		VALUES (@id, @proposer, @other, @kind, @step, @partner, @at, @digest, @token, @entry)`,
		pgx.StrictNamedArgs{"id": h.id, "proposer": claims.Issuer, "other": claims.Other, "kind": kind, "step": step,
			"partner": c.Partner(), "at": h.now, "digest": digest, "token": token, "entry": entry})
}
