-- +goose Up
-- Who holds the private part of a key: the partner itself, or the hub for it. Whoever
-- judges a signature is told: what the hub signed for an agency is not what the agency
-- signed. It never changes, since what the hub has held once it may hold still; an agency
-- that moves takes new keys.
ALTER TABLE partner_key ADD custody text NOT NULL DEFAULT 'partner'
    CONSTRAINT partner_key_custody CHECK (custody IN ('partner', 'hub') AND (custody = 'partner' OR use <> 'authentication'));

-- The private encryption keys that the hub holds for a partner, each wrapped by the key
-- store for this partner, kid, use and version and for no other: a row that is moved does
-- not open. They are added and destroyed; nothing of them changes.
CREATE TABLE managed_key (
    partner   text NOT NULL,
    kid       text NOT NULL,
    use       text NOT NULL CONSTRAINT managed_key_use CHECK (use = 'encryption'),
    version   integer NOT NULL CONSTRAINT managed_key_version CHECK (version > 0),
    wrapped   text NOT NULL,
    log_entry uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT managed_key_once PRIMARY KEY (partner, kid),
    CONSTRAINT managed_key_version_once UNIQUE (partner, use, version),
    CONSTRAINT managed_key_public FOREIGN KEY (partner, kid) REFERENCES partner_key
);
ALTER TABLE managed_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY managed_key_own ON managed_key
    USING (partner = nullif(current_setting('hub.partner', true), ''));

-- The key under which requests of managed partners are digested, wrapped by the key store:
-- all hubs of one database share it, and nobody who reads the database has it.
CREATE TABLE managed_secret (
    name    text PRIMARY KEY,
    wrapped text NOT NULL
);

-- What a packet was asked for with, where the hub sealed and signed it: a keyed digest of
-- the request, by which the same request finds its receipt although no two seals are the
-- same bytes. Never the request itself.
ALTER TABLE packet ADD request_mac bytea CONSTRAINT packet_request_mac_length CHECK (length(request_mac) = 32);

GRANT SELECT, INSERT, DELETE ON managed_key TO handover_hub;
GRANT SELECT, INSERT ON managed_secret TO handover_hub;
