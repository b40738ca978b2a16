-- +goose Up
-- How people sign in: their passkeys, their agency's own provider, their sessions. Of every
-- secret that a browser holds (session, ceremony) only the SHA-256 is kept; each is random,
-- of 256 bits, so a digest cannot be searched.

-- A challenge on its way to a browser and back (WebAuthn §7.1, §7.2), or a person on her way
-- to her provider and back. Whoever deletes the row has the one answer. Unlogged: what a
-- crash takes is begun again.
CREATE UNLOGGED TABLE oauth_ceremony (
    digest    bytea PRIMARY KEY CONSTRAINT oauth_ceremony_digest_length CHECK (length(digest) = 32), -- of the browser's cookie
    kind      text NOT NULL CONSTRAINT oauth_ceremony_kind CHECK (kind IN ('sign-in', 'join', 'add', 'step-up', 'provider')),
    state     text NOT NULL, -- the challenge and what was asked of the browser
    subject   uuid,          -- the person, where she is known
    partner   text,
    bound     bytea,         -- digest of what the answer must come with: the link's code, the session
    expires_at timestamptz NOT NULL
);
CREATE INDEX oauth_ceremony_by_end ON oauth_ceremony (expires_at);

-- A person's passkeys (WebAuthn §4, credential record). Never the attestation: it would tell
-- which device she has, and decides nothing here.
CREATE TABLE oauth_passkey (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    credential bytea NOT NULL CONSTRAINT oauth_passkey_once UNIQUE
               CONSTRAINT oauth_passkey_credential_length CHECK (length(credential) BETWEEN 1 AND 1023),
    user_id    uuid NOT NULL REFERENCES partner_user,
    partner    text NOT NULL REFERENCES partner,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL CONSTRAINT oauth_passkey_count CHECK (sign_count BETWEEN 0 AND 4294967295),
    synced     boolean NOT NULL, -- flag BE: it may be on several devices of hers
    transports text[] NOT NULL,
    device     text NOT NULL CONSTRAINT oauth_passkey_device CHECK (length(device) BETWEEN 1 AND 40),
    made_at    timestamptz NOT NULL,
    used_at    timestamptz NOT NULL,
    revoked_at timestamptz,
    log_entry  uuid NOT NULL REFERENCES audit_entry
);
CREATE INDEX oauth_passkey_by_user ON oauth_passkey (user_id);

-- What is revoked stays so, and no counter goes back: a lower one is a copied key.
-- +goose StatementBegin
CREATE FUNCTION oauth_passkey_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.revoked_at IS NOT NULL OR NEW.sign_count < OLD.sign_count THEN
        RAISE EXCEPTION 'a passkey does not come back' USING CONSTRAINT = 'oauth_passkey_final', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER oauth_passkey_final BEFORE UPDATE ON oauth_passkey
    FOR EACH ROW EXECUTE FUNCTION oauth_passkey_final();

-- Whose a passkey is, for whoever brings it to sign in: before that nobody knows whose
-- partner's session it will be. It answers for exactly that credential and no other.
-- +goose StatementBegin
CREATE FUNCTION passkey_owner(asked bytea) RETURNS TABLE (user_id uuid, partner text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.user_id, k.partner FROM oauth_passkey k WHERE k.credential = asked AND k.revoked_at IS NULL
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION passkey_owner FROM PUBLIC;
GRANT EXECUTE ON FUNCTION passkey_owner TO handover_hub;

-- A person signed in on one browser. The row goes with the session.
CREATE TABLE oauth_session (
    digest     bytea PRIMARY KEY CONSTRAINT oauth_session_digest_length CHECK (length(digest) = 32), -- of the cookie
    id         uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT oauth_session_id UNIQUE, -- by which she ends it
    user_id    uuid NOT NULL REFERENCES partner_user,
    partner    text NOT NULL REFERENCES partner,
    passkey    uuid REFERENCES oauth_passkey, -- NULL: she came through her agency's provider
    device     text NOT NULL CONSTRAINT oauth_session_device CHECK (length(device) BETWEEN 1 AND 40), -- "Chrome on Android", never more
    made_at    timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    proved_at  timestamptz NOT NULL, -- when she last proved who she is
    expires_at timestamptz NOT NULL CONSTRAINT oauth_session_ends CHECK (expires_at <= made_at + interval '12 hours'),
    log_entry  uuid NOT NULL REFERENCES audit_entry
);
CREATE INDEX oauth_session_by_user ON oauth_session (user_id);
CREATE INDEX oauth_session_by_end ON oauth_session (expires_at);

-- What a person is told at her next sign-in until she has read it: how her own or a
-- colleague's way in was changed.
CREATE TABLE oauth_notice (
    id        uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    partner   text NOT NULL REFERENCES partner,
    reader    uuid NOT NULL REFERENCES partner_user,
    kind      text NOT NULL CONSTRAINT oauth_notice_kind CHECK (kind IN ('sign-in-reset', 'passkey-added', 'passkey-removed')),
    about     uuid NOT NULL REFERENCES partner_user,
    by_user   uuid REFERENCES partner_user, -- NULL: the hub's operator
    at        timestamptz NOT NULL,
    read_at   timestamptz,
    log_entry uuid NOT NULL REFERENCES audit_entry
);
CREATE INDEX oauth_notice_unread ON oauth_notice (reader) WHERE read_at IS NULL;

-- A partner's own OpenID Connect provider, set by the operator. The secret is wrapped by
-- the key store for this partner and this use alone.
CREATE TABLE oauth_provider (
    partner   text PRIMARY KEY REFERENCES partner,
    issuer    text NOT NULL,
    client_id text NOT NULL,
    secret    text NOT NULL,
    domains   text[] NOT NULL CONSTRAINT oauth_provider_domains_some CHECK (cardinality(domains) > 0),
    claim     text NOT NULL,
    roles     jsonb NOT NULL CONSTRAINT oauth_provider_roles_some CHECK (jsonb_typeof(roles) = 'object' AND roles <> '{}'),
    acr       text[] NOT NULL, -- one of them is required; empty: amr must say mfa
    log_entry uuid NOT NULL REFERENCES audit_entry
);

-- Who of a partner came through its provider, by SHA-256 of issuer and sub: never by an
-- e-mail address, which is given to somebody else when she leaves.
CREATE TABLE oauth_provider_user (
    partner   text NOT NULL REFERENCES partner,
    subject   bytea NOT NULL CONSTRAINT oauth_provider_user_digest_length CHECK (length(subject) = 32),
    user_id   uuid NOT NULL REFERENCES partner_user,
    log_entry uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT oauth_provider_user_once PRIMARY KEY (partner, subject)
);

ALTER TABLE oauth_passkey ENABLE ROW LEVEL SECURITY;
CREATE POLICY oauth_passkey_own ON oauth_passkey
    USING (partner = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE oauth_notice ENABLE ROW LEVEL SECURITY;
CREATE POLICY oauth_notice_own ON oauth_notice
    USING (partner = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE oauth_provider ENABLE ROW LEVEL SECURITY;
CREATE POLICY oauth_provider_own ON oauth_provider
    USING (partner = nullif(current_setting('hub.partner', true), '')) WITH CHECK (false);
ALTER TABLE oauth_provider_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY oauth_provider_user_own ON oauth_provider_user
    USING (partner = nullif(current_setting('hub.partner', true), ''));

GRANT SELECT, INSERT, DELETE ON oauth_ceremony TO handover_hub;
GRANT SELECT, INSERT, UPDATE (sign_count, used_at, revoked_at, log_entry) ON oauth_passkey TO handover_hub;
GRANT SELECT, INSERT, DELETE, UPDATE (digest, seen_at, proved_at, log_entry) ON oauth_session TO handover_hub;
GRANT SELECT, INSERT, UPDATE (read_at) ON oauth_notice TO handover_hub;
GRANT SELECT ON oauth_provider TO handover_hub;
-- To lock the row, which wants a right to change: the policy lets nothing be changed.
GRANT UPDATE (log_entry) ON oauth_provider TO handover_hub;
GRANT SELECT, INSERT ON oauth_provider_user TO handover_hub;
