-- +goose Up
-- Attachments come in chunks before the packet that names them, under its id and the name
-- of the section that they belong to. Until then nobody but their sender sees them, and
-- after a day they are forgotten.

CREATE TABLE attachment (
    issuer   text NOT NULL REFERENCES partner,
    jti      uuid NOT NULL,                    -- of the packet that is to name it
    name     text NOT NULL CONSTRAINT attachment_name CHECK (name ~ '^attachment-[1-9]$'),
    bytes    bigint NOT NULL,                  -- of the sealed chunks that are here
    begun_at timestamptz NOT NULL,
    packet   bigint REFERENCES packet,         -- that named it
    audience text,                             -- whom that packet is for
    log_entry uuid NOT NULL REFERENCES audit_entry, -- of its beginning, then of the packet
    PRIMARY KEY (issuer, jti, name),
    CONSTRAINT attachment_named_whole CHECK (num_nulls(packet, audience) IN (0, 2))
);
CREATE INDEX attachment_unnamed ON attachment (issuer, begun_at) WHERE packet IS NULL;
CREATE INDEX attachment_of_packet ON attachment (packet) WHERE packet IS NOT NULL;

-- A sealed chunk, exactly as it travelled.
CREATE TABLE attachment_chunk (
    issuer text NOT NULL,
    jti    uuid NOT NULL,
    name   text NOT NULL,
    n      int  NOT NULL CONSTRAINT attachment_chunk_number CHECK (n BETWEEN 0 AND 319),
    ends   boolean NOT NULL,                   -- it says that it is the last
    digest text NOT NULL,
    sealed text NOT NULL CONSTRAINT attachment_chunk_size CHECK (octet_length(sealed) <= 262144),
    PRIMARY KEY (issuer, jti, name, n),
    CONSTRAINT attachment_chunk_of FOREIGN KEY (issuer, jti, name) REFERENCES attachment ON DELETE CASCADE
);
ALTER TABLE attachment_chunk ALTER COLUMN sealed SET STORAGE EXTERNAL; -- ciphertext does not compress

-- What a packet has named stays as it was named: no chunk is added to it any more.
-- +goose StatementBegin
CREATE FUNCTION attachment_settled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.packet IS NOT NULL THEN
        RAISE EXCEPTION 'an attachment that a packet has named does not change'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'attachment_settled';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER attachment_settled BEFORE UPDATE ON attachment
    FOR EACH ROW EXECUTE FUNCTION attachment_settled();

ALTER TABLE attachment ENABLE ROW LEVEL SECURITY;
CREATE POLICY attachment_parties ON attachment
    USING (nullif(current_setting('hub.partner', true), '') IN (issuer, audience));
-- A recipient sees chunks of what was released to her, and of nothing else.
ALTER TABLE attachment_chunk ENABLE ROW LEVEL SECURITY;
CREATE POLICY attachment_chunk_parties ON attachment_chunk
    USING (issuer = nullif(current_setting('hub.partner', true), '')
        OR EXISTS (SELECT FROM attachment a JOIN release x ON x.packet = a.packet AND x.name = a.name
                   WHERE a.issuer = attachment_chunk.issuer AND a.jti = attachment_chunk.jti AND a.name = attachment_chunk.name
                     AND x.reader = nullif(current_setting('hub.partner', true), '')));

-- Only their author makes, names and removes them.
CREATE POLICY attachment_by_issuer ON attachment AS RESTRICTIVE FOR INSERT
    WITH CHECK (issuer = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY attachment_changed_by_issuer ON attachment AS RESTRICTIVE FOR UPDATE
    USING (issuer = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY attachment_removed_by_issuer ON attachment AS RESTRICTIVE FOR DELETE
    USING (issuer = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY attachment_chunk_by_issuer ON attachment_chunk AS RESTRICTIVE FOR INSERT
    WITH CHECK (issuer = nullif(current_setting('hub.partner', true), ''));

GRANT SELECT, INSERT, DELETE ON attachment TO handover_hub;
GRANT UPDATE (bytes, packet, audience, log_entry) ON attachment TO handover_hub;
GRANT SELECT, INSERT ON attachment_chunk TO handover_hub;
