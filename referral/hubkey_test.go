package referral_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/keys"
	"handover/keys/jose"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// hubKeys are the keys that the hub shows to anybody, and the entries of their receipts.
func hubKeys(t *testing.T, h *hubtest.Hub) (found map[string]jose.PublicKey, entries map[string]proof.Entry) {
	t.Helper()
	var set struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	h.Do(httptest.NewRequest(http.MethodGet, hubtest.Issuer+"/v1/hub/jwks.json", nil)).Into(t, http.StatusOK, &set)
	found, entries = map[string]jose.PublicKey{}, map[string]proof.Entry{}
	for _, m := range set.Keys {
		var r proof.Receipt
		do(t, json.Unmarshal(m["receipt"], &r))
		delete(m, "receipt")
		raw, err := json.Marshal(m)
		do(t, err)
		key, err := jose.ParsePublicKey(raw)
		do(t, err)
		entry, err := r.Verify(logKey(t, h))
		do(t, err)
		found[key.KeyID()], entries[key.KeyID()] = key, entry
	}
	return found, entries
}

// logKey is the key of the hub's log as anybody gets it.
func logKey(t *testing.T, h *hubtest.Hub) proof.LogKey {
	t.Helper()
	a := h.Do(httptest.NewRequest(http.MethodGet, hubtest.Issuer+"/v1/log/key", nil))
	key, err := proof.ParseLogKey(strings.TrimSpace(string(a.Body)))
	do(t, err)
	return key
}

// TestAStepOfTheHubVerifiesAlsoAfterItsKeyWasReplaced: nothing that was signed loses its key,
// and each key is in the log before it signs.
func TestAStepOfTheHubVerifiesAlsoAfterItsKeyWasReplaced(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	if keys, _ := hubKeys(t, h); len(keys) != 0 {
		t.Errorf("before it has signed anything the hub shows %d keys", len(keys))
	}
	first := tell(t, p, referral.Requested)
	first.takeBack(t, h)
	replaced, err := h.Keys().Rotate(t.Context(), referral.HubStepsKey, jose.EdDSA)
	do(t, err)
	second, third := tell(t, p, referral.Received), tell(t, p, referral.Received)
	second.withdrawn(t)
	third.withdrawn(t)
	workers := []*referral.Aftermath{h.Aftermath, h.Another(t).Aftermath} // each meets the new key
	for _, err := range hubtest.Together(2, func(i int) error { return workers[i].Round(t.Context()) }) {
		do(t, err)
	}
	do(t, h.Aftermath.Round(t.Context()))
	keys, entries := hubKeys(t, h)
	if len(keys) != 2 || keys[replaced.KeyID()].IsZero() {
		t.Errorf("the hub shows %d keys", len(keys))
	}
	for kid, e := range entries {
		if e.Act != proof.HubKey || e.Partner != "" || e.Digest != keys[kid].Thumbprint() {
			t.Errorf("the log says of the key %s: %+v", kid, e)
		}
	}
	for _, s := range []story{first, second, third} {
		var r struct {
			referral.Summary
			Chain []struct {
				Envelope string
				Receipt  *proof.Receipt
			}
		}
		p.To.Get(t, "/v1/referrals/"+s.sent.Digest).Into(t, http.StatusOK, &r)
		last := r.Chain[len(r.Chain)-1]
		stated, err := packet.ParseEnvelope(last.Envelope)
		do(t, err)
		e, err := stated.Verify(keys[stated.KeyID()])
		if err != nil || !e.ByHub() || e.Audience != string(p.To.ID) || e.Reason != "consent-withdrawn" || !r.Withdrawn {
			t.Errorf("%+v, %v", e.Claims, err)
		}
		if last.Receipt == nil || r.Chain[0].Receipt != nil {
			t.Fatal("the step of the hub has no receipt, or another has")
		}
		entry, err := last.Receipt.Verify(logKey(t, h))
		if err != nil || entry.Act != "referral.withdraw" || entry.Partner != "" || entry.Envelope != e.Digest() || entry.State != "cancelled" || entry.Consent != s.Consent.ID {
			t.Errorf("the log says %+v, %v", entry, err)
		}
		for _, side := range []*hubtest.Agency{p.From, p.To} {
			if a := side.Get(t, "/v1/referrals/"+s.sent.Digest+"/events"); a.Status != http.StatusOK {
				t.Errorf("the history, for %s: %d %s", side.ID, a.Status, a.Body)
			}
		}
	}
}

// TestWithoutItsKeyTheHubStillDestroysAndAsks: what nobody opened is destroyed while the key
// store is away, and the rest follows once it is back.
func TestWithoutItsKeyTheHubStillDestroysAndAsks(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	p := h.Pair(t, partners.BoroughOutreach)
	s := tell(t, p, referral.Received, "need")
	s.withdrawn(t)
	away := *h.Aftermath
	away.Keys = noKeys{}
	if err := away.Round(t.Context()); err == nil {
		t.Error("nothing is said of the key that is missing")
	}
	left := s.left(t, h)
	if left["sections"] != "need" || left["attachments"] != "" || left["recalls"] != "still-held/"+string(p.To.ID)+"/need" || left["state"] != "received" || left["done"] != "false" {
		t.Errorf("left: %v", left)
	}
	do(t, h.Aftermath.Round(t.Context()))
	if left = s.left(t, h); left["state"] != "cancelled" || left["done"] != "true" {
		t.Errorf("left in the end: %v", left)
	}
}

// noKeys is a key store that cannot be asked.
type noKeys struct{ keys.Store }

func (noKeys) Public(context.Context, string) ([]jose.PublicKey, error) {
	return nil, keys.ErrUnavailable
}
