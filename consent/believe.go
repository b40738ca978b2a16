package consent

import (
	"time"

	"handover/consent/record"
	"handover/keys/jose"
	"handover/partners"
)

// verifies checks a statement with the key that it names, if that was one of the issuer's.
func verifies[T, V any](ring *partners.Ring, stated record.Statement[T], issued int64,
	verify func(record.Statement[T], jose.PublicKey) (V, error)) (verified V, err error) {
	key, ok := ring.Signing(stated.KeyID(), time.Unix(issued, 0))
	if !ok {
		return verified, ErrKey
	}
	return verify(stated, key.PublicKey)
}

// believed is verifies for a statement that has to be for this hub, and signed lately: one for
// a staging hub, or from a backup, is refused.
func believed[T, V any](ring *partners.Ring, stated record.Statement[T], here, hub string, issued int64, now time.Time,
	verify func(record.Statement[T], jose.PublicKey) (V, error)) (V, error) {
	verified, err := verifies(ring, stated, issued, verify)
	if err == nil {
		err = record.Fresh(hub, issued, here, now)
	}
	return verified, err
}
