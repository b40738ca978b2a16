-- +goose Up
-- A move of an agency's keys, from the hub to the agency or from the agency to the hub: one
-- row, whose steps are guarded UPDATEs. Toward the agency it begins with a one-time code,
-- of which the digest is kept (it is random, of 130 bits); toward the hub with the keys
-- that the hub has made for it, whose private part is wrapped and leaves the row with the
-- move's end.
CREATE TABLE custody_move (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    partner     text NOT NULL REFERENCES partner,
    toward      text NOT NULL CONSTRAINT custody_move_toward CHECK (toward IN ('partner', 'hub')),
    code_digest bytea CONSTRAINT custody_move_code_once UNIQUE CONSTRAINT custody_move_code_length CHECK (length(code_digest) = 32),
    signing     text,
    encryption  text,
    wrapped     text,
    begun_by    uuid REFERENCES partner_user, -- NULL: the hub's operator
    expires_at  timestamptz NOT NULL,
    client      text REFERENCES partner_client, -- the system that took the keys
    taken_at    timestamptz,
    handed      text[], -- kids of the keys that the system was given: no other is destroyed on its word
    done_at     timestamptz,
    log_entry   uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT custody_move_kind CHECK ((toward = 'partner') = (code_digest IS NOT NULL)
        AND (toward = 'hub') = (signing IS NOT NULL) AND (toward = 'hub') = (encryption IS NOT NULL)
        AND (wrapped IS NOT NULL) = (toward = 'hub' AND done_at IS NULL)),
    CONSTRAINT custody_move_steps CHECK ((client IS NULL) = (taken_at IS NULL) AND (taken_at IS NULL OR toward = 'partner'))
);
ALTER TABLE custody_move ENABLE ROW LEVEL SECURITY;
CREATE POLICY custody_move_own ON custody_move
    USING (partner = nullif(current_setting('hub.partner', true), ''));
GRANT SELECT, INSERT, UPDATE (client, taken_at, handed, done_at, wrapped, log_entry) ON custody_move TO handover_hub;
