//go:build !linux

package pg

import (
	"context"
	"errors"
	"log/slog"
)

// ErrNoBinaries says that the built-in PostgreSQL is not for this system.
var ErrNoBinaries = errors.New("the built-in PostgreSQL runs on Linux only: set HUB_DATABASE_URL to use a server")

// ErrInUse is never returned here.
var ErrInUse = errors.New("another hub is using this folder")

// BuiltIn is a private PostgreSQL server; there is none on this system.
type BuiltIn struct{}

// StartBuiltIn returns ErrNoBinaries.
func StartBuiltIn(context.Context, string, *slog.Logger) (*BuiltIn, error) {
	return nil, ErrNoBinaries
}

// URL is the address of the hub's database.
func (*BuiltIn) URL() string { return "" }

// Pid is the number of the server's first process.
func (*BuiltIn) Pid() int { return 0 }

// Done is closed when the server has ended.
func (*BuiltIn) Done() <-chan struct{} { return nil }

// Err returns why the server ended.
func (*BuiltIn) Err() error { return nil }

// Stop ends the server.
func (*BuiltIn) Stop() error { return nil }
