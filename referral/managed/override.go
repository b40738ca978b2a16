package managed

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"handover/audit"
	"handover/audit/proof"
	"handover/consent"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral/packet"
)

// Proposal asks the desk to propose an override.
type Proposal struct {
	Claims record.OverrideClaims // without what the desk says of itself; a basis without a controller is her agency's own
	Texts  map[string]string     // to be sealed to her agency's own key, by part (record.OverrideParts)
}

// Propose signs an override that the caller proposes, its texts sealed to the hub-held key of
// her agency, and has it recorded. The same proposal again returns the entry it had; another
// under its id is consent.ErrOverrideConflict.
func (d *Desk) Propose(ctx context.Context, c partners.Caller, p Proposal) (audit.EntryID, error) {
	if err := person(c); err != nil {
		return audit.EntryID{}, err
	}
	claims := p.Claims
	l, err := d.look(ctx, c, asked{override: claims.ID})
	if err != nil {
		return audit.EntryID{}, err
	}
	signing, sealing, err := l.held.Keys()
	if err != nil {
		return audit.EntryID{}, err
	}
	claims.Hub, claims.Issuer, claims.Act, claims.IssuedAt = d.Hub, string(c.Partner()), c.User(), l.now.Unix()
	claims.Bases = slices.Clone(claims.Bases)
	for i := range claims.Bases {
		claims.Bases[i].Controller = cmp.Or(claims.Bases[i].Controller, claims.Issuer)
	}
	if l.override.Statement != "" {
		return d.proposedAgain(ctx, c, l.override, claims, p.Texts)
	}
	claims.Subject = cmp.Or(claims.Subject, record.NewSubject())
	body, err := d.writeOverride(ctx, c, claims, p.Texts, signing, sealing)
	if err != nil {
		return audit.EntryID{}, err
	}
	entry, err := d.Consents.Propose(ctx, c, body)
	if errors.Is(err, consent.ErrOverrideConflict) { // perhaps with the same request, a moment before
		if l, look := d.look(ctx, c, asked{override: claims.ID}); look == nil && l.override.Statement != "" {
			claims.Subject = p.Claims.Subject
			return d.proposedAgain(ctx, c, l.override, claims, p.Texts)
		}
	}
	return entry, err
}

// writeOverride seals the texts, signs, and makes what is posted.
func (d *Desk) writeOverride(ctx context.Context, c partners.Caller, claims record.OverrideClaims, texts map[string]string, signing, own jose.PublicKey) ([]byte, error) {
	posted := record.PostedOverride{Sealed: map[string]string{}}
	claims.Sealed = map[string]string{}
	for part, text := range texts {
		jwe, err := record.SealText(claims.Issuer, claims.ID, part, text, own)
		if err != nil {
			return nil, err
		}
		posted.Sealed[part], claims.Sealed[part] = jwe, ids.Digest(jwe)
	}
	var err error
	if posted.Override, err = claims.Sign(d.signer(ctx, c, signing)); err != nil {
		return nil, err
	}
	return strict.Marshal(posted)
}

// proposedAgain returns the entry of what is stored if it says what the claims and the texts
// say, signed and sealed at whatever time.
func (d *Desk) proposedAgain(ctx context.Context, c partners.Caller, before *consent.OverrideSaid, claims record.OverrideClaims, texts map[string]string) (audit.EntryID, error) {
	stated, err := record.ParseOverride(before.Statement)
	if err != nil {
		return audit.EntryID{}, concealed(err)
	}
	was := stated.Unverified()
	claims.Subject, claims.IssuedAt, claims.Sealed = cmp.Or(claims.Subject, was.Subject), was.IssuedAt, was.Sealed
	one, err := strict.Marshal(was)
	if err != nil {
		return audit.EntryID{}, err
	}
	other, err := strict.Marshal(claims)
	if err != nil || !bytes.Equal(one, other) {
		return audit.EntryID{}, errors.Join(err, consent.ErrOverrideConflict)
	}
	opened, err := d.texts(ctx, c, confided{was.Issuer, was.ID, was.Sealed}, before.Sealed)
	if err != nil {
		return audit.EntryID{}, err
	}
	if !maps.Equal(opened, texts) {
		return audit.EntryID{}, consent.ErrOverrideConflict
	}
	return before.Entry, nil
}

// confided is a statement of an agency's with the digests of what is sealed to it, by part.
type confided struct {
	issuer, id string
	digests    map[string]string
}

// texts opens what a statement has sealed to the hub-held keys of the caller's agency.
func (d *Desk) texts(ctx context.Context, c partners.Caller, of confided, sealed map[string]string) (map[string]string, error) {
	var kids []string
	for _, jwe := range sealed {
		e, err := jose.ParseEncrypted(jwe, record.PostedLimit)
		if err != nil {
			return nil, err
		}
		kids = append(kids, e.KeyID())
	}
	wrapped, _, err := d.openers(ctx, c, c.Partner(), "", kids)
	if err != nil {
		return nil, err
	}
	keys, err := wrapped.Unwrap(ctx, d.Keys)
	defer func() { partners.Destroy(keys) }()
	if err != nil {
		return nil, err
	}
	texts := make(map[string]string, len(sealed))
	for part, jwe := range sealed {
		e, err := jose.ParseEncrypted(jwe, record.PostedLimit)
		if err != nil {
			return nil, err
		}
		key, held := keys[e.KeyID()]
		if !held || ids.Digest(jwe) != of.digests[part] {
			return nil, packet.ErrUnseal
		}
		if texts[part], err = record.OpenText(of.issuer, of.id, part, jwe, key); err != nil {
			return nil, packet.ErrUnseal
		}
	}
	return texts, nil
}

// OpenedOverride is an override with its texts, opened for one person.
type OpenedOverride struct {
	consent.StoredOverride
	Claims  record.OverrideClaims `json:"claims"`
	Texts   map[string]string     `json:"texts"`
	Receipt proof.Receipt         `json:"receipt"` // of the reading
}

// OpenOverride shows the caller an override of her agency's with its texts: what a manager
// decides, she reads first. Not a text is opened before the log's entry of it is under a
// signed checkpoint.
func (d *Desk) OpenOverride(ctx context.Context, c partners.Caller, id string) (OpenedOverride, error) {
	if err := person(c); err != nil {
		return OpenedOverride{}, err
	}
	l, err := d.look(ctx, c, asked{})
	if err != nil {
		return OpenedOverride{}, err
	}
	if err := l.held.Opens(); err != nil {
		return OpenedOverride{}, err
	}
	o := OpenedOverride{}
	if o.StoredOverride, err = d.Consents.ReadOverride(ctx, c, id); err != nil {
		return OpenedOverride{}, err
	}
	if o.Receipt, err = d.receipt(ctx, o.Reading); err != nil {
		return OpenedOverride{}, err
	}
	stated, err := record.ParseOverride(o.Override)
	if err != nil {
		return OpenedOverride{}, concealed(err)
	}
	o.Claims = stated.Unverified()
	o.Texts, err = d.texts(ctx, c, confided{o.Claims.Issuer, o.Claims.ID, o.Claims.Sealed}, o.Sealed)
	return o, err
}

// Decide signs for the caller, a manager, what she decides about an override, and has it
// recorded. The same decision again returns the entry it had.
func (d *Desk) Decide(ctx context.Context, c partners.Caller, id, jti, decision string) (audit.EntryID, error) {
	l, said, signing, err := d.manages(ctx, c, id, jti)
	if err != nil {
		return audit.EntryID{}, err
	}
	if before, ok := l.override.Steps[jti]; ok {
		made, err := record.ParseDecision(before.Token)
		if err != nil || made.Unverified().Act != said.Act || made.Unverified().Decision != decision {
			return audit.EntryID{}, consent.ErrOverrideConflict
		}
		return before.Entry, nil
	}
	token, err := record.DecisionClaims{Said: said, Decision: decision}.Sign(d.signer(ctx, c, signing))
	if err != nil {
		return audit.EntryID{}, err
	}
	return d.Consents.Decide(ctx, c, id, token)
}

// Review signs for the caller, a manager, that she has looked at an override again: until
// when it goes on, or 0 for its end. The same review again returns the entry it had.
func (d *Desk) Review(ctx context.Context, c partners.Caller, id, jti string, next int64) (audit.EntryID, error) {
	l, said, signing, err := d.manages(ctx, c, id, jti)
	if err != nil {
		return audit.EntryID{}, err
	}
	if before, ok := l.override.Steps[jti]; ok {
		made, err := record.ParseReview(before.Token)
		if err != nil || made.Unverified().Act != said.Act || made.Unverified().ReviewAt != next {
			return audit.EntryID{}, consent.ErrOverrideConflict
		}
		return before.Entry, nil
	}
	r := record.ReviewClaims{Said: said, Outcome: record.Continues, ReviewAt: next}
	if next == 0 {
		r.Outcome = record.Ended
	}
	token, err := r.Sign(d.signer(ctx, c, signing))
	if err != nil {
		return audit.EntryID{}, err
	}
	return d.Consents.Review(ctx, c, id, token)
}

// manages reads what a manager states something about, and begins her statement.
func (d *Desk) manages(ctx context.Context, c partners.Caller, id, jti string) (look, record.Said, jose.PublicKey, error) {
	if err := person(c); err != nil {
		return look{}, record.Said{}, jose.PublicKey{}, err
	}
	l, err := d.look(ctx, c, asked{override: id})
	if err != nil {
		return look{}, record.Said{}, jose.PublicKey{}, err
	}
	signing, _, err := l.held.Keys()
	if err == nil && l.override.Statement == "" {
		err = consent.ErrOverrideNotThere
	}
	return l, record.Said{Hub: d.Hub, Issuer: string(c.Partner()), ID: jti, IssuedAt: l.now.Unix(), Act: c.User(), Of: id, Digest: l.override.Digest}, signing, err
}

// ReviewConsent signs for the caller, a manager, whether a consent record that is in doubt
// stands, and has it recorded. The same decision again returns the entry it had.
func (d *Desk) ReviewConsent(ctx context.Context, c partners.Caller, id, jti, decision string) (audit.EntryID, error) {
	if err := person(c); err != nil {
		return audit.EntryID{}, err
	}
	l, err := d.look(ctx, c, asked{consent: id})
	if err != nil {
		return audit.EntryID{}, err
	}
	signing, _, err := l.held.Keys()
	switch {
	case err != nil:
		return audit.EntryID{}, err
	case l.basis.Record == "":
		return audit.EntryID{}, consent.ErrNotThere
	}
	said := record.Said{Hub: d.Hub, Issuer: string(c.Partner()), ID: jti, IssuedAt: l.now.Unix(), Act: c.User(), Of: id, Digest: l.basis.Digest}
	token, err := record.DecisionClaims{Said: said, Decision: decision}.Sign(d.signer(ctx, c, signing))
	if err != nil {
		return audit.EntryID{}, err
	}
	entry, err := d.Consents.ReviewConsent(ctx, c, id, token)
	if !errors.Is(err, consent.ErrNoReview) {
		return entry, err
	}
	before, made, look := d.Consents.ReviewMade(ctx, c, id)
	if stated, bad := record.ParseDecision(before); look == nil && bad == nil {
		if was := stated.Unverified(); was.ID == jti && was.Act == said.Act && was.Decision == decision {
			return made, nil
		}
	}
	return entry, err
}
