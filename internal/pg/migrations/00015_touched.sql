-- +goose Up
-- The kid of a compact JWS or JWE: what a key signed, or what is sealed to it, has to be
-- found at once when somebody else may have it. NULL for what is neither, so that one bad
-- row does not hide the others.
-- +goose StatementBegin
CREATE FUNCTION jose_kid(token text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    header text := translate(split_part(substr(token, 1, 2048), '.', 1), '-_', '+/'); -- the gate lets no longer header in
BEGIN
    RETURN convert_from(decode(header || repeat('=', -length(header) & 3), 'base64'), 'UTF8')::jsonb ->> 'kid';
EXCEPTION WHEN data_exception OR character_not_in_repertoire THEN
    RETURN NULL;
END $$;
-- +goose StatementEnd
