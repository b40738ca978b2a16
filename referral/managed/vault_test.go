package managed_test

import (
	"errors"
	"net/http"
	"path/filepath"
	"testing"

	"handover/internal/hubtest"
	"handover/keys"
	"handover/keys/jose"
	"handover/keys/keystest"
	"handover/keys/vault"
	"handover/partners"
)

// Every act is done through a real Vault under the hub's own AppRole, which may make no
// keys: the operator's does.
func TestActsThroughVault(t *testing.T) {
	t.Parallel()
	server := keystest.StartVault(t)
	dir := server.Prepare("transit")
	as := func(role string) *vault.Store {
		store, err := vault.Open(vault.Config{Address: server.Addr,
			RoleIDFile: filepath.Join(dir, role+".role-id"), SecretIDFile: filepath.Join(dir, role+".secret-id")})
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	operator := as("operator")
	err := errors.Join(operator.EnsureWrapping(t.Context()), keys.Ensure(t.Context(), operator, "access-token", jose.ES256),
		keys.Ensure(t.Context(), operator, "checkpoint", jose.EdDSA))
	if err != nil {
		t.Fatal(err)
	}
	h := hubtest.Keeping(t, as("hub"))
	agency, _ := h.Invited(t, "rosewood", partners.Housing)
	if err := h.Operator.Manage(t.Context(), h.Keys(), hubtest.Issuer, agency.ID); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("the hub's role makes an agency's keys: %v", err)
	}
	if err := h.Operator.Manage(t.Context(), operator, hubtest.Issuer, agency.ID); err != nil {
		t.Fatal(err)
	}
	s := sceneOf(t, h, agency)
	waiting, _ := s.sent(t)
	consent := s.consent(t)
	s.refer(t, s.request(consent))
	reads := func(id string) {
		t.Helper()
		var got opened
		if s.open(t, s.worker, id, opening("need")).Into(t, http.StatusOK, &got); got.Sections["need"].Text != canary {
			t.Errorf("it opens as %+v", got)
		}
	}
	reads(waiting)
	if err := h.Operator.Renew(t.Context(), operator, hubtest.Issuer, agency.ID); err != nil {
		t.Fatal(err)
	}
	reads(waiting)
	s.refer(t, s.request(consent))

	server.Seal()
	s.refused(t, "opening while Vault is sealed", http.StatusServiceUnavailable, "keys-unavailable", func() hubtest.Answer {
		return s.open(t, s.worker, waiting, opening("need"))
	})
	s.refused(t, "sending while Vault is sealed", http.StatusServiceUnavailable, "keys-unavailable", func() hubtest.Answer {
		return s.worker.Do(t, call("/v1/managed/referrals", s.request(consent)))
	})
	server.Unseal()
	reads(waiting)
}
