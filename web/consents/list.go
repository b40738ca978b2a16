package consents

import (
	"net/http"
	"time"

	"handover/consent"
	"handover/consent/record"
	"handover/internal/codes"
	"handover/internal/ids"
	"handover/oauth/signin"
	"handover/partners"
	"handover/referral"
	"handover/web/ask"
	"handover/web/shell"
)

// soon is within how many days a record counts as ending.
const soon = 14

// card is one record of a list.
type card struct {
	ID, Purpose string
	To          []string
	Asked       time.Time
	Until       string
	Referrals   []string
	State, Tag  string // in words, and the colour of its tag
	Stands      bool
}

// listView is the agency's own records.
type listView struct {
	Cards  []card
	Ending bool   // only those that end soon
	More   string // the address of the next page
	Own    bool   // her agency holds its own keys
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, in signin.Session) error {
	named, err := h.named(r.Context())
	if err != nil {
		return err
	}
	query := r.URL.Query()
	v := listView{Ending: query.Get("tab") == "ending", Own: named[string(in.Caller.Partner())].Custody != partners.HeldByHub}
	if v.Ending {
		v.Cards, v.More, err = h.ending(r, in.Caller)
	} else {
		var found []referral.Recorded
		var more bool
		if found, more, err = h.Referrals.Recorded(r.Context(), in.Caller, query.Get("after")); more {
			v.More = "/consents?after=" + found[len(found)-1].ID
		}
		for _, f := range found {
			v.Cards = append(v.Cards, h.cardOf(f, named, string(in.Caller.Partner())))
		}
	}
	if err != nil {
		return err
	}
	return h.pages.Show(w, r, http.StatusOK, "list", shell.Page{Title: "Consents", Done: done(r), Body: v})
}

// ending are the records that end soon, or have ended, while referrals rest on them, and the
// address of those that end later.
func (h *Handler) ending(r *http.Request, c partners.Caller) (cards []card, more string, err error) {
	after := r.URL.Query().Get("after")
	if after != "" && !ids.IsUUID(after) {
		return nil, "", consent.ErrQuery
	}
	found, further, err := h.Referrals.EndingConsents(r.Context(), c, soon, after)
	for _, f := range found {
		d := card{ID: f.ID, Purpose: ask.Upper(codes.Purposes().Label(f.Purpose)), Until: h.until(f.Expires), Referrals: f.Referrals, Stands: true, State: "Ends soon", Tag: "yellow"}
		if f.Ended {
			d.State, d.Tag = "Ended", "red"
		}
		cards = append(cards, d)
	}
	if further {
		more = "/consents?tab=ending&after=" + found[len(found)-1].ID
	}
	return cards, more, err
}

func (h *Handler) cardOf(f referral.Recorded, named map[string]partners.Partner, own string) card {
	d := card{ID: f.ID, Purpose: ask.Upper(codes.Purposes().Label(f.Purpose)), Asked: f.Given, Until: h.until(f.Expires), Referrals: f.Referrals}
	for _, id := range f.Recipients {
		if id != own {
			d.To = append(d.To, nameOf(named, id))
		}
	}
	switch {
	case f.Withdrawn:
		d.State, d.Tag = "She took it back", "grey"
	case f.Agreement == "refused":
		d.State, d.Tag = "She said no", "grey"
	case f.Agreement != "agreed" && f.Agreement != record.BestInterests:
		d.State, d.Tag = "Not asked", "grey"
	case f.Review == "awaited":
		d.State, d.Tag = "Waits for a manager", "yellow"
	case f.Review == "does-not-stand":
		d.State, d.Tag = "A manager said no", "grey"
	case f.Ended:
		d.State, d.Tag, d.Stands = "Ended", "red", true
	case f.Expires.Before(h.Now().AddDate(0, 0, soon)):
		d.State, d.Tag, d.Stands = "Ends soon", "yellow", true
	default:
		d.State, d.Tag, d.Stands = "Stands", "green", true
	}
	return d
}

// until tells when something ends: a day that it ends with, by that day.
func (h *Handler) until(t time.Time) string {
	if at := t.In(h.zone); at.Hour() == 0 && at.Minute() == 0 {
		return "the end of " + h.shell.Day(t.Add(-time.Second))
	}
	return h.shell.When(t)
}

// done is the sentence of what was done just now, by its code in the address.
func done(r *http.Request) string {
	return map[string]string{
		"recorded":  "What she said is recorded.",
		"withdrawn": "It is recorded that she takes it back. Nothing more is shared on it.",
		"never":     "It is recorded with whom nothing is ever to be shared. It counts from now on.",
		"lifted":    "It is recorded that she has changed her mind.",
	}[r.URL.Query().Get("done")]
}
