package audit

import (
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit/proof"
)

// queueAllSQL is appendSQL for several entries, in one statement.
const queueAllSQL = `
	WITH entry AS (
		INSERT INTO audit_entry (id, at, partner, other, act, outcome, salt, body, leaf)
		SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
		                     $7::bytea[], $8::bytea[], $9::bytea[]))
	INSERT INTO audit_pending (entry) SELECT unnest($1::uuid[])`

// QueueAll is Queue for several entries of one transaction: one statement, however
// many they are. The ids come in the order of the entries.
func QueueAll(b *pgx.Batch, entries []proof.Entry) ([]EntryID, error) {
	if len(entries) == 1 {
		id, err := Queue(b, entries[0])
		return []EntryID{id}, err
	}
	ids, at := make([]EntryID, len(entries)), make([]time.Time, len(entries))
	partner, other := make([]string, len(entries)), make([]string, len(entries))
	act, outcome := make([]string, len(entries)), make([]string, len(entries))
	salt, body, leaf := make([][]byte, len(entries)), make([][]byte, len(entries)), make([][]byte, len(entries))
	for i, e := range entries {
		s, err := seal(e)
		if err != nil {
			return nil, err
		}
		ids[i], at[i], partner[i], other[i] = s.id, s.e.Time, s.e.Partner, s.e.Other
		act[i], outcome[i], salt[i], body[i], leaf[i] = s.e.Act, s.e.Outcome, s.salt[:], s.body, s.leaf
	}
	b.Queue(queueAllSQL, ids, at, partner, other, act, outcome, salt, body, leaf)
	return ids, nil
}
