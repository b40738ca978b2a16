package consent

import (
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
)

// doubtIDs is how many ids one item of QueueDoubts has at most.
const doubtIDs = 100

// QueueDoubts queues the reading of what an auditor is to look at in consents and overrides,
// for each agency that she may see: what waits too long for a second person. It is an
// audit.Source.
func QueueDoubts(b *pgx.Batch, by audit.Reader, into *[]audit.Item) {
	const recorded = `(SELECT e.id FROM audit_entry e WHERE e.consent = s.id::text AND e.act = 'consent.record' ORDER BY e.id DESC LIMIT 1)`
	for _, doubt := range []struct{ kind, from, since, entry, words string }{
		{"overrides-past-review", `consent_override_state s WHERE ` + lateReview, `s.review_at`, `s.log_entry`,
			"Overrides whose day to be looked at again has passed. A manager has to review each, and end it or name the next day."},
		{"emergencies-unapproved", `consent_override_state s WHERE s.emergency AND s.decision = 'proposed' AND s.ended_at IS NULL AND now() < ` + emergencyEnds, `s.recorded_at`, `s.log_entry`,
			"Something is shared in an emergency that no second person has approved yet. A manager has to decide within 24 hours of its beginning."},
		{"emergencies-lapsed", `consent_override_state s WHERE s.emergency AND s.decision = 'proposed' AND now() >= ` + emergencyEnds, `s.recorded_at`, `s.log_entry`,
			"Nobody decided about an emergency within 24 hours, and what was shared on it was shared. A manager has to decide about it even now; ask why nobody did."},
		{"consents-doubtful", `consent_doubts() s WHERE true`, `s.recorded_at`, recorded,
			"Consent was recorded in circumstances that raise a doubt about it. Nothing is shared on it until a manager has looked at how the woman was asked."},
	} {
		all := ` AND (s.recorder = @me OR @all)`
		b.Queue(`SELECT s.recorder, min(`+doubt.since+`), count(*), (array_agg(s.id::text ORDER BY `+doubt.since+`))[:@ids],
			       array_remove((array_agg(`+doubt.entry+` ORDER BY `+doubt.since+`))[:@ids], NULL)
			FROM `+doubt.from+all+` GROUP BY s.recorder ORDER BY s.recorder`,
			pgx.StrictNamedArgs{"me": by.By.Partner, "all": by.Oversees, "ids": doubtIDs}).Query(func(rows pgx.Rows) error {
			var partner string
			var since time.Time
			var count int64
			var ids []string
			var entries []audit.EntryID
			_, err := pgx.ForEachRow(rows, []any{&partner, &since, &count, &ids, &entries}, func() error {
				*into = append(*into, audit.Item{Kind: doubt.kind, Since: since, Partner: partner, IDs: ids, Count: count, Words: doubt.words, Entries: entries})
				ids, entries = nil, nil
				return nil
			})
			return err
		})
	}
}
