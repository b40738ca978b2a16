package hubtest

import (
	"testing"

	"handover/partners"
)

// Managed registers a partner whose keys the hub holds. It has no system of its own, and
// no private key that a test could use.
func (h *Hub) Managed(t testing.TB, id partners.ID, c partners.Category) *Agency {
	t.Helper()
	p := partners.Partner{ID: id, Name: "Agency " + string(id), Category: c, Areas: []string{Area}}
	if err := h.Operator.Add(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := h.Operator.Manage(t.Context(), h.keys, h.issuer, id); err != nil {
		t.Fatal(err)
	}
	return &Agency{ID: id, Category: c, hub: h, tokens: map[string]string{}}
}
