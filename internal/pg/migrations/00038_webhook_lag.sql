-- +goose Up
-- How far the hubs are behind: of what they could tell now. What a receiver does not take, or an agency that is
-- suspended is not told, is nothing that the hubs are late with, and must not wake whoever runs them.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION webhook_lag() RETURNS TABLE (due bigint, since timestamptz, unread bigint) LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    RETURN QUERY SELECT count(d.*), min(d.next_at), greatest((SELECT coalesce(max(l.idx) + 1, 0) FROM audit_leaf l) - (SELECT c.next FROM webhook_cursor c), 0)
        FROM webhook w JOIN partner p ON p.id = w.partner AND p.status = 'active' JOIN webhook_delivery d ON d.webhook = w.id
        WHERE w.state = 'active' AND w.failing_since IS NULL AND d.state = 'waiting' AND d.next_at <= now();
END $$;
-- +goose StatementEnd
