package partners_test

import (
	"errors"
	"testing"

	"handover/internal/hubtest"
	"handover/keys/jose"
	"handover/partners"
)

// TestAnAdministratorsSigningOutEndsWhatSheWasAbout: a request that was admitted before and
// is sent slowly, and the leave for a system that somebody made at her screen.
func TestAnAdministratorsSigningOutEndsWhatSheWasAbout(t *testing.T) {
	t.Parallel()
	h := hubtest.New(t)
	h.Agency(t, "rosewood", partners.Housing)
	admin := h.Person(t, "rosewood", partners.Administrator).Caller(t)
	token, _, err := h.Registry.InviteSystem(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	kept, _, err := h.Registry.InviteSystem(t.Context(), h.Person(t, "rosewood", partners.Administrator).Caller(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Registry.SignOut(t.Context(), admin, admin.User()); err != nil {
		t.Fatal(err)
	}
	logged := h.Logged(t)
	if _, err := h.Registry.AddPerson(t.Context(), admin, "Eve Example", partners.Administrator); !errors.Is(err, partners.ErrScope) {
		t.Errorf("she adds somebody: %v", err)
	}
	if _, _, err := h.Registry.InviteSystem(t.Context(), admin); !errors.Is(err, partners.ErrScope) {
		t.Errorf("she gives leave: %v", err)
	}
	if n := h.Logged(t); n != logged {
		t.Errorf("%d acts are logged", n-logged)
	}
	key, err := jose.Generate(jose.ES256, jose.P256)
	if err != nil {
		t.Fatal(err)
	}
	system := partners.Registration{Name: "Night rota", Scopes: []partners.Scope{partners.ReferralsSend}, Grants: []string{"client_credentials"},
		Keys: []jose.PublicKey{key.Public()}}
	if _, err := h.Registry.Register(t.Context(), token, system); !errors.Is(err, partners.ErrInitialToken) {
		t.Errorf("the leave she gave: %v", err)
	}
	if _, err := h.Registry.Register(t.Context(), kept, system); err != nil {
		t.Errorf("her colleague's: %v", err)
	}
}
