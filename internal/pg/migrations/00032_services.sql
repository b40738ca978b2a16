-- +goose Up
-- An agency says itself what it offers, and how many it can take now. How long a waiting list
-- is is told in bands: nobody counts weeks at two in the morning. capacity_at is when somebody
-- last said so, if only that it is still so; what nobody has said for long is doubted.
ALTER TABLE service
    ADD wait text CONSTRAINT service_wait CHECK (wait IN ('under-one-month', 'one-to-three-months', 'over-three-months')),
    ADD capacity_at timestamptz,
    ADD CONSTRAINT service_wait_of_list CHECK (wait IS NULL OR capacity = 'waiting-list');
UPDATE service SET capacity_at = updated_at;
ALTER TABLE service ALTER capacity_at SET NOT NULL;

-- What has ended for good has ended: referrals name it still, so it is not made another.
-- +goose StatementBegin
CREATE FUNCTION service_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'defunct' THEN
        RAISE EXCEPTION 'a service that has ended does not go on' USING CONSTRAINT = 'service_final', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER service_final BEFORE UPDATE ON service FOR EACH ROW EXECUTE FUNCTION service_final();

-- Services are in the directory: everybody reads all. Only in a session of the partner itself
-- are they made or changed, and never given to another.
ALTER TABLE service ENABLE ROW LEVEL SECURITY;
CREATE POLICY service_directory ON service FOR SELECT USING (true);
CREATE POLICY service_made ON service FOR INSERT
    WITH CHECK (partner = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY service_changed ON service FOR UPDATE
    USING (partner = nullif(current_setting('hub.partner', true), ''));
GRANT INSERT, UPDATE (name, purposes, areas, status, capacity, wait, women_only, accepts_no_recourse, self_referral,
    updated_at, capacity_at, log_entry) ON service TO handover_hub;
