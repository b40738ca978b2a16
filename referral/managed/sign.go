package managed

import (
	"context"
	"errors"
	"time"

	"handover/audit"
	"handover/consent"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/keys"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
	"handover/referral/packet/schema"
)

// Refer composes, seals and signs a request for the caller, and files it. Sections are
// sealed to the recipient's newest key and copied to the hub-held one of her agency. The
// same request again returns the entry it had; another under its id is
// referral.ErrConflict. Besides: schema.ErrUnfit, schema.ErrUnderEighteen, schema.ErrIncomplete, schema.ErrHersForPolice,
// and what packet.Seal and referral.Store.Receive refuse.
func (d *Desk) Refer(ctx context.Context, c partners.Caller, r Request) (audit.EntryID, error) {
	defer wipe(r.Content)
	p := composition{
		asked: asked{packet: r.ID, consent: r.Consent, override: r.Override, to: r.To},
		claims: packet.Claims{ID: r.ID, Event: packet.Request, Audience: string(r.To), Purpose: r.Purpose, Urgency: r.Urgency,
			Service: r.Service, Area: r.Area, OnwardFrom: r.OnwardFrom},
		content: r.Content,
	}
	return d.compose(ctx, c, p, r)
}

// Step is Refer for every later step of a referral, by either side.
func (d *Desk) Step(ctx context.Context, c partners.Caller, id string, s Step) (audit.EntryID, error) {
	defer wipe(s.Content)
	switch {
	case !ids.IsDigest(id):
		return audit.EntryID{}, referral.ErrNotThere
	case s.Event == packet.Request:
		return audit.EntryID{}, referral.ErrWrongEndpoint
	}
	p := composition{
		asked:   asked{packet: s.ID, consent: s.Consent, override: s.Override, referral: id},
		claims:  packet.Claims{ID: s.ID, Event: s.Event, Referral: id, Prev: s.Prev, Reason: s.Reason, Outcome: s.Outcome, Service: s.Service},
		content: s.Content,
	}
	return d.compose(ctx, c, p, struct {
		Referral string `json:"referral"`
		Step
	}{id, s})
}

// composition is a packet to be made.
type composition struct {
	asked   asked
	claims  packet.Claims
	content map[string]packet.Content
}

func (d *Desk) compose(ctx context.Context, c partners.Caller, p composition, request any) (audit.EntryID, error) {
	if err := person(c); err != nil {
		return audit.EntryID{}, err
	}
	if !ids.IsUUIDv7(p.claims.ID) {
		return audit.EntryID{}, packet.ErrClaim.With("claim", "jti")
	}
	l, err := d.look(ctx, c, p.asked)
	if err != nil {
		return audit.EntryID{}, err
	}
	signing, sealing, err := l.held.Keys()
	if err != nil {
		return audit.EntryID{}, err
	}
	mac, err := d.digest(ctx, c, string(p.claims.Event), request, p.content)
	if err != nil {
		return audit.EntryID{}, err
	}
	if entry, found, err := l.filed.By(mac); found || err != nil {
		return entry, err
	}
	if err := p.complete(c, l); err != nil {
		return audit.EntryID{}, err
	}
	if p.content, err = d.fit(ctx, p, l.now); err != nil {
		return audit.EntryID{}, err
	}
	defer wipe(p.content)
	to, err := d.recipient(ctx, c, p, l)
	if err != nil {
		return audit.EntryID{}, err
	}
	p.claims.Hub, p.claims.Issuer, p.claims.Act, p.claims.IssuedAt = d.Hub, string(c.Partner()), c.User(), l.now.Unix()
	sealed, err := packet.Seal(p.claims, p.content, packet.To{Recipient: to, Copy: &sealing}, d.signer(ctx, c, signing), l.now)
	if err != nil {
		return audit.EntryID{}, err
	}
	body, err := sealed.Bytes()
	if err != nil {
		return audit.EntryID{}, err
	}
	u, err := packet.Read(body)
	if err != nil {
		return audit.EntryID{}, err
	}
	return d.Referrals.File(ctx, c, u, p.claims.Referral, mac)
}

// complete fills in what the look has found: to whom, about whom, and on which basis.
func (p *composition) complete(c partners.Caller, l look) error {
	if p.asked.referral != "" {
		other, err := l.parties.Other(c)
		if err != nil {
			return err
		}
		p.claims.Audience = string(other)
	}
	subject := l.basis.Subject
	switch {
	case p.asked.consent != "" && p.asked.override != "":
		return packet.ErrClaim.With("claim", "basis")
	case p.asked.override != "" && l.override.Statement == "":
		return consent.ErrNoOverride
	case p.asked.override != "":
		p.claims.Basis = &packet.Basis{Override: p.asked.override, Digest: l.override.Digest}
		subject = l.override.Subject
	case p.asked.consent == "":
		return nil
	case l.basis.Record == "":
		return consent.ErrUnknown
	default:
		p.claims.Basis = &packet.Basis{Consent: p.asked.consent, Digest: l.basis.Digest}
	}
	if p.claims.Event == packet.Request {
		p.claims.Subject = subject
	}
	return nil
}

// fit holds content to its schemas, her to be an adult, and a request to what its pathway cannot be without, as a
// client does before it seals: this is the one place where the hub sees content on its way,
// and after it nobody can look. Of what was written it repeats nothing. What it returns is to
// be wiped like what it was given.
func (d *Desk) fit(ctx context.Context, p composition, now time.Time) (map[string]packet.Content, error) {
	whole, err := schema.CompleteAll(p.content)
	if err != nil {
		return nil, err
	}
	if err := schema.Adult(whole, now); err != nil {
		return nil, err
	}
	if p.claims.Event == packet.Request {
		if err := schema.Require(p.claims.Purpose, whole); err != nil {
			return nil, err
		}
	}
	safe, there := whole["safe-contact"]
	if hers := schema.ForPolice(safe); there && hers != nil {
		to, err := d.Partners.Find(ctx, partners.ID(p.claims.Audience))
		if err != nil {
			return nil, err
		}
		if to.Category == partners.Police {
			return nil, hers
		}
	}
	return whole, nil
}

// recipient is the key that content is sealed to: the newest of the recipient's that
// counts. A step without content needs none.
func (d *Desk) recipient(ctx context.Context, c partners.Caller, p composition, l look) (jose.PublicKey, error) {
	if len(p.content) == 0 {
		return jose.PublicKey{}, nil
	}
	to := partners.ID(p.claims.Audience)
	if p.asked.to == "" { // who the other party is had to be read first
		var err error
		if l, err = d.look(ctx, c, asked{to: to}); err != nil {
			return jose.PublicKey{}, err
		}
	}
	current := l.ring.Sealing(to, l.now)
	if len(current) == 0 {
		return jose.PublicKey{}, partners.ErrRecipientInactive
	}
	return current[0], nil
}

// signer signs, in the key store, with the key that the directory shows.
func (d *Desk) signer(ctx context.Context, c partners.Caller, key jose.PublicKey) jose.SigningKey {
	return keys.SignerOf(ctx, d.Keys, partners.SigningKeyName(c.Partner()), key)
}

// Withdraw signs for the caller that a woman takes a consent back, and records it. The same
// withdrawal again returns the entry it had.
func (d *Desk) Withdraw(ctx context.Context, c partners.Caller, id, jti string) (audit.EntryID, error) {
	if err := person(c); err != nil {
		return audit.EntryID{}, err
	}
	l, err := d.look(ctx, c, asked{consent: id})
	if err != nil {
		return audit.EntryID{}, err
	}
	signing, _, err := l.held.Keys()
	if err != nil {
		return audit.EntryID{}, err
	}
	if l.basis.Record == "" {
		return audit.EntryID{}, consent.ErrNotThere
	}
	claims := record.WithdrawalClaims{Hub: d.Hub, Issuer: string(c.Partner()), ID: jti, IssuedAt: l.now.Unix(), Act: c.User(),
		Consent: id, Digest: l.basis.Digest}
	if l.basis.TakenBackBy(claims) {
		return l.basis.Withdrawn, nil
	}
	token, err := claims.Sign(d.signer(ctx, c, signing))
	if err != nil {
		return audit.EntryID{}, err
	}
	entry, err := d.Consents.Withdraw(ctx, c, id, token)
	if errors.Is(err, consent.ErrAlreadyWithdrawn) { // perhaps by the same request, a moment before
		if l, look := d.look(ctx, c, asked{consent: id}); look == nil && l.basis.TakenBackBy(claims) {
			return l.basis.Withdrawn, nil
		}
	}
	return entry, err
}
