package people

import (
	"handover/web/shell"
	"net/http"

	"github.com/gorilla/mux"

	"handover/oauth/signin"
	"handover/partners"
)

// accountView is all that a person is shown of herself.
type accountView struct {
	Profile  partners.Profile
	Role     string // what her role is, and lets her do
	Notices  []signin.Notice
	Passkeys []signin.Passkey
	Sessions []signin.Session
	Here     string // the session of this browser
	Passkey  bool   // she came with a passkey
	Fresh    bool   // she has proved who she is just now
}

func (h *Handler) account(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	ctx := r.Context()
	v := accountView{Here: s.ID, Passkey: s.Passkey, Fresh: h.signIn.Fresh(s)}
	var err error
	if v.Profile, err = h.partners.Profile(ctx, s.Caller); err != nil {
		return err
	}
	v.Role = v.Profile.Role.Title() + ". " + v.Profile.Role.Words()
	if v.Notices, err = h.signIn.Notices(ctx, s); err != nil {
		return err
	}
	if v.Passkeys, err = h.signIn.Passkeys(ctx, s); err != nil {
		return err
	}
	if v.Sessions, err = h.signIn.Sessions(ctx, s); err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "account", shell.Page{Title: "Your account", Body: v})
}

func (h *Handler) signOutEverywhere(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	if err := h.signIn.SignOutEverywhere(w, r, s); err != nil {
		return err
	}
	shell.See(w, shell.SignInPath)
	return nil
}

func (h *Handler) endSession(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	id := mux.Vars(r)["session"]
	if id == s.ID {
		return h.signOut(w, r, s)
	}
	if err := h.signIn.End(r.Context(), s, id); err != nil {
		return err
	}
	shell.See(w, shell.AccountPath)
	return nil
}

func (h *Handler) removePasskey(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	if err := h.signIn.RemovePasskey(r.Context(), s, mux.Vars(r)["passkey"]); err != nil {
		return err
	}
	shell.See(w, shell.AccountPath)
	return nil
}

func (h *Handler) dismissNotice(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	if err := h.signIn.Dismiss(r.Context(), s, mux.Vars(r)["notice"]); err != nil {
		return err
	}
	shell.See(w, shell.AccountPath)
	return nil
}
