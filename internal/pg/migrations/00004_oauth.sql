-- +goose Up
-- What the authorization server and the guard must remember: which client
-- assertions and which DPoP proofs have been used. Digests only; no token, no key
-- and no address is kept.

-- A used client assertion (RFC 7523 §3 item 7), by the digest of client and jti.
-- It outlives every moment at which the assertion could still be accepted, and is
-- then pruned.
CREATE TABLE oauth_assertion (
    digest bytea CONSTRAINT oauth_assertion_once PRIMARY KEY
           CONSTRAINT oauth_assertion_digest_length CHECK (length(digest) = 32),
    seen   timestamptz NOT NULL DEFAULT now()
);

-- A used DPoP proof (RFC 9449 §11.1), by the digest of its key and jti. Every
-- request writes one, so the table is unlogged: it costs no write-ahead log and no
-- flush, and a crash of the server empties it. oauth_memory makes that safe. It has
-- no CHECK, which each INSERT would read anew from the catalogue.
CREATE UNLOGGED TABLE oauth_proof (
    digest bytea CONSTRAINT oauth_proof_once PRIMARY KEY,
    seen   timestamptz NOT NULL DEFAULT now()
);

-- Since when oauth_proof remembers everything that was accepted. Being unlogged,
-- this row is lost in the same crash as the proofs, and while it is missing no
-- proof is accepted; the row that replaces it refuses every proof that may have
-- been used before the crash. (The server's start time would not do: it stays the
-- same when the server restarts itself after one of its processes was killed.)
CREATE UNLOGGED TABLE oauth_memory (
    one   boolean CONSTRAINT oauth_memory_one_row PRIMARY KEY DEFAULT true CHECK (one),
    since timestamptz NOT NULL
);
INSERT INTO oauth_memory (since) VALUES ('-infinity');

-- The latest time of issue, ahead of the hub's clock, that an accepted proof
-- carried. It survives a crash, so that such a proof cannot be used again after
-- one although its time lies after the crash.
CREATE TABLE oauth_ahead (
    one    boolean CONSTRAINT oauth_ahead_one_row PRIMARY KEY DEFAULT true CHECK (one),
    issued timestamptz NOT NULL
);
INSERT INTO oauth_ahead (issued) VALUES ('-infinity');

-- Both tables turn over completely every few minutes: vacuum early.
ALTER TABLE oauth_assertion SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
ALTER TABLE oauth_proof SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 10000);

GRANT SELECT, INSERT, DELETE ON oauth_assertion, oauth_proof TO handover_hub;
GRANT SELECT, INSERT ON oauth_memory TO handover_hub;
GRANT SELECT, UPDATE (issued) ON oauth_ahead TO handover_hub;
