-- +goose Up
-- What somebody had who can have nothing now is listed as new again, if it waits: whoever is
-- suspended, leaves or is given another role must not take a referral with her that nobody else
-- looks at. Who had it stays written down until somebody else has it.
-- +goose StatementBegin
CREATE FUNCTION referral_holder_leaves() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE referral r SET taken = NEW.status = 'active' AND NEW.role IN ('caseworker', 'manager')
    FROM referral_holding h WHERE h.partner = NEW.partner AND h.side = 'recipient' AND h.holder = NEW.id AND r.seq = h.referral;
    RETURN NULL;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION referral_holder_leaves() FROM PUBLIC;
CREATE TRIGGER referral_holder_leaves AFTER UPDATE OF status, role ON partner_user FOR EACH ROW
    WHEN (NEW.status <> OLD.status OR NEW.role <> OLD.role) EXECUTE FUNCTION referral_holder_leaves();

-- Those who have left already.
UPDATE referral r SET taken = false
FROM referral_holding h JOIN partner_user u ON u.id = h.holder
WHERE h.side = 'recipient' AND r.seq = h.referral AND NOT (u.status = 'active' AND u.role IN ('caseworker', 'manager'));
