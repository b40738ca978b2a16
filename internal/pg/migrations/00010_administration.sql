-- +goose Up
-- Who of the reader's agency opened a section, if a person did: with packet.actor it is
-- what her agency needs to know when she leaves. Only the reader's side writes it, from
-- the caller that was admitted.
ALTER TABLE release ADD actor uuid;
CREATE INDEX release_by_actor ON release (reader, actor) WHERE actor IS NOT NULL;
