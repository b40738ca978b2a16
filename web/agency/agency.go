// Package agency is the pages on which an agency looks after itself: who works there, which
// systems act for it, which keys count, what it offers.
//
// agency.go has the routes and the first page; people.go, person.go and person_act.go are people;
// systems.go systems; keys.go and key.go keys; services.go, service_form.go and capacity.go what is
// offered; act.go is what all acts have in common. A manager is shown services alone, a caseworker
// and an auditor nothing. Whatever changes something but a capacity has a page that says what will
// happen, and wants a proof of a moment ago. What is shown once (a link, a token) is the answer to
// a POST: no page has it afterwards, no address leads to it, and sent twice it is made once.
package agency

import (
	"embed"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"handover/consent"
	"handover/notify"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/web/shell"
)

//go:embed templates/*.html
var templates embed.FS

// Config is what the pages are made of.
type Config struct {
	SignIn    *signin.Handler
	Partners  *partners.Store
	Referrals *referral.Store
	Consents  *consent.Store
	Webhooks  *notify.Store
	Hub       string           // the issuer URL, where links lead
	Now       func() time.Time // default: time.Now
}

// Handler serves the pages.
type Handler struct {
	Config
	shell *shell.Shell
	pages *shell.Pages
}

// New returns the pages.
func New(s *shell.Shell, c Config) (*Handler, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	pages, err := s.Pages(templates)
	if err != nil {
		return nil, err
	}
	return &Handler{Config: c, shell: s, pages: pages}, nil
}

// page is a page for somebody who is signed in.
type page = func(http.ResponseWriter, *http.Request, signin.Session) error

// The pages of this room that others lead to.
const (
	root         = "/agency"
	peoplePath   = root + "/people"
	systemsPath  = root + "/systems"
	keysPath     = root + "/keys"
	servicesPath = root + "/services"
)

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	show := func(path string, do page, scopes ...partners.Scope) {
		r.Handle(path, h.shell.Allow(do, scopes...)).Methods(http.MethodGet)
	}
	// An act has its page at the address that it posts to: who must prove first who she is comes
	// back there.
	act := func(path string, ask, do page, scope partners.Scope) {
		r.Handle(path, h.shell.Proven(ask, scope)).Methods(http.MethodGet)
		r.Handle(path, h.shell.Proven(do, scope)).Methods(http.MethodPost)
	}
	const admin, offer = partners.PartnerAdmin, partners.ServicesWrite
	show(root, h.start, admin, offer)
	show(peoplePath, h.people, admin)
	act(peoplePath+"/add", h.askPerson, h.addPerson, admin)
	show(peoplePath+"/{user}", h.person, admin)
	act(peoplePath+"/{user}/role", h.askRole, h.setRole, admin)
	act(peoplePath+"/{user}/link", h.askLink, h.makeLink, admin)
	for name, a := range h.personActs() {
		act(peoplePath+"/{user}/"+name, h.askAct(a), h.doAct(a), admin)
	}
	show(systemsPath, h.systems, admin)
	act(systemsPath+"/add", h.askSystem, h.addSystem, admin)
	show(systemsPath+"/{client}", h.system, admin)
	for name, a := range h.systemActs() {
		act(systemsPath+"/{client}/"+name, h.askSwitch(a), h.doSwitch(a), admin)
	}
	show(keysPath, h.keys, admin)
	show(keysPath+"/{kid}", h.key, admin)
	show(keysPath+"/{kid}/touched", h.touched, admin)
	act(keysPath+"/{kid}/revoke", h.askRevoke, h.revoke, admin)
	show(servicesPath, h.services, offer)
	act(servicesPath+"/add", h.askService, h.addService, offer)
	act(servicesPath+"/{service}/change", h.askChange, h.changeService, offer)
	r.Handle(servicesPath+"/{service}/capacity", h.shell.Allow(h.askCapacity, offer)).Methods(http.MethodGet)
	r.Handle(servicesPath+"/{service}/capacity", h.shell.Allow(h.setCapacity, offer)).Methods(http.MethodPost)
}

// startView is the first page.
type startView struct {
	Agency  partners.Partner
	Kind    string
	Areas   []string
	Managed bool
	Wants   []want
	Rooms   []place
}

// want is something that wants an administrator's attention.
type want struct{ Text, Path, Link string }

// start says what the agency is, who holds its keys, and what wants attention. A manager has
// services alone to look after, and is led there.
func (h *Handler) start(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	if !s.Caller.Has(partners.PartnerAdmin) {
		shell.See(w, servicesPath)
		return nil
	}
	v := startView{Rooms: rooms()}
	var err error
	if v.Agency, err = h.Partners.Find(r.Context(), s.Caller.Partner()); err != nil {
		return err
	}
	v.Kind = sentence(v.Agency.Category.Title())
	v.Managed, v.Areas = v.Agency.Custody == partners.HeldByHub, areasInWords(v.Agency.Areas)
	for _, look := range []func(*http.Request, signin.Session) ([]want, error){h.peopleWant, h.systemsWant, h.keysWant, h.servicesWant, h.webhooksWant} {
		found, err := look(r, s)
		if err != nil {
			return err
		}
		v.Wants = append(v.Wants, found...)
	}
	return h.pages.Show(w, r, http.StatusOK, "agency", shell.Page{Title: "Your agency", Body: v})
}
