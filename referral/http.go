package referral

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"handover/audit"
	"handover/audit/proof"
	"handover/internal/codes"
	"handover/internal/httpd"
	"handover/internal/ids"
	"handover/partners"
	"handover/referral/packet"
)

// Handler serves referrals.
type Handler struct {
	Gate  *partners.Gate
	Store *Store
	Log   *audit.Log
	Wait  time.Duration // the longest a caller waits for her receipt
}

// Mount adds the routes.
func (h *Handler) Mount(r *mux.Router) {
	r.Handle("/v1/referrals", h.Gate.Allow(partners.ReferralsSend, h.request)).Methods("POST")
	r.Handle("/v1/referrals", h.Gate.Allow("", h.list)).Methods("GET")
	r.Handle("/v1/inbox", h.Gate.Allow(partners.ReferralsReceive, h.inbox)).Methods("GET")
	r.Handle("/v1/referrals/{referral}", h.Gate.Allow("", h.read)).Methods("GET")
	r.Handle("/v1/referrals/{referral}/events", h.Gate.Allow("", h.history)).Methods("GET")
	r.Handle("/v1/referrals/{referral}/events", h.Gate.Allow("", h.event)).Methods("POST")
	r.Handle("/v1/referrals/{referral}/open", h.Gate.Allow("", h.open)).Methods("POST")
	h.mountAttachments(r)
	h.mountRecalls(r)
	r.Handle("/v1/keys/{kid}/packets", h.Gate.Allow(partners.PartnerAdmin, h.touchedBy)).Methods("GET")
	r.Handle("/v1/people/{user}/referrals", h.Gate.Allow(partners.PartnerAdmin, h.heldBy)).Methods("GET")
}

// request takes the packet that opens a referral.
func (h *Handler) request(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	return h.receive(w, r, c, "")
}

// event takes every later step, by either side. The sender's steps need the scope to
// send, the recipient's the scope to receive; whose step an event is, the referral
// shows, so either scope admits here and the store decides.
func (h *Handler) event(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := EitherSide.Allows(c); err != nil {
		return err
	}
	return h.receive(w, r, c, mux.Vars(r)["referral"])
}

func (h *Handler) receive(w http.ResponseWriter, r *http.Request, c partners.Caller, re string) error {
	body, err := httpd.Body(w, r, packet.PacketLimit, packet.MediaType)
	if err != nil {
		return err
	}
	u, err := packet.Read(body)
	if err != nil {
		return err
	}
	about := c.Entry("refused")
	about.Event, about.Envelope, about.Referral = string(u.Unverified().Event), u.Digest(), u.Unverified().Referral
	about.Subject = u.Unverified().Subject // so that a refused attempt to share is found among what was done about her
	entry, err := h.Store.Receive(r.Context(), c, u, re)
	if err != nil {
		return partners.Concerning(err, about)
	}
	receipt, err := h.receipt(r.Context(), entry)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/referrals/"+receipt.Referral)
	httpd.JSON(w, http.StatusCreated, receipt)
	return nil
}

// receipt waits until the entry is under a signed checkpoint. What has no proof yet
// is not answered with success: the caller repeats the same bytes.
func (h *Handler) receipt(ctx context.Context, entry audit.EntryID) (proof.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, h.Wait)
	defer cancel()
	return h.Log.Receipt(ctx, entry)
}

// open releases sections: checked, logged, then sent.
func (h *Handler) open(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := EitherSide.Allows(c); err != nil {
		return err
	}
	o, err := httpd.Decode[Opening](w, r, 4<<10)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["referral"]
	about := c.Entry("refused")
	if ids.IsDigest(id) {
		about.Referral = id
	}
	if o.Valid() {
		about.Sections, about.Reason = o.Sections, o.Reason
	}
	sections, entry, err := h.Store.Open(r.Context(), c, id, o)
	if err != nil {
		return partners.Concerning(err, about)
	}
	receipt, err := h.receipt(r.Context(), entry)
	if err != nil {
		return err
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"sections": sections, "receipt": receipt})
	return nil
}

func (h *Handler) read(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := EitherSide.Allows(c); err != nil {
		return err
	}
	m, chain, err := h.Store.Read(r.Context(), c, mux.Vars(r)["referral"])
	if err != nil {
		return err
	}
	for i := range chain { // what the hub did of itself is taken on the log's word alone
		if !chain[i].byHub {
			continue
		}
		if chain[i].Receipt, err = h.receipt(r.Context(), chain[i].Entry); err != nil {
			return err
		}
	}
	h.Log.Kick()
	httpd.JSON(w, http.StatusOK, struct {
		Summary
		Chain []Step `json:"chain"`
	}{m, chain})
	return nil
}

// history is the chain with the receipt of every step: all that a third person
// needs, besides the partners' public keys, to verify it offline.
func (h *Handler) history(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	if err := EitherSide.Allows(c); err != nil {
		return err
	}
	m, chain, err := h.Store.Read(r.Context(), c, mux.Vars(r)["referral"])
	if err != nil {
		return err
	}
	for i := range chain {
		if chain[i].Receipt, err = h.receipt(r.Context(), chain[i].Entry); err != nil {
			return err
		}
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"referral": m.ID, "events": chain})
	return nil
}

func (h *Handler) inbox(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	return h.page(w, r, c, RecipientSide)
}

// list serves ?role=sent and ?role=received.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	side, ok := map[string]Side{"sent": SenderSide, "received": RecipientSide}[r.URL.Query().Get("role")]
	if !ok {
		return ErrQuery
	}
	if err := side.Allows(c); err != nil {
		return err
	}
	return h.page(w, r, c, side)
}

func (h *Handler) page(w http.ResponseWriter, r *http.Request, c partners.Caller, side Side) error {
	q := r.URL.Query()
	f, wait, err := parseQuery(q)
	if err != nil {
		return err
	}
	if err := h.await(w, r, c, side, f, wait); err != nil {
		return err
	}
	found, err := h.Store.List(r.Context(), c, side, f)
	if err != nil {
		return err
	}
	h.Log.Kick()
	if len(found) == f.Limit {
		q.Set("after", strconv.FormatInt(found[len(found)-1].seq, 10))
		q.Del("wait")
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.Path, q.Encode())) // RFC 8288
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"referrals": found})
	return nil
}

// heldBy lists what somebody of the caller's agency holds, without a word of content.
func (h *Handler) heldBy(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	after, err := cursor(r)
	if err != nil {
		return err
	}
	held, more, err := h.Store.HeldBy(r.Context(), c, mux.Vars(r)["user"], after)
	if err != nil {
		return err
	}
	h.Log.Kick()
	if more {
		linkNext(w, r, held[len(held)-1].seq)
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"referrals": held, "more": more})
	return nil
}

// touchedBy lists what a key of the caller's agency signed or opens.
func (h *Handler) touchedBy(w http.ResponseWriter, r *http.Request, c partners.Caller) error {
	after, err := cursor(r)
	if err != nil {
		return err
	}
	found, more, err := h.Store.TouchedBy(r.Context(), c, mux.Vars(r)["kid"], after)
	if err != nil {
		return err
	}
	h.Log.Kick()
	if more {
		linkNext(w, r, found[len(found)-1].seq)
	}
	httpd.JSON(w, http.StatusOK, map[string]any{"packets": found, "more": more})
	return nil
}

// cursor reads after, the cursor of the page before; 0 is none.
func cursor(r *http.Request) (int64, error) {
	given := r.URL.Query().Get("after")
	if given == "" {
		return 0, nil
	}
	after, err := strconv.ParseInt(given, 10, 64)
	if err != nil || after < 1 {
		return 0, ErrQuery
	}
	return after, nil
}

// linkNext names the next page (RFC 8288).
func linkNext(w http.ResponseWriter, r *http.Request, after int64) {
	w.Header().Set("Link", fmt.Sprintf(`<%s?after=%d>; rel="next"`, r.URL.Path, after))
}

// poll is how often a waiting caller looks for what arrived on another hub.
const poll = 2 * time.Second

// await holds the request until something undelivered waits in the caller's list, or
// wait has passed. Who waits gives up her place among the working.
func (h *Handler) await(w http.ResponseWriter, r *http.Request, c partners.Caller, side Side, f Filter, wait time.Duration) error {
	if wait == 0 {
		return nil
	}
	ctx, back, err := httpd.Wait(w, r)
	if err != nil {
		return err
	}
	defer back()
	deadline := time.After(wait)
	for {
		arrival := h.Store.waiting.forNext(string(c.Partner()))
		waits, err := h.Store.Undelivered(ctx, c, side, f)
		if ctx.Err() != nil {
			return nil // the hub is stopping, or nobody waits any more
		}
		if err != nil || waits {
			return err
		}
		select {
		case <-arrival:
		case <-time.After(poll):
		case <-deadline:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

func parseQuery(q url.Values) (Filter, time.Duration, error) {
	f := Filter{State: q.Get("state"), Urgency: q.Get("urgency"), Limit: 50}
	known := f.State == "" || f.State == "all"
	for _, s := range States() {
		known = known || f.State == string(s)
	}
	if !known || (f.Urgency != "" && !codes.Urgencies().Has(f.Urgency)) {
		return f, 0, ErrQuery
	}
	number := func(name string, least, most int64) (int64, error) {
		if q.Get(name) == "" {
			return 0, nil
		}
		n, err := strconv.ParseInt(q.Get(name), 10, 64)
		if err != nil || n < least || n > most {
			return 0, ErrQuery
		}
		return n, nil
	}
	limit, err := number("limit", 1, 100)
	if err != nil {
		return f, 0, err
	}
	if limit != 0 {
		f.Limit = int(limit)
	}
	if f.After, err = number("after", 1, 1<<62); err != nil {
		return f, 0, err
	}
	wait, err := number("wait", 0, 30)
	return f, time.Duration(wait) * time.Second, err
}
