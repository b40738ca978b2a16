// Package pg is the hub's way to PostgreSQL: the pools and the roles they work in,
// the transaction bound to one partner, the migrations, and the built-in server for
// those who have none.
//
// In the order of a start: builtin_linux.go (a private server under the hub's folder,
// unless HUB_DATABASE_URL names another; place_linux.go says where its files go),
// migrate.go (the schema), pg.go (pools, As, Violates). The server itself, as a
// process and a data directory, is in package cluster.
package pg
