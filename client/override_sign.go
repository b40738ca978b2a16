package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"handover/consent/record"
	"handover/internal/ids"
	"handover/referral/packet"
)

// The codes of an override, with the words for each: what to choose from.
var (
	Agreements     = record.Agreements // agreed is the first, and none of an override's
	Reasons        = record.Reasons
	AtRisks        = record.AtRisks
	NotToldReasons = record.NotToldReasons
	Articles6      = record.Articles6 // consent is the first, and none of an override's
)

// Passable returns gate-not-passable for a purpose or a statutory gate that needs her own
// agreement by law, before anybody writes down why it should be overridden.
func Passable(purpose, pathway string) error { return local(record.Passable(purpose, pathway)) }

// SignOverride fills in and signs an override without sending it. PostOverride sends it. Who
// proposes it, if Act does not say so, the hub is asked.
func (c *Client) SignOverride(ctx context.Context, o Override) (ProposedOverride, error) {
	claims, err := c.overrideClaims(o)
	if err != nil {
		return ProposedOverride{}, err
	}
	if err := c.signs(); err != nil {
		return ProposedOverride{}, err
	}
	if claims.Act, err = c.acting(ctx, o.Act); err != nil {
		return ProposedOverride{}, err
	}
	out := ProposedOverride{ID: claims.ID, Subject: claims.Subject, Sealed: map[string]string{}}
	for part, text := range map[string]string{"necessity": o.Necessity, "minimum": o.Minimum, "at-risk": o.Risk} {
		if text == "" {
			continue // which is refused when it is signed
		}
		jwe, err := record.SealText(c.partner, claims.ID, part, text, c.keys.Encryption[0].Public())
		if err != nil {
			return ProposedOverride{}, local(err)
		}
		out.Sealed[part], claims.Sealed[part] = jwe, ids.Digest(jwe)
	}
	if out.Override, err = claims.Sign(c.keys.Signing); err != nil {
		return ProposedOverride{}, local(err)
	}
	out.Digest = ids.Digest(out.Override)
	return out, nil
}

// overrideClaims are what the override states, with what was left out filled in.
func (c *Client) overrideClaims(o Override) (record.OverrideClaims, error) {
	now := c.now().Truncate(time.Second)
	id, err := uuid.NewV7()
	if err != nil {
		return record.OverrideClaims{}, fmt.Errorf("choosing an override id: %w", err)
	}
	from := cmp.Or(o.From, now)
	claims := record.OverrideClaims{
		Hub: c.hub, Issuer: c.partner, ID: cmp.Or(o.ID, id.String()), IssuedAt: now.Unix(), Act: o.Act, Subject: cmp.Or(o.Subject, NewSubject()),
		Purpose: o.Purpose, Recipient: o.Recipient, Sections: slices.Clone(o.Sections), Agreement: o.Agreement, Reason: o.Reason,
		AtRisk: slices.Clone(o.AtRisk), Told: "no", NotTold: o.NotTold, Bases: slices.Clone(o.Bases), Gate: o.Gate, Emergency: o.Emergency,
		ValidFrom: from.Unix(), Expires: cmp.Or(o.Expires, from.Add(OverrideLife)).Unix(),
		Sealed: map[string]string{},
	}
	claims.ReviewAt = cmp.Or(o.Review, earlier(from.Add(7*24*time.Hour), time.Unix(claims.Expires, 0))).Unix()
	if o.Told {
		claims.Told = "yes"
	}
	slices.Sort(claims.Sections)
	if claims.Gate.Pathway == "" {
		claims.Gate.Pathway = record.PathwaysFor(claims.Purpose)[0]
	}
	for i := range claims.Bases {
		claims.Bases[i].Controller = cmp.Or(claims.Bases[i].Controller, c.partner)
	}
	return claims, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// acting is the opaque id of the person who is signed in, unless it is known already.
func (c *Client) acting(ctx context.Context, known string) (string, error) {
	if known != "" {
		return known, nil
	}
	who, err := c.WhoAmI(ctx)
	return who.User, err
}

// said begins what the person who is signed in says about what has that id and digest.
func (c *Client) said(ctx context.Context, of, digest string) (record.Said, error) {
	if err := c.signs(); err != nil {
		return record.Said{}, err
	}
	act, err := c.acting(ctx, "")
	if err != nil {
		return record.Said{}, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return record.Said{}, fmt.Errorf("choosing a statement id: %w", err)
	}
	return record.Said{Hub: c.hub, Issuer: c.partner, ID: id.String(), IssuedAt: c.now().Unix(), Act: act, Of: of, Digest: digest}, nil
}

func (c *Client) signDecision(ctx context.Context, of, digest, decision string) (string, error) {
	said, err := c.said(ctx, of, digest)
	if err != nil {
		return "", err
	}
	token, err := record.DecisionClaims{Said: said, Decision: decision}.Sign(c.keys.Signing)
	return token, local(err)
}

func (c *Client) signReview(ctx context.Context, o StoredOverride, next time.Time) (string, error) {
	said, err := c.said(ctx, o.ID, o.Digest)
	if err != nil {
		return "", err
	}
	r := record.ReviewClaims{Said: said, Outcome: record.Ended}
	if !next.IsZero() {
		r.Outcome, r.ReviewAt = record.Continues, next.Unix()
	}
	token, err := r.Sign(c.keys.Signing)
	return token, local(err)
}

// PurposeOf returns the purpose of the consent record or the override of that id: one of the two.
func (c *Client) PurposeOf(ctx context.Context, consent, override string) (string, error) {
	on, err := c.restsOn(ctx, consent, override)
	return on.purpose, err
}

// reliance is the statement that a packet rests on.
type reliance struct {
	basis            packet.Basis
	subject, purpose string
}

// restsOn reads the consent record, or the override, of that id: one of the two.
func (c *Client) restsOn(ctx context.Context, consent, override string) (reliance, error) {
	switch {
	case consent != "" && override != "":
		return reliance{}, local(packet.ErrClaim.With("claim", "basis"))
	case override != "":
		o, err := c.Override(ctx, override)
		return reliance{packet.Basis{Override: o.ID, Digest: o.Digest}, o.Claims.Subject, o.Claims.Purpose}, err
	}
	stored, err := c.Consent(ctx, consent)
	return reliance{packet.Basis{Consent: stored.ID, Digest: stored.Digest}, stored.Claims.Subject, stored.Claims.Purpose}, err
}

// OverrideTexts decrypts what the override has sealed to your own agency's key, by part.
func (c *Client) OverrideTexts(stored StoredOverride) (map[string]string, error) {
	texts := map[string]string{}
	for part, jwe := range stored.Sealed {
		if ids.Digest(jwe) != stored.Claims.Sealed[part] {
			return nil, fmt.Errorf("%w: what was sealed beside the override", ErrForged)
		}
		var err error
		for _, key := range c.keys.Encryption {
			if texts[part], err = record.OpenText(stored.Claims.Issuer, stored.ID, part, jwe, key); err == nil {
				break
			}
		}
		if err != nil {
			return nil, local(err)
		}
	}
	return texts, nil
}

// verifySteps verifies the decision and the reviews of an override, and that they make of it
// what the hub says: else a hub could show as approved what nobody has.
func (c *Client) verifySteps(ctx context.Context, o StoredOverride) error {
	var decision, outcome string
	for _, token := range o.Steps {
		said, decides, ends, err := c.verifyStep(ctx, token)
		if err != nil {
			return err
		}
		if said.Issuer != o.Claims.Issuer || said.Of != o.ID || said.Digest != o.Digest || decides != "" && (decision != "" || said.Act == o.Claims.Act) {
			return fmt.Errorf("%w: a decision about the override", ErrForged)
		}
		decision, outcome = cmp.Or(decides, decision), cmp.Or(ends, outcome)
	}
	switch {
	case o.State == "approved" && decision != record.Approved, o.State == "refused" && decision != record.Refused,
		o.State == "ended" && outcome != record.Ended, o.State == "emergency" && !o.Claims.Emergency:
		return fmt.Errorf("%w: nobody has stated that the override is %s", ErrForged, o.State)
	}
	return nil
}

// verifyStep verifies one decision or review, and returns what it decides or what came of it.
func (c *Client) verifyStep(ctx context.Context, token string) (said record.Said, decision, outcome string, err error) {
	forged := fmt.Errorf("%w: a decision about the override", ErrForged)
	if d, err := record.ParseDecision(token); err == nil {
		key, err := c.signingKey(ctx, d.Unverified().Issuer, d.KeyID())
		if err != nil {
			return said, "", "", err
		}
		if _, err := record.VerifyDecision(d, key.PublicKey); err != nil {
			return said, "", "", forged
		}
		return d.Unverified().Said, d.Unverified().Decision, "", nil
	}
	r, err := record.ParseReview(token)
	if err != nil {
		return said, "", "", forged
	}
	key, err := c.signingKey(ctx, r.Unverified().Issuer, r.KeyID())
	if err != nil {
		return said, "", "", err
	}
	if _, err := record.VerifyReview(r, key.PublicKey); err != nil {
		return said, "", "", forged
	}
	return r.Unverified().Said, "", r.Unverified().Outcome, nil
}
