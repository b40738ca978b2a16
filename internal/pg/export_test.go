package pg

// Confirm is what Open asks of each new connection.
var Confirm = confirm

// MigrationLock is the advisory lock that hubs migrate under.
const MigrationLock = int64(migrationLock)
