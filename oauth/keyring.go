package oauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"handover/keys"
	"handover/keys/jose"
)

// accessTokenKey is the name under which the key store holds the key of access
// tokens.
const accessTokenKey = "access-token"

// How long the hub's public keys are taken from memory, and how soon they are asked
// for again when a token names one that is not among them: another hub may just
// have rotated, but strangers must not be able to keep the key store busy.
const (
	keyringLife  = 30 * time.Second
	keyringPause = time.Second
)

// published is how long a key has been in this hub's ring before it signs. By then every
// other hub's ring has it, or is old enough to ask for it: no token is refused because
// the key that signed it is too new.
const published = 2 * keyringPause

// keyring is the hub's own public keys for access tokens, as the key store gave
// them a moment ago. A key that the store has dropped stops counting within
// keyringLife, also for tokens that were verified before.
type keyring struct {
	store keys.Store
	now   func() time.Time

	held   atomic.Pointer[keyset]
	asking sync.Mutex // at most one asks the key store at a time
}

// keyset is never changed once it is held.
type keyset struct {
	at    time.Time
	keys  []jose.PublicKey // newest first
	since []time.Time      // when each was first seen here; zero for those of the first set
}

func (s *keyset) find(kid string) (jose.PublicKey, bool) {
	for _, k := range s.keys {
		if k.KeyID() == kid {
			return k, true
		}
	}
	return jose.PublicKey{}, false
}

// current returns the valid keys, at most keyringLife old.
func (k *keyring) current(ctx context.Context) (*keyset, error) {
	return k.younger(ctx, keyringLife)
}

// signing returns the key to sign with: the newest that is published.
func (k *keyring) signing(ctx context.Context) (jose.PublicKey, error) {
	set, err := k.current(ctx)
	if err != nil {
		return jose.PublicKey{}, err
	}
	if len(set.keys) == 0 {
		return jose.PublicKey{}, keys.ErrUnknownKey
	}
	for i, key := range set.keys {
		if !k.now().Before(set.since[i].Add(published)) {
			return key, nil
		}
	}
	return set.keys[0], nil
}

// find returns the valid key with that kid, if there is one.
func (k *keyring) find(ctx context.Context, kid string) (jose.PublicKey, bool, error) {
	set, err := k.current(ctx)
	if err != nil {
		return jose.PublicKey{}, false, err
	}
	key, ok := set.find(kid)
	if ok {
		return key, true, nil
	}
	if set, err = k.younger(ctx, keyringPause); err != nil {
		return jose.PublicKey{}, false, err
	}
	key, ok = set.find(kid)
	return key, ok, nil
}

// younger returns a key set that is less than age old.
func (k *keyring) younger(ctx context.Context, age time.Duration) (*keyset, error) {
	if set := k.held.Load(); set != nil && k.now().Sub(set.at) < age {
		return set, nil
	}
	k.asking.Lock()
	defer k.asking.Unlock()
	now := k.now()
	if set := k.held.Load(); set != nil && now.Sub(set.at) < age {
		return set, nil
	}
	public, err := k.store.Public(ctx, accessTokenKey)
	if errors.Is(err, keys.ErrUnknownKey) {
		public, err = nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the hub's keys: %w", err)
	}
	set := &keyset{at: now, keys: public, since: k.held.Load().sinces(public, now)}
	k.held.Store(set)
	return set, nil
}

// sinces says when each of the keys was first seen: those that are not in s, now.
func (s *keyset) sinces(keys []jose.PublicKey, now time.Time) []time.Time {
	since := make([]time.Time, len(keys))
	if s == nil {
		return since
	}
	for i, key := range keys {
		since[i] = now
		for j, known := range s.keys {
			if known.KeyID() == key.KeyID() {
				since[i] = s.since[j]
			}
		}
	}
	return since
}
