package managed

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"slices"

	"handover/audit"
	"handover/consent"
	"handover/consent/record"
	"handover/internal/ids"
	"handover/internal/strict"
	"handover/keys/jose"
	"handover/partners"
)

// Saying is what a woman said, as her worker tells it to the desk.
type Saying struct {
	Claims record.Claims         // without what the desk says of itself; a basis without a controller is her agency's own
	How    *record.Circumstances // how she was asked, without a salt
	Words  map[string]string     // texts to be sealed to her agency's own key, by part (record.SealedParts)
}

// Record signs what a woman said for the caller, and records it. Of the claims, hub,
// issuer, time and act are the desk's to say; a subject that is left out is chosen here.
// The same record again returns the entry it had.
func (d *Desk) Record(ctx context.Context, c partners.Caller, said Saying) (audit.EntryID, error) {
	if err := person(c); err != nil {
		return audit.EntryID{}, err
	}
	l, err := d.look(ctx, c, asked{consent: said.Claims.ID})
	if err != nil {
		return audit.EntryID{}, err
	}
	signing, sealing, err := l.held.Keys()
	if err != nil {
		return audit.EntryID{}, err
	}
	posted, claims, err := d.write(ctx, c, said, sealing)
	if err != nil {
		return audit.EntryID{}, err
	}
	if l.basis.SaysAgain(claims) {
		return l.basis.Entry, nil
	}
	fresh := claims
	fresh.IssuedAt, fresh.Subject = l.now.Unix(), cmp.Or(claims.Subject, record.NewSubject())
	if posted.Record, err = fresh.Sign(d.signer(ctx, c, signing)); err != nil {
		return audit.EntryID{}, err
	}
	body, err := strict.Marshal(posted)
	if err != nil {
		return audit.EntryID{}, err
	}
	entry, err := d.Consents.Record(ctx, c, body)
	if errors.Is(err, consent.ErrConflict) { // perhaps with the same request, a moment before
		if l, look := d.look(ctx, c, asked{consent: claims.ID}); look == nil && l.basis.SaysAgain(claims) {
			return l.basis.Entry, nil
		}
	}
	return entry, err
}

// write completes the claims with what the desk says, and makes what is posted beside the
// record. The salt of the circumstances is the keyed digest of the whole saying: the same
// saying is known again by it, though its texts are sealed anew, and nobody without the key
// can compare it with a guess.
func (d *Desk) write(ctx context.Context, c partners.Caller, said Saying, own jose.PublicKey) (record.Posted, record.Claims, error) {
	p, claims := record.Posted{}, said.Claims
	claims.Hub, claims.Issuer, claims.Act = d.Hub, string(c.Partner()), c.User()
	claims.Bases = slices.Clone(claims.Bases)
	for i := range claims.Bases {
		claims.Bases[i].Controller = cmp.Or(claims.Bases[i].Controller, claims.Issuer)
	}
	if said.How == nil && len(said.Words) > 0 {
		return p, claims, record.ErrClaim.With("claim", "circumstances").With("why", record.Why("circumstances"))
	}
	if said.How != nil {
		mac, err := d.digest(ctx, c, "consent", said, nil)
		if err != nil {
			return p, claims, err
		}
		how := *said.How
		how.Salt = base64.RawURLEncoding.EncodeToString(mac[:16])
		if p.Circumstances, claims.Circumstances, err = how.Text(); err != nil {
			return p, claims, err
		}
	}
	if said.How == nil {
		return p, claims, nil
	}
	for part, text := range record.EveryPart(claims.Agreement, said.Words) {
		jwe, err := record.SealText(claims.Issuer, claims.ID, part, text, own)
		if err != nil {
			return p, claims, err
		}
		if p.Sealed == nil {
			p.Sealed, claims.Sealed = map[string]string{}, map[string]string{}
		}
		p.Sealed[part], claims.Sealed[part] = jwe, ids.Digest(jwe)
	}
	return p, claims, nil
}
