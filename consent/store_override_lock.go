package consent

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// LockOverrides queues the reading of overrides into the transaction that batch runs in, with
// their state rows locked FOR SHARE: a decision, a refusal, an end waits for those that rely
// on them, and later ones find it. Row-level security hides an override from all but its
// recorder and the one recipient.
func (g *Grants) LockOverrides(batch *pgx.Batch, ids ...string) {
	if len(ids) == 0 {
		return
	}
	g.overrides = map[string]*Warrant{}
	batch.Queue(`
		SELECT o.id::text, o.recorder, o.recipient, o.subject, o.purpose, o.sections, o.valid_from, o.digest,
		       s.emergency, s.decision, s.recorded_at, s.expires_at, s.decided_at, s.ended_at
		FROM consent_override o JOIN consent_override_state s ON s.id = o.id
		WHERE o.id = ANY ($1::text[]::uuid[]) FOR SHARE OF s`, ids).Query(func(rows pgx.Rows) error {
		var w Warrant
		var from time.Time
		c := &w.claims
		_, err := pgx.ForEachRow(rows, []any{&c.ID, &c.Issuer, &c.Recipient, &c.Subject, &c.Purpose, &c.Sections, &from, &w.digest,
			&w.emergency, &w.decision, &w.recorded, &w.expires, &w.decided, &w.ended}, func() error {
			read := w
			read.claims.ValidFrom, read.claims.Expires, read.found = from.Unix(), w.expires.Unix(), true
			g.overrides[c.ID] = &read
			w.decided, w.ended = nil, nil
			return nil
		})
		return err
	})
}
