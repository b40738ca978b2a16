-- +goose Up
-- What a person lets a system do in her name (RFC 6749 §4.1 through RFC 9126), from the
-- pushed request to the last refresh: one row, whose every step is one guarded UPDATE.
-- Of request_uri, code and refresh token only digests are kept; each is random, of 130
-- bits or more, so a digest cannot be searched.

CREATE TABLE oauth_grant (
    id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    client    text NOT NULL REFERENCES partner_client,

    -- The pushed request: a closed list of parameters, never the form as it came, which
    -- has the client's assertion in it.
    request_digest bytea NOT NULL CONSTRAINT oauth_grant_request_once UNIQUE,
    request_expires_at timestamptz NOT NULL,
    redirect_uri text NOT NULL,
    state     text NOT NULL, -- "" is none
    challenge text NOT NULL CONSTRAINT oauth_grant_challenge_form CHECK (length(challenge) = 43),
    scopes    text[] NOT NULL CONSTRAINT oauth_grant_scopes_some CHECK (cardinality(scopes) > 0),
    jkt       text,          -- the DPoP key that the code is bound to (RFC 9449 §10); set by the redemption otherwise

    -- The code: whose it is, and until when it may be redeemed.
    user_id   uuid REFERENCES partner_user,
    proved_at timestamptz,   -- when she last proved who she is
    code_digest bytea CONSTRAINT oauth_grant_code_once UNIQUE,
    code_expires_at timestamptz,
    redeemed_at timestamptz,

    -- The refresh token, which does not change (FAPI 2.0 §5.3.2.1 item 9).
    refresh_digest bytea CONSTRAINT oauth_grant_refresh_once UNIQUE,
    refresh_expires_at timestamptz,

    revoked_at timestamptz,
    log_entry uuid REFERENCES audit_entry, -- of what she granted, or of its end
    CONSTRAINT oauth_grant_steps CHECK (
        num_nulls(user_id, proved_at, code_digest, code_expires_at, log_entry) IN (0, 5)
        AND (redeemed_at IS NULL OR code_digest IS NOT NULL AND jkt IS NOT NULL)
        AND (refresh_digest IS NULL OR redeemed_at IS NOT NULL AND refresh_expires_at IS NOT NULL))
);
CREATE INDEX oauth_grant_by_user ON oauth_grant (user_id) WHERE user_id IS NOT NULL;

-- What counts no more before its time: an access token by its jti, or all tokens of a
-- grant by its id. A row outlives every token it is about.
CREATE TABLE oauth_revoked (
    name  text CONSTRAINT oauth_revoked_once PRIMARY KEY,
    until timestamptz NOT NULL
);

-- A secret that all hubs of one database share, wrapped by the key store: without it,
-- nobody who reads the database can make it.
CREATE TABLE oauth_secret (
    name    text PRIMARY KEY,
    wrapped text NOT NULL
);

GRANT SELECT, INSERT, DELETE ON oauth_grant TO handover_hub;
GRANT UPDATE (jkt, user_id, proved_at, code_digest, code_expires_at, redeemed_at, scopes,
    refresh_digest, refresh_expires_at, revoked_at, log_entry) ON oauth_grant TO handover_hub;
GRANT SELECT, INSERT, DELETE ON oauth_revoked TO handover_hub;
GRANT SELECT, INSERT ON oauth_secret TO handover_hub;
