// Package pg may speak to the database in any file.
package pg

import (
	_ "github.com/jackc/pgx/v5"
	_ "github.com/pressly/goose/v3"
)
