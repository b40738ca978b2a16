-- +goose Up
-- People, and what a partner's administrator may change by herself: who works there, in
-- which role, which of its systems and keys count. Nothing has written to partner_user
-- before this migration.

ALTER TABLE partner_user DROP COLUMN active;
ALTER TABLE partner_user
    -- What colleagues call her. It is for their eyes: no other partner, no log entry and
    -- no token ever carries it.
    ADD name text NOT NULL CONSTRAINT partner_user_name_length CHECK (length(name) BETWEEN 1 AND 80),
    ADD status text NOT NULL CONSTRAINT partner_user_status CHECK (status IN ('invited', 'active', 'suspended', 'removed')),
    ADD since timestamptz NOT NULL,
    -- Whatever she proved before this moment counts no more: every session, access token
    -- and refresh token of hers at once, without a list of them.
    ADD signed_out_at timestamptz NOT NULL DEFAULT '-infinity';
CREATE INDEX partner_user_by_partner ON partner_user (partner);

-- Who has left has left: she can be added anew, under another id.
-- +goose StatementBegin
CREATE FUNCTION partner_user_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'removed' OR NEW.status = 'invited' AND OLD.status <> 'invited'
       OR NEW.signed_out_at < OLD.signed_out_at THEN
        RAISE EXCEPTION 'a person''s standing does not go back so' USING CONSTRAINT = 'partner_user_final', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER partner_user_final BEFORE UPDATE ON partner_user
    FOR EACH ROW EXECUTE FUNCTION partner_user_final();

-- A one-time link with which a person sets up her passkey, or sets it up anew. Only the
-- digest of its code is kept, as with invitation. She has at most one that is unused.
CREATE TABLE user_link (
    code_digest bytea PRIMARY KEY CONSTRAINT user_link_digest_length CHECK (length(code_digest) = 32),
    user_id    uuid NOT NULL REFERENCES partner_user,
    partner    text NOT NULL REFERENCES partner,
    recovers   boolean NOT NULL, -- using it ends her earlier passkeys and sessions
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    log_entry  uuid NOT NULL REFERENCES audit_entry
);
CREATE UNIQUE INDEX user_link_one ON user_link (user_id) WHERE used_at IS NULL;

-- A partner's systems as OAuth clients (RFC 7591 §2 names the columns). What was enrolled
-- so far is a partner's first system: on its behalf, and through it, her people may act.
ALTER TABLE partner_client
    ADD name text NOT NULL DEFAULT 'First system' CONSTRAINT partner_client_name_length CHECK (length(name) BETWEEN 1 AND 80),
    ADD grant_types text[] NOT NULL DEFAULT '{client_credentials,authorization_code,refresh_token}'
        CONSTRAINT partner_client_grants CHECK (cardinality(grant_types) > 0
            AND grant_types <@ '{client_credentials,authorization_code,refresh_token}'::text[]),
    ADD redirect_uris text[] NOT NULL DEFAULT '{http://127.0.0.1/callback}',
    ADD since timestamptz NOT NULL DEFAULT now();
UPDATE partner_client SET scopes = scopes || '{consents:override,partner:admin}';
ALTER TABLE partner_client ALTER name DROP DEFAULT, ALTER grant_types DROP DEFAULT,
    ALTER redirect_uris DROP DEFAULT, ALTER since DROP DEFAULT;
CREATE INDEX partner_client_by_partner ON partner_client (partner);

-- The initial access token of a registration (RFC 7591 §3): one administrator's leave for
-- one new system.
CREATE TABLE client_invitation (
    code_digest bytea PRIMARY KEY CONSTRAINT client_invitation_digest_length CHECK (length(code_digest) = 32),
    partner    text NOT NULL REFERENCES partner,
    invited_by uuid NOT NULL REFERENCES partner_user,
    invited_at timestamptz NOT NULL, -- it ends when its giver is signed out
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    log_entry  uuid NOT NULL REFERENCES audit_entry
);

-- The end of a key only comes nearer, and a revocation stands.
-- +goose StatementBegin
CREATE FUNCTION partner_key_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.not_after > OLD.not_after OR OLD.revoked_at IS NOT NULL THEN
        RAISE EXCEPTION 'the end of a key only comes nearer' USING CONSTRAINT = 'partner_key_final', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER partner_key_final BEFORE UPDATE ON partner_key
    FOR EACH ROW EXECUTE FUNCTION partner_key_final();

-- Systems and keys are in the directory: everybody reads all. Only in a session of the
-- partner itself are they made or changed.
ALTER TABLE partner_client ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_client_directory ON partner_client FOR SELECT USING (true);
CREATE POLICY partner_client_made ON partner_client FOR INSERT
    WITH CHECK (partner = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY partner_client_changed ON partner_client FOR UPDATE
    USING (partner = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE partner_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_key_directory ON partner_key FOR SELECT USING (true);
CREATE POLICY partner_key_made ON partner_key FOR INSERT
    WITH CHECK (partner = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY partner_key_changed ON partner_key FOR UPDATE
    USING (partner = nullif(current_setting('hub.partner', true), ''));

-- Whoever brings the code has not said yet whose it is, so codes are found without a
-- partner; they are made, and unused ones taken back, by their partner alone.
ALTER TABLE user_link ENABLE ROW LEVEL SECURITY;
CREATE POLICY user_link_redeemed ON user_link FOR SELECT USING (true);
CREATE POLICY user_link_once ON user_link FOR UPDATE
    USING (used_at IS NULL AND now() < expires_at) WITH CHECK (used_at IS NOT NULL);
CREATE POLICY user_link_made ON user_link FOR INSERT
    WITH CHECK (partner = nullif(current_setting('hub.partner', true), '') AND used_at IS NULL);
CREATE POLICY user_link_taken_back ON user_link FOR DELETE
    USING (partner = nullif(current_setting('hub.partner', true), '') AND used_at IS NULL);
ALTER TABLE client_invitation ENABLE ROW LEVEL SECURITY;
CREATE POLICY client_invitation_redeemed ON client_invitation FOR SELECT USING (true);
CREATE POLICY client_invitation_once ON client_invitation FOR UPDATE
    USING (used_at IS NULL AND now() < expires_at) WITH CHECK (used_at IS NOT NULL);
CREATE POLICY client_invitation_made ON client_invitation FOR INSERT
    WITH CHECK (partner = nullif(current_setting('hub.partner', true), '') AND used_at IS NULL);

-- What a request of a person needs to know of her, before it is known whose partner's
-- session it will be: where she works, in which role, since when her proofs count. It
-- gives no name, and nothing for an id that is not exactly hers or that may not act.
-- +goose StatementBegin
CREATE FUNCTION user_standing(asked uuid[])
RETURNS TABLE (id uuid, partner text, category text, role text, signed_out_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.partner, p.category, u.role, u.signed_out_at
    FROM partner_user u JOIN partner p ON p.id = u.partner
    WHERE u.id = ANY (asked) AND u.status = 'active' AND p.status = 'active'
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION user_standing FROM PUBLIC;
GRANT EXECUTE ON FUNCTION user_standing TO handover_hub;

GRANT INSERT, UPDATE (role, status, signed_out_at, log_entry) ON partner_user TO handover_hub;
GRANT SELECT, INSERT, DELETE, UPDATE (used_at) ON user_link TO handover_hub;
GRANT SELECT, INSERT, UPDATE (used_at) ON client_invitation TO handover_hub;
GRANT UPDATE (active, log_entry) ON partner_client TO handover_hub;
GRANT UPDATE (not_after, revoked_at, log_entry) ON partner_key TO handover_hub;

-- Who of an agency did what she signed for: when she leaves, her agency can see what she
-- held. The envelope's claim act, which an agency's system may leave out.
ALTER TABLE packet ADD actor text;
CREATE INDEX packet_by_actor ON packet (issuer, actor) WHERE actor IS NOT NULL;
