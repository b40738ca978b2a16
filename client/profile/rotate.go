package profile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"handover/client"
	"handover/keys/jose"
)

// Next is a rotation that has begun: the new key is in the profile, and the hub may know
// it already.
type Next struct {
	Use    string         `json:"use"`
	Key    jose.PublicKey `json:"key"`
	Retire string         `json:"retire"` // kid of the key it replaces
}

// Retired is a key that was replaced.
type Retired struct {
	Use   string         `json:"use"`
	Key   jose.PublicKey `json:"key"`
	Until time.Time      `json:"until"` // it may count
}

func (s Settings) retired(use string) (keys []jose.PublicKey) {
	for _, r := range s.Retired {
		if r.Use == use {
			keys = append(keys, r.Key)
		}
	}
	return keys
}

// ErrRotating means that a rotation of another key has not been finished yet.
var ErrRotating = errors.New("a rotation of another key has begun and not ended")

// errUse means that the profile has no key of that use.
var errUse = errors.New("this profile has no such key to rotate")

// Rotate puts a new key of the use in the place of the profile's, which counts for the
// overlap still; by is a client that acts for an administrator. The order makes a crash
// harmless: the new key is kept before the hub hears of it, the old one is used until the
// hub has said yes, and what was broken off in between is finished the next time, with
// the key that was made. Encryption keys are kept for ever: what was sealed to them must
// stay readable. Errors: those of client.RotateKey, and ErrRotating.
func (p *Profile) Rotate(ctx context.Context, by *client.Client, use string, overlap time.Duration) (jose.PublicKey, error) {
	return p.rotate(ctx, by, client.Rotation{Use: use, Overlap: overlap})
}

// RotateAlone is Rotate for a signing key that vouches for itself, when no signing key of the
// agency counts any more.
func (p *Profile) RotateAlone(ctx context.Context, by *client.Client, use string, overlap time.Duration) (jose.PublicKey, error) {
	return p.rotate(ctx, by, client.Rotation{Use: use, Overlap: overlap, SelfSigned: true})
}

func (p *Profile) rotate(ctx context.Context, by *client.Client, r client.Rotation) (jose.PublicKey, error) {
	if err := p.sweep(); err != nil {
		return jose.PublicKey{}, err
	}
	key, err := p.next(ctx, r.Use)
	if err != nil {
		return jose.PublicKey{}, err
	}
	r.New, r.Retire = key, p.settings.Next.Retire
	_, err = by.RotateKey(ctx, r)
	if client.Code(err) == "key-taken" && p.registered(ctx, key) {
		err = nil // an earlier answer was lost
	}
	if err != nil {
		return jose.PublicKey{}, err
	}
	return key.Public(), p.adopt(key, r.Overlap)
}

// Resume finishes a rotation that was broken off, if the hub knows the new key by now. It
// needs nobody: whether the hub knows it, the system can ask by itself. It reports which
// key was put in place, or the zero key if nothing was to be done.
func (p *Profile) Resume(ctx context.Context) (jose.PublicKey, error) {
	if p.settings.Next == nil {
		return jose.PublicKey{}, nil
	}
	key, err := p.next(ctx, p.settings.Next.Use)
	if err != nil || !p.registered(ctx, key) {
		return jose.PublicKey{}, err
	}
	return key.Public(), p.adopt(key, mostOverlap)
}

// mostOverlap is how long the old key may count at most, whatever was asked for.
const mostOverlap = 90 * 24 * time.Hour

// next returns the new key of the use, made now or by an earlier try, and kept.
func (p *Profile) next(ctx context.Context, use string) (jose.PrivateKey, error) {
	if n := p.settings.Next; n != nil {
		if n.Use != use {
			return jose.PrivateKey{}, fmt.Errorf("%w: that of the %s key", ErrRotating, n.Use)
		}
		vault, err := p.vault()
		if err != nil {
			return jose.PrivateKey{}, err
		}
		return p.openKey(ctx, vault, n.Key)
	}
	old := map[string]jose.PublicKey{client.Authentication: p.settings.Keys.Authentication, client.Signing: p.settings.Keys.Signing}[use]
	if use == client.Encryption && len(p.settings.Keys.Encryption) > 0 {
		old = p.settings.Keys.Encryption[0]
	}
	if old.IsZero() {
		return jose.PrivateKey{}, errUse
	}
	key, err := jose.Generate(old.Algorithm(), old.Curve())
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("making a key: %w", err)
	}
	if err := p.writeKeys(ctx, key); err != nil {
		return jose.PrivateKey{}, err
	}
	p.settings.Next = &Next{Use: use, Key: key.Public(), Retire: old.KeyID()}
	return key, p.save()
}

// registered reports whether the hub knows the key as one of this partner's: a new
// authentication key by accepting it, another by showing it in the directory.
func (p *Profile) registered(ctx context.Context, key jose.PrivateKey) bool {
	keys := p.keys
	if p.settings.Next.Use == client.Authentication {
		keys.authentication = key
	}
	c, err := p.client(keys, nil)
	if err != nil {
		return false
	}
	known, err := c.Keys(ctx, p.settings.Partner)
	return err == nil && slices.ContainsFunc(known, func(k client.Key) bool {
		return k.Thumbprint() == key.Public().Thumbprint() && k.Revoked.IsZero()
	})
}

// adopt puts the new key into its place, as the hub has.
func (p *Profile) adopt(key jose.PrivateKey, overlap time.Duration) error {
	public, until := p.settings.Keys, p.now().UTC().Truncate(time.Second).Add(overlap)
	keys := p.keys
	switch p.settings.Next.Use {
	case client.Authentication:
		p.settings.Retired = append(p.settings.Retired, Retired{client.Authentication, public.Authentication, until})
		public.Authentication, keys.authentication = key.Public(), key
	case client.Signing:
		p.settings.Retired = append(p.settings.Retired, Retired{client.Signing, public.Signing, until})
		public.Signing, keys.signing = key.Public(), key
	case client.Encryption:
		public.Encryption = slices.Insert(slices.Clone(public.Encryption), 0, key.Public())
		old := slices.DeleteFunc(slices.Clone(keys.encryption), func(k jose.PrivateKey) bool { return k.KeyID() == key.KeyID() })
		keys.encryption = slices.Insert(old, 0, key)
	}
	p.settings.Keys, p.settings.Next, p.keys = public, nil, keys
	if err := p.save(); err != nil {
		return fmt.Errorf("the hub counts the new key, yet: %w; the same command again finishes it", err)
	}
	return nil
}

// sweep destroys the private parts of keys whose overlap has passed. Their public parts
// stay: what they signed is verified with them.
func (p *Profile) sweep() error {
	for _, r := range p.settings.Retired {
		if p.now().Before(r.Until) {
			continue
		}
		if err := os.Remove(p.keyPath(r.Key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("destroying an outlived key: %w", err)
		}
	}
	return nil
}
