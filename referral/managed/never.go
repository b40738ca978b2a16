package managed

import (
	"context"
	"slices"

	"handover/audit"
	"handover/consent"
	"handover/consent/record"
	"handover/partners"
)

// Never asks the desk to record with whom nothing about a woman may ever be shared.
type Never struct {
	ID         string   `json:"jti"` // UUIDv7, chosen by who asks: the same request again finds its receipt
	Subjects   []string `json:"subjects"`
	Recipients []string `json:"recipients"`
}

// Never signs for the caller with whom nothing may ever be shared, and records it. The same
// request again returns the entry it had.
func (d *Desk) Never(ctx context.Context, c partners.Caller, n Never) (audit.EntryID, error) {
	if err := person(c); err != nil {
		return audit.EntryID{}, err
	}
	l, err := d.look(ctx, c, asked{never: n.ID})
	if err != nil {
		return audit.EntryID{}, err
	}
	signing, _, err := l.held.Keys()
	if err != nil {
		return audit.EntryID{}, err
	}
	claims := record.NeverClaims{Hub: d.Hub, Issuer: string(c.Partner()), ID: n.ID, IssuedAt: l.now.Unix(), Act: c.User(),
		Subjects: n.Subjects, Recipients: n.Recipients}
	if l.never.Statement != "" {
		if !says(l.never.Statement, claims) {
			return audit.EntryID{}, consent.ErrNeverConflict
		}
		return l.never.Entry, nil
	}
	token, err := claims.Sign(d.signer(ctx, c, signing))
	if err != nil {
		return audit.EntryID{}, err
	}
	return d.Consents.Never(ctx, c, token)
}

// says reports whether the statement says what the claims say, signed at whatever time.
func says(statement string, claims record.NeverClaims) bool {
	stated, err := record.ParseNever(statement)
	if err != nil {
		return false
	}
	before := stated.Unverified()
	return before.Issuer == claims.Issuer && before.Act == claims.Act &&
		slices.Equal(before.Subjects, claims.Subjects) && slices.Equal(before.Recipients, claims.Recipients)
}

// Lift signs for the caller that a woman has changed her mind about a never of her agency, and
// records it. The same request again returns the entry it had.
func (d *Desk) Lift(ctx context.Context, c partners.Caller, id, jti string) (audit.EntryID, error) {
	if err := person(c); err != nil {
		return audit.EntryID{}, err
	}
	l, err := d.look(ctx, c, asked{never: id})
	if err != nil {
		return audit.EntryID{}, err
	}
	signing, _, err := l.held.Keys()
	switch {
	case err != nil:
		return audit.EntryID{}, err
	case l.never.Statement == "":
		return audit.EntryID{}, consent.ErrNeverNotThere
	}
	claims := record.LiftClaims{Hub: d.Hub, Issuer: string(c.Partner()), ID: jti, IssuedAt: l.now.Unix(), Act: c.User(),
		Never: id, Digest: l.never.Digest}
	if stated, err := record.ParseLift(l.never.Lift); err == nil && stated.Unverified().ID == jti && stated.Unverified().Act == claims.Act {
		return l.never.Lifted, nil
	}
	token, err := claims.Sign(d.signer(ctx, c, signing))
	if err != nil {
		return audit.EntryID{}, err
	}
	return d.Consents.Lift(ctx, c, id, token)
}
