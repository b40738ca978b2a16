package consent

import (
	"cmp"

	"github.com/jackc/pgx/v5"

	"handover/consent/record"
)

// earlier is the record that a new one supersedes, in a transaction that holds the state
// rows of its whole chain; the zero chain where none is superseded.
type earlier struct {
	superseding       bool
	id, chain         string
	recorder, subject string
	place, successors int
	withdrawn         bool
	review            string
}

// queueEarlier queues the locking of a chain, the oldest record first: whoever shares on one
// of its records locks in the same order, so neither waits for the other for ever.
func queueEarlier(b *pgx.Batch, id string) *earlier {
	e := &earlier{superseding: id != "", place: -1}
	if id == "" {
		return e
	}
	b.Queue(`
		SELECT s.id FROM consent c JOIN consent_state s ON s.id = c.id
		WHERE c.chain = (SELECT chain FROM consent WHERE id = $1) ORDER BY c.place FOR UPDATE OF s`, id)
	// In a statement of its own: the one before may have waited for a successor.
	b.Queue(`
		SELECT c.id::text, c.chain::text, c.recorder, c.subject, c.place, s.successors, s.withdrawn_at IS NOT NULL, s.review
		FROM consent c JOIN consent_state s ON s.id = c.id WHERE c.id = $1`, id).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&e.id, &e.chain, &e.recorder, &e.subject, &e.place, &e.successors, &e.withdrawn, &e.review}, func() error { return nil })
		return err
	})
	return e
}

// precedes decides whether the record may take its place behind the earlier one. Only its
// own recorder may put it there: else a partner that is named in a record could take it
// back in her name.
func (e *earlier) precedes(c record.Claims) error {
	switch {
	case !e.superseding:
		return nil
	case e.id == "" || e.recorder != c.Issuer:
		return ErrNotThere
	case e.withdrawn:
		return ErrWithdrawn
	case e.successors > 0:
		return ErrSuperseded
	case e.subject != c.Subject:
		return ErrSuccessor
	}
	return nil
}

// doubted reports whether a manager has not said, or has denied, that the earlier record
// stands. What takes its place waits for her too: else a yes that was pressed out of a woman
// would count as soon as somebody recorded it again and left the pressure out.
func (e *earlier) doubted() bool { return e.review == "awaited" || e.review == "does-not-stand" }

// chainOf is the chain that a new record with that id is in.
func (e *earlier) chainOf(id string) string { return cmp.Or(e.chain, id) }

// queueSucceeded queues that every record of the chain has one successor more. A withdrawn
// one, which covers nothing for good, is left as it is.
func (e *earlier) queueSucceeded(b *pgx.Batch) {
	if !e.superseding {
		return
	}
	b.Queue(`
		UPDATE consent_state s SET successors = s.successors + 1
		FROM consent c WHERE c.id = s.id AND c.chain = $1 AND c.place <= $2 AND s.withdrawn_at IS NULL`, e.chain, e.place)
}
