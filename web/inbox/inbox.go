// Package inbox is the lists of what an agency has received and sent, and who of its people has
// which referral.
//
// tabs.go has the lists and what each says when it is empty; list.go asks for a page of one and
// shows it; card.go says in words what a referral's card shows; find.go looks for one by its
// reference; assign.go is who has a referral; live.go tells a page that is open that something has
// come. A card has no more of her than her agency's routing: a reference, a service, an area, a
// time. What is written about her is on the referral's own page, once she opens it.
package inbox

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/internal/fault"
	"handover/notify"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/web/shell"
)

//go:embed templates/*.html
var templates embed.FS

// Handler serves the lists.
type Handler struct {
	Shell     *shell.Shell
	Referrals *referral.Store
	Partners  *partners.Store
	Log       *audit.Log
	Feed      *notify.Feed
	Now       func() time.Time

	pages *shell.Pages
	*streams
}

// streams counts who listens, by session.
type streams struct {
	mu   sync.Mutex
	open map[string]int
}

// New returns the pages. Every field of h is needed.
func New(h Handler) (*Handler, error) {
	if h.Shell == nil || h.Referrals == nil || h.Partners == nil || h.Log == nil || h.Feed == nil || h.Now == nil {
		return nil, errors.New("configuring the inbox: something of what it needs is missing")
	}
	h.streams = &streams{open: map[string]int{}}
	var err error
	h.pages, err = h.Shell.Pages(templates)
	return &h, err
}

// Mount adds the routes. They are for who sends or receives referrals, caseworkers and
// managers; whether a referral is her agency's, the store decides.
func (h *Handler) Mount(r *mux.Router) {
	page := func(path, method string, do func(http.ResponseWriter, *http.Request, signin.Session) error, scopes ...partners.Scope) {
		r.Handle(path, h.Shell.Allow(do, scopes...)).Methods(method)
	}
	in, out := partners.ReferralsReceive, partners.ReferralsSend
	page(InboxPath, http.MethodGet, h.list(received()), in)
	page(InboxPath, http.MethodPost, h.find(received()), in)
	page(SentPath, http.MethodGet, h.list(sent()), out)
	page(SentPath, http.MethodPost, h.find(sent()), out)
	r.Handle(InboxPath+"/live", h.Shell.Listen(InboxPath, h.live, in)).Methods(http.MethodGet)
	const one = "/referrals/{referral}/assign"
	page(one, http.MethodGet, h.who, in, out)
	page(one, http.MethodPost, h.assign, in, out)
	page(one+"/claim", http.MethodGet, h.back, in, out)
	page(one+"/claim", http.MethodPost, h.claim, in, out)
}

// The addresses of the two lists.
const (
	InboxPath = "/inbox"
	SentPath  = "/sent"
)

// refused records what was refused to the caller about a referral and returns it, if the page is to
// be shown again with what is wrong; any other error it returns as such.
func (h *Handler) refused(ctx context.Context, c partners.Caller, id string, err error) (*fault.Fault, error) {
	f, declared := errors.AsType[*fault.Fault](err)
	if !declared || f.Kind == fault.Unavailable || errors.Is(err, referral.ErrNotThere) {
		return nil, err // the shell records it, and shows no page of the referral
	}
	about := c.Entry("refused")
	about.Referral, about.Outcome = id, f.Code
	if logErr := h.Log.Refuse(ctx, about); logErr != nil {
		return nil, errors.Join(audit.ErrReceiptPending, logErr)
	}
	return f, nil
}
