package audit

import (
	"slices"
	"time"

	"handover/audit/proof"
	"handover/internal/fault"
)

// What who asks for an export can cause.
var (
	ErrExportQuery = fault.New(fault.Invalid, "export-query-invalid", fault.Sender,
		"Ask for an export with from and to, each once, as a date or a time with its zone, from before to; and with kept, the size of a checkpoint that you have kept, sixteen times at most.")
	ErrKeptAhead = fault.New(fault.Conflict, "log-shorter-than-kept", fault.Hub,
		"The log has fewer entries than the checkpoint that you have kept says. Keep that checkpoint, and show it to the other auditors: unless you mistyped its size, the log was set back.")
)

// maxKept is how many kept checkpoints an export is made for.
const maxKept = 16

// ExportQuery says what somebody wants an export of.
type ExportQuery struct {
	From, To time.Time   // entries from then on, and before then
	Kept     []int64     // sizes of checkpoints that she has kept
	Partner  string      // whom row-level security binds the reading to; "" is nobody
	Scope    string      // proof.ScopeAgency, ScopeAll or ScopeOversight
	By       proof.Entry // who asks, for the log
}

// checked returns q with its kept sizes in order, or ErrExportQuery.
func (q ExportQuery) checked() (ExportQuery, error) {
	q.From, q.To = q.From.UTC(), q.To.UTC()
	q.Kept = slices.Compact(slices.Sorted(slices.Values(q.Kept)))
	if !q.From.Before(q.To) || len(q.Kept) > maxKept || len(q.Kept) > 0 && q.Kept[0] < 0 || tooFar(q.From) || tooFar(q.To) {
		return q, ErrExportQuery
	}
	return q, nil
}

// tooFar reports whether t cannot be the time of an entry: an id has 48 bits for it.
func tooFar(t time.Time) bool { return t.Year() < 1970 || t.Year() > 9999 }

// Moment reads a date, which is its beginning in UTC, or a time with its zone.
func Moment(text string) (time.Time, error) {
	t, err := proof.ParseMoment(text)
	if err != nil {
		return t, ErrExportQuery
	}
	return t, nil
}
