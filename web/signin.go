package web

import (
	"net/http"

	"handover/oauth/signin"
)

// signInView is the sign-in page: for anybody, or of one agency with a provider of its own.
type signInView struct {
	Next string
}

// signInPage is one page for everybody. Of an agency that has no provider, and of one that
// there is not, it is the same: it must not tell who takes part.
func (h *Handler) signInPage(w http.ResponseWriter, r *http.Request) error {
	return h.show(w, http.StatusOK, "sign-in", view{Title: "Sign in", Body: signInView{Next: h.signIn.Landing(r.URL.Query().Get("next"))}})
}

// joinPage is where a one-time link leads. The code is in the fragment of the address,
// which no browser sends: the script reads it, takes it out of the address and posts it.
func (h *Handler) joinPage(w http.ResponseWriter, _ *http.Request) error {
	return h.show(w, http.StatusOK, "join", view{Title: "Set up how you sign in"})
}

func (h *Handler) stepUpPage(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	return h.show(w, http.StatusOK, "step-up", view{Title: "Confirm it is you", SignedIn: true,
		Body: signInView{Next: h.signIn.Landing(r.URL.Query().Get("next"))}})
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	if err := h.signIn.SignOut(w, r, s); err != nil {
		return err
	}
	see(w, signInPath)
	return nil
}
