package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/gorilla/mux"
	"golang.org/x/time/rate"

	"handover/audit"
	"handover/internal/fault"
	"handover/internal/httpd"
	"handover/keys"
	"handover/oauth/limit"
	"handover/partners"
)

// Config is what people's sign-in is made of.
type Config struct {
	Issuer   string // the hub's public URL: scheme and host, nothing after them
	Store    *Store
	Partners *partners.Store
	Log      *audit.Log
	Keys     keys.Store // opens the secrets of agencies' providers

	Logger *slog.Logger     // default: none
	Now    func() time.Time // default: time.Now

	// Landings are the pages that one may come back to after signing in, besides
	// the start: each one's path, and what is below it.
	Landings []string

	// Requests a second from one network, and sign-ins a second of one person, each with
	// a burst of ten seconds' worth. Default 5 and 0.5: an agency's office shares one
	// address, and a person signs in now and then.
	NetworkRate, PersonRate rate.Limit
	Origin                  limit.Origin

	Client *http.Client // to agencies' providers; default: publicClient
}

// Handler is people's sign-in.
type Handler struct {
	issuer     string
	store      *Store
	partners   *partners.Store
	log        *audit.Log
	rp         *relyingParty
	sameOrigin *http.CrossOriginProtection
	perNetwork *limit.Limiter
	perPerson  *limit.Limiter
	origin     limit.Origin
	landings   []string
	keys       keys.Store
	providers  *providers
	logger     *slog.Logger
	now        func() time.Time
}

// New returns people's sign-in.
func New(c Config) (*Handler, error) {
	if c.Store == nil || c.Partners == nil || c.Log == nil || c.Keys == nil {
		return nil, errors.New("configuring sign-in: store, partners, log and keys are all needed")
	}
	rp, err := newRelyingParty(c.Issuer)
	if err != nil {
		return nil, fmt.Errorf("configuring sign-in: %w", err)
	}
	h := &Handler{
		issuer: c.Issuer, store: c.Store, partners: c.Partners, log: c.Log, rp: rp, sameOrigin: http.NewCrossOriginProtection(),
		origin: c.Origin, landings: append([]string{home}, c.Landings...), keys: c.Keys, logger: c.Logger, now: c.Now,
	}
	if h.now == nil {
		h.now = time.Now
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	if c.Client == nil {
		c.Client = publicClient()
	}
	h.providers = newProviders(c.Client, h.now)
	if c.NetworkRate == 0 {
		c.NetworkRate = 5
	}
	if c.PersonRate == 0 {
		c.PersonRate = 0.5
	}
	h.perNetwork, h.perPerson = limit.New("address", c.NetworkRate, h.now), limit.New("user", c.PersonRate, h.now)
	return h, nil
}

// bodyLimit bounds a browser's answer: some 2 KiB, and a key of RSA more.
const bodyLimit = 32 << 10

// Mount adds the routes that the pages' script calls. Pages are in web.
func (h *Handler) Mount(r *mux.Router) {
	r.Handle("/sign-in/passkey/options", h.anybody(h.signInOptions)).Methods(http.MethodPost)
	r.Handle("/sign-in/passkey", h.anybody(h.signIn)).Methods(http.MethodPost)
	r.Handle("/sign-in/join/options", h.anybody(h.joinOptions)).Methods(http.MethodPost) // the code is the credential
	r.Handle("/sign-in/join", h.anybody(h.join)).Methods(http.MethodPost)
	r.Handle("/sign-in/step-up/options", h.person(h.stepUpOptions)).Methods(http.MethodPost)
	r.Handle("/sign-in/step-up", h.person(h.stepUp)).Methods(http.MethodPost)
	r.Handle("/sign-in/passkeys/options", h.person(h.addOptions)).Methods(http.MethodPost)
	r.Handle("/sign-in/passkeys", h.person(h.add)).Methods(http.MethodPost)
}

// anybody stands before what strangers may ask. Before anything is read or verified the
// request must come from a page of ours (Sec-Fetch-Site, Origin; a page elsewhere could
// sign somebody in as another: login CSRF) and its network must be within its rate.
func (h *Handler) anybody(do func(http.ResponseWriter, *http.Request) error) http.Handler {
	return httpd.Handle(func(w http.ResponseWriter, r *http.Request) error {
		return h.Settle(r.Context(), h.within(w, r, do))
	})
}

// person stands before what only who is signed in may ask.
func (h *Handler) person(do func(http.ResponseWriter, *http.Request, Session) error) http.Handler {
	return h.anybody(func(w http.ResponseWriter, r *http.Request) error {
		s, err := h.Session(r)
		if err != nil {
			return err
		}
		return s.Refused(do(w, r, s))
	})
}

func (h *Handler) within(w http.ResponseWriter, r *http.Request, do func(http.ResponseWriter, *http.Request) error) error {
	if err := h.SameOrigin(r); err != nil {
		return err
	}
	v := h.perNetwork.Allow(h.origin.Network(r))
	v.Write(w.Header())
	if v.Refused() {
		return because(ErrTooMany, "sign-in-rate")
	}
	return do(w, r)
}

// SameOrigin refuses what a page of another site has sent, with ErrCrossSite. A read passes.
func (h *Handler) SameOrigin(r *http.Request) error {
	if h.sameOrigin.Check(r) != nil {
		return because(ErrCrossSite, ErrCrossSite.Code)
	}
	return nil
}

// Settle records a refusal, and returns what to answer: of somebody known it is logged, and
// what cannot be logged is answered by 503; strangers are counted.
func (h *Handler) Settle(ctx context.Context, err error) error {
	f, declared := errors.AsType[*fault.Fault](err)
	if !declared || f.Kind == fault.Unavailable {
		return err
	}
	why, ok := errors.AsType[*refusal](err)
	if !ok {
		why = &refusal{reason: f.Code}
	}
	if why.entry.Partner == "" {
		h.log.CountAnonymous(why.reason)
		return err
	}
	e := why.entry
	e.Outcome, e.Reason = f.Code, why.reason
	if logErr := h.log.Refuse(ctx, e); logErr != nil {
		return errors.Join(audit.ErrReceiptPending, logErr)
	}
	return err
}

// inactive reads what the database says of somebody who may not act as a refusal of hers.
func (p person) inactive(err error) error {
	if errors.Is(err, partners.ErrUserNotThere) {
		return p.refused(ErrRefused, "caller-inactive")
	}
	return err
}

// offer answers with what the browser is to do, and remembers it for this browser.
func (h *Handler) offer(w http.ResponseWriter, r *http.Request, a asked, c ceremony, who *joining) error {
	c.state = a.state
	if err := h.begin(w, r, c); err != nil {
		return err
	}
	httpd.JSON(w, http.StatusOK, struct {
		Options jsontext.Value `json:"options"`
		Joining *joining       `json:"joining,omitempty"`
	}{a.options, who})
	return nil
}

// landed tells the page where to go.
type landed struct {
	Location string `json:"location"`
}

// landing gives the browser its session and says where she goes from here.
func (h *Handler) landing(w http.ResponseWriter, r *http.Request, p person, session, next string) {
	h.log.Kick()
	setCookie(w, sessionCookie, session, 0) // until the browser is closed, and as the session's row says
	httpd.Annotate(r.Context(), httpd.Partner, string(p.partner))
	httpd.JSON(w, http.StatusOK, landed{h.Landing(next)})
}

// home is where one lands without having come for anything.
const home = "/"

// Landing is where to go after signing in: next, if that is one of our own pages, or else
// the start. Anything else in next would make a link to the hub a link to wherever
// its author likes (open redirect, CWE-601).
func (h *Handler) Landing(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.User != nil || u.Fragment != "" ||
		!h.lands(u.EscapedPath()) || !strings.HasPrefix(next, u.Path) {
		return home
	}
	return (&url.URL{Path: u.Path, RawQuery: u.Query().Encode()}).String()
}

// lands reports whether a path is, or is below, a page that one may come back to.
func (h *Handler) lands(at string) bool {
	return path.Clean(at) == at && slices.ContainsFunc(h.landings, func(page string) bool {
		return at == page || page != home && strings.HasPrefix(at, page+"/")
	})
}
