// Package packet is pure.
package packet

import (
	_ "handover/keys/jose"
	_ "handover/notify" // want arrow
)
