package agency

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

// systemView is one system, in words.
type systemView struct {
	partners.System
	Itself []string // what it may do by itself
	People []string // what it may do for who lets it
	Until  time.Time
	Ended  bool // it has no key that counts
	Only   bool // it is the only one that takes part
}

func inWords(scopes []partners.Scope) []string {
	words := make([]string, len(scopes))
	for i, s := range scopes {
		words[i] = sentence(s.Words())
	}
	return words
}

func (h *Handler) ownSystems(r *http.Request, s signin.Session) ([]systemView, error) {
	found, err := h.Partners.Systems(r.Context(), s.Caller)
	if err != nil {
		return nil, err
	}
	active := 0
	all := make([]systemView, len(found))
	for i, y := range found {
		c := partners.Client{Scopes: y.Scopes}
		v := systemView{System: y, Ended: true}
		if slices.Contains(y.Grants, "client_credentials") {
			v.Itself = inWords(c.SystemScopes())
		}
		if slices.Contains(y.Grants, "authorization_code") {
			v.People = inWords(c.PeopleScopes())
		}
		for _, k := range y.Keys {
			if k.Revoked.IsZero() && k.NotAfter.After(h.Now()) && k.NotAfter.After(v.Until) {
				v.Until, v.Ended = k.NotAfter, false
			}
		}
		if y.Active {
			active++
		}
		all[i] = v
	}
	for i := range all {
		all[i].Only = active == 1 && all[i].Active
	}
	return all, nil
}

// systemsView is the list.
type systemsView struct {
	Systems []systemView
	Leaves  []partners.Leave // that can be used still
	Managed bool
}

func (h *Handler) systems(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	var v systemsView
	var err error
	if v.Systems, err = h.ownSystems(r, s); err != nil {
		return err
	}
	if v.Leaves, err = h.openLeaves(r, s); err != nil {
		return err
	}
	agency, err := h.Partners.Find(r.Context(), s.Caller.Partner())
	if err != nil {
		return err
	}
	v.Managed = agency.Custody == partners.HeldByHub
	return h.pages.Show(w, r, http.StatusOK, "systems", shell.Page{Title: "Systems", Back: root, Done: done(r, systemDone()), Body: v})
}

func (h *Handler) openLeaves(r *http.Request, s signin.Session) ([]partners.Leave, error) {
	leaves, err := h.Partners.Leaves(r.Context(), s.Caller)
	return slices.DeleteFunc(leaves, func(l partners.Leave) bool { return !l.Unused }), err
}

// systemsWant is what of systems wants attention.
func (h *Handler) systemsWant(r *http.Request, s signin.Session) (found []want, err error) {
	leaves, err := h.openLeaves(r, s)
	if err != nil {
		return nil, err
	}
	if n := len(leaves); n > 0 {
		found = append(found, want{number(n, "token for a new system has", "tokens for new systems have") + " not been used yet.", systemsPath, "Go to systems"})
	}
	return found, nil
}

func systemDone() map[string]string {
	return map[string]string{
		"already": "A token was made before. It was shown once. If nobody noted it, make another.",
		"suspend": "The system was suspended. Its next request is refused.",
		"resume":  "The system takes part again.",
	}
}

func (h *Handler) foundSystem(r *http.Request, s signin.Session) (systemView, error) {
	all, err := h.ownSystems(r, s)
	if err != nil {
		return systemView{}, err
	}
	i := slices.IndexFunc(all, func(y systemView) bool { return y.ID == mux.Vars(r)["client"] })
	if i < 0 {
		return systemView{}, partners.ErrNotThere
	}
	return all[i], nil
}

func (h *Handler) system(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	y, err := h.foundSystem(r, s)
	if err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "system", shell.Page{Title: "A system", Back: systemsPath, Done: done(r, systemDone()),
		Body: struct{ System systemView }{y}})
}

// askSystem says what a token for a new system is.
func (h *Handler) askSystem(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	leaves, err := h.Partners.Leaves(r.Context(), s.Caller)
	if err != nil {
		return err
	}
	var last time.Time
	if len(leaves) > 0 {
		last = leaves[0].Given
	}
	return h.ask(w, r, "Add a system", systemsPath, confirm{Heading: "Add a system", Hidden: map[string][]string{"last": {micros(last)}},
		Says: []string{
			"You are shown a token, once. Whoever sets the system up needs it: the system registers itself with it, with a key of its own, and says what it wants to be able to do.",
			"The token works once, for a day, and ends when you are signed out everywhere. Look at the list of systems afterwards: what registered, and what it may do.",
		},
		Warning: "Whoever has the token can make a system that acts for your agency. Give it only to who sets the system up.", Button: "Make the token and show it"})
}

func (h *Handler) addSystem(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	token, expires, err := h.Partners.InviteSystemAfter(r.Context(), s.Caller, fromMicros(form.Get("last")))
	if isAlready(err) {
		shell.See(w, systemsPath+"?done=already")
		return nil
	}
	if err != nil {
		return err
	}
	return h.once(w, r, "A token, shown once", secret{Heading: "The token was made", Label: "Initial access token", Text: token, Until: expires,
		Says:    []string{"Copy it to where the system is set up, by a way that nobody else reads. It is not shown again.", "On the new system’s machine, this asks for it:"},
		Command: "handover --home DIR clients register --hub " + h.Hub + " --name NAME --scope SCOPES", Next: systemsPath, NextName: "Go to systems"})
}

// systemAct is whether a system takes part.
type systemAct struct {
	name, title, heading string
	says                 string
	danger, on           bool
	do                   func(context.Context, partners.Caller, string) error
}

func (h *Handler) systemActs() map[string]systemAct {
	return map[string]systemAct{
		"suspend": {"suspend", "Suspend a system", "Suspend ", "Its next request is refused, and so is everybody who acts through it. What it was sent is kept.", true, false, h.Partners.SuspendSystem},
		"resume":  {"resume", "Let a system take part again", "Let take part again: ", "Its next request is answered again, with the same rights and keys.", false, true, h.Partners.ResumeSystem},
	}
}

func (h *Handler) askSwitch(a systemAct) page {
	return func(w http.ResponseWriter, r *http.Request, s signin.Session) error {
		y, err := h.foundSystem(r, s)
		if err != nil {
			return err
		}
		v := confirm{Heading: a.heading + y.Name, Says: []string{a.says}, Button: sentence(a.name), Danger: a.danger}
		if a.danger && y.Only {
			v.Warning = "It is the only system of your agency that takes part. Nothing reaches your agency’s own software until it, or another, does."
		}
		return h.ask(w, r, a.title, systemsPath+"/"+y.ID, v)
	}
}

func (h *Handler) doSwitch(a systemAct) page {
	return func(w http.ResponseWriter, r *http.Request, s signin.Session) error {
		y, err := h.foundSystem(r, s)
		if err != nil {
			return err
		}
		if err := a.do(r.Context(), s.Caller, y.ID); err != nil {
			return s.RefusedAbout(err, y.ID)
		}
		shell.See(w, systemsPath+"/"+y.ID+"?done="+a.name)
		return nil
	}
}
