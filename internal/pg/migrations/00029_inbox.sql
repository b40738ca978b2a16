-- +goose Up
-- The inbox: by when something is due of a referral and of whom, who of an agency has it, who
-- looks at it now; and the indexes along which each of the inbox's lists is read.

ALTER TABLE referral
    -- By when the next of delivered, opened, decided and first-contact is due. Neither is set
    -- while the ball is with the sender, once first contact was made, and after the end.
    ADD due_at  timestamptz,
    ADD due_for text CONSTRAINT referral_due_for CHECK (due_for IN ('delivered', 'opened', 'decided', 'first-contact')),
    -- What the clocks count from: the request, or the sender's answer to a question.
    ADD due_from timestamptz,
    -- When the consent ends that the request rests on, or the newest of those that have renewed it.
    ADD consent_ends timestamptz,
    -- Somebody of the recipient has it: that, and not who. (Who is in referral_holding; the list
    -- of what nobody has must not be longer to read for all that somebody has.)
    ADD taken boolean NOT NULL DEFAULT false,
    -- What a reference is looked up by: its 40 bits are the first six characters of the id and a
    -- part of the seventh. (A column, since left() may leak: row-level security would have it
    -- asked of every row, and no index on it used.)
    ADD short text GENERATED ALWAYS AS (left(id, 7)) STORED;

-- Referrals from before the clocks. The working time is the one of referral/clock, which also
-- has the holidays' source.
-- +goose StatementBegin
CREATE FUNCTION backfilled(since timestamptz, urgency text, what text) RETURNS timestamptz LANGUAGE plpgsql STRICT AS $$
DECLARE
    holidays CONSTANT date[] := '{2025-01-01,2025-04-18,2025-04-21,2025-05-05,2025-05-26,2025-08-25,2025-12-25,2025-12-26,
        2026-01-01,2026-04-03,2026-04-06,2026-05-04,2026-05-25,2026-08-31,2026-12-25,2026-12-28}';
    at timestamp := since AT TIME ZONE 'Europe/London';
    days int := CASE what WHEN 'opened' THEN 1 WHEN 'decided' THEN 2 ELSE 3 END;
    opening CONSTANT time := '09:00';
BEGIN
    IF urgency = 'emergency' THEN
        RETURN since + CASE what WHEN 'delivered' THEN interval '15 minutes' WHEN 'opened' THEN interval '1 hour'
            WHEN 'decided' THEN interval '4 hours' ELSE interval '24 hours' END;
    ELSIF urgency = 'routine' THEN
        days := CASE what WHEN 'delivered' THEN 1 WHEN 'opened' THEN 2 WHEN 'decided' THEN 5 ELSE 10 END;
    ELSIF what = 'delivered' THEN
        days := 1; -- longer than its four hours: nothing is late that was not
    END IF;
    IF at::time >= '17:00' THEN
        at := at::date + 1 + opening;
    ELSIF at::time < opening THEN
        at := at::date + opening;
    END IF;
    WHILE extract(isodow FROM at) > 5 OR at::date = ANY (holidays) LOOP
        at := at::date + 1 + opening;
    END LOOP;
    IF at::time = opening THEN -- a whole day from its opening ends when it closes
        days := days - 1;
        at := at::date + time '17:00';
    END IF;
    WHILE days > 0 LOOP
        at := at + interval '1 day';
        IF extract(isodow FROM at) <= 5 AND at::date <> ALL (holidays) THEN
            days := days - 1;
        END IF;
    END LOOP;
    RETURN at AT TIME ZONE 'Europe/London';
END $$;
-- +goose StatementEnd
UPDATE referral r SET due_from = r.created_at, due_for = d.due, due_at = backfilled(r.created_at, r.urgency, d.due), consent_ends = e.expires_at
FROM (SELECT r.seq, CASE
          WHEN r.state = 'accepted' THEN 'first-contact'
          WHEN r.state NOT IN ('requested', 'received') OR r.asked THEN NULL
          ELSE (SELECT CASE d.state WHEN 'opened' THEN 'decided' WHEN 'delivered' THEN 'opened' ELSE 'delivered' END
                FROM packet p JOIN delivery d ON d.packet = p.seq WHERE p.referral = r.seq ORDER BY p.seq LIMIT 1) END AS due
      FROM referral r) d
LEFT JOIN LATERAL (SELECT n.expires_at FROM packet p JOIN consent c ON c.id = p.consent JOIN consent n ON n.chain = c.chain
                   WHERE p.referral = d.seq AND p.event = 'request' ORDER BY n.place DESC LIMIT 1) e ON true
WHERE d.seq = r.seq;
DROP FUNCTION backfilled(timestamptz, text, text);
ALTER TABLE referral
    ALTER due_from SET DEFAULT now(), ALTER due_from SET NOT NULL,
    ADD CONSTRAINT referral_due_whole CHECK (num_nulls(due_at, due_for) IN (0, 2)),
    ADD CONSTRAINT referral_due_open CHECK (due_at IS NULL OR state IN ('requested', 'received', 'accepted'));

-- Each list of the inbox is a keyset read along one of these.
CREATE INDEX referral_new ON referral (recipient, seq DESC) WHERE state = 'requested' AND NOT taken;
CREATE INDEX referral_asked_in ON referral (recipient, seq DESC) WHERE asked AND state = 'received';
CREATE INDEX referral_asked_out ON referral (sender, seq DESC) WHERE asked AND state = 'received';
CREATE INDEX referral_sent_open ON referral (sender, seq DESC) WHERE state IN ('requested', 'received', 'accepted', 'in-progress');
CREATE INDEX referral_due ON referral (recipient, due_at, seq) WHERE due_at IS NOT NULL;
CREATE INDEX referral_ending ON referral (recipient, consent_ends, seq)
    WHERE consent_ends IS NOT NULL AND state IN ('requested', 'received', 'accepted', 'in-progress');
CREATE INDEX referral_short ON referral (short);

-- A record that renews another takes the end of what rests on it further, whoever recorded it.
-- +goose StatementBegin
CREATE FUNCTION consent_renews() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE referral r SET consent_ends = NEW.expires_at
    FROM consent c JOIN packet p ON p.consent = c.id AND p.event = 'request'
    WHERE c.chain = NEW.chain AND r.seq = p.referral AND r.state IN ('requested', 'received', 'accepted', 'in-progress');
    RETURN NULL;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION consent_renews() FROM PUBLIC;
CREATE TRIGGER consent_renews AFTER INSERT ON consent FOR EACH ROW WHEN (NEW.place > 0) EXECUTE FUNCTION consent_renews();

-- What the hub cancels is due of nobody any more (as in 00019, but for due_at and due_for).
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION aftermath_cancel(withdrawn uuid, referral text, prev text, hub text, jti uuid, digest text, envelope text,
    expires timestamptz, at timestamptz, entry uuid) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    held referral;
    made bigint;
BEGIN
    PERFORM hub_alone();
    UPDATE referral r SET state = 'cancelled', asked = false, head = aftermath_cancel.digest, changed_at = at, due_at = NULL, due_for = NULL
        FROM aftermath_packets(withdrawn) p
        WHERE p.event = 'request' AND p.referral = r.seq AND r.id = aftermath_cancel.referral AND r.head = prev
          AND r.state IN ('requested', 'received') AND strpos(hub, ':') > 0
        RETURNING r.* INTO held;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the referral has moved' USING ERRCODE = 'check_violation', CONSTRAINT = 'aftermath_moved';
    END IF;
    INSERT INTO packet (referral, issuer, audience, jti, event, digest, envelope, state, expires_at, stored_at, log_entry)
        VALUES (held.seq, hub, held.recipient, aftermath_cancel.jti, 'withdraw', aftermath_cancel.digest, aftermath_cancel.envelope,
                'cancelled', expires, at, entry)
        RETURNING seq INTO made;
    -- The sender sees how far it has come, as of a step that it took itself.
    INSERT INTO delivery (packet, referral, issuer, audience, state) VALUES (made, held.seq, held.sender, held.recipient, 'stored');
END $$;
-- +goose StatementEnd

-- Who of an agency has a referral: one person of each side, known to her own agency alone.
CREATE TABLE referral_holding (
    referral  bigint NOT NULL REFERENCES referral,
    partner   text NOT NULL REFERENCES partner,
    side      text NOT NULL CONSTRAINT referral_holding_side CHECK (side IN ('sender', 'recipient')),
    holder    uuid NOT NULL REFERENCES partner_user,
    given_by  uuid NOT NULL REFERENCES partner_user, -- herself, who claimed it, or who gave it to her
    since     timestamptz NOT NULL,
    log_entry uuid NOT NULL REFERENCES audit_entry,
    PRIMARY KEY (referral, partner)
);
CREATE INDEX referral_holding_mine ON referral_holding (partner, side, holder, referral DESC);
ALTER TABLE referral_holding ENABLE ROW LEVEL SECURITY;
CREATE POLICY referral_holding_own ON referral_holding
    USING (partner = nullif(current_setting('hub.partner', true), ''))
    WITH CHECK (partner = nullif(current_setting('hub.partner', true), '')
        AND EXISTS (SELECT FROM referral r WHERE r.seq = referral_holding.referral
            AND CASE side WHEN 'sender' THEN r.sender ELSE r.recipient END = partner));
GRANT SELECT, INSERT, DELETE, UPDATE (holder, given_by, since, log_entry) ON referral_holding TO handover_hub;

-- A holding ends with its referral, on both sides: what somebody has is what she must still do.
-- +goose StatementBegin
CREATE FUNCTION referral_holding_ends() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    DELETE FROM referral_holding WHERE referral = NEW.seq;
    RETURN NULL;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION referral_holding_ends() FROM PUBLIC;
CREATE TRIGGER referral_holding_ends AFTER UPDATE OF state ON referral FOR EACH ROW
    WHEN (NEW.state IN ('rejected', 'completed', 'failed', 'cancelled')) EXECUTE FUNCTION referral_holding_ends();

-- Who of an agency looks at a referral now, so that two do not answer it at once. It is no
-- record of who read what, which the log is: a row is gone two minutes after the last look.
CREATE TABLE referral_presence (
    referral bigint NOT NULL REFERENCES referral,
    partner  text NOT NULL REFERENCES partner,
    user_id  uuid NOT NULL REFERENCES partner_user,
    seen_at  timestamptz NOT NULL,
    PRIMARY KEY (referral, user_id)
);
CREATE INDEX referral_presence_old ON referral_presence (seen_at);
ALTER TABLE referral_presence ENABLE ROW LEVEL SECURITY;
CREATE POLICY referral_presence_own ON referral_presence
    USING (partner = nullif(current_setting('hub.partner', true), ''));
GRANT SELECT, INSERT, UPDATE (seen_at) ON referral_presence TO handover_hub;
-- +goose StatementBegin
CREATE FUNCTION presence_forget(before timestamptz) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    DELETE FROM referral_presence WHERE seen_at < before;
END $$;

-- Whose referrals the entries after a place in the log have moved, and how far it has read:
-- both sides of a step, and of who has a referral the agency itself, which alone the entry
-- names. Nothing is said of which referral, or what was done. At most so many entries at once.
CREATE FUNCTION referral_news(after bigint) RETURNS TABLE (upto bigint, concerned text[]) LANGUAGE plpgsql STABLE
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    RETURN QUERY
        WITH fresh AS MATERIALIZED (
            SELECT l.idx, e.act, e.partner, e.other FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry
            WHERE l.idx > after ORDER BY l.idx LIMIT 5000)
        SELECT coalesce(max(f.idx), after),
               coalesce(array_agg(DISTINCT x.name) FILTER (WHERE x.name <> '' AND starts_with(f.act, 'referral.')
                   AND f.act NOT IN ('referral.list', 'referral.read', 'referral.held')), '{}')
        FROM fresh f CROSS JOIN LATERAL (VALUES (f.partner), (f.other)) AS x(name);
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION presence_forget(timestamptz), referral_news(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION presence_forget(timestamptz), referral_news(bigint) TO handover_hub;

GRANT UPDATE (due_at, due_for, due_from, taken) ON referral TO handover_hub;
