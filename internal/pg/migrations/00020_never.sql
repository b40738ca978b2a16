-- +goose Up
-- With whom nothing about a woman may ever be shared, as she told one partner. A hard stop
-- for everybody who has anything about her under one of those references; what it says, only
-- the partner that recorded it can read.

CREATE TABLE consent_never (
    id         uuid PRIMARY KEY,
    recorder   text NOT NULL REFERENCES partner,
    digest     text NOT NULL,
    token      text NOT NULL,
    recorded_at timestamptz NOT NULL,
    log_entry  uuid NOT NULL REFERENCES audit_entry
);
CREATE INDEX consent_never_of ON consent_never (recorder, id DESC);

CREATE TABLE consent_never_line (
    never     uuid NOT NULL REFERENCES consent_never,
    recorder  text NOT NULL REFERENCES partner,
    subject   text NOT NULL,
    recipient text NOT NULL, -- a partner's id, or category:NAME
    PRIMARY KEY (never, subject, recipient)
);
CREATE INDEX consent_never_stops ON consent_never_line (subject, recipient);

CREATE TABLE consent_never_state (
    id        uuid PRIMARY KEY REFERENCES consent_never,
    recorder  text NOT NULL REFERENCES partner,
    lifted_at timestamptz,
    lift      text,
    lift_digest text,
    log_entry uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT consent_never_lifted_whole CHECK (num_nulls(lifted_at, lift, lift_digest) IN (0, 3))
);

-- +goose StatementBegin
CREATE FUNCTION consent_never_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.lifted_at IS NOT NULL THEN
        RAISE EXCEPTION 'what was lifted stays lifted' USING CONSTRAINT = 'consent_never_final', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER consent_never_final BEFORE UPDATE ON consent_never_state
    FOR EACH ROW EXECUTE FUNCTION consent_never_final();

-- Whoever shares something has to be stopped by what she cannot read: it answers yes or no
-- about one subject and one recipient, and nothing else.
-- +goose StatementBegin
CREATE FUNCTION never_shared(about text, with_partner text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN -- in plpgsql, whose plans are kept: every packet asks
    RETURN EXISTS (
        SELECT FROM consent_never_line l JOIN consent_never_state s ON s.id = l.never
        WHERE l.subject = about AND s.lifted_at IS NULL AND (l.recipient = with_partner
              OR l.recipient = (SELECT 'category:' || p.category FROM partner p WHERE p.id = with_partner)));
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION never_shared FROM PUBLIC;
GRANT EXECUTE ON FUNCTION never_shared TO handover_hub;

ALTER TABLE consent_never ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_never_recorder ON consent_never
    USING (recorder = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE consent_never_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_never_line_recorder ON consent_never_line
    USING (recorder = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE consent_never_state ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_never_state_recorder ON consent_never_state
    USING (recorder = nullif(current_setting('hub.partner', true), ''));

GRANT SELECT, INSERT ON consent_never, consent_never_line, consent_never_state TO handover_hub;
GRANT UPDATE (lifted_at, lift, lift_digest, log_entry) ON consent_never_state TO handover_hub;
