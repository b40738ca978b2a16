// Package utils does not say what it is.
package utils // want name

import (
	"net/http"

	_ "handover/keys" // want arrow
	_ "handover/referral"
)

func away(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", 303) }
