-- +goose Up

-- The audit log. An entry is written in the transaction of what it records; a
-- sequencer then gives it a place in an RFC 6962 tree and signs a checkpoint.
--
--   audit_entry       what was done, its salt, and the leaf that commits to both
--   audit_pending     the entries that have no place yet
--   audit_leaf        the place of an entry, and the first checkpoint that covered it
--   audit_tile        the tree's hashes, 256 to a row (C2SP tlog-tiles)
--   audit_checkpoint  each signed tree head
--   audit_anonymous   refusals of strangers, counted by the hour
--
-- Who may do what: handover_hub appends entries and reads those of its partner;
-- only handover_log writes the tree. Triggers refuse changes even to roles that
-- hold the privilege. Triggers stop mistakes; whoever owns the database can get
-- round them, and it is the tree and the checkpoints that others keep which show it.
--
-- Erasure: when the set period of an entry is over, its salt and body are set to
-- NULL, and nothing else. The leaf stays and every proof still verifies, while
-- without the salt the leaf tells nothing. The trigger below allows exactly that
-- change. No role may do it yet: whoever introduces retention creates a role for it
-- and grants it UPDATE (salt, body) and SELECT on audit_entry, with a policy.

CREATE TABLE audit_entry (
    id      uuid        NOT NULL,
    at      timestamptz NOT NULL,
    partner text        NOT NULL,
    other   text        NOT NULL,
    act     text        NOT NULL,
    outcome text        NOT NULL,
    salt    bytea,
    body    bytea,
    leaf    bytea       NOT NULL,
    CONSTRAINT audit_entry_pkey PRIMARY KEY (id)
);
-- What else must hold of an entry is checked by the trigger audit_entry_well_formed
-- below. As CHECK constraints the same conditions are read anew from the catalogue by
-- each INSERT, which then takes four times as long (66 µs for 15); each accepted
-- packet waits for one.

-- A row here is written in the statement that writes the entry, and taken away in
-- the transaction that gives the entry its place. Ids and times are not commit
-- order, so no watermark on them could tell which entries still wait.
CREATE TABLE audit_pending (
    entry uuid NOT NULL,
    CONSTRAINT audit_pending_pkey PRIMARY KEY (entry),
    CONSTRAINT audit_pending_entry FOREIGN KEY (entry) REFERENCES audit_entry (id)
);

-- It is always nearly empty and never at rest: left to the usual thresholds, dead
-- rows would make each look at it slower.
ALTER TABLE audit_pending SET (
    autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
    autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000);

CREATE TABLE audit_leaf (
    idx   bigint NOT NULL,
    entry uuid   NOT NULL,
    size  bigint NOT NULL,
    CONSTRAINT audit_leaf_pkey PRIMARY KEY (idx),
    CONSTRAINT audit_leaf_entry_once UNIQUE (entry),
    CONSTRAINT audit_leaf_covered CHECK (idx >= 0 AND size > idx)
);

CREATE TABLE audit_tile (
    level smallint NOT NULL,
    n     bigint   NOT NULL,
    data  bytea    NOT NULL,
    CONSTRAINT audit_tile_pkey PRIMARY KEY (level, n),
    CONSTRAINT audit_tile_place CHECK (level BETWEEN 0 AND 7 AND n >= 0),
    CONSTRAINT audit_tile_whole_hashes CHECK (octet_length(data) BETWEEN 32 AND 8192 AND octet_length(data) % 32 = 0)
);
-- Hashes do not compress; trying costs time at each checkpoint. A tile that is not full
-- fits into a page, and stays there.
ALTER TABLE audit_tile ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE audit_tile SET (
    toast_tuple_target = 8160,
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500,
    toast.autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_vacuum_threshold = 500);

CREATE TABLE audit_checkpoint (
    size bigint NOT NULL,
    note bytea  NOT NULL,
    CONSTRAINT audit_checkpoint_pkey PRIMARY KEY (size),
    CONSTRAINT audit_checkpoint_size CHECK (size >= 0 AND octet_length(note) <= 65536)
);

-- One row an hour and code, turned into one entry when the hour has passed, so
-- that strangers cannot flood the log.
CREATE TABLE audit_anonymous (
    hour  timestamptz NOT NULL,
    code  text        NOT NULL,
    count bigint      NOT NULL,
    CONSTRAINT audit_anonymous_pkey PRIMARY KEY (hour, code),
    CONSTRAINT audit_anonymous_code CHECK (code ~ '^[a-z][a-z0-9-]{0,63}$'),
    CONSTRAINT audit_anonymous_counted CHECK (count > 0)
);

-- +goose StatementBegin
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_append_only';
END $$;
-- +goose StatementEnd

-- The leaf commits to the salt and the body, or the entry is not stored.
-- +goose StatementBegin
CREATE FUNCTION audit_entry_well_formed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text;
BEGIN
    broken := CASE
        WHEN NEW.act !~ '^[a-z][a-z0-9.-]{0,63}$' THEN 'audit_entry_act'
        WHEN NEW.salt IS NULL OR octet_length(NEW.salt) <> 32 THEN 'audit_entry_salt'
        WHEN NEW.body IS NULL OR octet_length(NEW.body) > 16384 THEN 'audit_entry_body'
        WHEN NEW.leaf <> '\x01'::bytea || sha256('handover-audit-v1\000'::bytea || NEW.salt || NEW.body)
            THEN 'audit_entry_commitment'
    END;
    IF broken IS NULL THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the entry is not well formed' USING ERRCODE = 'check_violation', CONSTRAINT = broken;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION audit_entry_only_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.salt IS NULL AND NEW.body IS NULL
       AND (NEW.id, NEW.at, NEW.partner, NEW.other, NEW.act, NEW.outcome, NEW.leaf)
         = (OLD.id, OLD.at, OLD.partner, OLD.other, OLD.act, OLD.outcome, OLD.leaf) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an entry may only be erased'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_append_only';
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION audit_tile_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.level = OLD.level AND NEW.n = OLD.n
       AND octet_length(NEW.data) > octet_length(OLD.data)
       AND substr(NEW.data, 1, octet_length(OLD.data)) = OLD.data THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a tile may only grow'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_append_only';
END $$;
-- +goose StatementEnd

CREATE TRIGGER audit_entry_well_formed BEFORE INSERT ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_well_formed();
CREATE TRIGGER audit_entry_only_erased BEFORE UPDATE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_only_erased();
CREATE TRIGGER audit_entry_kept BEFORE DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_entry_not_emptied BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_pending_not_changed BEFORE UPDATE ON audit_pending
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_pending_not_emptied BEFORE TRUNCATE ON audit_pending
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_leaf_kept BEFORE UPDATE OR DELETE ON audit_leaf
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_leaf_not_emptied BEFORE TRUNCATE ON audit_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_tile_only_grows BEFORE UPDATE ON audit_tile
    FOR EACH ROW EXECUTE FUNCTION audit_tile_only_grows();
CREATE TRIGGER audit_tile_kept BEFORE DELETE ON audit_tile
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_tile_not_emptied BEFORE TRUNCATE ON audit_tile
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_checkpoint_kept BEFORE UPDATE OR DELETE ON audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_checkpoint_not_emptied BEFORE TRUNCATE ON audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();

-- The hub writes entries for every partner and for itself, so what it appends is
-- not narrowed; what it reads is: the entries that the partner it is bound to made
-- or is named in.
ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_entry_append ON audit_entry FOR INSERT TO handover_hub, handover_log
    WITH CHECK (true);
CREATE POLICY audit_entry_parties ON audit_entry FOR SELECT TO handover_hub
    USING (nullif(current_setting('hub.partner', true), '') IN (partner, other));
CREATE POLICY audit_entry_sequencer ON audit_entry FOR SELECT TO handover_log
    USING (true);

GRANT SELECT, INSERT ON audit_entry TO handover_hub, handover_log;
GRANT INSERT ON audit_pending TO handover_hub;
GRANT SELECT, INSERT, DELETE ON audit_pending TO handover_log;
GRANT SELECT ON audit_leaf, audit_tile, audit_checkpoint TO handover_hub;
GRANT SELECT, INSERT ON audit_leaf, audit_checkpoint TO handover_log;
GRANT SELECT, INSERT, UPDATE ON audit_tile TO handover_log;
GRANT SELECT, INSERT, UPDATE, DELETE ON audit_anonymous TO handover_log;
