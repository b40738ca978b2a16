package oauth

import (
	"crypto/sha256"
	"sync"
	"time"
)

// tokenCache remembers access tokens whose signature has been verified, by the
// digest of their bytes, until they expire, with the header of the proofs that come
// with them. It saves one ECDSA verification and the reading of the proof's key a
// request and decides nothing: a token that is spelled another way is not found
// and verified anew; expiry, the hub's key, the proof and the caller's standing are
// judged at each request.
type tokenCache struct {
	size int
	mu   sync.Mutex
	held map[[sha256.Size]byte]access
}

// tokenCacheSize bounds the cache, to some 5 MB.
const tokenCacheSize = 10_000

func newTokenCache() *tokenCache {
	return &tokenCache{size: tokenCacheSize, held: map[[sha256.Size]byte]access{}}
}

func (c *tokenCache) get(digest [sha256.Size]byte) (access, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.held[digest]
	return t, ok
}

func (c *tokenCache) drop(digest [sha256.Size]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.held, digest)
}

// put keeps a verified token. A full cache first forgets one: an expired one if a
// short look finds it, else any.
func (c *tokenCache) put(digest [sha256.Size]byte, t access, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.held[digest]; !there && len(c.held) >= c.size {
		c.forgetOne(now)
	}
	c.held[digest] = t
}

func (c *tokenCache) forgetOne(now time.Time) {
	var victim [sha256.Size]byte
	looked := 0
	for digest, t := range c.held {
		victim = digest
		if looked++; looked == 16 || !now.Before(t.expires) {
			break
		}
	}
	delete(c.held, victim)
}
