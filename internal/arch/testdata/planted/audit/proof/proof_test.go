package proof

import (
	_ "os"

	_ "handover/internal/fault"
)
