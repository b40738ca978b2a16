-- Roles and database for a PostgreSQL server (15 or newer) that you run yourself.
-- An administrator runs it once, with psql; again does no harm:
--
--     HANDOVER_PASSWORD_FILE=/etc/handover/database-password \
--         psql --no-psqlrc --set ON_ERROR_STOP=1 --dbname postgres --file roles.sql
--
-- Without HANDOVER_PASSWORD_FILE the login gets no password (peer authentication on this
-- machine, or a client certificate).
--
--   handover       the login of the hub: owns the database and its tables, and runs the
--                  migrations. It is neither superuser nor allowed to create roles.
--   handover_hub   what a connection is while it serves a request. Owns nothing; row-level
--                  security binds it to the partner that asks.
--   handover_log   what the log's sequencer is. Only it may write leaves, tiles, checkpoints.
--
-- Nobody logs in as the last two; the login is a member of both and starts its connections in
-- them (the startup parameter role). A connection pooler in between must keep that parameter.

\set ON_ERROR_STOP on

SELECT format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', wanted)
FROM unnest(ARRAY['handover_hub', 'handover_log']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted)
\gexec

SELECT 'CREATE ROLE handover LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'handover')
\gexec

GRANT handover_hub, handover_log TO handover;

\getenv password_file HANDOVER_PASSWORD_FILE
\if :{?password_file}
    \set password `cat "$HANDOVER_PASSWORD_FILE"`
    -- The statement holds the password: no log of the server may repeat it.
    SET log_statement = 'none';
    SET log_min_duration_statement = -1;
    SET log_min_error_statement = 'panic';
    SET password_encryption = 'scram-sha-256';
    ALTER ROLE handover PASSWORD :'password';
    RESET log_statement;
    RESET log_min_duration_statement;
    RESET log_min_error_statement;
\endif

-- C collation: ids and keys sort by their bytes, the same on every machine and after
-- every upgrade of the operating system.
SELECT 'CREATE DATABASE handover OWNER handover TEMPLATE template0 ENCODING ''UTF8'' LC_COLLATE ''C'' LC_CTYPE ''C'''
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'handover')
\gexec

REVOKE ALL ON DATABASE handover FROM PUBLIC;
GRANT CONNECT ON DATABASE handover TO handover;
