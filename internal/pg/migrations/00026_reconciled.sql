-- +goose Up

-- Each time that all rows were held against the log: when, how much there was of both, how many
-- differences. Hubs that share a database see by it that it was done today.
CREATE TABLE audit_reconciled (
    at          timestamptz PRIMARY KEY,
    entries     bigint NOT NULL,
    rows        bigint NOT NULL,
    differences bigint NOT NULL CONSTRAINT audit_reconciled_differences CHECK (differences >= 0),
    log_entry   uuid NOT NULL CONSTRAINT audit_reconciled_entry UNIQUE REFERENCES audit_entry
);
CREATE TRIGGER audit_reconciled_kept BEFORE UPDATE OR DELETE ON audit_reconciled
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_reconciled_not_emptied BEFORE TRUNCATE ON audit_reconciled
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
-- Readiness tells of the last outcome. Only the owner of the schema compares, and writes it.
GRANT SELECT ON audit_reconciled TO handover_hub;

-- What an entry says, for who compares it with a row. NULL for what is no JSON: one entry that
-- somebody has spoilt must not hide what else is wrong.
-- +goose StatementBegin
CREATE FUNCTION audit_said(body bytea) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE AS $$
BEGIN
    RETURN convert_from(body, 'UTF8')::jsonb;
EXCEPTION WHEN data_exception OR character_not_in_repertoire OR untranslatable_character THEN
    RETURN NULL;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION audit_said(bytea) FROM PUBLIC;
