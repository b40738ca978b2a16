-- +goose Up
-- Whoever is named in a record locks its state and may withdraw it. What a manager decided
-- about it, and what took its place, only its recorder's sessions write: a statement that goes
-- astray while a recipient is served cannot let a yes stand that was pressed out of her.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION consent_state_onward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.successors < OLD.successors OR NEW.review <> OLD.review AND OLD.review <> 'awaited'
       OR (NEW.successors, NEW.review) IS DISTINCT FROM (OLD.successors, OLD.review)
          AND nullif(current_setting('hub.partner', true), '') <> (SELECT c.recorder FROM consent c WHERE c.id = OLD.id) THEN
        RAISE EXCEPTION 'what was decided about a consent stays decided' USING CONSTRAINT = 'consent_state_onward', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
