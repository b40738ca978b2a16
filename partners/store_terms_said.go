package partners

import (
	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/partners/terms"
)

// TermsSaid is what was said about an agreement, as who says it again for the people of her
// agency needs it. Until its batch has run there is nothing.
type TermsSaid struct {
	Proposal, Answer, End       string // the signed statements; "" where there is none
	Proposed, Answered, EndedBy audit.EntryID
}

// QueueTermsSaid queues the reading of it, into a batch that is bound to one of the two agencies.
func (s *Store) QueueTermsSaid(b *pgx.Batch, id string) *TermsSaid {
	found := &TermsSaid{}
	if !isAgreement(id) {
		return found
	}
	b.Queue(`SELECT token, log_entry FROM signed_agreement WHERE id = $1`, id).Query(one(&found.Proposal, &found.Proposed))
	const step = `SELECT coalesce(token, ''), log_entry FROM signed_agreement_step WHERE agreement = $1 AND kind = $2`
	b.Queue(step, id, "answer").Query(one(&found.Answer, &found.Answered))
	b.Queue(step, id, "end").Query(one(&found.End, &found.EndedBy))
	return found
}

// Claims returns what was proposed, and its digest; or ErrAgreementNotThere.
func (t *TermsSaid) Claims() (terms.Claims, string, error) {
	stated, err := terms.ParseProposal(t.Proposal)
	if err != nil {
		return terms.Claims{}, "", ErrAgreementNotThere
	}
	return stated.Unverified(), stated.Digest(), nil
}

// SaysAgain reports whether the proposal that is stored says what the claims say, signed at
// whatever time.
func (t *TermsSaid) SaysAgain(c terms.Claims) bool {
	before, _, err := t.Claims()
	if err != nil || !before.Sends.Equal(c.Sends) || !before.Receives.Equal(c.Receives) {
		return false
	}
	same := func(c terms.Claims) [9]any {
		return [9]any{c.Hub, c.Issuer, c.ID, c.Act, c.Other, c.Version, c.Supersedes, c.ValidTo, [2]int64{c.ValidFrom, c.ReviewAt}}
	}
	return same(before) == same(c)
}

// AnsweredBy reports whether the answer that is stored is the one of those claims, signed at
// whatever time; EndIs the same of the end.
func (t *TermsSaid) AnsweredBy(c terms.AnswerClaims) bool {
	s, err := terms.ParseAnswer(t.Answer)
	before := s.Unverified()
	before.IssuedAt = c.IssuedAt
	return err == nil && before == c
}

// EndIs reports whether the end that is stored is the one of those claims.
func (t *TermsSaid) EndIs(c terms.EndClaims) bool {
	s, err := terms.ParseEnd(t.End)
	before := s.Unverified()
	before.IssuedAt = c.IssuedAt
	return err == nil && before == c
}
