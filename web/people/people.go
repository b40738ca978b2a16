// Package people is the pages on which people sign in, look after their account, and say what
// systems may do in their name. The script (people.js) does only what needs the browser's
// passkeys: everything else works without it.
package people

import (
	"embed"
	"net/http"

	"github.com/gorilla/mux"

	"handover/oauth"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

//go:embed templates
var templates embed.FS

// The pages that others lead to.
const (
	joinPath      = "/join"
	AuthorizePath = "/oauth/authorize"
)

// Handler serves the pages.
type Handler struct {
	signIn        *signin.Handler
	partners      *partners.Store
	authorization *oauth.Handler
	shell         *shell.Shell
	pages         *shell.Pages
}

// New returns the pages.
func New(s *shell.Shell, signIn *signin.Handler, registry *partners.Store, authorization *oauth.Handler) (*Handler, error) {
	pages, err := s.Pages(templates)
	if err != nil {
		return nil, err
	}
	return &Handler{signIn: signIn, partners: registry, authorization: authorization, shell: s, pages: pages}, nil
}

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	open, signedIn := h.shell.Open, h.shell.SignedIn
	r.Handle(shell.SignInPath, open(h.signInPage)).Methods(http.MethodGet)
	r.Handle(shell.SignInPath+"/{partner}", open(h.signInPage)).Methods(http.MethodGet)
	r.Handle(shell.SignInPath+"/{partner}/provider", open(h.toProvider)).Methods(http.MethodGet)
	r.Handle(signin.CallbackPath, open(h.fromProvider)).Methods(http.MethodGet)
	r.Handle(shell.StepUpPath+"/provider", signedIn(h.stepUpAtProvider)).Methods(http.MethodGet)
	r.Handle(joinPath, open(h.joinPage)).Methods(http.MethodGet)
	r.Handle(shell.StepUpPath, signedIn(h.stepUpPage)).Methods(http.MethodGet)
	r.Handle("/sign-out", signedIn(h.signOut)).Methods(http.MethodPost)
	r.Handle(shell.AccountPath, signedIn(h.account)).Methods(http.MethodGet)
	r.Handle(shell.AccountPath+"/sign-out-everywhere", signedIn(h.signOutEverywhere)).Methods(http.MethodPost)
	r.Handle(shell.AccountPath+"/sessions/{session}/end", signedIn(h.endSession)).Methods(http.MethodPost)
	r.Handle(shell.AccountPath+"/passkeys/{passkey}/remove", signedIn(h.removePasskey)).Methods(http.MethodPost)
	r.Handle(shell.AccountPath+"/notices/{notice}/dismiss", signedIn(h.dismissNotice)).Methods(http.MethodPost)
	r.Handle(AuthorizePath, signedIn(h.permission)).Methods(http.MethodGet)
	r.Handle(AuthorizePath, signedIn(h.decide)).Methods(http.MethodPost)
}
