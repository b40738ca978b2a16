-- +goose Up

-- What a person of an agency with no IT has begun to write: one row for each draft, sealed as a
-- whole to the key that the hub holds for her agency, and bound within to her, to its id and to
-- what it is to become, so that a row that is moved does not open. It is hers alone; what
-- divides agencies is below, what divides colleagues is in each statement. Where the hub gives
-- the key up, the draft goes with it: it could never be opened again.
CREATE TABLE draft (
    id         uuid PRIMARY KEY,
    partner    text NOT NULL,
    user_id    uuid NOT NULL REFERENCES partner_user,
    kind       text NOT NULL CONSTRAINT draft_kind CHECK (kind IN ('referral', 'consent', 'override')),
    kid        text NOT NULL,
    sealed     text NOT NULL CONSTRAINT draft_sealed_size CHECK (length(sealed) <= 393216),
    made_at    timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    log_entry  uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT draft_key FOREIGN KEY (partner, kid) REFERENCES managed_key ON DELETE CASCADE
);
CREATE INDEX draft_of ON draft (partner, user_id);
CREATE INDEX draft_untouched ON draft (changed_at);
ALTER TABLE draft ENABLE ROW LEVEL SECURITY;
CREATE POLICY draft_own ON draft
    USING (partner = nullif(current_setting('hub.partner', true), ''));
GRANT SELECT, INSERT, UPDATE (kid, sealed, changed_at, log_entry), DELETE ON draft TO handover_hub;

-- Forgets drafts of every agency that nobody has touched for so long, at most so many, and
-- returns how many they were. It is done for no partner.
-- +goose StatementBegin
CREATE FUNCTION draft_forget(untouched interval, most integer) RETURNS bigint LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE gone bigint;
BEGIN
    PERFORM hub_alone();
    DELETE FROM draft WHERE id IN (SELECT id FROM draft WHERE changed_at < now() - untouched
        ORDER BY changed_at LIMIT most FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION draft_forget(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION draft_forget(interval, integer) TO handover_hub;
