// Package vault is the one door to Vault.
package vault

import (
	_ "github.com/hashicorp/vault/api"

	_ "handover/keys"
)
