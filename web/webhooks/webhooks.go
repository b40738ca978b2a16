// Package webhooks is the pages of an agency's webhooks, for its administrators: the addresses of
// its own systems that the hub tells when something awaits the agency.
//
// page.go shows them, with what became of the newest messages; add.go adds one, and shows its
// secret the one time that it can be seen; acts.go has one tried, stopped, resumed, given a new
// secret or removed, and a message sent again. Nothing on these pages is about a woman: a message
// says an event, a time and an id, and here not even the id.
package webhooks

import (
	"context"
	"embed"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/internal/fault"
	"handover/internal/httpd"
	"handover/notify"
	"handover/oauth/signin"
	"handover/partners"
	"handover/web/shell"
)

//go:embed templates/*.html
var templates embed.FS

// Path is where the list is.
const Path = "/agency/webhooks"

// Handler serves the pages.
type Handler struct {
	Shell *shell.Shell
	Store *notify.Store
	Log   *audit.Log

	pages *shell.Pages
}

// New returns the pages. Every field of h is needed.
func New(h Handler) (*Handler, error) {
	if h.Shell == nil || h.Store == nil || h.Log == nil {
		return nil, errors.New("configuring the pages of webhooks: something of what they need is missing")
	}
	var err error
	h.pages, err = h.Shell.Pages(templates)
	return &h, err
}

// Mount adds the routes. Each act has its page at the address that it is posted to: there an
// administrator comes back to who was asked to prove first that it is she.
func (h *Handler) Mount(r *mux.Router) {
	admin := partners.PartnerAdmin
	r.Handle(Path, h.Shell.Allow(h.list, admin)).Methods(http.MethodGet)
	r.Handle(Path+"/add", h.Shell.Proven(h.asks, admin)).Methods(http.MethodGet)
	r.Handle(Path+"/add", h.Shell.Proven(h.add, admin)).Methods(http.MethodPost)
	r.Handle(Path+"/{webhook}", h.Shell.Allow(h.one, admin)).Methods(http.MethodGet)
	for _, a := range h.acts() {
		r.Handle(Path+"/{webhook}"+a.path(), h.Shell.Proven(h.confirms(a), admin)).Methods(http.MethodGet)
		r.Handle(Path+"/{webhook}"+a.path(), h.Shell.Proven(h.does(a), admin)).Methods(http.MethodPost)
	}
}

// hidden has what is not the agency's look like what is not there at all.
func hidden(err error) error {
	if errors.Is(err, notify.ErrWebhookNotThere) || errors.Is(err, notify.ErrDeliveryNotThere) {
		return partners.ErrNotThere
	}
	return err
}

// refused records what was refused to the caller, and returns the answer's status and the sentence to show
// above the page; any other error it returns as such. What cannot be recorded is such an error.
func (h *Handler) refused(r *http.Request, session signin.Session, err error) (status int, text string, _ error) {
	f, declared := errors.AsType[*fault.Fault](err)
	if !declared || f.Kind == fault.Unavailable || f.Kind == fault.NotFound || errors.Is(err, partners.ErrStepUp) {
		return 0, "", hidden(err)
	}
	about := session.Caller.Entry("refused")
	about.Outcome = f.Code
	if logErr := h.Log.Refuse(r.Context(), about); logErr != nil {
		return 0, "", errors.Join(audit.ErrReceiptPending, logErr)
	}
	status, text = httpd.Explain(r, err)
	return status, text, nil
}

// found is the webhook of the request, of the caller's agency.
func (h *Handler) found(ctx context.Context, r *http.Request, session signin.Session) (notify.Webhook, error) {
	w, err := h.Store.Webhook(ctx, session.Caller, mux.Vars(r)["webhook"])
	return w, hidden(err)
}
