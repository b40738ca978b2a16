-- +goose Up
-- What follows when she withdraws a consent. The withdrawal itself stops every release; what
-- is here is done by the hub afterwards, of itself: what nobody has opened is destroyed, what
-- nobody has accepted is cancelled, and whoever holds something is asked what becomes of it.

-- One row for each withdrawn consent, made by the withdrawal, so that none is forgotten
-- whoever records it and wherever the hub dies.
CREATE TABLE consent_aftermath (
    consent   uuid PRIMARY KEY REFERENCES consent,
    done_at   timestamptz,
    log_entry uuid NOT NULL REFERENCES audit_entry -- of the withdrawal, then of its end
);
CREATE INDEX consent_aftermath_due ON consent_aftermath (consent) WHERE done_at IS NULL;
INSERT INTO consent_aftermath (consent, log_entry)
    SELECT id, log_entry FROM consent_state WHERE withdrawn_at IS NOT NULL;
-- +goose StatementBegin
CREATE FUNCTION consent_aftermath_begins() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO consent_aftermath (consent, log_entry) VALUES (NEW.id, NEW.log_entry);
    RETURN NULL;
END $$;
-- +goose StatementEnd
REVOKE EXECUTE ON FUNCTION consent_aftermath_begins() FROM PUBLIC;
CREATE TRIGGER consent_aftermath_begins AFTER UPDATE ON consent_state
    FOR EACH ROW WHEN (OLD.withdrawn_at IS NULL AND NEW.withdrawn_at IS NOT NULL)
    EXECUTE FUNCTION consent_aftermath_begins();

-- What somebody is asked because of a withdrawal: who holds something of hers, whether it
-- still does; who sent what was accepted, whether help goes on. partner answers; recorder
-- and withdrawn_by are told.
CREATE TABLE recall (
    seq          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT recall_seq UNIQUE,
    id           uuid PRIMARY KEY,
    consent      uuid NOT NULL REFERENCES consent,
    consent_digest text NOT NULL, -- which the answer names: who is asked may not be shown the record
    kind         text NOT NULL CONSTRAINT recall_kind CHECK (kind IN ('still-held', 'does-help-go-on')),
    partner      text NOT NULL REFERENCES partner,
    recorder     text NOT NULL REFERENCES partner,
    withdrawn_by text NOT NULL REFERENCES partner,
    referrals    text[] NOT NULL CONSTRAINT recall_referrals_some CHECK (cardinality(referrals) > 0),
    sections     text[] NOT NULL, -- that it holds, each once
    since        timestamptz,     -- the first of them was released to it
    asked_at     timestamptz NOT NULL,
    answer       text,
    statement    text,            -- the signed answer
    statement_digest text,
    answered_at  timestamptz,
    log_entry    uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT recall_holds CHECK ((kind = 'still-held') = (since IS NOT NULL) AND (kind = 'still-held') = (cardinality(sections) > 0)
        AND (kind = 'still-held' OR cardinality(referrals) = 1)),
    CONSTRAINT recall_answered_whole CHECK (num_nulls(answer, statement, statement_digest, answered_at) IN (0, 4)),
    CONSTRAINT recall_answer CHECK (answer IS NULL OR answer IN ('deleted', 'kept') AND kind = 'still-held'
        OR answer IN ('goes-on', 'ends') AND kind = 'does-help-go-on')
);
CREATE UNIQUE INDEX recall_held_once ON recall (consent, partner) WHERE kind = 'still-held';
CREATE UNIQUE INDEX recall_question_once ON recall (consent, referrals) WHERE kind = 'does-help-go-on';
CREATE INDEX recall_asked ON recall (partner, seq);

-- An answer is final. What was kept may be deleted later: that is what she asked for.
-- +goose StatementBegin
CREATE FUNCTION recall_final() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.answer IS NOT NULL AND NOT (OLD.answer = 'kept' AND NEW.answer IS NOT DISTINCT FROM 'deleted') THEN
        RAISE EXCEPTION 'what was answered stays answered' USING CONSTRAINT = 'recall_final', ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER recall_final BEFORE UPDATE ON recall FOR EACH ROW EXECUTE FUNCTION recall_final();

-- The public keys that the hub has signed steps of its own with, each with its entry in the
-- log. What was signed is verified for good, so none is ever taken away.
CREATE TABLE hub_key (
    kid       text PRIMARY KEY CONSTRAINT hub_key_kid CHECK (length(kid) = 43),
    jwk       text NOT NULL CONSTRAINT hub_key_size CHECK (octet_length(jwk) <= 1024),
    log_entry uuid NOT NULL REFERENCES audit_entry
);

-- Who withdraws must find by consent what rests on it.
CREATE INDEX packet_by_consent ON packet (consent) WHERE consent IS NOT NULL;

-- What of an agency's records ends soon.
CREATE INDEX consent_ending ON consent (recorder, expires_at);

-- A step of the hub's own is seen by both parties of its referral. Its issuer is the hub's
-- URL, which is no partner's id. (As EXISTS, the planner would read all referrals for it.)
CREATE POLICY packet_of_hub ON packet FOR SELECT
    USING (strpos(issuer, ':') > 0 AND (SELECT r.seq FROM referral r WHERE r.seq = packet.referral) IS NOT NULL);

ALTER TABLE consent_aftermath ENABLE ROW LEVEL SECURITY;
CREATE POLICY consent_aftermath_parties ON consent_aftermath FOR SELECT
    USING (EXISTS (SELECT FROM consent c WHERE c.id = consent_aftermath.consent));
ALTER TABLE recall ENABLE ROW LEVEL SECURITY;
CREATE POLICY recall_parties ON recall
    USING (nullif(current_setting('hub.partner', true), '') IN (partner, recorder, withdrawn_by));
CREATE POLICY recall_answered_by_partner ON recall AS RESTRICTIVE FOR UPDATE
    USING (partner = nullif(current_setting('hub.partner', true), ''));
-- Only a session that is bound to no partner makes a key the hub's.
ALTER TABLE hub_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY hub_key_shown ON hub_key FOR SELECT USING (true);
CREATE POLICY hub_key_by_hub ON hub_key FOR INSERT
    WITH CHECK (nullif(current_setting('hub.partner', true), '') IS NULL);

GRANT SELECT ON consent_aftermath, recall, hub_key TO handover_hub;
GRANT UPDATE (answer, statement, statement_digest, answered_at, log_entry) ON recall TO handover_hub;
GRANT INSERT ON hub_key TO handover_hub;

-- The hub's own acts. The serving role cannot do them: row-level security binds it to one
-- partner, and none may destroy, cancel or ask in the name of the others. So each is a
-- function of the schema's owner, which does exactly what follows a withdrawal that was
-- recorded, and nothing else, whoever calls it. A request of a partner runs in a session
-- that is bound to that partner, and there each of them is refused: a statement that goes
-- astray while a partner is served reads nobody's metadata and ends nobody's referral.
-- +goose StatementBegin
CREATE FUNCTION hub_alone() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF nullif(current_setting('hub.partner', true), '') IS NOT NULL THEN
        RAISE EXCEPTION 'this is done for no partner' USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

-- The packets that rest on a consent that was withdrawn: on the record itself or on an
-- earlier one of its chain, since those count no further than all that follow them.
CREATE FUNCTION aftermath_packets(withdrawn uuid)
    RETURNS TABLE (seq bigint, referral bigint, issuer text, audience text, event text, digest text) LANGUAGE sql STABLE AS $$
    SELECT p.seq, p.referral, p.issuer, p.audience, p.event, p.digest
    FROM consent_state s JOIN consent last ON last.id = s.id JOIN consent c ON c.chain = last.chain AND c.place <= last.place
    JOIN packet p ON p.consent = c.id
    WHERE s.id = withdrawn AND s.withdrawn_at IS NOT NULL
$$;

-- The next withdrawn consent after `after` that is not done, held until the transaction
-- ends. One that another hub holds is passed over.
CREATE FUNCTION aftermath_due(after uuid) RETURNS TABLE (consent uuid) LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    RETURN QUERY SELECT a.consent FROM consent_aftermath a WHERE a.done_at IS NULL AND a.consent > after
        ORDER BY a.consent LIMIT 1 FOR UPDATE SKIP LOCKED;
END $$;

-- The same for one consent: who recorded it and who took it back, or nothing.
CREATE FUNCTION aftermath_hold(withdrawn uuid) RETURNS TABLE (digest text, recorder text, withdrawn_by text) LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    PERFORM FROM consent_aftermath a WHERE a.consent = withdrawn AND a.done_at IS NULL FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
        RETURN QUERY SELECT c.digest, c.recorder, s.withdrawn_by FROM consent c JOIN consent_state s ON s.id = c.id
            WHERE c.id = withdrawn AND s.withdrawn_at IS NOT NULL;
    END IF;
END $$;

-- The names of what was not released to whom it was sent, by packet. The sections
-- themselves leave by no function here.
CREATE FUNCTION aftermath_unopened(withdrawn uuid)
    RETURNS TABLE (packet bigint, referral text, digest text, audience text, names text[]) LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    RETURN QUERY
        SELECT p.seq, r.id, p.digest, p.audience, array_agg(DISTINCT x.name ORDER BY x.name)
        FROM aftermath_packets(withdrawn) p JOIN referral r ON r.seq = p.referral
        JOIN LATERAL (SELECT s.name FROM section s WHERE s.packet = p.seq
                      UNION SELECT a.name FROM attachment a WHERE a.packet = p.seq) x ON true
        WHERE NOT EXISTS (SELECT FROM release o WHERE o.packet = p.seq AND o.name = x.name AND o.reader = p.audience)
        GROUP BY p.seq, r.id, p.digest, p.audience ORDER BY p.seq;
END $$;

-- Destroys them.
CREATE FUNCTION aftermath_destroy(withdrawn uuid) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    DELETE FROM section s USING aftermath_packets(withdrawn) p WHERE s.packet = p.seq
        AND NOT EXISTS (SELECT FROM release o WHERE o.packet = p.seq AND o.name = s.name AND o.reader = p.audience);
    DELETE FROM attachment a USING aftermath_packets(withdrawn) p WHERE a.packet = p.seq
        AND NOT EXISTS (SELECT FROM release o WHERE o.packet = p.seq AND o.name = a.name AND o.reader = p.audience);
END $$;

-- Whoever was given something that rests on the consent, and is not asked yet.
CREATE FUNCTION aftermath_holders(withdrawn uuid)
    RETURNS TABLE (partner text, referrals text[], sections text[], since timestamptz) LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    RETURN QUERY
        SELECT o.reader, array_agg(DISTINCT r.id ORDER BY r.id), array_agg(DISTINCT o.name ORDER BY o.name), min(o.at)
        FROM aftermath_packets(withdrawn) p JOIN release o ON o.packet = p.seq AND o.reader = p.audience JOIN referral r ON r.seq = p.referral
        WHERE NOT EXISTS (SELECT FROM recall x WHERE x.consent = withdrawn AND x.kind = 'still-held' AND x.partner = o.reader)
        GROUP BY o.reader ORDER BY o.reader;
END $$;

-- The referrals whose request rests on the consent and that are open: those that wait to be
-- cancelled, and those that were accepted and of which nobody was asked yet.
CREATE FUNCTION aftermath_referrals(withdrawn uuid)
    RETURNS TABLE (id text, sender text, recipient text, state text, head text) LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    RETURN QUERY
        SELECT r.id, r.sender, r.recipient, r.state, r.head
        FROM aftermath_packets(withdrawn) p JOIN referral r ON r.seq = p.referral
        WHERE p.event = 'request' AND r.state IN ('requested', 'received', 'accepted', 'in-progress')
          AND NOT EXISTS (SELECT FROM recall x WHERE x.consent = withdrawn AND x.kind = 'does-help-go-on' AND x.referrals = ARRAY[r.id])
        ORDER BY r.seq;
END $$;

-- Asks. What somebody holds is taken from the releases and not from the caller.
CREATE FUNCTION aftermath_ask_holder(recall uuid, withdrawn uuid, holder text, at timestamptz, entry uuid) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    INSERT INTO recall (id, consent, consent_digest, kind, partner, recorder, withdrawn_by, referrals, sections, since, asked_at, log_entry)
        SELECT aftermath_ask_holder.recall, c.id, c.digest, 'still-held', h.partner, c.recorder, s.withdrawn_by, h.referrals, h.sections, h.since, at, entry
        FROM consent c JOIN consent_state s ON s.id = c.id, aftermath_holders(withdrawn) h
        WHERE c.id = withdrawn AND h.partner = holder;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is nothing to ask' USING ERRCODE = 'check_violation', CONSTRAINT = 'aftermath_moved';
    END IF;
END $$;

CREATE FUNCTION aftermath_ask_sender(recall uuid, withdrawn uuid, referral text, at timestamptz, entry uuid) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    INSERT INTO recall (id, consent, consent_digest, kind, partner, recorder, withdrawn_by, referrals, sections, asked_at, log_entry)
        SELECT aftermath_ask_sender.recall, c.id, c.digest, 'does-help-go-on', r.sender, c.recorder, s.withdrawn_by, ARRAY[r.id], '{}', at, entry
        FROM consent c JOIN consent_state s ON s.id = c.id, aftermath_referrals(withdrawn) r
        WHERE c.id = withdrawn AND r.id = aftermath_ask_sender.referral AND r.state IN ('accepted', 'in-progress');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is nothing to ask' USING ERRCODE = 'check_violation', CONSTRAINT = 'aftermath_moved';
    END IF;
END $$;

-- Files the hub's step that cancels a referral which nobody has accepted, if its newest
-- envelope is still the one that the step follows.
CREATE FUNCTION aftermath_cancel(withdrawn uuid, referral text, prev text, hub text, jti uuid, digest text, envelope text,
    expires timestamptz, at timestamptz, entry uuid) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    held referral;
    made bigint;
BEGIN
    PERFORM hub_alone();
    UPDATE referral r SET state = 'cancelled', asked = false, head = aftermath_cancel.digest, changed_at = at
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

-- Ends the aftermath of a withdrawal, when nothing is left of it.
CREATE FUNCTION aftermath_end(withdrawn uuid, at timestamptz, entry uuid) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM hub_alone();
    IF EXISTS (SELECT FROM aftermath_unopened(withdrawn)) OR EXISTS (SELECT FROM aftermath_holders(withdrawn))
       OR EXISTS (SELECT FROM aftermath_referrals(withdrawn)) THEN
        RAISE EXCEPTION 'something is left to be done' USING ERRCODE = 'check_violation', CONSTRAINT = 'aftermath_moved';
    END IF;
    UPDATE consent_aftermath SET done_at = at, log_entry = entry WHERE consent = withdrawn AND done_at IS NULL;
END $$;
-- +goose StatementEnd

REVOKE EXECUTE ON FUNCTION aftermath_packets(uuid), aftermath_due(uuid), aftermath_hold(uuid), aftermath_unopened(uuid),
    aftermath_destroy(uuid), aftermath_holders(uuid), aftermath_referrals(uuid),
    aftermath_ask_holder(uuid, uuid, text, timestamptz, uuid), aftermath_ask_sender(uuid, uuid, text, timestamptz, uuid),
    aftermath_cancel(uuid, text, text, text, uuid, text, text, timestamptz, timestamptz, uuid),
    aftermath_end(uuid, timestamptz, uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION aftermath_due(uuid), aftermath_hold(uuid), aftermath_unopened(uuid),
    aftermath_destroy(uuid), aftermath_holders(uuid), aftermath_referrals(uuid),
    aftermath_ask_holder(uuid, uuid, text, timestamptz, uuid), aftermath_ask_sender(uuid, uuid, text, timestamptz, uuid),
    aftermath_cancel(uuid, text, text, text, uuid, text, text, timestamptz, timestamptz, uuid),
    aftermath_end(uuid, timestamptz, uuid) TO handover_hub;
