package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"handover/audit/proof"
)

// AuditQuery says what an audit export is to be of.
type AuditQuery struct {
	From, To time.Time // entries from then on, and before then
	Kept     []int64   // sizes of checkpoints that you kept: the file can then show that the log continues them
}

// AuditExported is what an audit export holds. Of what it says nothing is verified but who
// made it: VerifyAudit does that.
type AuditExported struct {
	Scope      string `json:"scope"` // agency or oversight
	First      int64  `json:"first"` // index of the first entry of the range
	End        int64  `json:"end"`   // one more than the last
	Size       int64  `json:"size"`  // of the log
	Entries    int64  `json:"entries"`
	Statements int64  `json:"statements"`
}

// ErrExport means that what the hub sent is not the whole export that it was asked for, as it
// made and signed it: the connection broke, or somebody changed it on the way.
var ErrExport = errors.New("what arrived is no whole export that the hub's log key has signed")

// ParseMoment reads a date, which is its beginning in UTC, or a time with its zone.
func ParseMoment(text string) (time.Time, error) { return proof.ParseMoment(text) }

// AuditExport asks the hub for an export of its log and writes it to the writer as it comes,
// however long it is. Unless the error is nil, what was written is no export and must be thrown away: ErrExport when it is
// not whole, or not signed by the log.
func (c *Client) AuditExport(ctx context.Context, q AuditQuery, to io.Writer) (AuditExported, error) {
	query := url.Values{"from": {q.From.UTC().Format(time.RFC3339Nano)}, "to": {q.To.UTC().Format(time.RFC3339Nano)}}
	for _, size := range q.Kept {
		query.Add("kept", strconv.FormatInt(size, 10))
	}
	x := exporting{query: q, hub: c.hub, key: c.LogKey().Alone()}
	_, err := c.do(ctx, call{method: http.MethodGet, path: logPath + "/export", query: query,
		into: func(body io.Reader) error { return x.read(io.TeeReader(body, failing{to, &x.failed})) }})
	if x.failed != nil { // it is ours, and not the hub's
		return AuditExported{}, fmt.Errorf("keeping an export: %w", x.failed)
	}
	return x.AuditExported, err
}

// failing notes why what arrives cannot be kept.
type failing struct {
	to   io.Writer
	note *error
}

func (f failing) Write(b []byte) (int, error) {
	n, err := f.to.Write(b)
	if err != nil {
		*f.note = err
	}
	return n, err
}

// exporting is an export on its way.
type exporting struct {
	AuditExported
	query  AuditQuery
	hub    string
	key    LogKey
	failed error
}

// read takes an export to its end, and checks that it is the one that was asked for.
func (x *exporting) read(body io.Reader) error {
	lines := proof.NewExportReader(body)
	for {
		l, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrExport, err)
		}
		switch {
		case l.Export != nil:
			err = x.begins(*l.Export)
		case l.Entry != nil:
			x.Entries++
		case l.Statement != nil:
			x.Statements++
		case l.End != nil:
			err = l.End.Verify(x.Size, x.key)
		}
		if err != nil {
			return fmt.Errorf("%w: line %d: %w", ErrExport, lines.Line(), err)
		}
	}
}

// begins checks that an export is this hub's, of the time that was asked for, and under a
// checkpoint of the pinned log.
func (x *exporting) begins(h proof.ExportHeader) error {
	x.key = lineOf(x.key, h.Successions)
	tree, err := proof.OpenCheckpoint([]byte(h.Checkpoint), x.key)
	if err != nil {
		return err
	}
	kept := slices.Compact(slices.Sorted(slices.Values(x.query.Kept)))
	if h.Hub != x.hub || !h.From.Equal(x.query.From) || !h.To.Equal(x.query.To) || !slices.Equal(h.Kept, kept) {
		return errors.New("it is not the one that was asked for")
	}
	x.Scope, x.First, x.End, x.Size = h.Scope, h.First, h.End, tree.N
	return nil
}
