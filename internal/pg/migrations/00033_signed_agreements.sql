-- +goose Up
-- Data-sharing agreements that the administrators of both agencies sign. What was proposed,
-- answered and ended is inserted once and never changed; where an agreement stands follows from
-- it. Only its directions in `agreement`, under which packets pass, are ended.

CREATE TABLE signed_agreement (
    id          uuid PRIMARY KEY,
    proposer    text NOT NULL REFERENCES partner,
    other       text NOT NULL REFERENCES partner CONSTRAINT signed_agreement_two_partners CHECK (proposer <> other),
    version     integer NOT NULL,
    supersedes  uuid REFERENCES signed_agreement,
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz NOT NULL CONSTRAINT signed_agreement_ends CHECK (valid_to > valid_from),
    review_at   timestamptz NOT NULL,
    proposed_at timestamptz NOT NULL,
    digest      text NOT NULL,
    token       text NOT NULL, -- the signed proposal
    log_entry   uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT signed_agreement_version CHECK ((version = 1) = (supersedes IS NULL)),
    CONSTRAINT signed_agreement_whole UNIQUE (id, proposer, other)
);
CREATE INDEX signed_agreement_proposed ON signed_agreement (proposer, id DESC);
CREATE INDEX signed_agreement_asked ON signed_agreement (other, id DESC);

-- What may go which way under it, taken out of the proposal.
CREATE TABLE signed_agreement_way (
    agreement uuid NOT NULL,
    proposer  text NOT NULL,
    other     text NOT NULL,
    sender    text NOT NULL,
    recipient text NOT NULL,
    purposes  text[] NOT NULL CONSTRAINT signed_agreement_way_purposes CHECK (cardinality(purposes) > 0),
    sections  text[] NOT NULL CONSTRAINT signed_agreement_way_sections CHECK (cardinality(sections) > 0),
    PRIMARY KEY (agreement, sender),
    CONSTRAINT signed_agreement_way_of FOREIGN KEY (agreement, proposer, other) REFERENCES signed_agreement (id, proposer, other),
    CONSTRAINT signed_agreement_way_between CHECK ((sender, recipient) IN ((proposer, other), (other, proposer)))
);

-- The answer, and the end: of each at most one. What is superseded has no end of its own; the
-- answer to the version in its place ended it.
CREATE TABLE signed_agreement_step (
    agreement uuid NOT NULL,
    proposer  text NOT NULL,
    other     text NOT NULL,
    kind      text NOT NULL,
    step      text NOT NULL CONSTRAINT signed_agreement_step_kind CHECK
              ((kind, step) IN (('answer', 'signed'), ('answer', 'refused'), ('end', 'ended'), ('end', 'superseded'))),
    partner   text NOT NULL CONSTRAINT signed_agreement_step_by CHECK (partner IN (proposer, other)),
    at        timestamptz NOT NULL,
    digest    text,
    token     text,
    log_entry uuid NOT NULL REFERENCES audit_entry,
    PRIMARY KEY (agreement, kind),
    CONSTRAINT signed_agreement_step_of FOREIGN KEY (agreement, proposer, other) REFERENCES signed_agreement (id, proposer, other),
    CONSTRAINT signed_agreement_step_signed CHECK ((step = 'superseded') = (token IS NULL) AND (token IS NULL) = (digest IS NULL)),
    CONSTRAINT signed_agreement_step_answer CHECK (kind <> 'answer' OR partner = other)
);

-- One direction in force names the agreement that both signed; NULL: the hub's operator put it
-- in force, and nobody signed it.
ALTER TABLE agreement ADD terms uuid REFERENCES signed_agreement;
CREATE INDEX agreement_of_terms ON agreement (terms) WHERE terms IS NOT NULL;

-- +goose StatementBegin
CREATE FUNCTION agreement_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'what was ended stays ended' USING CONSTRAINT = 'agreement_final', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER agreement_final BEFORE UPDATE ON agreement FOR EACH ROW EXECUTE FUNCTION agreement_final();

ALTER TABLE signed_agreement ENABLE ROW LEVEL SECURITY;
CREATE POLICY signed_agreement_parties ON signed_agreement FOR SELECT
    USING (nullif(current_setting('hub.partner', true), '') IN (proposer, other));
CREATE POLICY signed_agreement_by_proposer ON signed_agreement FOR INSERT
    WITH CHECK (proposer = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE signed_agreement_way ENABLE ROW LEVEL SECURITY;
CREATE POLICY signed_agreement_way_parties ON signed_agreement_way FOR SELECT
    USING (nullif(current_setting('hub.partner', true), '') IN (proposer, other));
CREATE POLICY signed_agreement_way_by_proposer ON signed_agreement_way FOR INSERT
    WITH CHECK (proposer = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE signed_agreement_step ENABLE ROW LEVEL SECURITY;
CREATE POLICY signed_agreement_step_parties ON signed_agreement_step FOR SELECT
    USING (nullif(current_setting('hub.partner', true), '') IN (proposer, other));
CREATE POLICY signed_agreement_step_by_partner ON signed_agreement_step FOR INSERT
    WITH CHECK (partner = nullif(current_setting('hub.partner', true), ''));

-- The serving role puts nothing in force but exactly what was proposed and has been signed by
-- who was asked, in her session; and ends nothing but that. What is locked FOR SHARE need not
-- be signed: USING lets all of a partner's own pass, WITH CHECK judges changes.
CREATE POLICY agreement_as_signed ON agreement AS RESTRICTIVE FOR INSERT
    WITH CHECK (terms IS NOT NULL AND ended_at IS NULL AND EXISTS (
        SELECT FROM signed_agreement a JOIN signed_agreement_way w ON w.agreement = a.id JOIN signed_agreement_step s ON s.agreement = a.id
        WHERE a.id = terms AND s.step = 'signed' AND s.partner = nullif(current_setting('hub.partner', true), '')
          AND a.valid_from = agreement.valid_from AND a.valid_to = agreement.valid_to
          AND w.sender = agreement.sender AND w.recipient = agreement.recipient
          AND w.purposes = agreement.purposes AND w.sections = agreement.sections
          AND NOT EXISTS (SELECT FROM signed_agreement_step e WHERE e.agreement = a.id AND e.kind = 'end')));
CREATE POLICY agreement_ended ON agreement AS RESTRICTIVE FOR UPDATE
    USING (true) WITH CHECK (terms IS NOT NULL AND ended_at IS NOT NULL);

GRANT SELECT, INSERT ON signed_agreement, signed_agreement_way, signed_agreement_step TO handover_hub;
GRANT INSERT, UPDATE (ended_at) ON agreement TO handover_hub;
