-- +goose Up
-- A recipient is shown an override once something may go on it, and not before. The policy
-- of 00018 asked whether she is shown its state row, which an oversight partner always is: one
-- that is itself the recipient would have been shown whom an override is about that nobody has
-- approved.
ALTER POLICY consent_override_parties ON consent_override
    USING (recorder = nullif(current_setting('hub.partner', true), '')
        OR recipient = nullif(current_setting('hub.partner', true), '')
           AND EXISTS (SELECT FROM consent_override_state s WHERE s.id = consent_override.id AND (s.emergency OR s.decision = 'approved')));
