package pg

// Confirm is what Open asks of each new connection.
var Confirm = confirm

// Elsewhere is where files go that the server's account cannot reach.
const Elsewhere = elsewhere

// MigrationLock is the advisory lock that hubs migrate under.
const MigrationLock = int64(migrationLock)
