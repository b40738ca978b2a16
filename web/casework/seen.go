package casework

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"handover/audit/proof"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/referral/packet"
)

// seen is a referral as one of its agencies sees it: what every page about it begins with.
type seen struct {
	referral.Summary
	Chain   []link
	Side    referral.Side
	Own     bool   // her agency holds its own keys: the hub can open nothing for it, and sign nothing
	Mine    string // the name of her agency
	Other   string // and of the other
	Address string // of the page of the referral

	other partners.Partner
	names map[partners.ID]string
}

// link is one step of the chain.
type link struct {
	referral.Step
	Claims packet.Claims
	Key    string // kid of the key that signed it
	By     string // the name of who took it
	Who    string // the colleague who did, if it was one
	ByHub  bool   // the hub took it of itself
	Signed string // in words: by whom
}

// What says plainly what the step did.
func (l link) What() string { return happened(l.Claims.Event, l.ByHub) }

// Why is the coded reason or outcome of the step, in words, or "".
func (l link) Why() string {
	asks := l.Claims.Event.Asks()
	switch {
	case l.Claims.Reason != "":
		return sentence(asks.Reasons.Label(l.Claims.Reason))
	case l.Claims.Outcome != "":
		return sentence(asks.Outcomes.Label(l.Claims.Outcome))
	}
	return ""
}

// At is when the step was stored, for a program.
func (l link) At() string { return l.Stored.UTC().Format(time.RFC3339) }

// Note reports whether the step carries a sealed note.
func (l link) Note() bool { return l.Claims.Event != packet.Request && l.has("note") }

func (l link) has(section string) bool {
	_, there := l.Claims.Sections[section]
	return there
}

// Recipient reports whether she is of the agency that was asked for help.
func (s *seen) Recipient() bool { return s.Side == referral.RecipientSide }

// Over reports whether nothing can follow any more.
func (s *seen) Over() bool { return referral.State(s.State).Final() }

// Request is the first step, which carries what she was referred with.
func (s *seen) Request() link { return s.Chain[0] }

// Since lists what has happened after the packet with that digest; nothing if it is none of
// the chain.
func (s *seen) Since(digest string) []link {
	i := slices.IndexFunc(s.Chain, func(l link) bool { return l.Digest == digest })
	if i < 0 {
		return nil
	}
	return s.Chain[i+1:]
}

// opens lists the sections of a step that she can have opened, in their order: what was sealed
// to her agency, or her agency's own copies of what it sent.
func (s *seen) opens(l link) []string {
	var names []string
	own := l.Claims.Issuer == s.me()
	for name, sealing := range l.Claims.Sections {
		if !own || sealing.Copy != "" {
			names = append(names, name)
		}
	}
	order := append([]string{"safe-contact", "need", "risk"}, codes.Sections().Codes()...)
	rank := func(name string) int {
		if i := slices.Index(order, name); i >= 0 {
			return i
		}
		return len(order)
	}
	slices.SortFunc(names, func(a, b string) int {
		if by := rank(a) - rank(b); by != 0 {
			return by
		}
		if a < b {
			return -1
		}
		return 1
	})
	return names
}

func (s *seen) me() string {
	if s.Recipient() {
		return s.Summary.Recipient
	}
	return s.Sender
}

// reads returns the referral that a request is about, and logs that she read it.
func (h *Handler) reads(r *http.Request, session signin.Session) (*seen, error) {
	ctx, c := r.Context(), session.Caller
	m, chain, err := h.Referrals.Read(ctx, c, mux.Vars(r)["referral"])
	if err != nil {
		return nil, err
	}
	s := &seen{Summary: m, Side: m.SideOf(c), Address: "/referrals/" + m.ID, names: map[partners.ID]string{}}
	mine, err := h.agency(ctx, c.Partner())
	if err != nil {
		return nil, err
	}
	other := partners.ID(m.Sender)
	if !s.Recipient() {
		other = partners.ID(m.Recipient)
	}
	if s.other, err = h.agency(ctx, other); err != nil {
		return nil, err
	}
	s.Own, s.Mine, s.Other = mine.Custody == partners.HeldByPartner, mine.Name, s.other.Name
	s.names[mine.ID], s.names[s.other.ID] = mine.Name, s.other.Name
	return s, h.tell(ctx, c, s, chain)
}

// agency is a partner by id. One that takes no part any more is called by its id.
func (h *Handler) agency(ctx context.Context, id partners.ID) (partners.Partner, error) {
	p, err := h.Partners.Find(ctx, id)
	if errors.Is(err, partners.ErrNotThere) {
		return partners.Partner{ID: id, Name: string(id)}, nil
	}
	return p, err
}

// tell takes the chain apart and says who signed each step. The envelopes were verified before
// they were stored; who is to believe nobody takes them from the page of each step.
func (h *Handler) tell(ctx context.Context, c partners.Caller, s *seen, chain []referral.Step) error {
	var people []string
	for _, step := range chain {
		stated, err := packet.ParseEnvelope(step.Envelope)
		if err != nil {
			return fmt.Errorf("reading a stored envelope: %w", errors.New(err.Error())) // no refusal of hers
		}
		l := link{Step: step, Claims: stated.Unverified(), Key: stated.KeyID()}
		l.ByHub = l.Claims.ByHub()
		if l.Claims.Issuer == string(c.Partner()) && l.Claims.Act != "" {
			people = append(people, l.Claims.Act)
		}
		s.Chain = append(s.Chain, l)
	}
	colleagues, err := h.Partners.Colleagues(ctx, c, people)
	if err != nil {
		return err
	}
	custody := map[string]partners.Custody{}
	for id := range s.names {
		keys, err := h.Partners.Keys(ctx, id)
		if err != nil && !errors.Is(err, partners.ErrNotThere) {
			return err
		}
		for _, k := range keys {
			custody[k.KeyID()] = k.Custody
		}
	}
	for i := range s.Chain {
		l := &s.Chain[i]
		l.By, l.Who = s.names[partners.ID(l.Claims.Issuer)], colleagues[l.Claims.Act]
		switch {
		case l.ByHub:
			l.By, l.Signed = "the hub", "Signed by the hub"
		case custody[l.Key] == partners.HeldByHub:
			l.Signed = "Signed by the hub for " + l.By
		default:
			l.Signed = "Signed by " + l.By
		}
	}
	return nil
}

// service is the name of the service that was asked, as its agency has it now.
func (h *Handler) service(ctx context.Context, s *seen) (string, error) {
	asked, err := h.Partners.ServiceNamed(ctx, s.Service)
	if errors.Is(err, partners.ErrServiceNotThere) {
		return "A service that is not listed any more", nil
	}
	return asked.Name, err
}

// back leads from the address of an act, which is none to come back to, to the referral.
func (h *Handler) back(w http.ResponseWriter, r *http.Request, _ signin.Session) error {
	id := mux.Vars(r)["referral"]
	if !ids.IsDigest(id) {
		return referral.ErrNotThere
	}
	w.Header().Set("Location", "/referrals/"+id)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// about begins the log entry of a refusal on a page of the referral.
func (s *seen) about(c partners.Caller) proof.Entry {
	e := c.Entry("refused")
	e.Referral = s.ID
	return e
}

// days is how many days are left until t, rounded up.
func days(t, now time.Time) int { return int((t.Sub(now) + 24*time.Hour - 1) / (24 * time.Hour)) }
