package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"time"

	_ "time/tzdata" // a container may have no time zones of its own

	"github.com/gorilla/mux"

	"handover/internal/httpd"
	"handover/oauth"
	"handover/oauth/signin"
	"handover/partners"
)

// Config is what the pages are made of.
type Config struct {
	SignIn        *signin.Handler
	Partners      *partners.Store
	Authorization *oauth.Handler
}

// Handler serves the pages.
type Handler struct {
	signIn        *signin.Handler
	partners      *partners.Store
	authorization *oauth.Handler
	assets        assets
	pages         map[string]*template.Template
	zone          *time.Location // in which times are told
}

// New returns the pages.
func New(c Config) (*Handler, error) {
	if c.SignIn == nil || c.Partners == nil || c.Authorization == nil {
		return nil, errors.New("configuring the pages: sign-in, partners and the authorization server are all needed")
	}
	h := &Handler{signIn: c.SignIn, partners: c.Partners, authorization: c.Authorization}
	var err error
	if h.zone, err = time.LoadLocation("Europe/London"); err != nil {
		return nil, fmt.Errorf("reading the time zone: %w", err)
	}
	if h.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if h.pages, err = h.parse(); err != nil {
		return nil, err
	}
	return h, nil
}

// The pages that others lead to.
const (
	signInPath    = "/sign-in"
	joinPath      = "/join"
	accountPath   = "/account"
	stepUpPath    = "/step-up"
	authorizePath = "/oauth/authorize"
)

// Landings are the pages one may come back to after signing in.
func Landings() []string { return []string{accountPath, stepUpPath, authorizePath} }

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	r.Handle("/", h.open(h.start)).Methods(http.MethodGet)
	r.Handle("/static/{file}", httpd.Handle(h.static)).Methods(http.MethodGet)
	r.Handle(signInPath, h.open(h.signInPage)).Methods(http.MethodGet)
	r.Handle(signInPath+"/{partner}", h.open(h.signInPage)).Methods(http.MethodGet)
	r.Handle(signInPath+"/{partner}/provider", h.open(h.toProvider)).Methods(http.MethodGet)
	r.Handle(signin.CallbackPath, h.open(h.fromProvider)).Methods(http.MethodGet)
	r.Handle(stepUpPath+"/provider", h.signedIn(h.stepUpAtProvider)).Methods(http.MethodGet)
	r.Handle(joinPath, h.open(h.joinPage)).Methods(http.MethodGet)
	r.Handle(stepUpPath, h.signedIn(h.stepUpPage)).Methods(http.MethodGet)
	r.Handle("/sign-out", h.signedIn(h.signOut)).Methods(http.MethodPost)
	r.Handle(accountPath, h.signedIn(h.account)).Methods(http.MethodGet)
	r.Handle(accountPath+"/sign-out-everywhere", h.signedIn(h.signOutEverywhere)).Methods(http.MethodPost)
	r.Handle(accountPath+"/sessions/{session}/end", h.signedIn(h.endSession)).Methods(http.MethodPost)
	r.Handle(accountPath+"/passkeys/{passkey}/remove", h.signedIn(h.removePasskey)).Methods(http.MethodPost)
	r.Handle(accountPath+"/notices/{notice}/dismiss", h.signedIn(h.dismissNotice)).Methods(http.MethodPost)
	r.Handle(authorizePath, h.signedIn(h.permission)).Methods(http.MethodGet)
	r.Handle(authorizePath, h.signedIn(h.decide)).Methods(http.MethodPost)
}

// policy is the Content-Security-Policy of every page: scripts, styles and images of the
// hub alone, none of them inline, no way to make text into markup (Trusted Types), no frame
// around the page (clickjacking), no form that posts elsewhere. formAction is where else
// the answer to a form may lead, "" being nowhere: Chromium holds redirects to it too.
func policy(formAction string) string {
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
	h.Set("Content-Security-Policy", policy(""))
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	h.Set("Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self), "+
		"camera=(), microphone=(), geolocation=(), payment=(), usb=()")
}

// open is a page for anybody. What a page of another site has posted is refused before it
// is read (CSRF); what is refused is counted or logged, and told in a page.
func (h *Handler) open(do func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guardHeaders(w.Header())
		err := h.signIn.SameOrigin(r)
		if err == nil {
			err = do(w, r)
		}
		if err != nil {
			h.mistake(w, r, h.signIn.Settle(r.Context(), err))
		}
	})
}

// signedIn is a page for who is signed in. Others are sent to sign in, and then to where
// they wanted to go; acts that want a recent proof first ask for one.
func (h *Handler) signedIn(do func(http.ResponseWriter, *http.Request, signin.Session) error) http.Handler {
	return h.open(func(w http.ResponseWriter, r *http.Request) error {
		s, err := h.signIn.Session(r)
		if errors.Is(err, signin.ErrSignedOut) {
			see(w, signInPath+"?next="+url.QueryEscape(wanted(r)))
			return nil
		}
		if err != nil {
			return err
		}
		err = do(w, r, s)
		if errors.Is(err, partners.ErrStepUp) {
			see(w, stepUpPath+"?next="+url.QueryEscape(wanted(r)))
			return nil
		}
		return s.Refused(err)
	})
}

// wanted is the page that a request was for: of an act, which cannot be repeated by going
// there, the account page.
func wanted(r *http.Request) string {
	if r.Method != http.MethodGet {
		return accountPath
	}
	return r.URL.RequestURI()
}

// see sends the browser on to another page of ours.
func see(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

func (h *Handler) start(w http.ResponseWriter, _ *http.Request) error {
	see(w, accountPath)
	return nil
}
