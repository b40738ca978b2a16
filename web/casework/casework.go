// Package casework is the pages of one referral, for the people of its two agencies.
//
// seen.go reads what every page begins with: where the referral stands, its chain, which side
// the reader is on and who holds her agency's keys. page.go is the page of the referral itself;
// ticket.go says what she agreed to; open.go has sections opened, each by an act that is logged,
// and content.go turns what they say into what people read. acts.go says what is asked for each
// decision, decide.go asks it, confirm.go has it done. chain.go shows how each step is proved,
// file.go gets an attachment, thread.go shows the sealed notes, recall.go what an agency is asked after a withdrawal.
//
// What was opened is on the one page that answers the act, in no address and nowhere on the
// server. The pages assume no plaintext: of an agency that holds its own keys they show the
// envelope, the clocks and the chain, and say how it opens the rest.
package casework

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/audit/proof"
	"handover/consent"
	"handover/internal/fault"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/managed"
	"handover/web/shell"
)

//go:embed templates/*.html
var templates embed.FS

// Handler serves the pages of one referral.
type Handler struct {
	Shell     *shell.Shell
	Referrals *referral.Store
	Consents  *consent.Store
	Partners  *partners.Store
	Desk      *managed.Desk
	Log       *audit.Log
	Now       func() time.Time

	pages *shell.Pages
}

// New returns the pages. Every field of h is needed.
func New(h Handler) (*Handler, error) {
	if h.Shell == nil || h.Referrals == nil || h.Consents == nil || h.Partners == nil || h.Desk == nil || h.Log == nil || h.Now == nil {
		return nil, errors.New("configuring the pages of a referral: something of what they need is missing")
	}
	var err error
	h.pages, err = h.Shell.Pages(templates)
	return &h, err
}

// Mount adds the routes. They are for who sends or receives referrals, caseworkers and
// managers; whether she is of one of the two agencies, the store decides.
func (h *Handler) Mount(r *mux.Router) {
	page := func(path, method string, do func(http.ResponseWriter, *http.Request, signin.Session) error) {
		r.Handle(path, h.Shell.Allow(do, partners.ReferralsReceive, partners.ReferralsSend)).Methods(method)
	}
	const one = "/referrals/{referral}"
	page(one, http.MethodGet, h.referral)
	page(one+"/open", http.MethodGet, h.back)
	page(one+"/open", http.MethodPost, h.open)
	page(one+"/print", http.MethodGet, h.back)
	page(one+"/print", http.MethodPost, h.print)
	page(one+"/messages", http.MethodGet, h.messages)
	page(one+"/messages", http.MethodPost, h.openMessages)
	page(one+"/decide", http.MethodGet, h.choose)
	page(one+"/decide", http.MethodPost, h.chosen)
	page(one+"/decide/{event}", http.MethodGet, h.ask)
	page(one+"/decide/{event}", http.MethodPost, h.decide)
	page(one+"/chain/{digest}", http.MethodGet, h.link)
	page(one+"/chain/{digest}", http.MethodPost, h.openLink)
	page(one+"/chain/{digest}/file", http.MethodPost, h.file)
	page(one+"/chain/{digest}/receipt.json", http.MethodGet, h.receiptJSON)
	page(one+"/chain/{digest}/proof.txt", http.MethodGet, h.proofText)
	page("/recalls", http.MethodGet, h.recalls)
	page("/recalls/{recall}", http.MethodGet, h.recall)
	page("/recalls/{recall}", http.MethodPost, h.answerRecall)
}

// refused records what was refused to the caller and returns it, if the page is to be shown
// again with what is wrong; any other error it returns as such. What cannot be recorded is
// such an error.
func (h *Handler) refused(ctx context.Context, about proof.Entry, err error) (*fault.Fault, error) {
	f, declared := errors.AsType[*fault.Fault](err)
	if !declared || f.Kind == fault.Unavailable || errors.Is(err, referral.ErrNotThere) {
		return nil, err // the shell records it, and shows no page of the referral
	}
	about.Outcome = f.Code
	if logErr := h.Log.Refuse(ctx, about); logErr != nil {
		return nil, errors.Join(audit.ErrReceiptPending, logErr)
	}
	return f, nil
}

// proved waits until an entry is under a signed checkpoint, and returns its receipt.
func (h *Handler) proved(ctx context.Context, entry audit.EntryID) (proof.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, h.Desk.Wait)
	defer cancel()
	return h.Log.Receipt(ctx, entry)
}
