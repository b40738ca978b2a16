// Package signin alone may use the libraries of passkeys and of others' providers.
package signin

import (
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "github.com/go-webauthn/webauthn/webauthn"
	_ "golang.org/x/oauth2"
)
