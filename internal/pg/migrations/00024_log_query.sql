-- +goose Up
-- What auditors ask the log by, beside its entries' bodies: the referral, the consent record
-- or override, and the reference by which an entry names her. The body stays what the leaf
-- commits to; these columns only find it.
ALTER TABLE audit_entry
    ADD referral text,
    ADD consent  text, -- of the record, or of the override in its place
    ADD subject  text;

-- Her reference is erased with the body that named her.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION audit_entry_only_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.salt IS NULL AND NEW.body IS NULL AND NEW.subject IS NULL
       AND (NEW.id, NEW.at, NEW.partner, NEW.other, NEW.act, NEW.outcome, NEW.leaf, NEW.referral, NEW.consent)
           IS NOT DISTINCT FROM
           (OLD.id, OLD.at, OLD.partner, OLD.other, OLD.act, OLD.outcome, OLD.leaf, OLD.referral, OLD.consent) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an entry may only be erased'
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_append_only';
END $$;
-- +goose StatementEnd

ALTER TABLE audit_entry DISABLE TRIGGER audit_entry_only_erased;
UPDATE audit_entry e SET referral = said.referral, consent = said.consent, subject = said.subject
FROM (SELECT id, j ->> 'referral' AS referral, coalesce(j ->> 'consent', j ->> 'override') AS consent, j ->> 'subject' AS subject
      FROM (SELECT id, convert_from(body, 'UTF8')::jsonb AS j FROM audit_entry WHERE body IS NOT NULL) read) said
WHERE said.id = e.id AND num_nonnulls(said.referral, said.consent, said.subject) > 0;
ALTER TABLE audit_entry ENABLE TRIGGER audit_entry_only_erased;

-- Each page of the log is read along these, newest first, from where the page before ended; ids
-- are UUIDv7, so a span of time is a range of them. Every accepted packet pays for the indexes
-- that its entry is in: there is none by act for the steps of referrals, which are most of the
-- log and so are found at once by reading it back.
CREATE INDEX audit_entry_by ON audit_entry (partner, id);
CREATE INDEX audit_entry_about ON audit_entry (other, id) WHERE other <> '';
CREATE INDEX audit_entry_referral ON audit_entry (referral, id) WHERE referral IS NOT NULL;
CREATE INDEX audit_entry_consent ON audit_entry (consent, id) WHERE consent IS NOT NULL;
CREATE INDEX audit_entry_subject ON audit_entry (subject, id) WHERE subject IS NOT NULL;
CREATE INDEX audit_entry_act ON audit_entry (act, id) WHERE NOT starts_with(act, 'referral.');
CREATE INDEX audit_entry_refused ON audit_entry (outcome, id) WHERE outcome <> '';

-- A partner whose office is oversight reads every agency's entries, in a transaction that says
-- so and in no other: a statement that forgets to ask whether the caller may, shows her what
-- her own partner made or is named in, like anybody.
CREATE FUNCTION hub_oversees() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT current_setting('hub.oversees', true) = 'all'
       AND EXISTS (SELECT FROM partner p WHERE p.id = nullif(current_setting('hub.partner', true), '')
                   AND p.category = 'oversight' AND p.status = 'active')
$$;
CREATE POLICY audit_entry_oversight ON audit_entry FOR SELECT TO handover_hub
    USING ((SELECT hub_oversees()));

-- Which consent records wait for a manager to look at how the woman was asked: those of the
-- agency that asks, or to oversight those of all, by id alone. It says nothing of whom they
-- are about, and nothing of a record on which nothing can rest any more.
CREATE INDEX consent_state_awaited ON consent_state (id) WHERE review = 'awaited';
-- +goose StatementBegin
CREATE FUNCTION consent_doubts() RETURNS TABLE (id uuid, recorder text, recorded_at timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT c.id, c.recorder, c.recorded_at FROM consent_state s JOIN consent c ON c.id = s.id
        WHERE s.review = 'awaited' AND s.withdrawn_at IS NULL AND s.successors = 0 AND c.expires_at > now()
          AND (c.recorder = nullif(current_setting('hub.partner', true), '') OR (SELECT hub_oversees()));
END $$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION consent_doubts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION consent_doubts TO handover_hub;
