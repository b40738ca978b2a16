-- +goose Up
-- Referrals. Bodies are insert-only and apart from the narrow rows that change:
-- an update of a narrow row writes some 300 bytes of log, one of a body 16,000.

-- One referral: who, to whom, where it stands. id is the digest of its request.
CREATE TABLE referral (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         text NOT NULL CONSTRAINT referral_once UNIQUE
               CONSTRAINT referral_id_form CHECK (length(id) = 43),
    sender     text NOT NULL,
    recipient  text NOT NULL CONSTRAINT referral_two_partners CHECK (sender <> recipient),
    subject    text NOT NULL,
    purpose    text NOT NULL,
    urgency    text NOT NULL CONSTRAINT referral_urgency CHECK (urgency IN ('emergency', 'urgent', 'routine')),
    service    text NOT NULL,
    area       text NOT NULL,
    onward_from text,
    state      text NOT NULL CONSTRAINT referral_state CHECK (state IN
               ('requested', 'received', 'accepted', 'rejected', 'in-progress', 'completed', 'failed', 'cancelled')),
    asked      boolean NOT NULL DEFAULT false, -- the ball is with the sender
    head       text NOT NULL,                  -- digest of the newest envelope
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);
-- The inbox is a keyset read: its cost does not grow with the table.
CREATE INDEX referral_inbox ON referral (recipient, seq DESC)
    WHERE state IN ('requested', 'received', 'accepted', 'in-progress');
CREATE INDEX referral_received ON referral (recipient, seq DESC);
CREATE INDEX referral_sent ON referral (sender, seq DESC);

-- One packet, as it was signed. (issuer, jti) is the idempotency key. Both are part of
-- the envelope, so its digest is unique as well and needs no index to make it so.
CREATE TABLE packet (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    referral  bigint NOT NULL REFERENCES referral,
    issuer    text NOT NULL,
    audience  text NOT NULL,
    jti       uuid NOT NULL,
    event     text NOT NULL,
    digest    text NOT NULL,
    envelope  text NOT NULL,
    consent   uuid,
    state     text NOT NULL, -- of the referral after it
    expires_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL,
    log_entry uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT packet_once UNIQUE (issuer, jti)
);
CREATE INDEX packet_of_referral ON packet (referral, seq);

-- The transport state of a packet.
CREATE TABLE delivery (
    packet   bigint PRIMARY KEY,
    referral bigint NOT NULL,
    issuer   text NOT NULL,
    audience text NOT NULL,
    state    text NOT NULL,
    delivered_at timestamptz,
    opened_at timestamptz,
    log_entry uuid REFERENCES audit_entry, -- of the last transition; that it is stored, the packet's entry says
    CONSTRAINT delivery_state CHECK (state = 'stored' OR state IN ('delivered', 'opened') AND log_entry IS NOT NULL)
);
CREATE INDEX delivery_waiting ON delivery (audience, referral) WHERE state = 'stored';

-- A sealed section, exactly as it travelled, and the sender's own copy of it in a
-- table that the recipient's session cannot read.
CREATE TABLE section (
    packet   bigint NOT NULL,
    name     text NOT NULL,
    issuer   text NOT NULL,
    audience text NOT NULL,
    sealed   text NOT NULL,
    PRIMARY KEY (packet, name)
);
CREATE TABLE section_copy (
    packet   bigint NOT NULL,
    name     text NOT NULL,
    issuer   text NOT NULL,
    sealed   text NOT NULL,
    PRIMARY KEY (packet, name)
);
-- Ciphertext and signatures do not compress: trying costs a third of the rate. What
-- fits into a page stays in its row, which spares a second table and its index.
ALTER TABLE section ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE section SET (toast_tuple_target = 8160);
ALTER TABLE section_copy ALTER COLUMN sealed SET STORAGE EXTERNAL;
ALTER TABLE section_copy SET (toast_tuple_target = 8160);
ALTER TABLE packet ALTER COLUMN envelope SET STORAGE EXTERNAL;
ALTER TABLE packet SET (toast_tuple_target = 8160);

-- The rows of delivery, section and section_copy are written by the statement that
-- writes their packet, with the number it has just got. As foreign keys these would be
-- looked up one by one, which took a sixth of storing a packet; what they would hold
-- besides is that no packet goes and leaves any of them behind.
-- +goose StatementBegin
CREATE FUNCTION packet_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE'
       OR EXISTS (SELECT FROM delivery WHERE packet = OLD.seq)
       OR EXISTS (SELECT FROM section WHERE packet = OLD.seq)
       OR EXISTS (SELECT FROM section_copy WHERE packet = OLD.seq) THEN
        RAISE EXCEPTION 'a packet goes after all that belongs to it'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'packet_kept';
    END IF;
    RETURN OLD;
END $$;
-- +goose StatementEnd
CREATE TRIGGER packet_kept BEFORE DELETE OR UPDATE OF seq ON packet
    FOR EACH ROW EXECUTE FUNCTION packet_kept();
CREATE TRIGGER packet_not_emptied BEFORE TRUNCATE ON packet
    FOR EACH STATEMENT EXECUTE FUNCTION packet_kept();

-- Each release of a section: to whom, when, under which log entry.
CREATE TABLE release (
    packet   bigint NOT NULL REFERENCES packet,
    name     text NOT NULL,
    reader   text NOT NULL,
    at       timestamptz NOT NULL,
    log_entry uuid NOT NULL REFERENCES audit_entry,
    PRIMARY KEY (packet, name, log_entry)
);

ALTER TABLE referral ENABLE ROW LEVEL SECURITY;
CREATE POLICY referral_parties ON referral
    USING (nullif(current_setting('hub.partner', true), '') IN (sender, recipient));
ALTER TABLE packet ENABLE ROW LEVEL SECURITY;
CREATE POLICY packet_parties ON packet
    USING (nullif(current_setting('hub.partner', true), '') IN (issuer, audience));
ALTER TABLE delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY delivery_parties ON delivery
    USING (nullif(current_setting('hub.partner', true), '') IN (issuer, audience));
ALTER TABLE section ENABLE ROW LEVEL SECURITY;
CREATE POLICY section_parties ON section
    USING (nullif(current_setting('hub.partner', true), '') IN (issuer, audience));
ALTER TABLE section_copy ENABLE ROW LEVEL SECURITY;
CREATE POLICY section_copy_own ON section_copy
    USING (issuer = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE release ENABLE ROW LEVEL SECURITY;
CREATE POLICY release_parties ON release
    USING (EXISTS (SELECT FROM packet p WHERE p.seq = release.packet));

-- Seeing a row takes one of its two parties; making one takes its author. Without
-- this a session of the recipient could file packets in the sender's name.
CREATE POLICY referral_by_sender ON referral AS RESTRICTIVE FOR INSERT
    WITH CHECK (sender = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY packet_by_issuer ON packet AS RESTRICTIVE FOR INSERT
    WITH CHECK (issuer = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY delivery_by_issuer ON delivery AS RESTRICTIVE FOR INSERT
    WITH CHECK (issuer = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY section_by_issuer ON section AS RESTRICTIVE FOR INSERT
    WITH CHECK (issuer = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY release_to_reader ON release AS RESTRICTIVE FOR INSERT
    WITH CHECK (reader = nullif(current_setting('hub.partner', true), ''));

GRANT SELECT, INSERT ON referral, packet, delivery, section, section_copy, release TO handover_hub;
GRANT UPDATE (state, asked, head, changed_at) ON referral TO handover_hub;
GRANT UPDATE (state, delivered_at, opened_at, log_entry) ON delivery TO handover_hub;
GRANT DELETE ON section TO handover_hub;
