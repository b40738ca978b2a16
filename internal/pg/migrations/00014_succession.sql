-- +goose Up
-- Each time the log's key was followed by another: a C2SP signed note by both keys, and the
-- entry that tells of it, which is under the first checkpoint that the new key signed. Whoever
-- has pinned one of the keys gets from it to all others: docs/packet.md.
CREATE TABLE audit_succession (
    position  bigint PRIMARY KEY CONSTRAINT audit_succession_position CHECK (position > 0),
    note      text NOT NULL CONSTRAINT audit_succession_note CHECK (octet_length(note) <= 4096),
    log_entry uuid NOT NULL CONSTRAINT audit_succession_entry UNIQUE REFERENCES audit_entry
);
CREATE TRIGGER audit_succession_kept BEFORE UPDATE OR DELETE ON audit_succession
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_succession_not_emptied BEFORE TRUNCATE ON audit_succession
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
GRANT SELECT ON audit_succession TO handover_hub;
GRANT SELECT, INSERT ON audit_succession TO handover_log;
