-- +goose Up

-- Two roles do the hub's work, and own nothing:
--   handover_hub  serves requests; row-level security binds it to one partner
--   handover_log  the log's sequencer; only it may write leaves, tiles, checkpoints
-- Nobody logs in as them: the login that runs this file owns the schema, becomes a
-- member of both, and every connection that serves a request starts in one of them.
--
-- Roles belong to the whole server, and several databases of one server may be
-- migrated at once: whoever comes second finds the role, or the membership, made.
-- A login without CREATEROLE can run this file too, if an administrator has made both
-- roles and granted them to it beforehand.

-- +goose StatementBegin
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['handover_hub', 'handover_log'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database's migration was first
        END;

        -- A role that could step around row-level security would make every policy
        -- that follows a decoration.
        IF EXISTS (SELECT FROM pg_roles
                   WHERE rolname = wanted
                     AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)) THEN
            RAISE EXCEPTION 'role % exists with more rights than a plain role: take them away first', wanted;
        END IF;

        IF pg_has_role(current_user, wanted, 'USAGE') THEN
            CONTINUE;
        END IF;
        BEGIN
            EXECUTE format('GRANT %I TO CURRENT_USER', wanted);
        EXCEPTION
            WHEN unique_violation OR internal_error THEN
                NULL; -- another database's migration granted it in the same moment
            WHEN insufficient_privilege THEN
                IF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
                    RAISE EXCEPTION 'login % may not grant itself role %: have an administrator run GRANT % TO %',
                        current_user, wanted, wanted, current_user;
                END IF;
        END;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- What is in this schema is reached by grant only.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO handover_hub, handover_log;
