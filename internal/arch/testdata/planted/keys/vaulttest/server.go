package vaulttest

import _ "github.com/hashicorp/vault/api"

func init() {}
