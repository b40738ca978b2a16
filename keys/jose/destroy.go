package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
)

// Destroy overwrites the private part where it can be reached, for a key that was opened
// for one act: what is not there cannot be read out of a core dump. It is no proof that
// nothing is left, since the library and the runtime make copies that nobody can reach. The
// key must not be used afterwards; the zero value may be destroyed.
func (k PrivateKey) Destroy() {
	if k.open == nil {
		return
	}
	s := k.open()
	clear(s.d)
	switch key := s.key.(type) {
	case *ecdsa.PrivateKey:
		//lint:ignore SA1019 it is overwritten, and nothing is computed with it
		clear(key.D.Bits())
	case ed25519.PrivateKey:
		clear(key)
	case *rsa.PrivateKey:
		clear(key.D.Bits())
		for _, p := range key.Primes {
			clear(p.Bits())
		}
	}
	s.key = nil
}
