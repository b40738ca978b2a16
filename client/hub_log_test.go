package client_test

import (
	"io"
	"net/http"
	"slices"

	"handover/audit/proof"
)

// entries answers with the entries of one referral, consent record or subject that the caller's
// agency made or is named in, newest first.
func (h *fakeHub) entries(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	found := []map[string]any{}
	for i, receipt := range slices.Backward(h.log.all) {
		e, err := receipt.Verify(h.log.key)
		must(err)
		about := e.Partner == caller(r) || e.Other == caller(r)
		for _, f := range []struct{ asked, has string }{{q.Get("referral"), e.Referral}, {q.Get("consent"), e.Consent}, {q.Get("subject"), e.Subject}} {
			about = about && (f.asked == "" || f.asked == f.has)
		}
		if about {
			found = append(found, map[string]any{"index": i, "entry": receipt.Entry, "salt": receipt.Salt})
		}
	}
	answer(w, 200, map[string]any{"entries": found, "checkpoint": string(h.log.checkpoint(h.log.size))})
}

// proof answers with the proof of an entry, or that one tree goes on from another.
func (h *fakeHub) proof(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("entry") {
		h.consistency(w, r)
		return
	}
	for _, receipt := range h.log.all {
		e, err := receipt.Verify(h.log.key)
		must(err)
		if e.ID == r.URL.Query().Get("entry") {
			_, _ = io.WriteString(w, receipt.Proof)
			return
		}
	}
	refuse(w, 404, "no-such-entry")
}

// logged appends an entry that the hub keeps of somebody's act.
func (h *fakeHub) logged(e proof.Entry) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.log.add(e)
}
