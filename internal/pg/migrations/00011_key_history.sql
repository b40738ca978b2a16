-- +goose Up
-- The history of each partner's public keys: what was added, given an earlier end, or
-- revoked, in order, each with its own entry in the log and the statement by which the
-- partner signed for it. Everybody reads it, as the keys themselves. A client that has read
-- it once refuses a hub that tells it otherwise later: docs/keys.md.
CREATE TABLE partner_key_change (
    partner   text NOT NULL REFERENCES partner,
    position  bigint NOT NULL CONSTRAINT partner_key_change_position CHECK (position > 0),
    kid       text NOT NULL,
    change    text NOT NULL CONSTRAINT partner_key_change_kind CHECK (change IN ('added', 'ended', 'revoked')),
    statement text CONSTRAINT partner_key_change_statement CHECK (statement IS NULL OR change = 'added'),
    log_entry uuid NOT NULL CONSTRAINT partner_key_change_entry UNIQUE REFERENCES audit_entry,
    PRIMARY KEY (partner, position),
    CONSTRAINT partner_key_change_key FOREIGN KEY (partner, kid) REFERENCES partner_key
);
CREATE UNIQUE INDEX partner_key_change_once ON partner_key_change (partner, kid, change) WHERE change <> 'ended';

CREATE TRIGGER partner_key_change_append_only BEFORE UPDATE OR DELETE ON partner_key_change
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER partner_key_change_not_emptied BEFORE TRUNCATE ON partner_key_change
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();

ALTER TABLE partner_key_change ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_key_change_directory ON partner_key_change FOR SELECT USING (true);
CREATE POLICY partner_key_change_made ON partner_key_change FOR INSERT
    WITH CHECK (partner = nullif(current_setting('hub.partner', true), ''));
GRANT SELECT, INSERT ON partner_key_change TO handover_hub;
