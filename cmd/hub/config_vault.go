package main

import (
	"errors"
	"net/url"
)

// Where keys are kept, as HUB_KEYS and hub keys list say it.
const (
	inLocal = "local"
	inVault = "vault"
)

// completeVault checks how Vault is reached. Away from this machine it is by TLS: what
// is wrapped and unwrapped travels in the requests.
func (c *Config) completeVault() error {
	if c.VaultAddress == "" {
		if c.KeyStore == inVault {
			return errors.New("HUB_KEYS: set VAULT_ADDR too, or there is no Vault")
		}
		if c.KeyStore != "" && c.KeyStore != inLocal {
			return errors.New("HUB_KEYS: must be local or vault")
		}
		c.KeyStore = inLocal
		return nil
	}
	if c.KeyStore == "" {
		c.KeyStore = inVault
	}
	if c.KeyStore != inLocal && c.KeyStore != inVault {
		return errors.New("HUB_KEYS: must be local or vault")
	}
	u, err := url.Parse(c.VaultAddress)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme+"://"+u.Host != c.VaultAddress {
		return errors.New("VAULT_ADDR: must be a URL of scheme, host and port only, such as https://vault.example:8200")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return errors.New("VAULT_ADDR: must begin with https://, unless the host is localhost")
	}
	if c.VaultRoleIDFile == "" || c.VaultSecretIDFile == "" {
		return errors.New("VAULT_ADDR: set HUB_VAULT_ROLE_ID_FILE and HUB_VAULT_SECRET_ID_FILE too; deploy/vault/setup.sh writes both")
	}
	for name, path := range map[string]string{"HUB_VAULT_ROLE_ID_FILE": c.VaultRoleIDFile, "HUB_VAULT_SECRET_ID_FILE": c.VaultSecretIDFile} {
		if _, err := readSecret(path); err != nil {
			return errors.New(name + ": " + err.Error())
		}
	}
	return nil
}
