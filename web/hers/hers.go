// Package hers is the pages that a woman may see herself, on her worker's phone: what is shared
// about her, with whom, until when, who has opened it, and how to stop it. They say nothing of
// her worker's other work, of what she needs help with, or of who at an agency did something.
//
// facts.go reads what she may be told; hers.go says it to her; leave.go is the way out.
package hers

import (
	"embed"
	"errors"
	"net/http"

	"github.com/google/uuid"
	"github.com/gorilla/mux"

	"handover/consent"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
	"handover/web/shell"
)

//go:embed all:templates
var templates embed.FS

// Config is what the pages are made of.
type Config struct {
	SignIn    *signin.Handler
	Desk      *managed.Desk
	Consents  *consent.Store
	Referrals *referral.Store
	Partners  *partners.Store
	Withdrawn func() // told that she stopped something; nil: nobody has to hurry
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
	return &Handler{Config: c, shell: s, pages: pages}, err
}

// Mount adds the routes. {referral} is a referral, or a consent record.
func (h *Handler) Mount(r *mux.Router) {
	page := func(path string, do func(http.ResponseWriter, *http.Request, signin.Session) error, methods ...string) {
		r.Handle(path, h.shell.Allow(do, partners.ConsentsWrite)).Methods(methods...)
	}
	page("/hers/{referral}", h.show, http.MethodGet)
	page("/hers/{referral}/safety", h.safety, http.MethodGet)
	page("/hers/{referral}/stop", h.stop, http.MethodGet, http.MethodPost)
	page("/hers/{referral}/stopped", h.stopped, http.MethodGet)
	r.Handle(leavePath, h.shell.Open(h.leave)).Methods(http.MethodGet)
}

// title is that of each page: it stays in the browser's history, which Exit this page cannot
// clear.
const title = "For you"

func hersOf(r *http.Request) string { return mux.Vars(r)["referral"] }

// safety comes before the page itself each time: whoever looks over her shoulder is there
// today, and was not last week.
func (h *Handler) safety(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	id := hersOf(r)
	if !ids.IsUUID(id) && !ids.IsDigest(id) {
		return partners.ErrNotThere
	}
	return h.pages.Show(w, r, http.StatusOK, "safety", shell.Page{Title: title, Hers: true, Body: "/hers/" + id + "?safe=yes"})
}

func (h *Handler) show(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	if r.URL.Query().Get("safe") != "yes" {
		shell.See(w, "/hers/"+hersOf(r)+"/safety")
		return nil
	}
	shell.ForHer(r)
	f, err := h.facts(r.Context(), in.Caller, hersOf(r))
	if err != nil {
		return err
	}
	if f.NotTold != "" {
		return h.pages.Show(w, r, http.StatusOK, "not-yet", shell.Page{Title: "Do not show her this yet", Body: f})
	}
	return h.pages.Show(w, r, http.StatusOK, "show", shell.Page{Title: title, Hers: true, Body: f})
}

// stopView asks her once more.
type stopView struct {
	facts
	ID string // under which her stop is recorded: two taps are one
}

// stop records that she stops it. It asks for no reason, and her worker for no proof of who she
// is: stopping is as easy as agreeing was.
func (h *Handler) stop(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	shell.ForHer(r)
	f, err := h.facts(r.Context(), in.Caller, hersOf(r))
	switch {
	case err != nil:
		return err
	case f.NotTold != "" || !f.Stops:
		shell.See(w, f.Path+"?safe=yes")
		return nil
	}
	if r.Method == http.MethodPost {
		form, err := shell.Form(w, r)
		if err != nil {
			return err
		}
		if _, err := h.Desk.Withdraw(r.Context(), in.Caller, f.Consent, form.Get("id")); err != nil && !errors.Is(err, consent.ErrAlreadyWithdrawn) {
			e := in.Caller.Entry("refused")
			e.Consent = f.Consent
			return partners.Concerning(err, e)
		}
		if h.Withdrawn != nil {
			h.Withdrawn()
		}
		shell.See(w, f.Path+"/stopped")
		return nil
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "stop", shell.Page{Title: title, Hers: true, Body: stopView{f, id.String()}})
}

func (h *Handler) stopped(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	shell.ForHer(r)
	f, err := h.facts(r.Context(), in.Caller, hersOf(r))
	if err != nil {
		return err
	}
	if f.NotTold != "" || !f.Stopped {
		shell.See(w, f.Path+"?safe=yes")
		return nil
	}
	return h.pages.Show(w, r, http.StatusOK, "stopped", shell.Page{Title: title, Hers: true, Body: f})
}
