package police

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"handover/audit"
	"handover/internal/pg"
	"handover/partners"
)

// Stored is a police request as its readers see it. What only the holder is shown is empty for
// the police: row-level security gives it to nobody else.
type Stored struct {
	ID         string        `json:"id"`
	Request    string        `json:"request"` // the signed request
	Digest     string        `json:"digest"`
	State      string        `json:"state"` // asked, unanswered, approved, refused; to the holder: opened too
	RecordedAt time.Time     `json:"recorded_at"`
	Decision   string        `json:"decision,omitempty"` // the signed decision, once it is shown
	OpenedAt   *time.Time    `json:"opened_at,omitempty"`
	DecidedAt  *time.Time    `json:"decided_at,omitempty"`
	ShownAt    *time.Time    `json:"shown_at,omitempty"` // when the police are shown the decision
	Reason     string        `json:"reason,omitempty"`   // why, sealed to the holder's own key
	Receipt    any           `json:"receipt,omitempty"`  // of the decision, for its holder; else of the request
	Entry      audit.EntryID `json:"-"`
}

// row is what is read of a request in a session of one party.
type row struct {
	Stored
	issuer, holder string
	counselling    bool
	respondBy, now time.Time
	decision       *string
	decisionEntry  *audit.EntryID
	reason         *string
	token          *string
}

// rows is the reading of requests. What of it a session is not shown is null in it.
const rows = `
	SELECT q.id::text, q.token, q.digest, q.issuer, q.holder, q.counselling, q.respond_by, q.recorded_at, q.log_entry, now(),
	       d.decision, d.token, d.log_entry, d.shown_at, r.sealed, r.decided_at,
	       (SELECT min(o.at) FROM police_opening o WHERE o.request = q.id)
	FROM police_request q LEFT JOIN police_decision d ON d.request = q.id LEFT JOIN police_reason r ON r.request = q.id`

func (r *row) into() []any {
	return []any{&r.ID, &r.Request, &r.Digest, &r.issuer, &r.holder, &r.counselling, &r.respondBy, &r.RecordedAt, &r.Entry, &r.now,
		&r.decision, &r.token, &r.decisionEntry, &r.ShownAt, &r.reason, &r.DecidedAt, &r.OpenedAt}
}

// shown is what the partner is shown of the row. Of the decision the police get the signed
// statement and nothing that says when it was made; they have no receipt of it either, since
// the log dates it.
func (r *row) shown(to partners.ID) Stored {
	st := r.Stored
	switch {
	case r.decision != nil:
		st.State, st.Decision = *r.decision, *r.token
	case r.OpenedAt != nil:
		st.State = stateOpened
	case !r.now.Before(r.respondBy):
		st.State = stateUnanswered
	default:
		st.State = stateAsked
	}
	if string(to) != r.holder {
		st.OpenedAt, st.DecidedAt, st.ShownAt, st.Reason = nil, nil, nil, ""
		return st
	}
	if r.reason != nil {
		st.Reason = *r.reason
	}
	if r.decisionEntry != nil {
		st.Entry = *r.decisionEntry
	}
	return st
}

// Read returns a request of which the caller's agency is a party, and logs that she read it,
// or ErrNotThere.
func (s *Store) Read(ctx context.Context, c partners.Caller, id string) (Stored, error) {
	if !isID(id) {
		return Stored{}, ErrNotThere
	}
	var found row
	read := &pgx.Batch{}
	read.Queue(rows+` WHERE q.id = $1`, id).QueryRow(func(row pgx.Row) error { return row.Scan(found.into()...) })
	err := pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		e := c.Entry("police.read")
		e.Time, e.Target, e.Digest = found.now, id, found.Digest
		_, err := audit.Queue(write, e)
		return write, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return Stored{}, ErrNotThere
	}
	if err != nil {
		return Stored{}, err
	}
	return found.shown(c.Partner()), nil
}

// Line is what a list shows of a request: codes and times.
type Line struct {
	ID          string     `json:"id"`
	Police      string     `json:"police"`
	Holder      string     `json:"holder"`
	Counselling bool       `json:"counselling"`
	State       string     `json:"state"`
	RecordedAt  time.Time  `json:"recorded_at"`
	RespondBy   time.Time  `json:"respond_by"`
	DecidedAt   *time.Time `json:"decided_at,omitempty"` // for the holder alone
}

// most is how many requests one page has.
const most = 200

// Page returns requests that the caller's agency has asked, or received, the newest id first,
// and whether there are more; and logs that it was read. after is the last id of the page
// before, or "".
func (s *Store) Page(ctx context.Context, c partners.Caller, role, after string) (page []Line, more bool, err error) {
	side, known := map[string]string{"asked": "q.issuer", "received": "q.holder"}[role]
	if !known || after != "" && !isID(after) {
		return nil, false, ErrQuery
	}
	var now time.Time
	page = []Line{}
	read := &pgx.Batch{}
	read.Queue(`SELECT now()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	read.Queue(rows+` WHERE `+side+` = $1 AND ($2 = '' OR q.id < nullif($2, '')::uuid) ORDER BY q.id DESC LIMIT $3`,
		c.Partner(), after, most+1).Query(func(found pgx.Rows) error {
		for found.Next() {
			var r row
			if err := found.Scan(r.into()...); err != nil {
				return err
			}
			st := r.shown(c.Partner())
			page = append(page, Line{st.ID, r.issuer, r.holder, r.counselling, st.State, st.RecordedAt, r.respondBy, st.DecidedAt})
		}
		return found.Err()
	})
	err = pg.Decide(ctx, s.Pool, string(c.Partner()), read, func() (*pgx.Batch, error) {
		write := &pgx.Batch{}
		e := c.Entry("police.list")
		e.Time, e.Reason = now, role
		_, err := audit.Queue(write, e)
		return write, err
	})
	if len(page) > most {
		return page[:most], true, err
	}
	return page, false, err
}
