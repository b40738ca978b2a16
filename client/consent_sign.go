package client

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/ids"
)

// SignConsent fills in and signs a record without sending it. PostConsent sends it.
func (c *Client) SignConsent(o Consent) (RecordedConsent, error) {
	claims, err := c.claims(o)
	if err != nil {
		return RecordedConsent{}, err
	}
	if err := c.signs(); err != nil {
		return RecordedConsent{}, err
	}
	out := RecordedConsent{ID: claims.ID, Subject: claims.Subject}
	if o.How != (Circumstances{}) {
		if err := o.How.Suit(claims.Agreement, claims.Act); err != nil {
			return RecordedConsent{}, local(err)
		}
		if out.Circumstances, claims.Circumstances, err = o.How.Text(); err != nil {
			return RecordedConsent{}, local(err)
		}
		if _, err := record.ParseCircumstances(out.Circumstances); err != nil {
			return RecordedConsent{}, local(err)
		}
	}
	out.Sealed, claims.Sealed = map[string]string{}, map[string]string{}
	for part, text := range record.EveryPart(claims.Agreement, o.Words) {
		jwe, err := record.SealText(c.partner, claims.ID, part, text, c.keys.Encryption[0].Public())
		if err != nil {
			return RecordedConsent{}, local(err)
		}
		out.Sealed[part], claims.Sealed[part] = jwe, ids.Digest(jwe)
	}
	if out.Record, err = claims.Sign(c.keys.Signing); err != nil {
		return RecordedConsent{}, local(err)
	}
	out.Digest = ids.Digest(out.Record)
	return out, nil
}

// claims are what the consent states, with what was left out filled in.
func (c *Client) claims(o Consent) (record.Claims, error) {
	now := c.now().Truncate(time.Second)
	id, err := uuid.NewV7()
	if err != nil {
		return record.Claims{}, fmt.Errorf("choosing a consent id: %w", err)
	}
	given := cmp.Or(o.Given, now)
	from := cmp.Or(o.From, given)
	expires := cmp.Or(o.Expires, from.Add(ConsentLife))
	claims := record.Claims{
		Hub: c.hub, Issuer: c.partner, ID: cmp.Or(o.ID, id.String()), IssuedAt: now.Unix(), Act: o.Act,
		Subject: cmp.Or(o.Subject, NewSubject()), Supersedes: o.Supersedes, Jurisdiction: "GB-ENG",
		Agreement: cmp.Or(o.Agreement, "agreed"), Method: o.Method, Purpose: o.Purpose, Recipients: o.Recipients,
		Sections: o.Sections, Withheld: o.Withheld, Onward: cmp.Or(o.Onward, "ask-each-time"), Notice: o.Notice,
		Bases: slices.Clone(o.Bases), Gate: o.Gate,
		GivenAt: given.Unix(), ValidFrom: from.Unix(), Expires: expires.Unix(),
	}
	if claims.Sections == nil {
		claims.Sections = []string{}
	}
	if !o.Review.IsZero() {
		claims.ReviewAt = o.Review.Unix()
	}
	if claims.Gate.Pathway == "" {
		claims.Gate.Pathway = record.PathwaysFor(claims.Purpose)[0]
	}
	for i := range claims.Bases {
		claims.Bases[i].Controller = cmp.Or(claims.Bases[i].Controller, c.partner)
	}
	return claims, nil
}

// OpenWords decrypts what the consent has sealed to your own agency's key, by part; "" where
// nothing was written. Only a consent that you recorded has any.
func (c *Client) OpenWords(stored StoredConsent) (map[string]string, error) {
	words := map[string]string{}
	for part, jwe := range stored.Sealed {
		if ids.Digest(jwe) != stored.Claims.Sealed[part] {
			return nil, fmt.Errorf("%w: what was sealed beside the consent", ErrForged)
		}
		var err error
		for _, key := range c.keys.Encryption {
			if words[part], err = record.OpenText(stored.Claims.Issuer, stored.ID, part, jwe, key); err == nil {
				break
			}
		}
		if err != nil {
			return nil, local(err)
		}
	}
	return words, nil
}
