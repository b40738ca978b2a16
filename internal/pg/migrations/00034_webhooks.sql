-- +goose Up
-- Webhooks: an agency is told, at an address of its own, that something awaits it. What is told is
-- an event, a time, an id and an urgency. The log is the outbox: each entry that has its place in
-- the tree, and so is under a signed checkpoint, is read once and in order, and makes a row for
-- each webhook that it concerns, in the transaction that moves the place read on.

CREATE TABLE webhook (
    id            uuid PRIMARY KEY,
    partner       text NOT NULL REFERENCES partner,
    url           text NOT NULL CONSTRAINT webhook_url_length CHECK (length(url) BETWEEN 1 AND 500),
    events        text[] NOT NULL CONSTRAINT webhook_events_some CHECK (cardinality(events) > 0),
    state         text NOT NULL CONSTRAINT webhook_state CHECK (state IN ('active', 'paused', 'disabled', 'removed')),
    since         timestamptz NOT NULL,
    failing_since timestamptz,                    -- of the failures after which nothing was taken yet
    rest_until    timestamptz NOT NULL,           -- until then no hub takes it up: one has it, or it rests
    turn          uuid,                           -- of the hub that has it
    log_entry     uuid NOT NULL REFERENCES audit_entry
);
CREATE INDEX webhook_of ON webhook (partner) WHERE state <> 'removed';

-- The secrets by which receivers check that the hub has sent something, wrapped by the key store
-- for this webhook, partner and id and for no other row.
CREATE TABLE webhook_secret (
    id        uuid PRIMARY KEY,
    webhook   uuid NOT NULL REFERENCES webhook,
    partner   text NOT NULL REFERENCES partner,
    wrapped   text NOT NULL,
    made_at   timestamptz NOT NULL,
    ends_at   timestamptz NOT NULL DEFAULT 'infinity',
    log_entry uuid NOT NULL REFERENCES audit_entry
);
CREATE INDEX webhook_secret_of ON webhook_secret (webhook);

-- What is to be told to one webhook because of one entry. It is written once however often the
-- entry is told, so the id by which receivers know it again is that of the entry.
CREATE TABLE webhook_delivery (
    webhook   uuid NOT NULL REFERENCES webhook,
    entry     uuid NOT NULL REFERENCES audit_entry,
    partner   text NOT NULL REFERENCES partner,
    place     bigint NOT NULL,                    -- of the entry in the log
    event     text NOT NULL,
    at        timestamptz NOT NULL,
    about     text NOT NULL CONSTRAINT webhook_delivery_about CHECK (about IN ('referral', 'consent', 'recall', 'webhook')),
    name      text NOT NULL,                      -- the id of what it is about
    urgency   text,
    state     text NOT NULL DEFAULT 'waiting' CONSTRAINT webhook_delivery_state CHECK (state IN ('waiting', 'delivered', 'failed')),
    attempts  integer NOT NULL DEFAULT 0,
    made_at   timestamptz NOT NULL,
    next_at   timestamptz NOT NULL,
    tried_at  timestamptz,
    outcome   text CONSTRAINT webhook_delivery_outcome CHECK (outcome ~ '^[a-z0-9-]{1,40}$'),
    CONSTRAINT webhook_delivery_once PRIMARY KEY (webhook, entry),
    CONSTRAINT webhook_delivery_tried CHECK ((attempts = 0 OR tried_at IS NOT NULL) AND (state <> 'delivered' OR tried_at IS NOT NULL))
);
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook, next_at) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_newest ON webhook_delivery (webhook, place DESC);
CREATE INDEX webhook_delivery_old ON webhook_delivery (made_at);

-- How far the log has been read. One row for all hubs: who holds it reads.
CREATE TABLE webhook_cursor (
    one  boolean PRIMARY KEY DEFAULT true CONSTRAINT webhook_cursor_one CHECK (one),
    next bigint NOT NULL
);
INSERT INTO webhook_cursor (next) SELECT coalesce(max(idx) + 1, 0) FROM audit_leaf;

ALTER TABLE webhook ENABLE ROW LEVEL SECURITY;
CREATE POLICY webhook_own ON webhook USING (partner = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE webhook_secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY webhook_secret_own ON webhook_secret USING (partner = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE webhook_delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY webhook_delivery_own ON webhook_delivery USING (partner = nullif(current_setting('hub.partner', true), ''));
GRANT SELECT, INSERT, UPDATE (state, failing_since, rest_until, turn, log_entry) ON webhook TO handover_hub;
GRANT SELECT, INSERT, DELETE, UPDATE (ends_at) ON webhook_secret TO handover_hub;
GRANT SELECT, UPDATE (state, attempts, made_at, next_at) ON webhook_delivery TO handover_hub;

-- What the hub does of itself is done in sessions that are bound to no partner, by the functions
-- below: each has one effect, and none gives out more than an event, an id and an urgency.
-- +goose StatementBegin

-- Reads at most `most` entries on, and makes the deliveries that follow from them. Returns how
-- many entries it has read; 0 also while another hub reads. Entries get their places one
-- transaction after another, so nothing comes later before a place that was read.
CREATE FUNCTION webhook_feed(most integer) RETURNS integer LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    start bigint;
    read  integer;
BEGIN
    PERFORM hub_alone();
    SELECT c.next INTO start FROM webhook_cursor c FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    -- While nobody has a webhook the log is passed over. In one statement, and so one snapshot:
    -- what is passed over was there before the first webhook was.
    UPDATE webhook_cursor c SET next = m.next FROM (SELECT max(idx) + 1 AS next FROM audit_leaf) m
        WHERE m.next > c.next AND NOT EXISTS (SELECT FROM webhook WHERE state <> 'removed');
    IF FOUND THEN
        RETURN 0;
    END IF;
    -- Each join is a look-up by key, whatever the planner makes of `most`.
    WITH entry AS MATERIALIZED (
        SELECT l.idx, e.*, r.sender, r.recipient, r.urgency,
            CASE WHEN e.act IN ('recall.asked', 'webhook.test') THEN audit_said(e.body) ->> 'target' END AS target
        FROM (SELECT * FROM audit_leaf WHERE idx >= start ORDER BY idx LIMIT most) l
        CROSS JOIN LATERAL (SELECT id, at, partner, other, act, referral, consent, body FROM audit_entry WHERE id = l.entry OFFSET 0) e
        LEFT JOIN LATERAL (SELECT sender, recipient, urgency FROM referral WHERE id = e.referral OFFSET 0) r ON true),
    told AS (
        SELECT e.*,
            CASE WHEN e.act = 'referral.request' THEN 'referral.received'
                 WHEN e.act = 'referral.ask' THEN 'referral.asked'
                 WHEN e.act IN ('referral.receive', 'referral.answer', 'referral.accept', 'referral.decline', 'referral.redirect', 'referral.start',
                                'referral.complete', 'referral.fail', 'referral.withdraw', 'referral.message') THEN 'referral.moved'
                 WHEN e.act = 'section.destroy' THEN 'consent.withdrawn'
                 -- She who recorded it is told if somebody else took it back.
                 WHEN e.act = 'consent.followed' AND s.withdrawn_by <> e.other THEN 'consent.withdrawn'
                 WHEN e.act = 'recall.asked' THEN 'recall.asked'
                 WHEN e.act = 'webhook.test' THEN 'test' END AS event
        FROM entry e
        LEFT JOIN LATERAL (SELECT withdrawn_by FROM consent_state
            WHERE id = CASE WHEN e.act = 'consent.followed' THEN e.consent::uuid END OFFSET 0) s ON true),
    made AS (
        INSERT INTO webhook_delivery (webhook, entry, partner, place, event, at, about, name, urgency, made_at, next_at)
        SELECT w.id, t.id, w.partner, t.idx, t.event, t.at, n.about, n.name, CASE WHEN n.about = 'referral' THEN t.urgency END, now(), now()
        FROM told t
        CROSS JOIN LATERAL (SELECT
            CASE t.act WHEN 'recall.asked' THEN 'recall' WHEN 'webhook.test' THEN 'webhook' WHEN 'consent.followed' THEN 'consent' ELSE 'referral' END AS about,
            CASE t.act WHEN 'recall.asked' THEN t.target WHEN 'webhook.test' THEN t.target WHEN 'consent.followed' THEN t.consent ELSE t.referral END AS name) n
        JOIN webhook w ON w.state <> 'removed' AND n.name IS NOT NULL AND CASE
            WHEN t.event = 'test' THEN w.id::text = t.target AND w.partner = t.partner
            WHEN t.event = 'referral.moved' AND t.partner = '' THEN w.partner IN (t.sender, t.recipient) AND t.event = ANY (w.events) -- a step of the hub's own
            ELSE w.partner = t.other AND t.event = ANY (w.events) END
        WHERE t.event IS NOT NULL
        ON CONFLICT ON CONSTRAINT webhook_delivery_once DO NOTHING)
    SELECT count(*) INTO read FROM entry;
    UPDATE webhook_cursor SET next = start + read;
    RETURN read;
END $$;

-- Gives one hub its turn at one webhook for which something is due, for `held`, with at most
-- `most` of what is due in the order of the log. Another hub passes over it meanwhile; when a hub
-- dies in its turn, the next begins after `held` with all that was not noted as done.
CREATE FUNCTION webhook_turn(held interval, most integer)
    RETURNS TABLE (webhook uuid, turn uuid, partner text, url text, entry uuid, event text, at timestamptz, about text, name text, urgency text, attempts integer)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    mine  uuid;
    token uuid := gen_random_uuid();
BEGIN
    PERFORM hub_alone();
    SELECT w.id INTO mine FROM webhook w JOIN partner p ON p.id = w.partner
        WHERE w.state = 'active' AND p.status = 'active' AND w.rest_until <= now()
          AND EXISTS (SELECT FROM webhook_delivery d WHERE d.webhook = w.id AND d.state = 'waiting' AND d.next_at <= now())
        ORDER BY w.rest_until, w.id LIMIT 1 FOR NO KEY UPDATE OF w SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE webhook w SET rest_until = now() + held, turn = token WHERE w.id = mine;
    RETURN QUERY SELECT w.id, token, w.partner, w.url, d.entry, d.event, d.at, d.about, d.name, d.urgency, d.attempts
        FROM webhook w JOIN webhook_delivery d ON d.webhook = w.id
        WHERE w.id = mine AND d.state = 'waiting' AND d.next_at <= now() ORDER BY d.place LIMIT most;
END $$;

-- The secrets that count now, newest first, to the hub whose turn it is.
CREATE FUNCTION webhook_secrets(mine uuid, token uuid) RETURNS TABLE (id uuid, wrapped text) LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    RETURN QUERY SELECT s.id, s.wrapped FROM webhook_secret s JOIN webhook w ON w.id = s.webhook
        WHERE w.id = mine AND w.turn = token AND s.ends_at > now() ORDER BY s.made_at DESC, s.id;
END $$;

-- Notes one attempt: delivered, to be tried `again` later, or, without `again`, failed for good. What waited
-- out a failure is due as soon as something was taken again. False if the turn is over: the
-- webhook was stopped, or another hub has it by now, and then nothing was noted.
CREATE FUNCTION webhook_tried(mine uuid, token uuid, told uuid, good boolean, how text, again interval) RETURNS boolean LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    failing timestamptz;
    goes_on boolean;
BEGIN
    PERFORM hub_alone();
    SELECT w.failing_since, w.state = 'active' INTO failing, goes_on FROM webhook w WHERE w.id = mine AND w.turn = token FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE webhook_delivery d SET attempts = d.attempts + 1, tried_at = now(), outcome = how,
        state = CASE WHEN good THEN 'delivered' WHEN again IS NULL THEN 'failed' ELSE 'waiting' END,
        next_at = now() + coalesce(again, '0')
        WHERE d.webhook = mine AND d.entry = told AND d.state = 'waiting';
    IF good AND failing IS NOT NULL THEN
        UPDATE webhook w SET failing_since = NULL WHERE w.id = mine;
        UPDATE webhook_delivery d SET next_at = now() WHERE d.webhook = mine AND d.state = 'waiting';
    ELSIF NOT good AND failing IS NULL THEN
        UPDATE webhook w SET failing_since = now() WHERE w.id = mine;
    END IF;
    RETURN goes_on;
END $$;

-- Ends a turn; the webhook rests for a while if it failed.
CREATE FUNCTION webhook_rests(mine uuid, token uuid, rest interval) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    UPDATE webhook w SET turn = NULL, rest_until = now() + rest WHERE w.id = mine AND w.turn = token;
END $$;

-- A webhook that has failed for longer than `longest`, if there is one.
CREATE FUNCTION webhook_hopeless(longest interval) RETURNS TABLE (id uuid, partner text, url text) LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    RETURN QUERY SELECT w.id, w.partner, w.url FROM webhook w
        WHERE w.state = 'active' AND w.failing_since < now() - longest ORDER BY w.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
END $$;

-- Disables it, with the entry that says so.
CREATE FUNCTION webhook_disable(mine uuid, entry uuid) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    UPDATE webhook w SET state = 'disabled', turn = NULL, log_entry = entry WHERE w.id = mine AND w.state = 'active' AND w.failing_since IS NOT NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the webhook does not fail' USING ERRCODE = 'check_violation', CONSTRAINT = 'webhook_moved';
    END IF;
END $$;

-- Gives up what has waited longer than `waited`, and forgets what is older than `kept`, and secrets that
-- have ended.
CREATE FUNCTION webhook_prune(waited interval, kept interval) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    UPDATE webhook_delivery SET state = 'failed', outcome = coalesce(outcome, 'not-tried') WHERE state = 'waiting' AND next_at < now() AND made_at < now() - waited
        AND webhook NOT IN (SELECT id FROM webhook WHERE turn IS NOT NULL AND rest_until > now());
    DELETE FROM webhook_delivery WHERE made_at < now() - kept;
    DELETE FROM webhook_secret WHERE ends_at < now();
END $$;

-- How many deliveries of webhooks that take some are due, and since when the first of them is; and how many entries
-- wait to be read.
CREATE FUNCTION webhook_lag() RETURNS TABLE (due bigint, since timestamptz, unread bigint) LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    RETURN QUERY SELECT count(d.*), min(d.next_at), greatest((SELECT coalesce(max(l.idx) + 1, 0) FROM audit_leaf l) - (SELECT c.next FROM webhook_cursor c), 0)
        FROM webhook w JOIN webhook_delivery d ON d.webhook = w.id WHERE w.state = 'active' AND d.state = 'waiting' AND d.next_at <= now();
END $$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION webhook_feed(integer), webhook_turn(interval, integer), webhook_secrets(uuid, uuid),
    webhook_tried(uuid, uuid, uuid, boolean, text, interval), webhook_rests(uuid, uuid, interval), webhook_hopeless(interval),
    webhook_disable(uuid, uuid), webhook_prune(interval, interval), webhook_lag() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION webhook_feed(integer), webhook_turn(interval, integer), webhook_secrets(uuid, uuid),
    webhook_tried(uuid, uuid, uuid, boolean, text, interval), webhook_rests(uuid, uuid, interval), webhook_hopeless(interval),
    webhook_disable(uuid, uuid), webhook_prune(interval, interval), webhook_lag() TO handover_hub;
