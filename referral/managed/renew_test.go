package managed_test

import (
	"errors"
	"net/http"
	"testing"

	"handover/audit/proof"
	"handover/internal/hubtest"
	"handover/keys/jose"
	"handover/partners"
)

// The hub replaces the keys that it holds for an agency: what waits and what is on its way
// stays readable, the next act is signed by the new key, and the old one has signed for it.
func TestManagedKeysAreRenewedAndNothingIsLost(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	waiting, _ := s.sent(t)
	consent := s.consent(t)
	old := newestSigning(t, s)
	before := s.hub.Logged(t)
	if err := s.hub.Operator.Renew(t.Context(), s.hub.Keys(), hubtest.Issuer, s.managed.ID); err != nil {
		t.Fatal(err)
	}
	fresh := newestSigning(t, s)
	if fresh == old {
		t.Fatal("the signing key is the old one")
	}
	added := 0
	for _, e := range s.hub.Entries(t, before) {
		if e.Act == proof.KeyAdded {
			if added++; e.Key.Introduced != proof.Countersigned || e.Key.By != old || e.Key.Custody != string(partners.HeldByHub) {
				t.Errorf("logged %+v", *e.Key)
			}
		}
	}
	if added != 2 {
		t.Errorf("%d keys were added", added)
	}
	late, _ := s.sent(t) // sealed to the old key still, as by a sender who looked a moment ago
	for _, id := range []string{waiting, late} {
		var got opened
		if s.open(t, s.worker, id, opening("need")).Into(t, http.StatusOK, &got); got.Sections["need"].Text != canary {
			t.Errorf("%s opens as %+v", id, got)
		}
	}
	receipt := s.refer(t, s.request(consent))
	signed, err := jose.ParseSigned(hubtest.Value[string](t, s.hub, `SELECT envelope FROM packet WHERE digest = $1`, receipt.Envelope), 64<<10, "handover-envelope+jwt")
	if err != nil || signed.KeyID() != fresh {
		t.Errorf("signed by another key than the new one: %v", err)
	}
}

func newestSigning(t *testing.T, s scene) string {
	t.Helper()
	return hubtest.Value[string](t, s.hub, `SELECT kid FROM partner_key WHERE partner = $1 AND use = 'signing' ORDER BY not_before DESC LIMIT 1`, string(s.managed.ID))
}

// A renewal that was cut off after the store had made its key is finished by the next.
func TestARenewalThatWasCutOffIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	spare, err := s.hub.Keys().Rotate(t.Context(), partners.SigningKeyName(s.managed.ID), jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	s.refer(t, s.request(s.consent(t))) // meanwhile the registered one signs
	if err := s.hub.Operator.Renew(t.Context(), s.hub.Keys(), hubtest.Issuer, s.managed.ID); err != nil {
		t.Fatal(err)
	}
	if kid := newestSigning(t, s); kid != spare.KeyID() {
		t.Errorf("the key of the first try was left unused for %s", kid)
	}
	s.refer(t, s.request(s.consent(t)))
	for id, want := range map[partners.ID]error{s.own.ID: partners.ErrNotManaged, "nobody": partners.ErrNotThere, "No One": partners.ErrNotThere} {
		if err := s.hub.Operator.Renew(t.Context(), s.hub.Keys(), hubtest.Issuer, id); !errors.Is(err, want) {
			t.Errorf("renewing %s: %v, want %v", id, err, want)
		}
	}
}

// Keys that were revoked are replaced too: until then nothing new is signed or sealed, and
// what waits is opened all the same.
func TestRevokedManagedKeysLockNobodyOut(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	waiting, _ := s.sent(t)
	consent := s.consent(t)
	admin := s.hub.Person(t, s.managed.ID, partners.Administrator)
	for _, kid := range hubtest.Column[string](t, s.hub, `SELECT kid FROM partner_key WHERE partner = $1 AND custody = 'hub'`, string(s.managed.ID)) {
		if a := admin.Post(t, "/v1/keys/"+kid+"/revoke", members{"reason": "compromised"}); a.Status != http.StatusNoContent {
			t.Fatalf("revoking: %d %s", a.Status, a.Body)
		}
	}
	var got opened
	if s.open(t, s.worker, waiting, opening("need")).Into(t, http.StatusOK, &got); got.Sections["need"].Text != canary {
		t.Errorf("it opens as %+v", got)
	}
	s.refused(t, "signing with a revoked key", http.StatusConflict, "not-managed", func() hubtest.Answer {
		return s.worker.Do(t, call("/v1/managed/referrals", s.request(consent)))
	})
	before := s.hub.Logged(t)
	if err := s.hub.Operator.Renew(t.Context(), s.hub.Keys(), hubtest.Issuer, s.managed.ID); err != nil {
		t.Fatal(err)
	}
	introduced := map[string]string{}
	for _, e := range s.hub.Entries(t, before) {
		if e.Act == proof.KeyAdded {
			introduced[e.Key.Use] = e.Key.Introduced
		}
	}
	if introduced["signing"] != proof.SelfSigned || introduced["encryption"] != proof.Countersigned {
		t.Errorf("introduced %v", introduced)
	}
	s.refer(t, s.request(consent))
	if late, _ := s.sent(t); late != "" {
		s.open(t, s.worker, late, opening("need")).Into(t, http.StatusOK, &got)
	}
}
