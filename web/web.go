package web

import (
	"time"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/consent"
	"handover/notify"
	"handover/oauth"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
	"handover/web/agency"
	"handover/web/agreements"
	"handover/web/auditing"
	"handover/web/casework"
	"handover/web/inbox"
	"handover/web/people"
	"handover/web/send"
	"handover/web/shell"
	"handover/web/webhooks"
)

// Config is what the pages are made of.
type Config struct {
	SignIn        *signin.Handler
	Partners      *partners.Store
	Authorization *oauth.Handler
	Referrals     *referral.Store
	Consents      *consent.Store
	Desk          *managed.Desk
	Log           *audit.Log
	Feed          *notify.Feed
	Exporter      *audit.Exporter
	Webhooks      *notify.Store
	Hub           string           // the issuer URL
	Withdrawn     func()           // told that a woman took something back; nil: nobody has to hurry
	Now           func() time.Time // default: time.Now
}

// room is the pages of one subject.
type room interface{ Mount(*mux.Router) }

// Handler serves all pages.
type Handler struct{ rooms []room }

// New returns the pages.
func New(c Config) (*Handler, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	s, err := shell.New(c.SignIn, c.Now)
	if err != nil {
		return nil, err
	}
	h := &Handler{rooms: []room{s}}
	for _, open := range append(c.aboutConsent(s), []func() (room, error){
		func() (room, error) {
			return send.New(s, send.Config{Partners: c.Partners, Referrals: c.Referrals, Consents: c.Consents, Desk: c.Desk, Log: c.Log, Now: c.Now})
		},
		func() (room, error) { return people.New(s, c.SignIn, c.Partners, c.Authorization) },
		func() (room, error) {
			return inbox.New(inbox.Handler{Shell: s, Referrals: c.Referrals, Partners: c.Partners, Log: c.Log, Feed: c.Feed, Now: c.Now})
		},
		func() (room, error) {
			return casework.New(casework.Handler{Shell: s, Referrals: c.Referrals, Consents: c.Consents, Partners: c.Partners, Desk: c.Desk, Log: c.Log, Now: c.Now})
		},
		func() (room, error) {
			return agreements.New(s, agreements.Config{Partners: c.Partners, Referrals: c.Referrals, Desk: c.Desk, Log: c.Log, Now: c.Now})
		},
		func() (room, error) {
			return agency.New(s, agency.Config{SignIn: c.SignIn, Partners: c.Partners, Referrals: c.Referrals, Consents: c.Consents, Webhooks: c.Webhooks, Hub: c.Hub, Now: c.Now})
		},
		func() (room, error) {
			return webhooks.New(webhooks.Handler{Shell: s, Store: c.Webhooks, Log: c.Log})
		},
		func() (room, error) { return auditing.New(s, c.Log, c.Exporter, c.Consents, c.Partners, c.Now) },
	}...) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		h.rooms = append(h.rooms, r)
	}
	return h, nil
}

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	for _, room := range h.rooms {
		room.Mount(r)
	}
}

// Landings are the pages one may come back to after signing in, with what is below each.
func Landings() []string {
	return []string{
		"/account", "/step-up", people.AuthorizePath, "/inbox", "/sent", "/send", "/services", "/referrals", "/recalls",
		"/consents", "/hers", "/overrides", "/reviews", "/nevers", "/agency", "/audit",
	}
}
