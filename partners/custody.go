package partners

import (
	"context"
	"fmt"

	"handover/internal/fault"
	"handover/keys"
	"handover/keys/jose"
)

// Custody is who holds the private part of a key.
type Custody string

// The custodies of a key, for all its life: what the hub has held once it may hold still.
const (
	HeldByPartner Custody = "partner"
	HeldByHub     Custody = "hub"
)

// What can be refused about custody.
var (
	ErrNotManaged = fault.New(fault.Conflict, "not-managed", fault.Sender,
		"Your agency holds its own keys, so the hub can neither sign nor open for it. Use your agency's own system.")
	ErrNoPerson = fault.New(fault.Forbidden, "person-needed", fault.Sender,
		"The hub signs and opens for a person who is signed in, never for a system alone. Sign in, and do it as yourself.")
	ErrHasKeys = fault.New(fault.Conflict, "partner-has-keys", fault.Sender,
		"The partner has keys already. Whoever holds them now has to hand them over: the partner's administrator begins a move of custody.")
)

// SigningKeyName is the name under which the key store holds the signing key of a partner
// whose keys the hub holds. The private part does not leave the store.
func SigningKeyName(partner ID) string { return "partner-" + string(partner) }

// slot is the place of one wrapped private key.
type slot struct {
	partner ID
	kid     string
	use     Use
	version int
}

// aad is what the wrapped key is bound to, so that a row which is moved to another
// partner, kid, use or version does not open. None of the fields can hold a line break.
func (p slot) aad() []byte {
	return fmt.Appendf(nil, "handover managed key v1\n%s\n%s\n%s\n%d", p.partner, p.kid, p.use, p.version)
}

// wrap is a private key as it lies in its place.
func (p slot) wrap(ctx context.Context, store keys.Store, key jose.PrivateKey) (string, error) {
	jwk := key.JWK()
	defer clear(jwk)
	wrapped, err := store.Wrap(ctx, jwk, p.aad())
	if err != nil {
		return "", fmt.Errorf("wrapping a managed key: %w", err)
	}
	return wrapped, nil
}

// unwrap opens what wrap made. The caller destroys the key when its act is over. That what
// is in the place is the key the place is named after is checked: a row that somebody who
// could write to both store and database had filled with a key of her own does not open.
func (p slot) unwrap(ctx context.Context, store keys.Store, wrapped string) (jose.PrivateKey, error) {
	jwk, err := store.Unwrap(ctx, wrapped, p.aad())
	if err != nil {
		return jose.PrivateKey{}, fmt.Errorf("unwrapping a managed key: %w", err)
	}
	defer clear(jwk)
	key, err := jose.ParsePrivateKey(jwk)
	if err != nil || key.KeyID() != p.kid || key.Public().Thumbprint() != p.kid {
		key.Destroy()
		return jose.PrivateKey{}, fmt.Errorf("unwrapping a managed key: it is not the key %s", p.kid)
	}
	return key, nil
}
