// Package shell is what all pages of the hub have in common: who may see one, the headers it
// carries, its frame, the parts of its forms, style and script.
//
// shell.go stands before each page; page.go writes pages from templates within the layout;
// navigation.go says what leads where for whom; field.go and form.go are forms; static.go serves
// what is in static/, under names that change with the content. What static/hub.css and
// static/app.js are made of is in web/assets.
package shell

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	_ "time/tzdata" // a container may have no time zones of its own

	"github.com/gorilla/mux"

	"handover/internal/httpd"
	"handover/oauth/signin"
	"handover/partners"
)

// The pages that others lead to.
const (
	SignInPath  = "/sign-in"
	AccountPath = "/account"
	StepUpPath  = "/step-up"
)

// Shell stands before every page.
type Shell struct {
	signIn *signin.Handler
	assets assets
	common *template.Template // layout and parts
	own    *Pages
	zone   *time.Location // in which times are told
	now    func() time.Time
}

// New returns the shell over people's sign-in. now is the clock by which pages say how long
// something has been; default: time.Now.
func New(signIn *signin.Handler, now func() time.Time) (*Shell, error) {
	if signIn == nil {
		return nil, errors.New("configuring the pages: people's sign-in is needed")
	}
	if now == nil {
		now = time.Now
	}
	s := &Shell{signIn: signIn, now: now}
	var err error
	if s.zone, err = time.LoadLocation("Europe/London"); err != nil {
		return nil, fmt.Errorf("reading the time zone: %w", err)
	}
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.common, err = s.parse(); err != nil {
		return nil, err
	}
	s.own, err = s.Pages(own)
	return s, err
}

// Mount adds what every page needs.
func (s *Shell) Mount(r *mux.Router) {
	r.Handle("/static/{file}", httpd.Handle(s.static)).Methods(http.MethodGet)
	r.Handle("/", s.Open(s.start)).Methods(http.MethodGet)
	r.Handle("/help", s.Open(s.plain("help", "Help"))).Methods(http.MethodGet)
	r.Handle("/accessibility", s.Open(s.plain("accessibility", "Accessibility"))).Methods(http.MethodGet)
	r.Handle("/session", s.SignedIn(s.stay)).Methods(http.MethodPost)
}

// Policy is the Content-Security-Policy of every page: scripts, styles and images of the
// hub alone, none of them inline, no way to make text into markup (Trusted Types), no frame
// around the page (clickjacking), no form that posts elsewhere. formAction is where else
// the answer to a form may lead, "" being nowhere: Chromium holds redirects to it too.
func Policy(formAction string) string {
	if formAction != "" {
		formAction = " " + formAction
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self'" + formAction + "; base-uri 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'"
}

// guardHeaders sets what every page carries. no-store: a page she has left must not come
// back with the browser's Back key after she has signed out.
func guardHeaders(h http.Header) {
	h.Set("Content-Security-Policy", Policy(""))
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self), "+
		"camera=(), microphone=(), geolocation=(), payment=(), usb=()")
}

// Open is a page for anybody. What a page of another site has posted is refused before it
// is read (CSRF); what is refused is counted or logged, and told in a page.
func (s *Shell) Open(do func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guardHeaders(w.Header())
		r = r.WithContext(context.WithValue(r.Context(), visitKey{}, &visit{}))
		err := s.signIn.SameOrigin(r)
		if err == nil {
			err = do(w, r)
		}
		if err != nil {
			s.mistake(w, r, s.signIn.Settle(r.Context(), err))
		}
	})
}

// SignedIn is a page for who is signed in. Others are sent to sign in, and then to where
// they wanted to go; acts that want a recent proof first ask for one.
func (s *Shell) SignedIn(do func(http.ResponseWriter, *http.Request, signin.Session) error) http.Handler {
	return s.Open(func(w http.ResponseWriter, r *http.Request) error {
		session, err := s.signIn.Session(r)
		if errors.Is(err, signin.ErrSignedOut) {
			See(w, SignInPath+"?next="+url.QueryEscape(wanted(r)))
			return nil
		}
		if err != nil {
			return err
		}
		visitOf(r).session = &session
		err = do(w, r, session)
		if errors.Is(err, partners.ErrStepUp) {
			See(w, StepUpPath+"?next="+url.QueryEscape(begun(r)))
			return nil
		}
		return session.Refused(err)
	})
}

// Allow is a page for who has one of the scopes by her role. To others it is not there, which
// is logged as their refusal: what a page is for is nothing that they need to know.
func (s *Shell) Allow(do func(http.ResponseWriter, *http.Request, signin.Session) error, scopes ...partners.Scope) http.Handler {
	return s.SignedIn(func(w http.ResponseWriter, r *http.Request, session signin.Session) error {
		if !slices.ContainsFunc(scopes, session.Caller.Has) {
			return partners.ErrNotThere
		}
		return do(w, r, session)
	})
}

// Proven is Allow for acts of who has proved a moment ago that it is she: administration,
// overrides. It stops whoever finds her signed-in screen. An act that is posted has its page, by
// GET, at the same address: there she comes back to when she has proved it.
func (s *Shell) Proven(do func(http.ResponseWriter, *http.Request, signin.Session) error, scopes ...partners.Scope) http.Handler {
	return s.Allow(func(w http.ResponseWriter, r *http.Request, session signin.Session) error {
		if !s.signIn.Recent(session) {
			See(w, StepUpPath+"?next="+url.QueryEscape(r.URL.EscapedPath()))
			return nil
		}
		return do(w, r, session)
	}, scopes...)
}

// visit is what a page knows of the request it answers.
type visit struct {
	session *signin.Session // nil: a stranger's
	hers    bool            // she looks at it
}

// ForHer notes that she looks at what answers a request: what goes wrong is then told on a page
// that she may see, with the way out and nothing of her worker's other work.
func ForHer(r *http.Request) { visitOf(r).hers = true }

type visitKey struct{}

func visitOf(r *http.Request) *visit {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{}
}

// wanted is the page that a request was for. An act cannot be repeated by going there, so
// who posts while signed out begins anew.
func wanted(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	return "/"
}

// begun is where an act that turns out to need a recent proof was begun: its subject's first page.
func begun(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	subject, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return "/" + subject
}

// See sends the browser on to another page of ours.
func See(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

// start leads to where somebody of her role begins.
func (s *Shell) start(w http.ResponseWriter, r *http.Request) error {
	session, err := s.signIn.Session(r)
	switch {
	case errors.Is(err, signin.ErrSignedOut):
		See(w, SignInPath)
	case err != nil:
		return err
	default:
		See(w, homeOf(session.Caller))
	}
	return nil
}

// plain is a page that says the same to everybody. Whoever is signed in keeps the way back to
// her work.
func (s *Shell) plain(name, title string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		session, err := s.signIn.Session(r)
		if err == nil {
			visitOf(r).session = &session
		} else if !errors.Is(err, signin.ErrSignedOut) {
			return err
		}
		return s.own.Show(w, r, http.StatusOK, name, Page{Title: title})
	}
}

// stay answers the page that asks for more time: being asked has renewed the session.
func (s *Shell) stay(w http.ResponseWriter, _ *http.Request, _ signin.Session) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// mistake answers with a page that says in one sentence what is wrong and what to do.
func (s *Shell) mistake(w http.ResponseWriter, r *http.Request, err error) {
	status, text := httpd.Explain(r, err)
	_ = s.own.Show(w, r, status, "problem", Page{Title: "There is a problem", Body: text, Hers: visitOf(r).hers})
}
