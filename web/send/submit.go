package send

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/fault"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral/clock"
	"handover/referral/managed"
	"handover/referral/packet"
	"handover/web/shell"
)

// send has the desk send the referral under the draft's own id, so that a double tap is one
// referral, waits for the proof that it is in the log, and lets the draft go. A refusal keeps the
// draft.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	ctx, c := r.Context(), s.Caller
	d, err := h.open(r, c)
	if errors.Is(err, managed.ErrDraftGone) {
		if id, earlier := h.Referrals.SentAs(ctx, c, mux.Vars(r)["draft"]); earlier == nil {
			shell.See(w, sentPath(id)) // the second of two taps
			return nil
		}
	}
	if err != nil {
		return err
	}
	if next := h.next(d); next != d.path("check") {
		shell.See(w, next)
		return nil
	}
	b, err := h.basis(ctx, c, d)
	if err != nil {
		return err
	}
	content := h.content(d, b)
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	if seen := form.Get("seen"); seen != "" && seen != d.shows(b, content) { // none: another try at what she had seen
		shell.See(w, d.path("check")+"?done="+changed)
		return nil
	}
	receipt, err := h.refer(ctx, c, d, b, content)
	if err != nil {
		return h.refused(w, r, c, d, err)
	}
	if err := h.Desk.DropDraft(ctx, c, d.ID); err != nil && !errors.Is(err, managed.ErrDraftGone) {
		return err
	}
	shell.See(w, sentPath(receipt.Referral))
	return nil
}

func sentPath(referral string) string { return "/send/sent/" + referral }

// refer sends, and returns the proof of it.
func (h *Handler) refer(ctx context.Context, c partners.Caller, d work, b basis, content map[string]packet.Content) (proof.Receipt, error) {
	asked := request(d, content)
	if b.Override {
		asked.Consent, asked.Override = "", d.a.one(overrideKey)
	}
	entry, err := h.Desk.Refer(ctx, c, asked)
	if err != nil {
		return proof.Receipt{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, h.Desk.Wait)
	defer cancel()
	return h.Log.Receipt(ctx, entry)
}

// sentView is what she is told once it is sent.
type sentView struct {
	Referral, Reference string
	To                  string
	At                  time.Time
	Opened, Decided     time.Time // by when it must be
	Emergency           bool
}

// sent is the panel after sending.
func (h *Handler) sent(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	was, _, err := h.Referrals.Read(r.Context(), s.Caller, mux.Vars(r)["referral"])
	if err != nil {
		return err
	}
	if was.Sender != string(s.Caller.Partner()) {
		return partners.ErrNotThere
	}
	v := sentView{Referral: was.ID, Reference: ids.Reference(was.ID), To: was.Recipient, At: was.Created, Emergency: was.Urgency == "emergency"}
	v.Opened, _ = clock.By(was.Urgency, clock.Opened, was.Created, clock.Usual())
	v.Decided, _ = clock.By(was.Urgency, clock.Decided, was.Created, clock.Usual())
	if to, err := h.Partners.Find(r.Context(), partners.ID(was.Recipient)); err == nil {
		v.To = to.Name
	}
	return h.pages.Show(w, r, http.StatusOK, "sent", shell.Page{Title: "Referral sent", Body: v})
}

// refused logs a refusal of sending, as every refusal of somebody known is, and shows the page
// that says what to do. What is no refusal is not explained here.
func (h *Handler) refused(w http.ResponseWriter, r *http.Request, c partners.Caller, d work, err error) error {
	f, declared := errors.AsType[*fault.Fault](err)
	if !declared {
		return err
	}
	if errors.Is(err, audit.ErrReceiptPending) {
		return h.pages.Show(w, r, http.StatusServiceUnavailable, "pending", shell.Page{Title: "Not finished yet", Body: d.path("send")})
	}
	if f.Kind != fault.Unavailable {
		e := c.Entry(proof.Refused)
		e.Event, e.Outcome = string(packet.Request), f.Code
		if logErr := h.Log.Refuse(r.Context(), e); logErr != nil {
			return errors.Join(audit.ErrReceiptPending, logErr)
		}
	}
	v := mend(d, f)
	return h.pages.Show(w, r, v.status(f), "refused", shell.Page{Title: "This was not sent", Back: d.path("check"), Body: v})
}
