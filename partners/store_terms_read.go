package partners

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/internal/pg"
	"handover/partners/terms"
)

// agreementsMost is how many one page of SignedAgreements has.
const agreementsMost = 100

// SignedAgreements returns one page of the agreements that the caller's agency proposed or was
// asked to sign, whatever became of them, newest first, and whether there is more. after is the
// id of the last of the page before, "" for the first.
func (s *Store) SignedAgreements(ctx context.Context, c Caller, after string) (page []SignedAgreement, more bool, err error) {
	page, err = s.readAgreements(ctx, c, `($1 = '' OR a.id < nullif($1, '')::uuid)`, after, agreementsMost+1)
	if more = len(page) > agreementsMost; more {
		page = slices.Clip(page[:agreementsMost])
	}
	return page, more, err
}

// SignedAgreement returns one agreement of the caller's agency, or ErrAgreementNotThere.
func (s *Store) SignedAgreement(ctx context.Context, c Caller, id string) (SignedAgreement, error) {
	if !isAgreement(id) {
		return SignedAgreement{}, ErrAgreementNotThere
	}
	found, err := s.readAgreements(ctx, c, `a.id = $1::uuid`, id, 1)
	if err == nil && len(found) == 0 {
		return SignedAgreement{}, ErrAgreementNotThere
	}
	if err != nil {
		return SignedAgreement{}, err
	}
	return found[0], nil
}

// UnsignedAgreements returns what the hub's operator put in force between the caller's agency
// and others, and nobody signed.
func (s *Store) UnsignedAgreements(ctx context.Context, c Caller) (all []Agreement, err error) {
	err = pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+agreementColumns+` FROM agreement
			WHERE terms IS NULL AND ended_at IS NULL AND now() < valid_to ORDER BY sender, recipient, valid_from LIMIT 1000`)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Agreement])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading agreements: %w", err)
	}
	return all, nil
}

// agreementsSQL is one page, in a session of a partner, which sees its own. jose_kid names the
// key of a statement, whose custody says whether the hub signed it.
const agreementsSQL = `
	SELECT a.id::text, a.proposer, a.other, a.version, coalesce(a.supersedes::text, ''), coalesce((SELECT n.id::text FROM signed_agreement n
		JOIN signed_agreement_step s ON s.agreement = n.id AND s.step = 'signed' WHERE n.supersedes = a.id), ''),
		a.valid_from, a.valid_to, a.review_at, a.proposed_at, a.digest, a.token, now(),
		coalesce((SELECT k.custody FROM partner_key k WHERE k.partner = a.proposer AND k.kid = jose_kid(a.token)), '')
	FROM signed_agreement a WHERE %s ORDER BY a.id DESC LIMIT $2`

const agreementWaysSQL = `
	SELECT w.agreement::text, w.sender, w.recipient, w.purposes, w.sections, g.ended_at
	FROM signed_agreement_way w LEFT JOIN agreement g ON g.terms = w.agreement AND g.sender = w.sender
	WHERE w.agreement = ANY ($1::text[]::uuid[]) ORDER BY w.agreement, w.sender <> w.proposer`

const agreementStepsSQL = `
	SELECT s.agreement::text, s.kind, s.step, s.partner, s.at, coalesce(s.digest, ''), coalesce(s.token, ''),
		coalesce((SELECT k.custody FROM partner_key k WHERE k.partner = s.partner AND k.kid = jose_kid(s.token)), '')
	FROM signed_agreement_step s WHERE s.agreement = ANY ($1::text[]::uuid[])`

func (s *Store) readAgreements(ctx context.Context, c Caller, where string, args ...any) (all []SignedAgreement, err error) {
	err = pg.As(ctx, s.pool, string(c.Partner()), func(tx pgx.Tx) error {
		var now time.Time
		rows, err := tx.Query(ctx, fmt.Sprintf(agreementsSQL, where), args...)
		if err != nil {
			return err
		}
		at := map[string]int{}
		var ids []string
		var a SignedAgreement
		_, err = pgx.ForEachRow(rows, []any{&a.ID, &a.Proposer, &a.Other, &a.Version, &a.Supersedes, &a.ReplacedBy, &a.From, &a.To, &a.ReviewAt,
			&a.Proposed.At, &a.Proposed.Digest, &a.Proposed.Statement, &now, &a.Proposed.Custody}, func() error {
			stated, err := terms.ParseProposal(a.Proposed.Statement)
			if err != nil {
				return fmt.Errorf("reading a stored proposal: %w", err)
			}
			a.Proposed.Step, a.Proposed.Partner, a.Proposed.Act = "proposed", a.Proposer, stated.Unverified().Act
			at[a.ID] = len(all)
			ids, all = append(ids, a.ID), append(all, a)
			return nil
		})
		if err != nil {
			return err
		}
		b := &pgx.Batch{}
		b.Queue(agreementWaysSQL, ids).Query(func(rows pgx.Rows) error { return scanWays(rows, all, at) })
		b.Queue(agreementStepsSQL, ids).Query(func(rows pgx.Rows) error { return scanSteps(rows, all, at) })
		if err := tx.SendBatch(ctx, b).Close(); err != nil {
			return err
		}
		for i := range all {
			all[i].State = all[i].standing().State(now)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading agreements: %w", err)
	}
	return all, nil
}

func scanWays(rows pgx.Rows, all []SignedAgreement, at map[string]int) error {
	var id string
	var w AgreementWay
	_, err := pgx.ForEachRow(rows, []any{&id, &w.Sender, &w.Recipient, &w.Purposes, &w.Sections, &w.EndedAt}, func() error {
		a := &all[at[id]]
		a.Ways = append(a.Ways, w)
		w.Purposes, w.Sections, w.EndedAt = nil, nil, nil
		return nil
	})
	return err
}

func scanSteps(rows pgx.Rows, all []SignedAgreement, at map[string]int) error {
	var id, kind string
	var st SignedStep
	_, err := pgx.ForEachRow(rows, []any{&id, &kind, &st.Step, &st.Partner, &st.At, &st.Digest, &st.Statement, &st.Custody}, func() error {
		step := st
		step.Act, step.Reason = saidBy(st.Statement)
		if a := &all[at[id]]; kind == "answer" {
			a.Answer = &step
		} else {
			a.End = &step
		}
		return nil
	})
	return err
}

// saidBy returns who signed a stored answer or end, and why she refused.
func saidBy(token string) (act, reason string) {
	if s, err := terms.ParseAnswer(token); err == nil {
		return s.Unverified().Act, s.Unverified().Reason
	}
	if s, err := terms.ParseEnd(token); err == nil {
		return s.Unverified().Act, ""
	}
	return "", ""
}

// standing is what has been done with the agreement.
func (a SignedAgreement) standing() terms.Standing {
	st := terms.Standing{From: a.From, To: a.To}
	if a.Answer != nil {
		st.Answer = a.Answer.Step
	}
	if a.End != nil {
		st.Over, st.Superseded = a.End.Step == stepEnded, a.End.Step == stepSuperseded
	}
	st.Stopped = st.Answer == terms.Signed && !slices.ContainsFunc(a.Ways, func(w AgreementWay) bool { return w.EndedAt == nil })
	return st
}
