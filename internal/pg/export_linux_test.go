package pg

// Elsewhere is where files go that the server's account cannot reach.
const Elsewhere = elsewhere
