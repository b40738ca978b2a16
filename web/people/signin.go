package people

import (
	"handover/web/shell"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"handover/oauth/signin"
	"handover/partners"
)

// signInView is the sign-in page: for anybody, or of one agency with a provider of its own.
type signInView struct {
	Next     string
	Agency   string // whose provider it is; "" if this page is of no agency with one
	Provider string // the address that leads to it
}

// signInPage is one page for everybody. Of an agency that has no provider, and of one that
// there is not, it is the same: it must not tell who takes part.
func (h *Handler) signInPage(w http.ResponseWriter, r *http.Request) error {
	v := signInView{Next: h.signIn.Landing(r.URL.Query().Get("next"))}
	id := mux.Vars(r)["partner"]
	name, ok, err := h.signIn.ProviderOf(r, partners.ID(id))
	if err != nil {
		return err
	}
	if ok {
		v.Agency, v.Provider = name, shell.SignInPath+"/"+id+"/provider?next="+url.QueryEscape(v.Next)
	}
	return h.pages.Show(w, r, http.StatusOK, "sign-in", shell.Page{Title: "Sign in", Body: v})
}

// joinPage is where a one-time link leads. The code is in the fragment of the address,
// which no browser sends: the script reads it, takes it out of the address and posts it.
func (h *Handler) joinPage(w http.ResponseWriter, r *http.Request) error {
	return h.pages.Show(w, r, http.StatusOK, "join", shell.Page{Title: "Set up how you sign in"})
}

func (h *Handler) stepUpPage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	v := signInView{Next: h.signIn.Landing(r.URL.Query().Get("next"))}
	if !s.Passkey {
		v.Provider = shell.StepUpPath + "/provider?next=" + url.QueryEscape(v.Next)
	}
	return h.pages.Show(w, r, http.StatusOK, "step-up", shell.Page{Title: "Confirm it is you", Body: v})
}

// toProvider sends her browser to her agency's provider. It is a link and not a form: the
// policy of the page lets no form lead elsewhere.
func (h *Handler) toProvider(w http.ResponseWriter, r *http.Request) error {
	location, err := h.signIn.AtProvider(w, r, partners.ID(mux.Vars(r)["partner"]), r.URL.Query().Get("next"), nil)
	if err != nil {
		return err
	}
	shell.See(w, location)
	return nil
}

func (h *Handler) fromProvider(w http.ResponseWriter, r *http.Request) error {
	location, err := h.signIn.FromProvider(w, r)
	if err != nil {
		return err
	}
	shell.See(w, location)
	return nil
}

func (h *Handler) stepUpAtProvider(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	location, err := h.signIn.AtProvider(w, r, s.Caller.Partner(), r.URL.Query().Get("next"), &s)
	if err != nil {
		return err
	}
	shell.See(w, location)
	return nil
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	if err := h.signIn.SignOut(w, r, s); err != nil {
		return err
	}
	shell.See(w, shell.SignInPath)
	return nil
}
