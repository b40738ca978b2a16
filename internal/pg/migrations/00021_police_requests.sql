-- +goose Up
-- Requests of the police for a victim's information, and what the holder decides. Nothing here
-- is about a known woman: whom a request is about is sealed to the holder. Nothing is ever
-- changed: what is asked, opened and decided is inserted once.

CREATE TABLE police_request (
    id          uuid PRIMARY KEY,
    issuer      text NOT NULL REFERENCES partner,
    holder      text NOT NULL REFERENCES partner CONSTRAINT police_request_two_partners CHECK (issuer <> holder),
    counselling boolean NOT NULL,
    senior      text, -- the second officer, by opaque id
    respond_by  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    digest      text NOT NULL,
    token       text NOT NULL,
    log_entry   uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT police_request_senior CHECK (counselling = (senior IS NOT NULL)),
    CONSTRAINT police_request_respond_by CHECK (respond_by > recorded_at),
    CONSTRAINT police_request_whole UNIQUE (id, issuer, holder, respond_by)
);
CREATE INDEX police_request_asked ON police_request (issuer, id DESC);
CREATE INDEX police_request_received ON police_request (holder, id DESC);

-- Whom it is about, and why: sealed to the holder, which alone reads it.
CREATE TABLE police_text (
    request uuid PRIMARY KEY REFERENCES police_request,
    issuer  text NOT NULL REFERENCES partner,
    holder  text NOT NULL REFERENCES partner,
    sealed  text NOT NULL
);

-- Who of the holder has opened it, and when. When she did, and how often, would tell the
-- police something; they are not shown it.
CREATE TABLE police_opening (
    log_entry uuid PRIMARY KEY REFERENCES audit_entry,
    request   uuid NOT NULL REFERENCES police_request,
    holder    text NOT NULL REFERENCES partner,
    at        timestamptz NOT NULL
);
CREATE INDEX police_opening_of ON police_opening (request, at);

-- What the holder decided, as the police may see it, and from when on: a yes at once; a no
-- not before it was to be answered by, since a no that comes quickly says that she is not
-- known.
CREATE TABLE police_decision (
    request    uuid PRIMARY KEY,
    issuer     text NOT NULL, -- of the request
    holder     text NOT NULL,
    respond_by timestamptz NOT NULL,
    decision   text NOT NULL CONSTRAINT police_decision_decision CHECK (decision IN ('approved', 'refused')),
    digest     text NOT NULL,
    token      text NOT NULL,
    shown_at   timestamptz NOT NULL,
    log_entry  uuid NOT NULL REFERENCES audit_entry,
    CONSTRAINT police_decision_of FOREIGN KEY (request, issuer, holder, respond_by)
        REFERENCES police_request (id, issuer, holder, respond_by),
    CONSTRAINT police_decision_shown CHECK (decision = 'approved' OR shown_at >= respond_by)
);

-- Why, sealed to the holder's own key, and when: the holder's alone.
CREATE TABLE police_reason (
    request    uuid PRIMARY KEY REFERENCES police_decision,
    holder     text NOT NULL REFERENCES partner,
    sealed     text NOT NULL,
    decided_at timestamptz NOT NULL,
    log_entry  uuid NOT NULL REFERENCES audit_entry
);

ALTER TABLE police_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY police_request_parties ON police_request
    USING (nullif(current_setting('hub.partner', true), '') IN (issuer, holder));
CREATE POLICY police_request_by_police ON police_request AS RESTRICTIVE FOR INSERT
    WITH CHECK (issuer = nullif(current_setting('hub.partner', true), '')
        AND (SELECT p.category FROM partner p WHERE p.id = issuer) = 'police');
ALTER TABLE police_text ENABLE ROW LEVEL SECURITY;
CREATE POLICY police_text_holder ON police_text FOR SELECT
    USING (holder = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY police_text_by_issuer ON police_text FOR INSERT
    WITH CHECK (issuer = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE police_opening ENABLE ROW LEVEL SECURITY;
CREATE POLICY police_opening_holder ON police_opening
    USING (holder = nullif(current_setting('hub.partner', true), ''));
ALTER TABLE police_decision ENABLE ROW LEVEL SECURITY;
CREATE POLICY police_decision_holder ON police_decision
    USING (holder = nullif(current_setting('hub.partner', true), ''));
CREATE POLICY police_decision_issuer ON police_decision FOR SELECT
    USING (issuer = nullif(current_setting('hub.partner', true), '') AND shown_at <= now());
ALTER TABLE police_reason ENABLE ROW LEVEL SECURITY;
CREATE POLICY police_reason_holder ON police_reason
    USING (holder = nullif(current_setting('hub.partner', true), ''));

GRANT SELECT, INSERT ON police_request, police_text, police_opening, police_decision, police_reason TO handover_hub;
