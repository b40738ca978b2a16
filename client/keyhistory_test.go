package client_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"handover/audit/proof"
	"handover/client"
)

// TestARevocationThatWasSeenIsForGood: a hub that goes back to before it, and has a person
// accept one key, does not bring back another that somebody stole, nor what that one signs for.
func TestARevocationThatWasSeenIsForGood(t *testing.T) {
	p := newPair(t)
	const camden = "camden-outreach"
	old := p.hub.private[camden].Signing
	p.hub.brought(camden, client.Signing, proof.Countersigned, newKey(client.Signing), old)
	before, keys := slices.Clone(p.hub.changes[camden]), slices.Clone(p.hub.keys[camden])
	p.hub.revoke(camden)
	_, err := p.to.Keys(t.Context(), camden)
	must(err)

	p.hub.changes[camden], p.hub.keys[camden] = before, keys
	other, stolen := newKey(client.Signing), newKey(client.Encryption)
	p.hub.brought(camden, client.Signing, proof.SelfSigned, other, other.Signer())
	p.hub.brought(camden, client.Encryption, proof.Countersigned, stolen, old)
	_, err = p.to.AcceptKey(t.Context(), camden, old.ID)
	if swapped, ok := errors.AsType[*client.SwappedKey](err); !ok || swapped.Acceptable || !strings.Contains(err.Error(), "a revocation is for good") {
		t.Errorf("the revoked key is accepted: %v", err)
	}
	_, err = p.to.AcceptKey(t.Context(), camden, other.KeyID())
	must(err)
	for range 2 { // kept, and read anew
		got, err := p.to.Keys(t.Context(), camden)
		must(err)
		for _, k := range got {
			if k.KeyID() != other.KeyID() && k.KeyID() != stolen.KeyID() && k.Revoked.IsZero() {
				t.Errorf("the %s key %s is not revoked any more", k.Use, k.KeyID())
			}
		}
		h, err := p.to.KeyHistory(t.Context(), camden)
		must(err)
		swapped, ok := errors.AsType[*client.SwappedKey](h.Unconfirmed())
		if !ok || swapped.Key != stolen.KeyID() {
			t.Errorf("a key that a revoked one signed for: %+v", swapped)
		}
		_, err = p.to.AcceptKey(t.Context(), camden, other.KeyID())
		must(err)
	}
}
