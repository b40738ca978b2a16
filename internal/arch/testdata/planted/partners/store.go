// Package partners keeps the seams: nothing here is reported.
package partners

import (
	"time"

	_ "github.com/jackc/pgx/v5"

	_ "handover/audit"
	_ "handover/internal/pg"
	_ "handover/keys/jose"
)

type Store struct{ Now func() time.Time }

func Open() *Store {
	s := &Store{Now: time.Now}
	s.Now = time.Now
	return s
}
