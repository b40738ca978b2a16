// Package audit imports no domain.
package audit

import (
	_ "golang.org/x/mod/sumdb/tlog"

	_ "handover/audit/proof"
	_ "handover/keys"     // want arrow
	_ "handover/partners" // want arrow
)
