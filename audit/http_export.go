package audit

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"handover/audit/proof"
	"handover/internal/httpd"
)

// exportsAtOnce is how many exports one hub makes at once: each holds a connection to the
// database for as long as it is taken.
const exportsAtOnce = 2

// exportStall is how long one piece of an export may take to be taken. Whoever takes it
// slower is cut off, and has a file without its end line.
const exportStall = 30 * time.Second

// ExportHandler serves exports to those who may read the log.
type ExportHandler struct {
	Exporter *Exporter
	// Allow lets callers through to next that may read the log, and says who they are.
	Allow func(next func(w http.ResponseWriter, r *http.Request, by Asker) error) http.Handler
}

// Mount adds the route to r.
func (h *ExportHandler) Mount(r *mux.Router) {
	r.Handle("/v1/log/export", h.Allow(h.export)).Methods(http.MethodGet)
}

func (h *ExportHandler) export(w http.ResponseWriter, r *http.Request, by Asker) error {
	q, err := exportQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	return h.Exporter.Serve(w, r, by, q)
}

// Serve answers with an export of the span and the kept sizes of q, line by line, to whoever was
// let through: over the wire or on a page. What fails before the first line is a problem; what fails later ends the connection, and
// what arrived has no end line.
func (x *Exporter) Serve(w http.ResponseWriter, r *http.Request, by Asker, q ExportQuery) error {
	q.Partner, q.Scope, q.By = by.Partner, by.scope(), by.By
	select {
	case x.room() <- struct{}{}:
		defer func() { <-x.room() }()
	default:
		return httpd.ErrBusy
	}
	to := bufio.NewWriterSize(&piecemeal{w: w, now: x.Log.now, rc: http.NewResponseController(w)}, 64<<10)
	_, err := x.Write(r.Context(), Snapshots{x.Log.store.hub}, q, func() (io.Writer, error) {
		w.Header().Set("Content-Type", proof.ExportMediaType)
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="handover-audit-%s-%s.jsonl"`,
			q.From.UTC().Format(time.DateOnly), q.To.UTC().Format(time.DateOnly)))
		w.Header().Set("Cache-Control", "no-store")
		return to, nil
	})
	if err != nil {
		return err
	}
	if err := to.Flush(); err != nil {
		return fmt.Errorf("sending an export: %w", err)
	}
	return nil
}

// room is where an export takes its place among those that are made at once, whoever asked.
func (x *Exporter) room() chan struct{} {
	x.once.Do(func() { x.places = make(chan struct{}, exportsAtOnce) })
	return x.places
}

// piecemeal gives each piece of an answer its own time.
type piecemeal struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	now func() time.Time
}

func (p *piecemeal) Write(b []byte) (int, error) {
	_ = p.rc.SetWriteDeadline(p.now().Add(exportStall)) // not every writer has deadlines
	return p.w.Write(b)
}

func exportQuery(raw string) (q ExportQuery, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil || len(values["from"]) != 1 || len(values["to"]) != 1 {
		return q, ErrExportQuery
	}
	for name := range values {
		if name != "from" && name != "to" && name != "kept" {
			return q, ErrExportQuery
		}
	}
	if q.From, err = Moment(values.Get("from")); err != nil {
		return q, err
	}
	if q.To, err = Moment(values.Get("to")); err != nil {
		return q, err
	}
	for _, text := range values["kept"] {
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return q, ErrExportQuery
		}
		q.Kept = append(q.Kept, size)
	}
	return q, nil
}
