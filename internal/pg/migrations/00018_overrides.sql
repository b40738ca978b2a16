-- +goose Up
-- Sharing without her agreement: one person proposes it, another decides. The signed
-- statements never change. What changes is one narrow row, which every reliance locks FOR
-- SHARE and a decision updates, so that nothing is shared on an override refused or ended
-- before the sharing commits.

CREATE TABLE consent_override (
    id         uuid PRIMARY KEY,
    recorder   text NOT NULL REFERENCES partner,
    recipient  text NOT NULL REFERENCES partner CONSTRAINT consent_override_two_partners CHECK (recorder <> recipient),
    proposer   text NOT NULL,   -- the person, by opaque id
    subject    text NOT NULL,
    purpose    text NOT NULL,
    pathway    text NOT NULL,
    sections   text[] NOT NULL CONSTRAINT consent_override_sections_some CHECK (cardinality(sections) > 0),
    valid_from timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    digest     text NOT NULL,
    token      text NOT NULL,
    log_entry  uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT consent_override_ends CHECK (expires_at > valid_from AND expires_at <= valid_from + interval '28 days'),
    -- What the law asks her own agreement for, the schema lets nobody override.
    CONSTRAINT consent_override_gates CHECK (purpose NOT IN ('duty-to-refer', 'nrm') AND pathway NOT IN ('duty-to-refer', 'nrm-adult'))
);

-- Where it stands, with the codes that auditors count. It carries no subject and no text.
CREATE TABLE consent_override_state (
    id          uuid PRIMARY KEY REFERENCES consent_override,
    recorder    text NOT NULL REFERENCES partner,
    recipient   text NOT NULL REFERENCES partner,
    reason      text NOT NULL,
    agreement   text NOT NULL CONSTRAINT consent_override_state_agreement CHECK (agreement <> 'agreed'),
    emergency   boolean NOT NULL,
    recorded_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    decision    text NOT NULL CONSTRAINT consent_override_state_decision CHECK (decision IN ('proposed', 'approved', 'refused')),
    decided_at  timestamptz,
    lapsed_at   timestamptz,    -- when it was noticed that an emergency was not approved in time
    review_at   timestamptz NOT NULL,
    ended_at    timestamptz,
    log_entry   uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT consent_override_state_decided CHECK ((decision = 'proposed') = (decided_at IS NULL)),
    CONSTRAINT consent_override_state_lapsed CHECK (lapsed_at IS NULL OR emergency),
    CONSTRAINT consent_override_state_review CHECK (review_at <= expires_at)
);
CREATE INDEX consent_override_state_of ON consent_override_state (recorder, id DESC);
CREATE INDEX consent_override_state_unapproved ON consent_override_state (recorder, recorded_at)
    WHERE emergency AND decision = 'proposed' AND lapsed_at IS NULL;

-- What was decided stays decided, and only the partner whose override it is decides: a
-- recipient, who locks the row, changes nothing in it.
-- +goose StatementBegin
CREATE FUNCTION consent_override_state_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nullif(current_setting('hub.partner', true), '') <> OLD.recorder
       OR OLD.decided_at IS NOT NULL AND (NEW.decision, NEW.decided_at) IS DISTINCT FROM (OLD.decision, OLD.decided_at)
       OR OLD.lapsed_at IS NOT NULL AND NEW.lapsed_at IS DISTINCT FROM OLD.lapsed_at
       OR OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at THEN
        RAISE EXCEPTION 'what was decided about an override stays decided'
            USING CONSTRAINT = 'consent_override_state_final', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER consent_override_state_final BEFORE UPDATE ON consent_override_state
    FOR EACH ROW EXECUTE FUNCTION consent_override_state_final();

-- What a manager stated about it: one decision, and reviews after it.
CREATE TABLE consent_override_step (
    id        uuid PRIMARY KEY,     -- jti of the statement
    override  uuid NOT NULL REFERENCES consent_override,
    recorder  text NOT NULL REFERENCES partner,
    kind      text NOT NULL CONSTRAINT consent_override_step_kind CHECK (kind IN ('decision', 'review')),
    digest    text NOT NULL,
    token     text NOT NULL,
    at        timestamptz NOT NULL,
    log_entry uuid NOT NULL REFERENCES audit_entry
);
CREATE UNIQUE INDEX consent_override_decided_once ON consent_override_step (override) WHERE kind = 'decision';
CREATE INDEX consent_override_step_of ON consent_override_step (override, at);

-- Its texts, sealed to the recorder's own key: why, what is the least, who is at risk.
CREATE TABLE consent_override_private (
    id       uuid PRIMARY KEY REFERENCES consent_override,
    recorder text NOT NULL REFERENCES partner,
    sealed   jsonb NOT NULL
);

-- What a manager decided about a consent record that was in doubt.
CREATE TABLE consent_review (
    id        uuid PRIMARY KEY REFERENCES consent,
    recorder  text NOT NULL REFERENCES partner,
    digest    text NOT NULL,
    token     text NOT NULL,
    at        timestamptz NOT NULL,
    log_entry uuid NOT NULL REFERENCES audit_entry
);

-- The recorder sees all of it. The one recipient sees the statements once she may get
-- something on them: a proposal that nobody has approved tells her nothing. An oversight
-- partner sees where every override stands, and nothing of whom it is about.
ALTER TABLE consent_override_state ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_override_state_parties ON consent_override_state
    USING (recorder = nullif(current_setting('hub.partner', true), '')
        OR recipient = nullif(current_setting('hub.partner', true), '') AND (emergency OR decision = 'approved'));
CREATE POLICY consent_override_state_by_recorder ON consent_override_state AS RESTRICTIVE FOR INSERT
    WITH CHECK (recorder = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY consent_override_state_oversight ON consent_override_state FOR SELECT
    USING ((SELECT p.category FROM partner p WHERE p.id = nullif(current_setting('hub.partner', true), '')) = 'oversight');
ALTER TABLE consent_override ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_override_parties ON consent_override
    USING (recorder = nullif(current_setting('hub.partner', true), '')
        OR recipient = nullif(current_setting('hub.partner', true), '')
           AND EXISTS (SELECT FROM consent_override_state s WHERE s.id = consent_override.id))
    WITH CHECK (recorder = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE consent_override_step ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_override_step_parties ON consent_override_step
    USING (EXISTS (SELECT FROM consent_override o WHERE o.id = consent_override_step.override))
    WITH CHECK (recorder = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE consent_override_private ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_override_private_own ON consent_override_private
    USING (recorder = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE consent_review ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_review_own ON consent_review
    USING (recorder = nullif(current_setting('hub.partner', true), ''));

-- A packet rests on a consent record or on an override, never on both.
ALTER TABLE packet ADD override_id uuid,
    ADD CONSTRAINT packet_one_basis CHECK (consent IS NULL OR override_id IS NULL);

GRANT SELECT, INSERT ON consent_override, consent_override_state, consent_override_step, consent_override_private, consent_review TO handover_hub;
GRANT UPDATE (decision, decided_at, lapsed_at, review_at, ended_at, log_entry) ON consent_override_state TO handover_hub;
