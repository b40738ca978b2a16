package client

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"handover/internal/ids"
)

// keyPage is what the hub answers about a partner's keys.
type keyPage struct {
	Partner string      `json:"partner"`
	Digest  string      `json:"digest"` // of the entries up to the position asked for
	Changes []KeyChange `json:"changes"`
	More    bool        `json:"more"`
	Keys    []Key       `json:"keys"` // all, as of the same moment
}

// keyReading is what was read of a partner's keys and holds.
type keyReading struct {
	known   KnownKeys
	keys    []Key       // as the hub orders them
	changes []KeyChange // those that were new
	events  []KeyEvent
}

// KeyEvent is one change of a partner's keys in words.
type KeyEvent struct {
	Position int64     `json:"position"`
	Time     time.Time `json:"time"` // when the log had it
	Act      string    `json:"act"`  // key.added, key.ended or key.revoked
	Key      string    `json:"kid"`
	Use      string    `json:"use"`
	Until    time.Time `json:"until"`
	Reason   string    `json:"reason,omitempty"`
	Index    int64     `json:"index"` // of the entry in the log
}

// readHistory reads the history of a partner's keys that follows what from has, and verifies
// it. kept is what was known: nothing, for a first contact. The reading holds what did fit,
// also beside a *SwappedKey.
func (c *Client) readHistory(ctx context.Context, partner string, from, kept KnownKeys) (keyReading, error) {
	if !ids.IsName(partner) {
		return keyReading{}, &Problem{Type: "about:blank", Status: 404, Code: "not-found", Party: "sender",
			Title: "No partner that takes part has this id. Check it against the directory."}
	}
	r := keyReading{known: from.clone()}
	r.known.V, r.known.Partner, r.known.Ends = 1, partner, kept.Ends
	x := examiner{logKey: c.LogKey(), hub: c.hub, kept: kept, own: c.own(partner)}
	for {
		page, err := get[keyPage](ctx, c, "/v1/partners/"+url.PathEscape(partner)+"/keys",
			url.Values{"after": {strconv.Itoa(len(r.known.Entries))}})
		if err != nil {
			return r, err
		}
		if page.Partner != partner || page.More && len(page.Changes) == 0 {
			return r, fmt.Errorf("%w: it is no history of the keys of %s", ErrAnswer, partner)
		}
		for _, change := range page.Changes {
			_, _ = c.verified(ctx, change.Receipt) // so that the log's key is known; page judges the receipt
		}
		x.logKey = c.LogKey()
		if wrong := r.page(x, page); wrong != nil {
			wrong.Partner = partner
			return r, wrong
		}
		if !page.More {
			return r, nil
		}
	}
}

// page adds one answer to the reading.
func (r *keyReading) page(x examiner, page keyPage) (wrong *SwappedKey) {
	if page.Digest != digestOf(r.known.Entries) {
		wrong = misfit("", "the history of its keys was rewritten: of the %d changes that were seen here, not all are as they were", len(r.known.Entries))
		wrong.Acceptable = true
		return wrong
	}
	if x.keys, wrong = index(page.Keys); wrong != nil {
		return wrong
	}
	for _, change := range page.Changes {
		entry, wrong := x.take(&r.known, change)
		if wrong != nil {
			return wrong
		}
		r.changes = append(r.changes, change)
		_, at, _ := openReceipt(change.Receipt, x.logKey)
		r.events = append(r.events, KeyEvent{Position: change.Position, Time: entry.Time, Act: entry.Act, Key: entry.Key.Key,
			Use: entry.Key.Use, Until: entry.Key.Until, Reason: entry.Reason, Index: at.index})
	}
	if !page.More {
		r.keys, wrong = match(r.known, page.Keys)
	}
	return wrong
}

// digestOf is how the hub is asked whether it still has the changes that were seen.
func digestOf(entries []string) string {
	if len(entries) == 0 {
		return ids.Digest("")
	}
	return ids.Digest(strings.Join(entries, "\n") + "\n")
}

// own returns which of a partner's keys are held by this client itself.
func (c *Client) own(partner string) map[string]bool {
	own := map[string]bool{}
	if partner != c.partner {
		return own
	}
	if c.keys.Signing.Key != nil {
		own[c.keys.Signing.ID] = true
	}
	for _, k := range c.keys.Encryption {
		own[k.KeyID()] = true
	}
	return own
}

// KeyHistory is a partner's keys from the first to the last, as the log proves them.
type KeyHistory struct {
	Partner string     `json:"partner"`
	Events  []KeyEvent `json:"events"`
	Keys    []KnownKey `json:"keys"`  // in the order in which they came
	Known   int        `json:"known"` // how many of the events were known here before
}

// KeyHistory reads the whole history of a partner's keys, verifies it, and holds it against
// what was known here. Beside a *SwappedKey it returns what does hold.
func (c *Client) KeyHistory(ctx context.Context, partner string) (KeyHistory, error) {
	kept, err := c.memory.Known(partner)
	if err != nil {
		return KeyHistory{}, err
	}
	r, err := c.readHistory(ctx, partner, KnownKeys{}, kept)
	h := KeyHistory{Partner: partner, Events: r.events, Keys: r.known.standing(), Known: len(kept.Entries)}
	if err != nil {
		return h, err
	}
	if !follows(kept, r.known) {
		return h, rewritten(kept, r.known)
	}
	return h, c.keep(r.known)
}

// Unconfirmed returns the *SwappedKey of the first key that counts and waits for a person to
// confirm it, or nil.
func (h KeyHistory) Unconfirmed() error {
	known := KnownKeys{Partner: h.Partner, Keys: h.Keys}
	for _, k := range h.Keys {
		if err := known.refuse(k.ID); err != nil && k.Revoked.IsZero() {
			return err
		}
	}
	return nil
}

// follows reports whether a history begins with what was kept.
func follows(kept, read KnownKeys) bool {
	return len(read.Entries) >= len(kept.Entries) && slices.Equal(read.Entries[:len(kept.Entries)], kept.Entries)
}

// rewritten says where a history is another than what was kept.
func rewritten(kept, read KnownKeys) *SwappedKey {
	at := 0
	for at < len(kept.Entries) && at < len(read.Entries) && kept.Entries[at] == read.Entries[at] {
		at++
	}
	wrong := misfit("", "the history of its keys was rewritten: change %d of the %d that were seen here is gone, or another", at+1, len(kept.Entries))
	wrong.Partner, wrong.Acceptable = kept.Partner, true
	return wrong
}

// ErrNoSuchKey means that a partner has no key with that fingerprint which counts now.
var ErrNoSuchKey = errors.New("no key with this fingerprint counts now")

// AcceptKey notes that a person has compared the fingerprint of a key with the partner: the
// key counts here from now on, and so does what it signed for. It reads the whole history
// anew, which must be proved by the log; where it is another than what was kept, it takes its
// place: keys that were known before stay known, and what was seen to end or be revoked stays
// so for good. Errors: ErrNoSuchKey, a *SwappedKey that no confirmation can settle.
func (c *Client) AcceptKey(ctx context.Context, partner, fingerprint string) (KnownKey, error) {
	kept, err := c.memory.Known(partner)
	if err != nil {
		return KnownKey{}, err
	}
	r, err := c.readHistory(ctx, partner, KnownKeys{}, kept)
	if err != nil {
		return KnownKey{}, err
	}
	r.known.endAs(kept)
	standing := KnownKeys{Keys: r.known.standing()}
	k := standing.find(fingerprint)
	if is := r.known.find(fingerprint); is != nil && is.Revoked.IsZero() && !k.Revoked.IsZero() {
		wrong := misfit(fingerprint, "the %s key %s was revoked, as was seen here, on %s, and its history does not say so any more: a revocation is for good, ask them for another key",
			k.Use, k.ID, k.Revoked.UTC().Format(time.DateOnly))
		wrong.Partner = partner
		return KnownKey{}, wrong
	}
	if k == nil || !k.ValidAt(c.now()) {
		return KnownKey{}, fmt.Errorf("%w: %s of %s", ErrNoSuchKey, fingerprint, partner)
	}
	at := c.now().UTC().Truncate(time.Second)
	r.known.confirm(fingerprint, at)
	k.Confirmed, k.Unconfirmed = at, false
	c.mu.Lock()
	delete(c.known, partner)
	c.mu.Unlock()
	c.keeping.Lock()
	defer c.keeping.Unlock()
	return *k, c.memory.Keep(r.known)
}
