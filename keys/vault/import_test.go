package vault_test

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"

	"handover/keys"
	"handover/keys/jose"
	"handover/keys/keystest"
	"handover/keys/vault"
)

// TestLocalKeysMoveToVault: kids, order and signatures stay as they were, and from then on
// Vault makes the next.
func TestLocalKeysMoveToVault(t *testing.T) {
	server := keystest.StartVault(t)
	dir := prepare(t, server, "transit")
	operator, hub := open(t, server, "transit", dir, "operator"), open(t, server, "transit", dir, "hub")
	local, err := keys.OpenLocal(t.TempDir(), keys.RootFile(filepath.Join(t.TempDir(), "root.key")))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(nil)
	for name, alg := range map[string]jose.Algorithm{"access-token": jose.ES256, "checkpoint": jose.EdDSA} {
		for range 2 {
			if _, err := local.Rotate(t.Context(), name, alg); err != nil {
				t.Fatal(err)
			}
		}
		private, err := local.Export(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time there is nothing left to do
			if err := operator.Import(t.Context(), name, private); err != nil {
				t.Fatal(err)
			}
		}
		was, _ := local.Public(t.Context(), name)
		is, err := hub.Public(t.Context(), name)
		if err != nil || len(was) != 2 || len(is) != 2 || !is[0].Equal(was[0]) || !is[1].Equal(was[1]) {
			t.Errorf("%s: %v in Vault, want %v; %v", name, is, was, err)
		}
		for _, k := range is {
			opts, message := crypto.SHA256, []byte(nil)
			if alg == jose.EdDSA {
				opts, message = 0, digest[:]
			}
			sig, err := hub.Sign(t.Context(), name, k.KeyID(), digest[:], opts)
			if err != nil || !keystest.Verifies(k, message, sig) {
				t.Errorf("%s does not sign as before: %v", name, err)
			}
		}
		next, err := operator.Rotate(t.Context(), name, alg)
		if err != nil || next.KeyID() == is[0].KeyID() {
			t.Errorf("%s: rotated in Vault to %v, %v", name, next, err)
		}
	}
	if _, err := operator.Rotate(t.Context(), "made-there", jose.ES256); err != nil {
		t.Fatal(err)
	}
	other, err := jose.Generate(jose.ES256, jose.P256)
	if err != nil {
		t.Fatal(err)
	}
	if err := operator.Import(t.Context(), "made-there", []jose.PrivateKey{other}); !errors.Is(err, vault.ErrOther) {
		t.Errorf("into a key of Vault's own: %v", err)
	}
	if err := hub.Import(t.Context(), "new", []jose.PrivateKey{other}); !errors.Is(err, keys.ErrUnavailable) {
		t.Errorf("the hub itself imported a key: %v", err)
	}
}
