package profile

import (
	"context"
	"slices"

	"handover/client"
	"handover/keys/jose"
)

// Take enrols a profile with new keys by a code that takes the agency's keys out of the
// hub's hands, and collects what the hub held. The errors are those of client.Take, and
// ErrEnrolled. If it is broken off after the enrolment, Collect finishes it.
func (p *Profile) Take(ctx context.Context, hub, code string) (client.Enrolment, error) {
	public := p.settings.Keys
	if p.settings.ClientID != "" || public.Signing.IsZero() {
		return client.Enrolment{}, ErrEnrolled
	}
	e, err := client.Take(ctx, client.Enrolling{
		Hub: hub, Code: code, Authentication: public.Authentication, Signing: public.Signing,
		Encryption: public.Encryption[0], Sign: p.keys.signing.Signer(), HTTP: p.options.HTTP, Now: p.options.Now,
	})
	if err == nil {
		err = p.joined(e)
	}
	if err == nil {
		_, err = p.Collect(ctx)
	}
	return e, err
}

// Collect gets the private encryption keys that the hub held for the agency, keeps them
// with the profile's own for what was sealed to them, and has the hub destroy what it has.
// It returns how many were new. The order makes a crash harmless: the hub destroys nothing
// before the keys lie in the profile.
func (p *Profile) Collect(ctx context.Context) (int, error) {
	c, err := p.Client()
	if err != nil {
		return 0, err
	}
	taken, err := c.TakeKeys(ctx)
	if err != nil {
		return 0, err
	}
	fresh := slices.DeleteFunc(taken, func(k jose.PrivateKey) bool {
		return slices.ContainsFunc(p.settings.Keys.Encryption, k.Public().Equal)
	})
	if err := p.writeKeys(ctx, fresh...); err != nil {
		return 0, err
	}
	for _, k := range fresh { // behind the profile's own, which is the one that is sealed to
		p.settings.Keys.Encryption = append(p.settings.Keys.Encryption, k.Public())
		p.keys.encryption = append(p.keys.encryption, k)
	}
	if err := p.save(); err != nil {
		return 0, err
	}
	return len(fresh), c.ConfirmKeys(ctx)
}

// Give hands the agency's keys to the hub; by is a client that acts for an administrator.
// The profile keeps what it has: it can still open what was sealed to it, and sign nothing
// that counts. Errors: those of client.GiveKeys.
func (p *Profile) Give(ctx context.Context, by *client.Client) error {
	if p.settings.Keys.Signing.IsZero() {
		return errUse
	}
	g, err := by.BeginGiving(ctx)
	if err != nil {
		return err
	}
	return by.GiveKeys(ctx, g)
}
