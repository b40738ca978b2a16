// Package overrides is the pages of what takes a second person: sharing something without a
// woman's agreement, and a consent record that is in doubt.
//
// new.go and propose.go are the proposal, on the draft of the referral in which she did not
// agree; reviews.go is the list of what waits for a manager; override.go is one override, read,
// decided and looked at again; doubt.go a record in doubt.
package overrides

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"handover/consent"
	"handover/consent/record"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral/managed"
	"handover/web/shell"
)

//go:embed all:templates
var templates embed.FS

// Config is what the pages are made of.
type Config struct {
	Desk     *managed.Desk
	Consents *consent.Store
	Partners *partners.Store
	Now      func() time.Time
}

// Handler serves the pages.
type Handler struct {
	Config
	shell *shell.Shell
	pages *shell.Pages
}

// New returns the pages.
func New(s *shell.Shell, c Config) (*Handler, error) {
	pages, err := s.Pages(templates)
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Handler{Config: c, shell: s, pages: pages}, err
}

// Mount adds the routes. What a manager decides she proves to be herself a moment before, so
// that nobody decides at her signed-in screen.
func (h *Handler) Mount(r *mux.Router) {
	type page = func(http.ResponseWriter, *http.Request, signin.Session) error
	add := func(path string, do http.Handler, methods ...string) { r.Handle(path, do).Methods(methods...) }
	allow := func(do page) http.Handler { return h.shell.Allow(do, partners.ConsentsOverride) }
	proven := func(do page) http.Handler { return h.shell.Proven(do, partners.ConsentsOverride) }
	const get, post = http.MethodGet, http.MethodPost
	add("/reviews", allow(h.reviews), get)
	add("/reviews/{consent}", proven(h.doubt), get, post)
	add("/overrides/new/{draft}", allow(h.card), get)
	add("/overrides/new/{draft}/why", allow(h.whyPage), get, post)
	add("/overrides/new/{draft}/need", allow(h.needPage), get, post)
	add("/overrides/new/{draft}/told", allow(h.toldPage), get, post)
	add("/overrides/new/{draft}/basis", allow(h.basisPage), get, post)
	add("/overrides/new/{draft}/check", allow(h.checkPage), get, post)
	add("/overrides/{override}", allow(h.override), get, post)
	add("/overrides/{override}/decide", proven(h.decidePage), get, post)
	add("/overrides/{override}/review", proven(h.reviewPage), get, post)
}

// manages refuses whoever is no manager, and tells her who can decide.
func manages(in signin.Session) error {
	if in.Caller.Role() != partners.Manager {
		return consent.ErrManager
	}
	return nil
}

// notThere says of what she may not see what is said of everything that is not there.
func notThere(err error) error {
	if errors.Is(err, consent.ErrNotThere) || errors.Is(err, consent.ErrOverrideNotThere) {
		return partners.ErrNotThere
	}
	return err
}

// line is one line of a summary.
type line struct {
	Label  string
	Texts  []string
	Change string
	What   string
}

// named is every agency by its id.
func (h *Handler) named(ctx context.Context) (map[string]partners.Partner, error) {
	all, err := h.Partners.Directory(ctx)
	named := make(map[string]partners.Partner, len(all))
	for _, p := range all {
		named[string(p.ID)] = p
	}
	return named, err
}

func nameOf(named map[string]partners.Partner, id string) string {
	if p, there := named[id]; there {
		return p.Name
	}
	if id == record.CategoryPrefix+string(partners.Police) {
		return "The police"
	}
	return id
}

// colleagues are the people of the caller's agency by id, and the names of the managers among
// them who can decide for her.
func (h *Handler) colleagues(ctx context.Context, c partners.Caller) (names map[string]string, managers []string, err error) {
	people, err := h.Partners.People(ctx, c)
	names = map[string]string{}
	for _, p := range people {
		names[p.ID] = p.Name
		if p.Role == partners.Manager && p.Status == partners.UserActive && p.ID != c.User() {
			managers = append(managers, p.Name)
		}
	}
	slices.Sort(managers)
	return names, managers, err
}

// newID is the id of what a form will record, made when the form is: sent twice, it is one.
func newID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}
