-- +goose Up
-- What she agreed to, in full. The four axes are in the signed record, which Go judges; the
-- columns here are what a transaction that shares something decides by.
--
-- Records of one chain follow each other: whoever relies on an earlier one must be covered
-- by every later one too, so that a later record narrows what was sent before it at once,
-- and never widens it.
ALTER TABLE consent
    ADD onward    text NOT NULL DEFAULT 'none' CONSTRAINT consent_onward CHECK (onward IN ('none', 'ask-each-time', 'named')),
    ADD authority text NOT NULL DEFAULT '',  -- GSS code that she chose, where the gate asks for one
    ADD given_at  timestamptz,
    ADD chain     uuid,
    ADD place     int NOT NULL DEFAULT 0 CONSTRAINT consent_place CHECK (place >= 0 AND (place = 0) = (chain = id));
UPDATE consent SET chain = id, given_at = valid_from;
ALTER TABLE consent
    ALTER onward DROP DEFAULT, ALTER authority DROP DEFAULT, ALTER place DROP DEFAULT,
    ALTER chain SET NOT NULL, ALTER given_at SET NOT NULL,
    ADD CONSTRAINT consent_chain FOREIGN KEY (chain) REFERENCES consent,
    ADD CONSTRAINT consent_one_successor UNIQUE (chain, place);

-- successors counts the later records of the chain. It is on the row that every reliance
-- locks, so a session that is not shown one of them still knows that it is there.
-- review is whether a manager has to look at the record, or has.
ALTER TABLE consent_state
    ADD successors int NOT NULL DEFAULT 0 CONSTRAINT consent_state_successors CHECK (successors >= 0),
    ADD review text NOT NULL DEFAULT 'not-needed' CONSTRAINT consent_state_review
        CHECK (review IN ('not-needed', 'awaited', 'stands', 'does-not-stand'));
ALTER TABLE consent_state ALTER review DROP DEFAULT;

-- What was decided about a record stays decided: its successors only grow, and a review
-- that was awaited is made once.
-- +goose StatementBegin
CREATE FUNCTION consent_state_onward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.successors < OLD.successors OR NEW.review <> OLD.review AND OLD.review <> 'awaited' THEN
        RAISE EXCEPTION 'what was decided about a consent stays decided' USING CONSTRAINT = 'consent_state_onward', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER consent_state_onward BEFORE UPDATE ON consent_state
    FOR EACH ROW EXECUTE FUNCTION consent_state_onward();

-- How she was asked, in codes, and what is sealed to the recorder's own key. A recipient is
-- shown the record and never this: whom she is afraid of is not the recipient's to read.
CREATE TABLE consent_private (
    id       uuid PRIMARY KEY REFERENCES consent,
    recorder text NOT NULL REFERENCES partner,
    circumstances text NOT NULL,
    sealed   jsonb NOT NULL
);
ALTER TABLE consent_private ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_private_recorder ON consent_private
    USING (recorder = nullif(current_setting('hub.partner', true), ''));

GRANT SELECT, INSERT ON consent_private TO handover_hub;
GRANT UPDATE (successors, review) ON consent_state TO handover_hub;
