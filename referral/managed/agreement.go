package managed

import (
	"context"

	"handover/audit"
	"handover/partners"
	"handover/partners/terms"
)

// Agreement asks the desk to propose an agreement to another agency.
type Agreement struct {
	ID         string    `json:"jti"` // UUIDv7, chosen by who asks: the same proposal again finds its receipt
	Other      string    `json:"other"`
	Version    int       `json:"version"`
	Supersedes string    `json:"supersedes,omitempty"`
	Sends      terms.Way `json:"sends,omitzero"`
	Receives   terms.Way `json:"receives,omitzero"`
	ValidFrom  int64     `json:"valid_from"`
	ValidTo    int64     `json:"valid_to"`
	ReviewAt   int64     `json:"review_at"`
}

// ProposeAgreement signs for the caller, an administrator, what her agency proposes to another,
// and has it stored. The same proposal again returns the entry it had; another under its id is
// partners.ErrAgreementConflict. Besides: what terms.Claims.Sign and
// partners.Store.ProposeAgreement refuse.
func (d *Desk) ProposeAgreement(ctx context.Context, c partners.Caller, a Agreement) (audit.EntryID, error) {
	if err := person(c); err != nil {
		return audit.EntryID{}, err
	}
	l, err := d.look(ctx, c, asked{agreement: a.ID})
	if err != nil {
		return audit.EntryID{}, err
	}
	signing, _, err := l.held.Keys()
	if err != nil {
		return audit.EntryID{}, err
	}
	claims := terms.Claims{Hub: d.Hub, Issuer: string(c.Partner()), ID: a.ID, IssuedAt: l.now.Unix(), Act: c.User(), Other: a.Other,
		Version: a.Version, Supersedes: a.Supersedes, Sends: a.Sends, Receives: a.Receives,
		ValidFrom: a.ValidFrom, ValidTo: a.ValidTo, ReviewAt: a.ReviewAt}
	if l.agreement.Proposal != "" {
		if !l.agreement.SaysAgain(claims) {
			return audit.EntryID{}, partners.ErrAgreementConflict
		}
		return l.agreement.Proposed, nil
	}
	token, err := claims.Sign(d.signer(ctx, c, signing))
	if err != nil {
		return audit.EntryID{}, err
	}
	return d.Partners.ProposeAgreement(ctx, c, d.Hub, token)
}

// AnswerAgreement signs for the caller, an administrator, what her agency answers to exactly the
// proposal that is stored under the id, whose digest she has read, and has it stored. reason is
// that of a refusal. The same answer again returns the entry it had. Besides: what
// terms.AnswerClaims.Sign and partners.Store.AnswerAgreement refuse.
func (d *Desk) AnswerAgreement(ctx context.Context, c partners.Caller, id, jti, digest, answer, reason string) (audit.EntryID, error) {
	l, proposed, err := d.agreed(ctx, c, id)
	if err != nil {
		return audit.EntryID{}, err
	}
	claims := terms.AnswerClaims{Hub: d.Hub, Issuer: string(c.Partner()), ID: jti, IssuedAt: l.now.Unix(), Act: c.User(),
		Other: proposed.Issuer, Of: id, Digest: digest, Answer: answer, Reason: reason}
	switch {
	case l.agreement.AnsweredBy(claims):
		return l.agreement.Answered, nil
	case proposed.Issuer == claims.Issuer:
		return audit.EntryID{}, partners.ErrAgreementOwn
	}
	signing, _, err := l.held.Keys()
	if err != nil {
		return audit.EntryID{}, err
	}
	token, err := claims.Sign(d.signer(ctx, c, signing))
	if err != nil {
		return audit.EntryID{}, err
	}
	return d.Partners.AnswerAgreement(ctx, c, d.Hub, id, token)
}

// EndAgreement signs for the caller, an administrator, that her agency ends an agreement or
// takes a proposal back, and has it stored. The same end again returns the entry it had.
// Besides: what partners.Store.CloseAgreement refuses.
func (d *Desk) EndAgreement(ctx context.Context, c partners.Caller, id, jti, digest string) (audit.EntryID, error) {
	l, proposed, err := d.agreed(ctx, c, id)
	if err != nil {
		return audit.EntryID{}, err
	}
	other := proposed.Other
	if other == string(c.Partner()) {
		other = proposed.Issuer
	}
	claims := terms.EndClaims{Hub: d.Hub, Issuer: string(c.Partner()), ID: jti, IssuedAt: l.now.Unix(), Act: c.User(), Other: other, Of: id, Digest: digest}
	if l.agreement.EndIs(claims) {
		return l.agreement.EndedBy, nil
	}
	signing, _, err := l.held.Keys()
	if err != nil {
		return audit.EntryID{}, err
	}
	token, err := claims.Sign(d.signer(ctx, c, signing))
	if err != nil {
		return audit.EntryID{}, err
	}
	return d.Partners.CloseAgreement(ctx, c, d.Hub, id, token)
}

// agreed reads what was proposed under the id, or returns partners.ErrAgreementNotThere. Whoever holds
// her own keys is told so before anything else.
func (d *Desk) agreed(ctx context.Context, c partners.Caller, id string) (look, terms.Claims, error) {
	if err := person(c); err != nil {
		return look{}, terms.Claims{}, err
	}
	l, err := d.look(ctx, c, asked{agreement: id})
	if err != nil {
		return look{}, terms.Claims{}, err
	}
	if _, _, err := l.held.Keys(); err != nil {
		return look{}, terms.Claims{}, err
	}
	claims, _, err := l.agreement.Claims()
	return l, claims, err
}
