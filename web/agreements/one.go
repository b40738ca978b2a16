package agreements

import (
	"context"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"handover/oauth/signin"
	"handover/partners"
	"handover/partners/terms"
	"handover/web/shell"
)

// oneView is one agreement.
type oneView struct {
	ID         string
	With       string
	State, Tag string
	Version    int
	Sends      way
	Receives   way
	From, To   time.Time
	ReviewAt   time.Time
	Due        bool
	Steps      []step
	Supersedes string
	ReplacedBy string
	Proposed   bool
	Admin      bool
	May        []string // the acts that are possible now, by name
}

// Can reports whether the act is possible now.
func (v oneView) Can(act string) bool {
	for _, m := range v.May {
		if m == act {
			return true
		}
	}
	return false
}

// step is one signature, in words.
type step struct {
	What   string
	Who    string // the person, if she is of our own agency
	Agency string
	At     time.Time
	Why    string // of a refusal
	Hub    bool   // the hub holds the agency's key, and signed for her
	Digest string
	Newer  string // of what was replaced: the version in its place, whose signature ended it
}

// found returns the agreement that the address names, with who is who.
func (h *Handler) found(r *http.Request, s signin.Session) (partners.SignedAgreement, agencies, error) {
	id := mux.Vars(r)["agreement"]
	a, err := h.Partners.SignedAgreement(r.Context(), s.Caller, id)
	if err != nil {
		return a, nil, notThere(err)
	}
	known, err := h.agencies(r.Context())
	return a, known, err
}

func (h *Handler) one(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	a, known, err := h.found(r, s)
	if err != nil {
		return err
	}
	me := s.Caller.Partner()
	v := oneView{ID: a.ID, With: known.of(a.Partner(me)).Name, State: stateInWords(a, me), Tag: tag(a.State), Version: a.Version, From: a.From, To: a.To, ReviewAt: a.ReviewAt,
		Sends: h.way(a.Way(me), known), Receives: h.way(a.Way(a.Partner(me)), known), Supersedes: a.Supersedes, ReplacedBy: a.ReplacedBy,
		Due: a.State == terms.InForce && !h.Now().Before(a.ReviewAt), Proposed: a.State == terms.Proposed, Admin: s.Caller.Has(partners.PartnerAdmin)}
	v.Sends.Ours = true
	if v.Admin {
		for _, act := range acts() {
			if act.possible(a, me) {
				v.May = append(v.May, act.name)
			}
		}
		if a.State.Replaceable() {
			v.May = append(v.May, "renew")
		}
	}
	if v.Steps, err = h.steps(r.Context(), s.Caller, a, known); err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "one", shell.Page{Title: "Agreement", Back: root, Done: done(r), Body: v})
}

// steps are the signatures in their order. A person is named to her own agency alone.
func (h *Handler) steps(ctx context.Context, c partners.Caller, a partners.SignedAgreement, known agencies) (all []step, err error) {
	signed := []*partners.SignedStep{&a.Proposed, a.Answer, a.End}
	var people []string
	for _, s := range signed {
		if s != nil && s.Partner == c.Partner() && s.Act != "" {
			people = append(people, s.Act)
		}
	}
	names, err := h.Partners.Colleagues(ctx, c, people)
	if err != nil {
		return nil, err
	}
	what := map[string]string{"proposed": "Proposed and signed", terms.Signed: "Signed", terms.Refused: "Refused", "ended": "Ended", "superseded": "Replaced by a later version"}
	for _, s := range signed {
		if s == nil {
			continue
		}
		one := step{What: what[s.Step], Agency: known.of(s.Partner).Name, At: s.At, Hub: s.Custody == partners.HeldByHub, Digest: s.Digest}
		if s.Partner == c.Partner() {
			one.Who = names[s.Act]
		}
		if s.Reason != "" {
			one.Why = sentence(terms.Reasons().Label(s.Reason))
		}
		if s.Step == "ended" && a.Answer == nil {
			one.What = "Taken back"
		}
		if s.Step == "superseded" {
			one.Newer = a.ReplacedBy
		}
		all = append(all, one)
	}
	return all, nil
}
