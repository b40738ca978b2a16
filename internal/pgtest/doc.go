// Package pgtest gives each test a PostgreSQL database of its own, migrated and empty.
//
// All test binaries of one machine and account share one server that is not durable
// (no fsync), so initdb is paid once; each database is cloned from a template that is
// migrated once for each version of the migrations. server.go joins or starts the
// server, keeper.sh ends it, template.go makes the template, pgtest.go hands out
// databases.
//
// The server's life hangs on a FIFO: each test binary holds its writing end open, and a
// small shell script, the keeper, holds the reading end. When the last binary has
// gone, whether it ended, crashed or was killed, the keeper reads an end of file, waits
// a few seconds for the next one, shuts the server down and removes every file.
package pgtest
