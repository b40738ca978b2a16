package partners

import (
	"sync"

	"handover/keys/jose"
)

// keyCache remembers parsed public keys by their stored text. A key's text never
// changes its meaning, so nothing in it can go stale: whether a key counts is read
// from the database each time. It also remembers who named a key how, which is a
// guess by then.
type keyCache struct {
	mu    sync.Mutex
	keys  map[string]jose.PublicKey
	named map[keyName]jose.PublicKey
}

// keyName is what a signed statement says of its key.
type keyName struct {
	owner ID
	kid   string
}

// keyCacheSize bounds the cache; past it the cache starts anew.
const keyCacheSize = 4096

func newKeyCache() *keyCache {
	return &keyCache{keys: map[string]jose.PublicKey{}, named: map[keyName]jose.PublicKey{}}
}

// name notes how the owner names a key.
func (c *keyCache) name(owner ID, k jose.PublicKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.named) >= keyCacheSize {
		clear(c.named)
	}
	c.named[keyName{owner, k.KeyID()}] = k
}

// guess returns the key that the owner named so when it was last read.
func (c *keyCache) guess(owner ID, kid string) jose.PublicKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.named[keyName{owner, kid}]
}

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
