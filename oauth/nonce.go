package oauth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"sync/atomic"
	"time"

	"handover/keys"
)

// nonces are the values that every DPoP proof must carry (RFC 9449 §8, §9). They stop
// proofs that somebody with a moment at the client's key has made in store for later: a
// proof is good for as long as its nonce, whatever its iat says.
//
// A nonce is a window of time with a MAC over it, so no hub keeps a list and all hubs of
// one database take each other's. The one before and the one after are taken too: a
// client that keeps asking is given the next before hers ends, and the hubs' clocks may
// differ.
type nonces struct {
	store *Store
	keys  keys.Store
	now   func() time.Time

	held atomic.Pointer[nonceSet]
}

// nonceWindow is how long a nonce is the newest one.
const nonceWindow = 3 * time.Minute

// nonceSecret names the secret of the MAC, in the database and as what it was wrapped for.
const nonceSecret = "dpop-nonce"

// nonceSet is what counts in one window. It is never changed once it is held.
type nonceSet struct {
	window int64
	secret []byte
	before string
	newest string
	after  string
}

// set is the set of the current window.
func (n *nonces) set(ctx context.Context) (*nonceSet, error) {
	window := n.now().Unix() / int64(nonceWindow/time.Second)
	held := n.held.Load()
	if held != nil && held.window == window {
		return held, nil
	}
	var secret []byte
	if held != nil {
		secret = held.secret
	} else {
		var err error
		if secret, err = n.secret(ctx); err != nil {
			return nil, unavailable("reading the secret of nonces", err)
		}
	}
	fresh := &nonceSet{window: window, secret: secret, before: nonceOf(secret, window-1), newest: nonceOf(secret, window), after: nonceOf(secret, window+1)}
	n.held.Store(fresh)
	return fresh, nil
}

// secret is the one secret of all hubs on this database; whoever comes first makes it.
func (n *nonces) secret(ctx context.Context) ([]byte, error) {
	fresh := make([]byte, sha256.Size)
	rand.Read(fresh)
	wrapped, err := n.keys.Wrap(ctx, fresh, []byte(nonceSecret))
	if err != nil {
		return nil, err
	}
	if wrapped, err = n.store.secret(ctx, nonceSecret, wrapped); err != nil {
		return nil, err
	}
	return n.keys.Unwrap(ctx, wrapped, []byte(nonceSecret))
}

func nonceOf(secret []byte, window int64) string {
	mac := hmac.New(sha256.New, secret)
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(window))
	mac.Write([]byte(nonceSecret))
	mac.Write(b[:])
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// takes reports whether a proof may carry the nonce now, and whether it should be given
// a newer one.
func (s *nonceSet) takes(nonce string) (ok, outdated bool) {
	same := func(a string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(nonce)) == 1 }
	newest := same(s.newest) || same(s.after)
	return newest || same(s.before), !newest
}
