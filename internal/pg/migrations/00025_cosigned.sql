-- +goose Up
-- The checkpoints that as many witnesses have cosigned as a policy asks for: the note as the
-- log signed it, and their lines below. A receipt leads to the first of these that covers its
-- entry, so under one policy none is ever added before another: the same receipt has the same
-- bytes whenever it is asked for. Another policy (the digest of what it demands) begins anew.
CREATE TABLE audit_cosigned (
    policy text   NOT NULL CONSTRAINT audit_cosigned_policy CHECK (policy ~ '^[A-Za-z0-9_-]{43}$'),
    size   bigint NOT NULL CONSTRAINT audit_cosigned_covers CHECK (size > 0),
    note   bytea  NOT NULL CONSTRAINT audit_cosigned_note CHECK (octet_length(note) <= 65536),
    CONSTRAINT audit_cosigned_pkey PRIMARY KEY (policy, size)
);
CREATE INDEX audit_cosigned_size ON audit_cosigned (size);

-- +goose StatementBegin
CREATE FUNCTION audit_cosigned_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM audit_cosigned WHERE policy = NEW.policy AND size >= NEW.size) THEN
        RAISE EXCEPTION 'a larger checkpoint is cosigned already'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'audit_cosigned_only_grows';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

CREATE TRIGGER audit_cosigned_only_grows BEFORE INSERT ON audit_cosigned
    FOR EACH ROW EXECUTE FUNCTION audit_cosigned_only_grows();
CREATE TRIGGER audit_cosigned_kept BEFORE UPDATE OR DELETE ON audit_cosigned
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_cosigned_not_emptied BEFORE TRUNCATE ON audit_cosigned
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();
GRANT SELECT, INSERT ON audit_cosigned TO handover_log;
