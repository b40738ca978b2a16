package partners

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/ids"
	"handover/internal/pg"
	"handover/partners/terms"
)

// pairLock is the one advisory lock of two agencies: whoever proposes, answers or ends what is
// agreed between them holds it alone. It is a statement of its own, before those that read: one
// that waited and read in one would read the time before.
const pairLock = `SELECT pg_advisory_xact_lock(hashtextextended('agreement ' || least(a, b) || ' ' || greatest(a, b), 0)) FROM (%s) x(a, b)`

// again is a statement that is recorded already: its transaction is undone, and the entry that
// it had is the answer.
type again struct{ entry audit.EntryID }

func (again) Error() string { return "it is recorded already" }

// conclude is administer for a signed statement: the same one again returns the entry it had.
func (s *Store) conclude(ctx context.Context, c Caller, e proof.Entry, change func(pgx.Tx, audit.EntryID) error) (entry audit.EntryID, err error) {
	err = s.administer(ctx, c, e, func(tx pgx.Tx, id audit.EntryID) error {
		entry = id
		return change(tx, id)
	})
	if before, ok := errors.AsType[again](err); ok {
		return before.entry, nil
	}
	return entry, err
}

// ProposeAgreement stores what an administrator proposes to another agency, or finds it stored
// already. It puts nothing in force. Errors: the refusals of terms.ParseProposal,
// VerifyProposal and Fresh, ErrScope, ErrAgreementIssuer, ErrAct, ErrAgreementKey,
// ErrAgreementConflict, ErrAgreementOpen, ErrAgreementCurrent, ErrAgreementFirewall,
// ErrRecipientInactive.
func (s *Store) ProposeAgreement(ctx context.Context, c Caller, hub, token string) (audit.EntryID, error) {
	stated, err := terms.ParseProposal(token)
	if err != nil {
		return audit.EntryID{}, err
	}
	claims := stated.Unverified()
	if err := c.speaks(claims.Issuer, claims.Act); err != nil {
		return audit.EntryID{}, err
	}
	e := c.Entry("agreement.propose")
	e.Target, e.Other, e.Digest = claims.ID, claims.Other, stated.Digest()
	entry, err := s.conclude(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		p, err := s.holdProposal(ctx, tx, c, stated)
		if err != nil {
			return err
		}
		if err := p.judge(s.firewall, hub); err != nil {
			return err
		}
		return p.store(ctx, tx, entry)
	})
	if pg.Violates(err, "signed_agreement_pkey") {
		return audit.EntryID{}, ErrAgreementConflict // others', which the caller cannot see
	}
	return entry, err
}

// proposal is a proposal as the transaction holds it that stores it.
type proposal struct {
	stated   terms.Statement[terms.Claims]
	ring     *Ring
	now      time.Time
	mine     Category
	others   Category // "" where it does not take part
	open     bool     // an earlier proposal is not answered
	standing inForce
}

func (s *Store) holdProposal(ctx context.Context, tx pgx.Tx, c Caller, stated terms.Statement[terms.Claims]) (*proposal, error) {
	p := &proposal{stated: stated, mine: c.Category()}
	claims := stated.Unverified()
	var digest string
	var earlier audit.EntryID
	b := &pgx.Batch{}
	b.Queue(fmt.Sprintf(pairLock, `VALUES ($1::text, $2::text)`), claims.Issuer, claims.Other)
	b.Queue(`SELECT digest, log_entry FROM signed_agreement WHERE id = $1`, claims.ID).Query(one(&digest, &earlier))
	b.Queue(`SELECT now(), (SELECT category FROM partner WHERE id = $1 AND status = 'active'), EXISTS (
		SELECT FROM signed_agreement a WHERE proposer = $2 AND other = $1 AND now() < valid_to
		AND NOT EXISTS (SELECT FROM signed_agreement_step s WHERE s.agreement = a.id))`, claims.Other, claims.Issuer).
		QueryRow(func(row pgx.Row) error {
			var category *Category
			if err := row.Scan(&p.now, &category, &p.open); err != nil || category == nil {
				return err
			}
			p.others = *category
			return nil
		})
	queueInForce(b, claims.Issuer, claims.Other, &p.standing)
	p.ring = s.QueueKeys(b, c.Partner(), []string{stated.KeyID()}, nil)
	if err := store(ctx, tx, b, "reading what a proposal rests on"); err != nil {
		return nil, err
	}
	switch digest {
	case "":
		return p, nil
	case stated.Digest():
		return nil, again{earlier}
	}
	return nil, ErrAgreementConflict
}

func (p *proposal) judge(f *Firewall, hub string) error {
	claims := p.stated.Unverified()
	key, err := counts(p.ring, p.stated, claims.IssuedAt, ErrAgreementKey)
	if err != nil {
		return err
	}
	if _, err := terms.VerifyProposal(p.stated, key.PublicKey); err != nil {
		return err
	}
	if err := terms.Fresh(claims.Hub, claims.IssuedAt, hub, p.now); err != nil {
		return err
	}
	switch {
	case p.others == "":
		return ErrRecipientInactive
	case p.open:
		return ErrAgreementOpen
	case p.standing.id != claims.Supersedes, claims.Version != p.standing.version+1:
		return ErrAgreementCurrent
	}
	if err := f.bars(p.others, claims.Sends); err != nil {
		return err
	}
	return f.bars(p.mine, claims.Receives)
}

func (p *proposal) store(ctx context.Context, tx pgx.Tx, entry audit.EntryID) error {
	c := p.stated.Unverified()
	b := &pgx.Batch{}
	b.Queue(`
		INSERT INTO signed_agreement (id, proposer, other, version, supersedes, valid_from, valid_to, review_at, proposed_at, digest, token, log_entry)
		VALUES (@id, @proposer, @other, @version, nullif(@supersedes, '')::uuid, @from, @to, @review, @now, @digest, @token, @entry)`,
		pgx.StrictNamedArgs{"id": c.ID, "proposer": c.Issuer, "other": c.Other, "version": c.Version, "supersedes": c.Supersedes,
			"from": time.Unix(c.ValidFrom, 0), "to": time.Unix(c.ValidTo, 0), "review": time.Unix(c.ReviewAt, 0), "now": p.now,
			"digest": p.stated.Digest(), "token": p.stated.Token(), "entry": entry})
	way := func(sender, recipient string, w terms.Way) {
		if w.Empty() {
			return
		}
		b.Queue(`
			INSERT INTO signed_agreement_way (agreement, proposer, other, sender, recipient, purposes, sections)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, c.ID, c.Issuer, c.Other, sender, recipient, w.Purposes, w.Sections)
	}
	way(c.Issuer, c.Other, c.Sends)
	way(c.Other, c.Issuer, c.Receives)
	return store(ctx, tx, b, "storing a proposal")
}

// AnswerAgreement stores the answer of the agency that was asked, or finds it stored already.
// Where it is signed, both directions are in force when this returns, and what they take the
// place of is not. Errors: the refusals of terms.ParseAnswer, VerifyAnswer, To and Fresh,
// ErrScope, ErrAgreementIssuer, ErrAct, ErrAgreementKey, ErrAgreementNotThere, ErrAgreementState,
// ErrAgreementOwn, ErrAgreementCurrent, ErrAgreementProposal, ErrRecipientInactive.
func (s *Store) AnswerAgreement(ctx context.Context, c Caller, hub, id, token string) (audit.EntryID, error) {
	stated, err := terms.ParseAnswer(token)
	if err != nil {
		return audit.EntryID{}, err
	}
	claims := stated.Unverified()
	if err := c.speaks(claims.Issuer, claims.Act); err != nil {
		return audit.EntryID{}, err
	}
	e := c.Entry("agreement." + map[string]string{terms.Signed: "sign", terms.Refused: "refuse"}[claims.Answer])
	e.Target, e.Other, e.Digest, e.Reason = claims.Of, claims.Other, stated.Digest(), claims.Reason
	return s.conclude(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		h, err := s.holdAgreement(ctx, tx, c, id, stated.KeyID())
		if err != nil {
			return err
		}
		if h.steps["answer"].digest == stated.Digest() {
			return again{h.steps["answer"].entry}
		}
		if err := h.answers(hub, stated); err != nil {
			return err
		}
		b := &pgx.Batch{}
		h.queueStep(b, "answer", claims.Answer, c, entry, stated.Digest(), stated.Token())
		if claims.Answer == terms.Signed {
			if err := h.enforce(b, c, entry); err != nil {
				return err
			}
		}
		return store(ctx, tx, b, "storing the answer to a proposal")
	})
}

// CloseAgreement stores that the caller's agency ends an agreement, or takes a proposal back;
// or finds that stored already. It waits for the packets that are being accepted under the
// agreement, and none is accepted under it afterwards. Errors: as AnswerAgreement's.
func (s *Store) CloseAgreement(ctx context.Context, c Caller, hub, id, token string) (audit.EntryID, error) {
	stated, err := terms.ParseEnd(token)
	if err != nil {
		return audit.EntryID{}, err
	}
	claims := stated.Unverified()
	if err := c.speaks(claims.Issuer, claims.Act); err != nil {
		return audit.EntryID{}, err
	}
	e := c.Entry("agreement.close")
	e.Target, e.Other, e.Digest = claims.Of, claims.Other, stated.Digest()
	return s.conclude(ctx, c, e, func(tx pgx.Tx, entry audit.EntryID) error {
		h, err := s.holdAgreement(ctx, tx, c, id, stated.KeyID())
		if err != nil {
			return err
		}
		if h.steps["end"].digest == stated.Digest() {
			return again{h.steps["end"].entry}
		}
		if err := h.ends(hub, stated); err != nil {
			return err
		}
		b := &pgx.Batch{}
		h.queueStep(b, "end", stepEnded, c, entry, stated.Digest(), stated.Token())
		queueEnding(b, h.id, entry)
		return store(ctx, tx, b, "storing the end of an agreement")
	})
}

func queueEnding(b *pgx.Batch, id string, entry audit.EntryID) {
	b.Queue(`UPDATE agreement SET ended_at = now(), log_entry = $2 WHERE terms = $1 AND ended_at IS NULL`, id, entry)
}

// enforce queues what puts both directions in force, and ends the agreement whose place they
// take: there is an entry of that, too.
func (h *heldAgreement) enforce(b *pgx.Batch, c Caller, entry audit.EntryID) error {
	b.Queue(`
		INSERT INTO agreement (id, sender, recipient, purposes, sections, valid_from, valid_to, log_entry, terms)
		SELECT gen_random_uuid(), w.sender, w.recipient, w.purposes, w.sections, a.valid_from, a.valid_to, $2, a.id
		FROM signed_agreement a JOIN signed_agreement_way w ON w.agreement = a.id WHERE a.id = $1`, h.id, entry)
	if h.standing.id == "" {
		return nil
	}
	e := c.Entry("agreement.supersede")
	e.Time, e.Target, e.Other = h.now, h.standing.id, h.proposal.Unverified().Issuer
	replaced, err := audit.Queue(b, e)
	if err != nil {
		return fmt.Errorf("logging that an agreement is replaced: %w", err)
	}
	b.Queue(`
		INSERT INTO signed_agreement_step (agreement, proposer, other, kind, step, partner, at, log_entry)
		SELECT id, proposer, other, 'end', 'superseded', $2, $3, $4 FROM signed_agreement WHERE id = $1`, h.standing.id, c.Partner(), h.now, replaced)
	queueEnding(b, h.standing.id, replaced)
	return nil
}

// isAgreement reports whether an id has the form of a signed agreement's.
func isAgreement(id string) bool { return ids.IsUUIDv7(id) }
