// Package auditing is the auditors' pages: what was recorded, opened, overridden and refused, what
// deserves a second look, and whether the log proves each of it.
//
// overview.go says how the log stands; entries.go lists entries by what they are about, with
// filter.go reading what was asked for and row.go saying an entry in words (words.go has the words);
// entry.go shows one, with what it commits to and its proof; overrides.go and review.go are the two
// lists that are no entries; export.go hands out the signed file. Each question is logged as the
// API logs it, and what is shown is what the log's row-level security gives: no page chooses.
package auditing

import (
	"embed"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/consent"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

//go:embed templates/*.html
var templates embed.FS

// Handler serves the pages.
type Handler struct {
	shell    *shell.Shell
	pages    *shell.Pages
	log      *audit.Log
	exporter *audit.Exporter
	consents *consent.Store
	partners *partners.Store
	zone     *time.Location // in which she names days
	now      func() time.Time
}

// New returns the pages. now is the clock by which the last quarter is found; nil: time.Now.
func New(s *shell.Shell, log *audit.Log, exporter *audit.Exporter, consents *consent.Store, registry *partners.Store, now func() time.Time) (*Handler, error) {
	pages, err := s.Pages(templates)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		return nil, err
	}
	if now == nil {
		now = time.Now
	}
	return &Handler{shell: s, pages: pages, log: log, exporter: exporter, consents: consents, partners: registry, zone: zone, now: now}, nil
}

// Mount adds the routes. All are for auditors alone: to anybody else none of them is there.
func (h *Handler) Mount(r *mux.Router) {
	get := func(path string, do func(http.ResponseWriter, *http.Request, signin.Session) error) {
		r.Handle(path, h.shell.Allow(do, partners.AuditRead)).Methods(http.MethodGet)
	}
	get("/audit", h.overview)
	for _, k := range kinds() {
		get(k.Path, h.list(k))
		r.Handle(k.Path, h.shell.Allow(h.narrow(k), partners.AuditRead)).Methods(http.MethodPost)
	}
	get("/audit/overrides", h.overrides)
	get("/audit/review", h.review)
	get("/audit/entry/{entry}", h.entry)
	get("/audit/entry/{entry}/proof", h.proof)
	get("/audit/entry/{entry}/receipt", h.receipt)
	get("/audit/export", h.exportPage)
	r.Handle("/audit/export", h.shell.Allow(h.export, partners.AuditRead)).Methods(http.MethodPost)
}

// tab is one page of the room in its navigation.
type tab struct {
	Path, Name string
	Here       bool
}

// tabs is the room's navigation on the page at path.
func tabs(path string) []tab {
	all := []tab{{Path: "/audit", Name: "Overview"}, {Path: "/audit/review", Name: "To look at"}}
	for _, k := range kinds() {
		all = append(all, tab{Path: k.Path, Name: k.Name})
	}
	all = append(all, tab{Path: "/audit/overrides", Name: "Overrides"}, tab{Path: "/audit/export", Name: "Export"})
	for i := range all {
		all[i].Here = all[i].Path == path
	}
	return all
}
