package partners

import (
	"sync"

	"handover/keys/jose"
)

// keyCache remembers parsed public keys by their stored text. A key's text never
// changes its meaning, so nothing in it can go stale: whether a key counts is read
// from the database each time.
type keyCache struct {
	mu   sync.Mutex
	keys map[string]jose.PublicKey
}

// keyCacheSize bounds the cache; past it the cache starts anew.
const keyCacheSize = 4096

func newKeyCache() *keyCache { return &keyCache{keys: map[string]jose.PublicKey{}} }

func (c *keyCache) parse(jwk string) (jose.PublicKey, error) {
	c.mu.Lock()
	k, ok := c.keys[jwk]
	c.mu.Unlock()
	if ok {
		return k, nil
	}
	k, err := jose.ParsePublicKey([]byte(jwk))
	if err != nil {
		return jose.PublicKey{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) >= keyCacheSize {
		clear(c.keys)
	}
	c.keys[jwk] = k
	return k, nil
}
