// Package cluster runs a PostgreSQL server of our own from the binaries found on the
// machine: one data directory, one Unix socket, one process tree. It knows files and
// processes, and speaks no SQL.
//
// binaries.go finds the server, account.go decides whom it runs as, cluster.go makes a
// data directory, server.go runs a server on it that cannot outlive us, and
// predecessor.go waits for one that is still ending.
package cluster
