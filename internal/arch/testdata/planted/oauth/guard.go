// Package oauth may use net/http and fosite in any file.
package oauth

import (
	"net/http"

	_ "github.com/coreos/go-oidc/v3/oidc"        // want seam
	_ "github.com/go-webauthn/webauthn/webauthn" // want seam
	_ "github.com/ory/fosite"
	_ "golang.org/x/oauth2" // want seam

	_ "handover/partners"
)

func refuse(w http.ResponseWriter) {
	http.Error(w, "no", 401)  // want call
	_ = http.DefaultClient    // want call
	http.HandleFunc("/", nil) // want call
}
