package vault_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"handover/keys"
	"handover/keys/keystest"
	"handover/keys/vault"
)

// open opens the store of a transit engine for one of the two roles of deploy/vault.
func open(t testing.TB, server *keystest.Vault, mount, dir, role string) *vault.Store {
	t.Helper()
	s, err := vault.Open(vault.Config{Address: server.Addr, Mount: mount,
		RoleIDFile: filepath.Join(dir, role+".role-id"), SecretIDFile: filepath.Join(dir, role+".secret-id")})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// prepare makes a new transit engine with the key that wraps, and returns its mount and
// the folder of the roles' ids.
func prepare(t testing.TB, server *keystest.Vault, mount string) (dir string) {
	t.Helper()
	dir = server.Prepare(mount)
	if err := open(t, server, mount, dir, "operator").EnsureWrapping(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestVaultConforms(t *testing.T) {
	server := keystest.StartVault(t)
	var n atomic.Int32
	keystest.Conform(t, func(t *testing.T) keys.Store {
		mount := fmt.Sprintf("handover-%d", n.Add(1))
		return open(t, server, mount, prepare(t, server, mount), "operator")
	})
}
