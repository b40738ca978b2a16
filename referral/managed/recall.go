package managed

import (
	"context"

	"handover/audit"
	"handover/consent/record"
	"handover/partners"
	"handover/referral"
)

// Answer is what a person of the agency answers to a recall.
type Answer struct {
	ID        string `json:"jti"` // UUIDv7, chosen by who asks: the same answer again finds its receipt
	Answer    string `json:"answer"`
	Article6  string `json:"art6,omitempty"`
	Provision string `json:"provision,omitempty"`
	Because   string `json:"because,omitempty"`
}

// Answer signs, for the caller, the answer to what her agency is asked because a consent was
// withdrawn, and files it. Which record and which referral it is about, the question says.
// Besides: what record.RecallClaims.Sign and referral.Store.Answer refuse.
func (d *Desk) Answer(ctx context.Context, c partners.Caller, id string, a Answer) (audit.EntryID, error) {
	if err := person(c); err != nil {
		return audit.EntryID{}, err
	}
	l, err := d.look(ctx, c, asked{recall: id})
	if err != nil {
		return audit.EntryID{}, err
	}
	signing, _, err := l.held.Keys()
	if err != nil {
		return audit.EntryID{}, err
	}
	claims := record.RecallClaims{Hub: d.Hub, Issuer: string(c.Partner()), ID: a.ID, IssuedAt: l.now.Unix(), Act: c.User(),
		Consent: l.recall.Consent, Digest: l.recall.Digest, Answer: a.Answer, Article6: a.Article6, Provision: a.Provision, Because: a.Because}
	switch {
	case l.recall.ID == "" || l.recall.Partner != string(c.Partner()):
		return audit.EntryID{}, referral.ErrRecallNotThere
	case l.recall.Question == referral.DoesHelpGoOn:
		claims.Referral = l.recall.Referrals[0]
	}
	if entry, found := l.recall.AnsweredBy(claims); found {
		return entry, nil
	}
	token, err := claims.Sign(d.signer(ctx, c, signing))
	if err != nil {
		return audit.EntryID{}, err
	}
	return d.Referrals.Answer(ctx, c, id, token)
}
