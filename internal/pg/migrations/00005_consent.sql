-- +goose Up
-- Signed consent records. The record never changes; what can change about it is one
-- narrow row, which every reliance locks FOR SHARE and only a withdrawal updates, so
-- that nothing is shared on a consent withdrawn before the sharing commits.

CREATE TABLE consent (
    id         uuid PRIMARY KEY,
    recorder   text NOT NULL REFERENCES partner,
    subject    text NOT NULL,
    agreement  text NOT NULL,
    purpose    text NOT NULL,
    recipients text[] NOT NULL CONSTRAINT consent_recipients_some CHECK (cardinality(recipients) > 0),
    sections   text[] NOT NULL,
    withheld   text[] NOT NULL,
    valid_from timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CONSTRAINT consent_ends CHECK (expires_at > valid_from),
    digest     text NOT NULL,
    token      text NOT NULL,
    recorded_at timestamptz NOT NULL,
    log_entry  uuid NOT NULL REFERENCES audit_entry
);

CREATE TABLE consent_state (
    id           uuid PRIMARY KEY REFERENCES consent,
    withdrawn_at timestamptz,
    withdrawn_by text REFERENCES partner,
    withdrawal   text,
    withdrawal_digest text,
    log_entry    uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT consent_state_withdrawn_whole CHECK
        (num_nulls(withdrawn_at, withdrawn_by, withdrawal, withdrawal_digest) IN (0, 4))
);

-- A withdrawal is final, in the schema and not only in the code.
-- +goose StatementBegin
CREATE FUNCTION consent_state_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.withdrawn_at IS NOT NULL THEN
        RAISE EXCEPTION 'a withdrawn consent stays withdrawn' USING CONSTRAINT = 'consent_state_final', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER consent_state_final BEFORE UPDATE ON consent_state
    FOR EACH ROW EXECUTE FUNCTION consent_state_final();

-- The recorder and whom she named, by itself or by its category, can see a record.
ALTER TABLE consent ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_parties ON consent
    USING (recorder = nullif(current_setting('hub.partner', true), '')
        OR nullif(current_setting('hub.partner', true), '') = ANY (recipients)
        OR (SELECT 'category:' || p.category FROM partner p
            WHERE p.id = nullif(current_setting('hub.partner', true), '')) = ANY (recipients))
    WITH CHECK (recorder = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE consent_state ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_state_parties ON consent_state
    USING (EXISTS (SELECT FROM consent c WHERE c.id = consent_state.id));

GRANT SELECT, INSERT ON consent, consent_state TO handover_hub;
GRANT UPDATE (withdrawn_at, withdrawn_by, withdrawal, withdrawal_digest, log_entry) ON consent_state TO handover_hub;
