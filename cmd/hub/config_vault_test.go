package main

import (
	"strings"
	"testing"
)

func TestVaultIsReachedSafelyOrNotAtAll(t *testing.T) {
	files := []string{"HUB_VAULT_ROLE_ID_FILE=" + file(t, "a role id"), "HUB_VAULT_SECRET_ID_FILE=" + file(t, "a secret id")}
	for _, row := range []struct {
		name, want string
		env        []string
	}{
		{"on this machine", "", []string{"VAULT_ADDR=http://127.0.0.1:8200"}},
		{"elsewhere", "", []string{"VAULT_ADDR=https://vault.example:8200"}},
		{"elsewhere in clear", "VAULT_ADDR: must begin with https://", []string{"VAULT_ADDR=http://vault.example:8200"}},
		{"with a path", "VAULT_ADDR: must be a URL", []string{"VAULT_ADDR=https://vault.example:8200/v1"}},
		{"with a user", "VAULT_ADDR: must be a URL", []string{"VAULT_ADDR=https://me@vault.example:8200"}},
		{"keys still local", "", []string{"VAULT_ADDR=https://vault.example:8200", "HUB_KEYS=local"}},
		{"keys nowhere", "HUB_KEYS: must be", []string{"VAULT_ADDR=https://vault.example:8200", "HUB_KEYS=tpm"}},
		{"keys nowhere, no Vault", "HUB_KEYS: must be", []string{"HUB_KEYS=tpm"}},
		{"keys in no Vault", "HUB_KEYS: set VAULT_ADDR", []string{"HUB_KEYS=vault"}},
	} {
		_, err := load(append(row.env, files...))
		if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %v, want %q", row.name, err, row.want)
		}
	}
	if _, err := load([]string{"VAULT_ADDR=https://vault.example:8200"}); err == nil || !strings.Contains(err.Error(), "HUB_VAULT_ROLE_ID_FILE") {
		t.Errorf("without an AppRole: %v", err)
	}
	_, err := load([]string{"VAULT_ADDR=https://vault.example:8200", files[0], "HUB_VAULT_SECRET_ID_FILE=" + canary})
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("a secret in the place of its file: %v", err)
	}
	c, err := load([]string{"VAULT_ADDR=https://vault.example:8200", files[0], files[1]})
	if err != nil || c.KeyStore != inVault {
		t.Errorf("with a Vault, keys are in %q, %v", c.KeyStore, err)
	}
}
