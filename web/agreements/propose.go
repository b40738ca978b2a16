package agreements

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"handover/oauth/signin"
	"handover/partners"
	"handover/partners/terms"
	"handover/referral/managed"
	"handover/web/shell"
)

// proposing is what a proposal is made of while it is written: nothing of it is kept before it is
// signed, each page carries what was said on those before.
type proposing struct {
	wish
	known    agencies
	current  *partners.SignedAgreement // in force between the two, whose place this one takes
	open     *partners.SignedAgreement // proposed by us and not answered
	category partners.Category         // of our own agency
	managed  bool
	firewall *partners.Firewall
}

// begin is the first question; or, for a new version of an agreement in force, the second.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	p, err := h.proposing(r.Context(), s.Caller, wish{})
	if err != nil {
		return err
	}
	after := r.URL.Query().Get("after")
	if after == "" {
		return h.question(w, r, s, http.StatusOK, p, "other", nil)
	}
	of, err := h.Partners.SignedAgreement(r.Context(), s.Caller, after)
	if err != nil {
		return notThere(err)
	}
	if p, err = h.proposing(r.Context(), s.Caller, wish{Other: of.Partner(s.Caller.Partner())}); err != nil {
		return err
	}
	if wrong := p.judge("other"); wrong != nil {
		return h.question(w, r, s, http.StatusUnprocessableEntity, p, "other", wrong)
	}
	p.prefill(s.Caller.Partner())
	return h.question(w, r, s, http.StatusOK, p, "sends", nil)
}

// propose takes an answer and asks the next question. After the last it signs.
func (h *Handler) propose(w http.ResponseWriter, r *http.Request, s signin.Session) error {
	form, err := shell.Form(w, r)
	if err != nil {
		return err
	}
	p, err := h.proposing(r.Context(), s.Caller, wished(form))
	if err != nil {
		return err
	}
	if to := form.Get("go"); slices.Contains(steps(), to) { // back, to change an answer
		return h.question(w, r, s, http.StatusOK, p, to, nil)
	}
	at := max(slices.Index(steps(), form.Get("step")), 0)
	for _, step := range steps()[:at+1] {
		if wrong := p.judge(step); wrong != nil {
			return h.question(w, r, s, http.StatusUnprocessableEntity, p, step, wrong)
		}
	}
	if steps()[at] == "other" && p.Sends.Empty() && p.Receives.Empty() {
		p.prefill(s.Caller.Partner())
	}
	if at < len(steps())-1 {
		return h.question(w, r, s, http.StatusOK, p, steps()[at+1], nil)
	}
	if _, err := h.Desk.ProposeAgreement(r.Context(), s.Caller, p.agreement(h.Now())); err != nil {
		return err
	}
	h.Log.Kick()
	shell.See(w, root+"/"+p.ID+"?done=propose")
	return nil
}

// proposing is the wish with what is known of the two agencies.
func (h *Handler) proposing(ctx context.Context, c partners.Caller, said wish) (*proposing, error) {
	p := &proposing{wish: said, category: c.Category(), firewall: h.Partners.Firewall()}
	if p.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		p.ID = id.String()
	}
	var err error
	if p.known, err = h.agencies(ctx); err != nil {
		return nil, err
	}
	mine, err := h.Partners.Find(ctx, c.Partner())
	if err != nil {
		return nil, err
	}
	p.managed = mine.Custody == partners.HeldByHub
	delete(p.known, c.Partner())
	for after, more := "", p.Other != ""; more; {
		var page []partners.SignedAgreement
		if page, more, err = h.Partners.SignedAgreements(ctx, c, after); err != nil {
			return nil, err
		}
		for _, a := range page {
			after = a.ID
			switch {
			case a.Partner(c.Partner()) != p.Other:
			case a.State.Replaceable():
				p.current = &a
			case a.State == terms.Proposed && a.Proposer == c.Partner() && a.ID != p.ID:
				p.open = &a
			}
		}
	}
	return p, nil
}

// prefill begins with what is in force, of which a new version changes something.
func (p *proposing) prefill(me partners.ID) {
	if p.current == nil {
		return
	}
	for of, into := range map[partners.ID]*terms.Way{me: &p.Sends, p.Other: &p.Receives} {
		w := p.current.Way(of)
		*into = terms.Way{Purposes: w.Purposes, Sections: w.Sections}
	}
}

// agreement is what is signed. It begins at once, and ends on the day's hour in so many months.
// Both look at it again one month before, if nothing sooner was said.
func (p *proposing) agreement(now time.Time) managed.Agreement {
	from := now
	if at, err := uuid.Parse(p.ID); err == nil { // the same proposal sent again says the same
		sec, _ := at.Time().UnixTime()
		from = time.Unix(sec, 0)
	}
	a := managed.Agreement{ID: p.ID, Other: string(p.Other), Version: 1, Sends: p.Sends, Receives: p.Receives,
		ValidFrom: from.Unix(), ValidTo: from.AddDate(0, p.Months, 0).Unix(), ReviewAt: from.AddDate(0, p.Review, 0).Unix()}
	if p.current != nil {
		a.Version, a.Supersedes = p.current.Version+1, p.current.ID
	}
	return a
}

// command is how an agency that holds its own keys proposes the same.
func (p *proposing) command() string {
	words := []string{"handover agreements propose", string(p.Other)}
	add := func(flag string, values []string) {
		if len(values) > 0 {
			words = append(words, flag, strings.Join(values, ","))
		}
	}
	add("--send-purposes", p.Sends.Purposes)
	add("--send-sections", p.Sends.Sections)
	add("--receive-purposes", p.Receives.Purposes)
	add("--receive-sections", p.Receives.Sections)
	return strings.Join(append(words, "--months", strconv.Itoa(p.Months), "--review", strconv.Itoa(p.Review)), " ")
}
