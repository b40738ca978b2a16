-- +goose Up
-- Who takes part: partners, their systems, keys, people, services, agreements.
-- Every row that says who may do what names the log entry that made it so.

CREATE TABLE partner (
    id        text PRIMARY KEY
              CONSTRAINT partner_id_form CHECK (id ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' AND length(id) BETWEEN 3 AND 40),
    name      text NOT NULL CONSTRAINT partner_name_length CHECK (length(name) BETWEEN 1 AND 120),
    category  text NOT NULL CONSTRAINT partner_category CHECK (category IN
              ('vawg-service', 'borough-outreach', 'housing', 'primary-care', 'mental-health',
               'substance-use', 'social-care', 'legal-advice', 'police', 'oversight')),
    areas     text[] NOT NULL CONSTRAINT partner_areas_some CHECK (cardinality(areas) > 0),
    status    text NOT NULL CONSTRAINT partner_status CHECK (status IN ('invited', 'active', 'suspended')),
    since     timestamptz NOT NULL,
    log_entry uuid NOT NULL REFERENCES audit_entry
);

-- A partner's own system, as an OAuth client.
CREATE TABLE partner_client (
    id        text PRIMARY KEY,
    partner   text NOT NULL REFERENCES partner,
    scopes    text[] NOT NULL,
    active    boolean NOT NULL,
    log_entry uuid NOT NULL REFERENCES audit_entry
);

-- Public keys only. A key has one use and one owner for ever: its thumbprint is
-- unique, so a key that was revoked for one partner cannot return for another.
CREATE TABLE partner_key (
    partner    text NOT NULL REFERENCES partner,
    kid        text NOT NULL,
    use        text NOT NULL CONSTRAINT partner_key_use CHECK (use IN ('authentication', 'signing', 'encryption')),
    client     text REFERENCES partner_client
               CONSTRAINT partner_key_client CHECK ((use = 'authentication') = (client IS NOT NULL)),
    jwk        text NOT NULL,
    thumbprint text NOT NULL CONSTRAINT partner_key_once UNIQUE,
    not_before timestamptz NOT NULL,
    not_after  timestamptz NOT NULL CONSTRAINT partner_key_ends CHECK (not_after > not_before),
    revoked_at timestamptz,
    log_entry  uuid NOT NULL REFERENCES audit_entry,
    PRIMARY KEY (partner, kid)
);
CREATE INDEX partner_key_by_client ON partner_key (client) WHERE client IS NOT NULL;

-- A one-time enrolment code. Only its digest is kept: the code itself is random
-- (130 bits), so the digest cannot be searched.
CREATE TABLE invitation (
    code_digest bytea PRIMARY KEY CONSTRAINT invitation_digest_length CHECK (length(code_digest) = 32),
    partner     text NOT NULL REFERENCES partner,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    log_entry   uuid NOT NULL REFERENCES audit_entry
);

-- People by opaque id and role. No name or address of a worker is needed to
-- decide what she may do.
CREATE TABLE partner_user (
    id        uuid PRIMARY KEY,
    partner   text NOT NULL REFERENCES partner,
    role      text NOT NULL CONSTRAINT partner_user_role CHECK (role IN ('caseworker', 'manager', 'administrator', 'auditor')),
    active    boolean NOT NULL,
    log_entry uuid NOT NULL REFERENCES audit_entry
);

-- One direction of a data-sharing agreement: what `sender` may send `recipient`.
CREATE TABLE agreement (
    id         uuid PRIMARY KEY,
    sender     text NOT NULL REFERENCES partner,
    recipient  text NOT NULL REFERENCES partner
               CONSTRAINT agreement_two_partners CHECK (sender <> recipient),
    purposes   text[] NOT NULL CONSTRAINT agreement_purposes_some CHECK (cardinality(purposes) > 0),
    sections   text[] NOT NULL,
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz NOT NULL CONSTRAINT agreement_ends CHECK (valid_to > valid_from),
    ended_at   timestamptz,
    log_entry  uuid NOT NULL REFERENCES audit_entry
);
CREATE INDEX agreement_in_force ON agreement (sender, recipient) WHERE ended_at IS NULL;

-- What a partner offers, in Open Referral UK's terms. Never an address: that of
-- a refuge must not be published.
CREATE TABLE service (
    id         uuid PRIMARY KEY,
    partner    text NOT NULL REFERENCES partner,
    name       text NOT NULL CONSTRAINT service_name_length CHECK (length(name) BETWEEN 1 AND 120),
    purposes   text[] NOT NULL CONSTRAINT service_purposes_some CHECK (cardinality(purposes) > 0),
    areas      text[] NOT NULL CONSTRAINT service_areas_some CHECK (cardinality(areas) > 0),
    status     text NOT NULL CONSTRAINT service_status CHECK (status IN ('active', 'inactive', 'defunct', 'temporarily closed')),
    capacity   text NOT NULL CONSTRAINT service_capacity CHECK (capacity IN ('open', 'waiting-list', 'paused')),
    women_only boolean NOT NULL,
    accepts_no_recourse boolean NOT NULL,
    self_referral boolean NOT NULL,
    updated_at timestamptz NOT NULL,
    log_entry  uuid NOT NULL REFERENCES audit_entry
);
CREATE INDEX service_by_partner ON service (partner);

-- Partner isolation. The directory (partner, client ids, public keys, services) is
-- the same for every caller; agreements and people are a partner's own.
ALTER TABLE agreement ENABLE ROW LEVEL SECURITY;
CREATE POLICY agreement_parties ON agreement
    USING (nullif(current_setting('hub.partner', true), '') IN (sender, recipient));
ALTER TABLE partner_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_user_own ON partner_user
    USING (partner = nullif(current_setting('hub.partner', true), ''));

-- Of the directory everybody reads all, but what the serving role may change is only
-- what an enrolment does: an invited partner becomes active, an unused code used. To
-- suspend, to resume or to make a code good again is the operator's, who owns the
-- tables.
ALTER TABLE partner ENABLE ROW LEVEL SECURITY;
CREATE POLICY partner_directory ON partner FOR SELECT USING (true);
CREATE POLICY partner_enrols ON partner FOR UPDATE USING (status = 'invited') WITH CHECK (status = 'active');
ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
CREATE POLICY invitation_redeemed ON invitation FOR SELECT USING (true);
CREATE POLICY invitation_once ON invitation FOR UPDATE
    USING (used_at IS NULL AND now() < expires_at) WITH CHECK (used_at IS NOT NULL);

GRANT SELECT ON partner, partner_client, partner_key, service, agreement, partner_user, invitation TO handover_hub;
GRANT INSERT ON partner_client, partner_key TO handover_hub;
GRANT UPDATE (status, log_entry) ON partner TO handover_hub;
GRANT UPDATE (used_at) ON invitation TO handover_hub;
-- FOR SHARE needs the UPDATE privilege on one column: it is used to lock, never to change.
GRANT UPDATE (log_entry) ON agreement TO handover_hub;
