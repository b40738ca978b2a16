-- +goose Up

-- What a signed statement (a compact JWS) says, for who compares it with the columns that were
-- taken out of it, by which the hub decides. NULL for what is none: one statement that
-- somebody has spoilt must not hide what else is wrong. The signature is not verified here: the
-- entry in the log has the statement's digest.
-- +goose StatementBegin
CREATE FUNCTION audit_payload(token text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE AS $$
DECLARE
    part text := translate(split_part(token, '.', 2), '-_', '+/');
BEGIN
    RETURN convert_from(decode(rpad(part, (length(part) + 3) / 4 * 4, '='), 'base64'), 'UTF8')::jsonb;
EXCEPTION WHEN data_exception OR character_not_in_repertoire OR untranslatable_character THEN
    RETURN NULL;
END $$;

-- A time as entries write it; NULL for what is none.
CREATE FUNCTION audit_time(text) RETURNS timestamptz LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE AS $$
BEGIN
    RETURN $1::timestamptz;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION audit_payload(text), audit_time(text) FROM PUBLIC;
