// Package proof is pure, or should be.
package proof

import (
	_ "context"
	_ "crypto/rand"
	_ "net" // want pure
	_ "net/url"
	_ "os"            // want pure
	_ "path/filepath" // want pure

	_ "golang.org/x/mod/sumdb/note"
	_ "golang.org/x/time/rate" // want pure

	_ "handover/internal/httpd" // want arrow
	_ "handover/keys/jose"      // want arrow
)
