// Package agreements is the pages of data-sharing agreements: what the agency and others may send
// each other, which an administrator of each has signed.
//
// agreements.go has the routes and the list, which everybody of the agency reads: whoever sends has
// to know what she may. one.go is one agreement with its signatures; act.go signs, refuses and
// ends; propose.go and propose_form.go propose, one question a page; words.go says it all in
// words, with what the firewall never lets pass.
//
// For an agency whose keys the hub holds, the hub signs for its signed-in administrator. One that
// holds its own keys signs with its own program: the pages say how.
package agreements

import (
	"context"
	"embed"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/oauth/signin"
	"handover/partners"
	"handover/partners/terms"
	"handover/referral"
	"handover/referral/managed"
	"handover/web/shell"
)

//go:embed templates/*.html
var templates embed.FS

// Config is what the pages are made of.
type Config struct {
	Partners  *partners.Store
	Referrals *referral.Store
	Desk      *managed.Desk
	Log       *audit.Log
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

const root = "/agency/agreements"

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	show := func(path string, do page) {
		r.Handle(path, h.shell.Allow(do, partners.PartnerAdmin, partners.ReferralsSend, partners.ReferralsReceive, partners.AuditRead)).Methods(http.MethodGet)
	}
	act := func(path string, ask, do page) {
		r.Handle(path, h.shell.Proven(ask, partners.PartnerAdmin)).Methods(http.MethodGet)
		r.Handle(path, h.shell.Proven(do, partners.PartnerAdmin)).Methods(http.MethodPost)
	}
	show(root, h.list)
	act(root+"/propose", h.begin, h.propose)
	show(root+"/{agreement}", h.one)
	for _, a := range acts() {
		act(root+"/{agreement}/"+a.name, h.ask(a), h.do(a))
	}
}

// listView is the list, by what is to be done.
type listView struct {
	Admin    bool
	ForUs    []summary
	ForThem  []summary
	InForce  []summary
	Over     []summary
	Unsigned []unsigned
	Next     string // the address of the next page, or ""
	Empty    bool
}

// summary is one agreement in the list.
type summary struct {
	ID, With, State, Tag string
	Sends, Receives      way
	To, ReviewAt         time.Time
	Due                  bool // it is time that both look at it again
}

// unsigned is a direction that the hub's operator put in force.
type unsigned struct {
	With string
	Way  way
	To   time.Time
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	after := r.URL.Query().Get("after")
	found, more, err := h.Partners.SignedAgreements(r.Context(), s.Caller, after)
	if err != nil {
		return err
	}
	known, err := h.agencies(r.Context())
	if err != nil {
		return err
	}
	me := s.Caller.Partner()
	v := listView{Admin: s.Caller.Has(partners.PartnerAdmin)}
	for _, a := range found {
		of := h.summary(a, me, known)
		switch {
		case a.State.Answerable(a.Proposer == me):
			v.ForUs = append(v.ForUs, of)
		case a.State == terms.Proposed:
			v.ForThem = append(v.ForThem, of)
		case a.State.Replaceable():
			v.InForce = append(v.InForce, of)
		default:
			v.Over = append(v.Over, of)
		}
	}
	if more {
		v.Next = root + "?after=" + found[len(found)-1].ID
	}
	if after == "" {
		if v.Unsigned, err = h.unsigned(r.Context(), s.Caller, known); err != nil {
			return err
		}
	}
	v.Empty = len(found) == 0 && len(v.Unsigned) == 0
	return h.pages.Show(w, r, http.StatusOK, "list", shell.Page{Title: "Agreements", Back: back(s), Done: done(r), Body: v})
}

// back is where the list leads back to, for who has something there.
func back(s signin.Session) string {
	if s.Caller.Has(partners.PartnerAdmin) {
		return "/agency"
	}
	return ""
}

func (h *Handler) summary(a partners.SignedAgreement, me partners.ID, known agencies) summary {
	other := known.of(a.Partner(me))
	return summary{ID: a.ID, With: other.Name, State: stateInWords(a, me), Tag: tag(a.State), To: a.To, ReviewAt: a.ReviewAt,
		Sends: h.way(a.Way(me), known), Receives: h.way(a.Way(other.ID), known),
		Due: a.State == terms.InForce && !h.Now().Before(a.ReviewAt)}
}

func (h *Handler) unsigned(ctx context.Context, c partners.Caller, known agencies) (all []unsigned, err error) {
	found, err := h.Partners.UnsignedAgreements(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, a := range found {
		w := h.way(partners.AgreementWay{Sender: a.Sender, Recipient: a.Recipient, Purposes: a.Purposes, Sections: a.Sections}, known)
		other := a.Recipient
		if other == c.Partner() {
			other = a.Sender
		} else {
			w.Ours = true
		}
		all = append(all, unsigned{With: known.of(other).Name, Way: w, To: a.To})
	}
	return all, nil
}

// agencies are those of the directory, by id.
type agencies map[partners.ID]partners.Partner

func (h *Handler) agencies(ctx context.Context) (agencies, error) {
	found, err := h.Partners.Directory(ctx)
	if err != nil {
		return nil, err
	}
	known := agencies{}
	for _, p := range found {
		known[p.ID] = p
	}
	return known, nil
}

// of is the agency, by its id alone if it takes no part now.
func (k agencies) of(id partners.ID) partners.Partner {
	if p, ok := k[id]; ok {
		return p
	}
	return partners.Partner{ID: id, Name: string(id)}
}

// done is the sentence for the code in the address: it says what was done, never with whom.
func done(r *http.Request) string {
	return map[string]string{
		"propose": "The agreement was proposed. It is in force when the other agency’s administrator has signed it.",
		"sign":    "Signed. The agreement is recorded with both signatures.",
		"refuse":  "Refused. The other agency is told why.",
		"end":     "Ended. Nothing more passes under this agreement.",
		"back":    "The proposal was taken back.",
	}[r.URL.Query().Get("done")]
}
