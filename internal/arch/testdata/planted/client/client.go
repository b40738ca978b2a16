// Package client is what partners import.
package client

import (
	_ "net/http"

	_ "handover/internal/helper"
	_ "handover/keys" // want arrow
	_ "handover/referral/packet"
)
