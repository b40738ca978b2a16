package client_test

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"handover/audit/proof"
	"handover/client"
	"handover/internal/ids"
	"handover/keys/jose"
)

// fakeChange is a change of a partner's keys as the fake hub holds it.
type fakeChange struct {
	client.KeyChange
	entry string // id
}

// now is a time as the log writes it.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// change logs a change of a partner's keys.
func (h *fakeHub) change(partner, act, statement string, k proof.KeyChange) {
	at := k.From
	if act != proof.KeyAdded {
		at = now()
	}
	h.changeAt(partner, act, statement, k, at)
}

// changeAt is change at another time.
func (h *fakeHub) changeAt(partner, act, statement string, k proof.KeyChange, at time.Time) {
	k.Position = int64(len(h.changes[partner])) + 1
	if statement != "" {
		k.Statement = ids.Digest(statement)
	}
	receipt := h.log.add(proof.Entry{Act: act, Partner: partner, Time: at, Key: &k})
	entry, err := receipt.Verify(h.log.key)
	must(err)
	h.changes[partner] = append(h.changes[partner], fakeChange{client.KeyChange{Position: k.Position, Statement: statement, Receipt: receipt}, entry.ID})
}

// addKey registers a key, signed for by the key by, with its entry in the log.
func (h *fakeHub) addKey(partner string, key jose.PublicKey, use, introduced, by, statement string) {
	from := now()
	k := proof.KeyChange{Key: key.Thumbprint(), Use: use, From: from, Until: from.Add(time.Hour), Introduced: introduced, By: by}
	if use == client.Authentication {
		k.Client = partner + ".abcde"
	}
	h.change(partner, proof.KeyAdded, statement, k)
	h.keys[partner] = append(h.keys[partner], client.Key{PublicKey: key, Use: use, NotBefore: k.From, NotAfter: k.Until})
}

// revoke revokes all keys of a partner.
func (h *fakeHub) revoke(partner string) {
	for i, k := range h.keys[partner] {
		c := proof.KeyChange{Key: k.KeyID(), Use: k.Use, From: k.NotBefore, Until: k.NotAfter}
		if k.Use == client.Authentication {
			c.Client = partner + ".abcde"
		}
		h.change(partner, proof.KeyRevoked, "", c)
		entry, err := h.changes[partner][len(h.changes[partner])-1].Receipt.Verify(h.log.key)
		must(err)
		k.Revoked = entry.Time
		h.keys[partner][i] = k
	}
}

// keyPageSize is small, so that histories have several pages.
const keyPageSize = 2

// keyHistory serves the history of a partner's keys.
func (h *fakeHub) keyHistory(w http.ResponseWriter, r *http.Request) {
	changes := h.changes[r.PathValue("id")]
	after, _ := strconv.Atoi(r.URL.Query().Get("after"))
	after = min(after, len(changes))
	var seen strings.Builder
	for _, c := range changes[:after] {
		seen.WriteString(c.entry + "\n")
	}
	page := []client.KeyChange{}
	for _, c := range changes[after:min(after+keyPageSize, len(changes))] {
		page = append(page, c.KeyChange)
	}
	keys := h.keys[r.PathValue("id")]
	if keys == nil {
		refuse(w, 404, "not-found")
		return
	}
	answer(w, 200, map[string]any{"partner": r.PathValue("id"), "digest": ids.Digest(seen.String()), "changes": page,
		"more": after+len(page) < len(changes), "keys": keys})
}
